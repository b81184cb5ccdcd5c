"""Measure how fast the presets are on one core, into `zoo/speeds.json`.

    python benchmarks/speeds.py [NAME ...]

Trackers follow a bright square over noise, frame by frame, in 180x320 pixels, or in the
size of the clips that they were trained on. So do those of OpenCV's trackers that their
scores are compared with, where OpenCV has them (the extra `bench`); an
older number stays where it has not. Reading and converting the frames does not count.
Classifiers read images of their own size, a hundred at a time.
What counts is the time that the core has worked, of the fastest of several runs, so
that other programs on the machine do not make a preset slower. `make bench` measures
ratios to other methods.
"""

import os
import sys

if hasattr(os, "sched_setaffinity"):  # before a backend sizes its thread pools
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.environ["OMP_NUM_THREADS"] = "1"  # of OpenCV too, by the cores that it may use

import platform
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import keras_attend as ka
from keras_attend.evaluation.opencv import (
    OPENCV,
    opencv_box,
    opencv_factory,
    opencv_image,
)
from keras_attend.zoo.presets import presets_folder
from keras_attend.zoo.speeds import Speed, read_speeds, write_speeds

RUNS, FRAMES, IMAGES = 7, 20, 200
# Of the clips that presets of drawn things were trained on; all else is a video's.
SIZES = {"ratm_balls": 20, "ratm_mnist": 100, "drlt_mnist": 100}
CANVASES = {"air_photo": 64, "air_": 50}
CANVASES |= {"translated": 60, "cluttered_mnist_100": 100, "cluttered": 60}


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


def clip(height: int, width: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Frames `[T, H, W, 3]` in which a square moves, and its first box."""
    shape = (FRAMES + 1, height, width, 3)
    frames = np.random.default_rng(0).integers(0, 80, shape, "uint8")
    n = height // 5
    y, x = 2 * n, width // 2 - n
    for t, frame in enumerate(frames):
        frame[y : y + n, x + t // 4 : x + t // 4 + n] += 120
    return frames, np.float32([x, y, n, n])


def rate(update: Callable[[NDArray[np.uint8]], object], frames: Any) -> float:
    """How many frames a second a tracker follows, after the first one."""
    return fastest(lambda: [update(frame) for frame in frames[1:]], FRAMES)


def of_tracker(name: str) -> tuple[float, str, dict[str, float]]:
    """The frames a second of a tracker, their size, and the peers' frames a second."""
    model = ka.zoo.load(name)
    drawn = side(name, SIZES)
    height, width = (drawn, drawn) if drawn else (180, 320)
    frames, box = clip(height, width)
    # As for a long video: XLA compiles what it makes faster.
    tracker = ka.Tracker(model, getattr(model.cell, "jit_compile", True))
    ours = np.ascontiguousarray(frames[..., : model.channels])
    tracker.init(ours[0], box)
    named = {peer for result in ka.zoo.info(name).metrics for peer in result.baselines}
    images = [opencv_image(frame) for frame in frames]
    peers = {}
    for peer in sorted(named & {*OPENCV}):
        try:
            create, whole = opencv_factory(peer)
        except (ImportError, FileNotFoundError) as problem:
            print(f"Not measured: {peer}: {problem}")
            continue
        theirs = create()
        theirs.init(images[0], opencv_box(box, whole))
        peers[peer] = three_digits(rate(theirs.update, images))
    return rate(tracker.update, ours), f"{height}x{width}", peers


def three_digits(number: float) -> float:
    """Round a number to three digits."""
    return float(f"{number:.3g}")


def of_classifier(name: str) -> tuple[float, str, dict[str, float]]:
    """How many images a second a model of images reads, and the images' size."""
    model = ka.zoo.load(name)
    n = side(name, CANVASES) or 28
    shape = (IMAGES, n, n, model.channels)
    images = np.random.default_rng(0).integers(0, 256, shape, "uint8")
    call = lambda: model.predict(images, batch_size=100, verbose=0)  # noqa: E731
    return fastest(call, IMAGES), f"{n}x{n}", {}


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
    measures["finding objects"] = (of_classifier, "images")
    folder = presets_folder()
    for name in names or ka.zoo.list_models(folder):
        task = ka.zoo.info(name).task
        if task not in measures:
            continue
        measure, what = measures[task]
        per_second, size, peers = measure(name)
        known = read_speeds(folder)
        if name in known:
            peers = known[name].peers | peers
        speed = Speed(three_digits(per_second), what, size, core(), peers)
        write_speeds(folder, known | {name: speed})
        print(f"{name}: {speed.per_second:,.0f} {what}/s, {size} {peers}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
