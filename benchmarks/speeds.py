"""Measure how fast the presets are on one core, into `zoo/speeds.json`.

    python benchmarks/speeds.py [NAME ...]

Trackers follow a box frame by frame in 180x320 pixels, or in the size of the clips that
they were trained on; classifiers read images of their own size, a hundred at a time.
What counts is the time that the core has worked, of the fastest of several runs, so
that other programs on the machine do not make a preset slower. `make bench` measures
ratios to other methods.
"""

import os
import sys

if hasattr(os, "sched_setaffinity"):  # before a backend sizes its thread pools
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.environ["OMP_NUM_THREADS"] = "1"

import platform
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import keras_attend as ka
from keras_attend.zoo.presets import presets_folder
from keras_attend.zoo.speeds import Speed, read_speeds, write_speeds

RUNS, FRAMES, IMAGES = 7, 20, 200
# Of the clips that presets of drawn things were trained on; all else is a video's.
SIZES = {"ratm_balls": 20, "ratm_mnist": 100, "drlt_mnist": 100}
CANVASES = {"translated": 60, "cluttered_mnist_100": 100, "cluttered": 60}


def fastest(call: Callable[[], object], count: int) -> float:
    """Frames a second of the fastest of several calls, each of `count` frames."""
    call()
    seconds = []
    for _ in range(RUNS):
        begin = time.process_time()
        call()
        seconds.append(time.process_time() - begin)
    return count / min(seconds)


def side(name: str, sizes: dict[str, int]) -> int | None:
    """The size of the first entry that a preset's name begins with or holds."""
    return next((size for part, size in sizes.items() if part in name), None)


def of_tracker(name: str) -> tuple[float, str]:
    """How many frames a second a tracker follows, and the frames' size."""
    model = ka.zoo.load(name)
    drawn = side(name, SIZES)
    height, width = (drawn, drawn) if drawn else (180, 320)
    shape = (FRAMES + 1, height, width, model.channels)
    frames = np.random.default_rng(0).integers(0, 256, shape, "uint8")
    tracker = ka.Tracker(model)
    tracker.init(frames[0], (0.4 * width, 0.4 * height, 0.2 * width, 0.2 * height))

    def follow() -> None:
        for frame in frames[1:]:
            tracker.update(frame)

    return fastest(follow, FRAMES), f"{height}x{width}"


def of_classifier(name: str) -> tuple[float, str]:
    """How many images a second a classifier reads, and the images' size."""
    model = ka.zoo.load(name)
    n = side(name, CANVASES) or 28
    shape = (IMAGES, n, n, model.channels)
    images = np.random.default_rng(0).integers(0, 256, shape, "uint8")
    call = lambda: model.predict(images, batch_size=100, verbose=0)  # noqa: E731
    return fastest(call, IMAGES), f"{n}x{n}"


def core() -> str:
    """The name of this machine's processor, as the system gives it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        found = re.search(r"model name\s*:\s*(.*)", text)
    except OSError:
        found = None
    name = found[1] if found else platform.processor() or platform.machine()
    return f"one core of {' '.join(name.split())}"


def main(names: list[str]) -> None:
    """Measure these presets, or all, and keep what the file has of others."""
    measures = {"tracking": (of_tracker, "frames")}
    measures["image classification"] = (of_classifier, "images")
    folder = presets_folder()
    for name in names or ka.zoo.list_models(folder):
        task = ka.zoo.info(name).task
        if task not in measures:
            continue
        measure, what = measures[task]
        rate, size = measure(name)
        speed = Speed(float(f"{rate:.3g}"), what, size, core())
        write_speeds(folder, read_speeds(folder) | {name: speed})
        print(f"{name}: {speed.per_second:,.0f} {what}/s, {size}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
