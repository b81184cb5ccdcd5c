"""Measure how many frames a second trackers follow one object through, on one core.

python -m keras_attend.training.speed --data DIR              every tracker that ships
python -m keras_attend.training.speed hart_person --data DIR  one preset, or its folder

The numbers are written into the preset's results.json, beside its scores, and into its
card; `make zoo` writes the tables of all presets. Trackers of videos, and OpenCV's
trackers that their scores are compared with, follow the object through 60 frames of
DIR/tracking_test/otb_David, others through a clip of their test set. Only updates
count: neither the reading and converting of frames, nor the first one.

The trackers take turns, and the best of their runs counts. It is timed by the clock of
the process, which stands still while other processes use the core.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_attend import zoo
from keras_attend.datasets.sequences import read_frames
from keras_attend.datasets.settings import DATA, data_folder
from keras_attend.evaluation.opencv import (
    OPENCV,
    opencv_box,
    opencv_factory,
    opencv_image,
)
from keras_attend.evaluation.test_sets import DrawnClips, Videos, from_description
from keras_attend.tracking import Tracker
from keras_attend.types import Array
from keras_attend.zoo.card import write_card
from keras_attend.zoo.results import Results, Speed, read_results, write_results

VIDEO, FRAMES, RUNS = "otb_David", 60, 9
Update = Callable[[Any], Any]


def frames_per_second(
    updates: Mapping[str, tuple[Update, list[Any]]], runs: int = RUNS
) -> dict[str, float]:
    """Time calls on one frame after the other, in turns.

    Args:
        updates: by name, a function of one frame, and the frames.
        runs: how often all of them are timed. Another run before is not.

    Returns:
        By name the frames a second of the fastest run.
    """
    best = dict.fromkeys(updates, float("inf"))
    for run in range(runs + 1):
        for name, (update, frames) in updates.items():
            begin = time.process_time()
            for frame in frames:
                update(frame)
            if run:
                taken = time.process_time() - begin
                best[name] = min(best[name], taken / len(frames))
    return {name: round(1 / seconds, 1) for name, seconds in best.items()}


def measured(model: Any, results: Results, data: Path | None) -> Speed:
    """Measure a tracker, and those of OpenCV's that its results name.

    Args:
        model: the tracker.
        results: what it scored.
        data: the folder that `--data` names.
    """
    frames, box, words = test_clip(results, data)
    tracker = Tracker(model)
    seen = frames if frames.shape[-1] == model.channels else frames[..., :1]
    seen = np.ascontiguousarray(seen)
    tracker.init(seen[0], box)
    updates: dict[str, tuple[Update, list[Any]]] = {
        "ours": (tracker.update, list(seen[1:]))
    }
    named = {name for result in results.results for name in result.baselines}
    images = [opencv_image(frame) for frame in frames]
    for name in (name for name in OPENCV if name in named):
        create, whole = opencv_factory(name)
        peer = create()
        peer.init(images[0], opencv_box(box, whole))
        updates[name] = (peer.update, images[1:])
    return Speed(frames_per_second(updates), words, processor())


def test_clip(results: Results, data: Path | None) -> tuple[Array, Array, str]:
    """Return frames `[T, H, W, C]` uint8, the first box and what they are in words."""
    sets = [from_description(text) for text in results.test_sets.values()]
    if any(isinstance(found, Videos) for found in sets):
        if data is None:
            raise ValueError(f"--data or {DATA} must name the folder of the videos.")
        (video,) = Videos("tracking_test", (VIDEO,)).load(data)
        video = video.part(0, FRAMES)
        frames, box, name = read_frames(video), video.boxes[0], VIDEO
    else:
        drawn = next((found for found in sets if isinstance(found, DrawnClips)), None)
        if drawn is None:
            raise ValueError("the preset's results name no clips and no videos")
        x, _ = drawn.load(1, 1)[0]
        frames, box, name = x["frames"][0], x["box"][0], drawn.source.replace("_", " ")
    height, width = frames.shape[1:3]
    return frames, box, f"{len(frames)} frames of {name}, {height}x{width}"


def processor() -> str:
    """Return the processor's name."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return next(iter(names), "") or platform.processor() or platform.machine()


def write_speed(name: str, data: Path | None) -> Speed:
    """Measure a preset's speed, and write it into its results and its card."""
    folder = zoo.info(name).folder
    results = read_results(folder)
    if results is None:
        raise FileNotFoundError(f"{folder} must hold a results.json. Received: none")
    speed = measured(zoo.load(name), results, data)
    write_results(
        folder,
        results.results,
        device=results.device,
        training_seconds=results.training_seconds,
        commit=results.commit,
        test_sets=results.test_sets,
        speed=speed,
    )
    write_card(folder)
    return speed


def on_one_core() -> None:
    """Bind this process to one core, before a backend counts those it may use."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    try:
        import cv2
    except ImportError:
        return
    cv2.setNumThreads(1)


def main(arguments: list[str] | None = None) -> int:
    """Measure the presets that are named, or all trackers that ship."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    text = f"holds tracking_test/ (default: ${DATA})"
    parser.add_argument("--data", type=Path, metavar="DIR", help=text)
    options = parser.parse_args(arguments)
    on_one_core()
    shipped = zoo.list_models(zoo.presets.presets_folder())
    trackers = [name for name in shipped if zoo.info(name).task == "tracking"]
    for name in options.names or trackers:
        speed = write_speed(name, options.data or data_folder())
        print(name, speed.frames_per_second, speed.frames, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
