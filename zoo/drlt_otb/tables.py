"""DRLT's figures 2 and 4 and tables 1 and 2, on the videos of drlt_otb.

Paper     Zhang et al. 2017, "Deep Reinforcement Learning for Visual Object Tracking
          in Videos": figure 2 (success and precision), figure 4 (T = 2, 5, 10),
          table 2 (overlap in each video), table 1 (frames a second: 45 with YOLO in the
          loop, 270 with its features at hand)
Command   KERAS_BACKEND=tensorflow python zoo/drlt_otb/tables.py --data FOLDER --resume
          (after recipe.py, whose checkpoints it reads; the same flags)
Makes     tables.md, tables.csv, figure2.png and figure4.png

All numbers are of trackers trained on windows of T frames and judged in the paper's
way, three seeds each: trained on the first third of each video, judged by the whole
video, which flatters.
"""

import argparse
import csv
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import recipe
from recipe import SEEDS, WINDOW

import keras_attend as ka
from keras_attend import plots, training
from keras_attend.datasets import otb, read_frames
from keras_attend.evaluation import OnePass, one_pass

LENGTHS = (2, 5, 10, 20)  # T
PAPER = {"mean overlap": 0.562, "success AUC": 0.543}  # of figure 2 and table 2


def by_window(
    observed: training.Observed,
    clips: list[Any],
    videos: list[Any],
    args: argparse.Namespace,
) -> dict[int, list[OnePass]]:
    """Measure figure 4: trackers by the number of frames of their training windows."""
    scores: dict[int, list[OnePass]] = {}
    for window in LENGTHS:
        scores[window] = []
        for seed in range(args.seed, args.seed + SEEDS):
            name = f"thirds_{seed}" + ("" if window == WINDOW else f"_{window}_frames")
            path = args.runs / f"{name}.keras"
            observation = observed.model.cell.observation
            model = recipe.train_tracker(observation, clips, path, args, seed, window)
            scores[window].append(one_pass(observed.track(model), videos))
    return scores


def best_match(observed: training.Observed) -> Any:
    """Track by the first candidate of each frame: DRLT without its LSTM."""

    def track(frames: Any, box: Any) -> Any:
        seen = observed.features(frames, np.asarray(box, "float32"))
        return observed.model.cell.to_box(seen["features"][:, :4], seen["size"])

    return track


def speeds(model: Any, video: Any) -> dict[str, float]:
    """Measure table 1: frames a second, in turns; the best of three runs counts."""
    frames, box = read_frames(video), video.boxes[0]
    seen = model.features({"frames": frames[None], "box": box[None]})

    def with_features() -> None:
        model.predict(seen, verbose=0)

    def follow(track: Any) -> Any:
        return lambda: track(frames, box)

    calls = {"DRLT": follow(ka.Tracker(model).track)}
    calls["DRLT, features at hand"] = with_features
    for name in ("KCF", "CSRT"):  # not what they are known to have found before
        calls[name] = follow(ka.evaluation.opencv_tracker(name))
    seconds = {name: np.inf for name in calls}
    for _ in range(4):  # the first compiles
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    return {name: len(frames) / spent for name, spent in seconds.items()}


def main() -> None:
    """Train what is missing, measure, write."""
    args = recipe.arguments()
    videos = list(otb(args.data / "tracking"))
    train = [recipe.first_third(video) for video in videos]
    observation, _ = recipe.train_observation(train, "thirds", args)
    observed = training.Observed(recipe.make(observation))
    clips = recipe.clips_of(observed, train, args)
    found = by_window(observed, clips, videos, args)
    scores = {"DRLT": found[WINDOW][0]}
    others = {
        "best match": best_match(observed),
        "static box": ka.evaluation.static_box,
        **training.opencv_peers("KCF", "CSRT"),
    }
    scores |= {name: one_pass(track, videos) for name, track in others.items()}
    plots.plot_one_pass(scores, path=args.out / "figure2.png", title="One pass")
    curves = {f"T = {T}": [s.success_curve for s in found[T]] for T in found}
    plots.plot_success(curves, path=args.out / "figure4.png")
    model = keras.saving.load_model(args.runs / f"thirds_{args.seed}.keras")
    shown = next(v for v in videos if v.name == "davis_parkour")
    write(args.out, scores, found, speeds(model, shown))


def write(
    folder: Path,
    scores: dict[str, OnePass],
    found: dict[int, list[OnePass]],
    frames_a_second: dict[str, float],
) -> None:
    """Write tables.csv and tables.md."""
    names = scores["DRLT"].names
    rows = [
        [name, *(f"{score.mean_iou[n]:.3f}" for score in scores.values())]
        for n, name in enumerate(names)
    ]
    rows.append(["mean", *(f"{s.mean_iou.mean():.3f}" for s in scores.values())])
    with (folder / "tables.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([["video", *scores], *rows])
    lines = [
        "<!-- Generated by `python zoo/drlt_otb/tables.py`. -->",
        "",
        "# DRLT: the paper's figures 2 and 4, and tables 1 and 2",
        "",
        "Trained on the first third of each of 31 short videos and judged by the whole",
        "video, which flatters. The paper does the same with 30 videos of OTB, and has "
        f"{', '.join(f'{name} {value}' for name, value in PAPER.items())}.",
        "Best match: the first of the candidates that DRLT sees, each frame by itself,",
        "without the LSTM.",
        "",
        "![Success and precision](figure2.png)",
        "",
        "## T, the frames of a training window (figure 4)",
        "",
        "The mean, the worst and the best of three seeds.",
        "",
        "| T | mean overlap | worst | best | success AUC |",
        "|---|---|---|---|---|",
    ]
    for window, seeds in found.items():
        overlaps = [float(s.mean_iou.mean()) for s in seeds]
        auc = np.mean([s.success_auc.mean() for s in seeds])
        numbers = np.mean(overlaps), min(overlaps), max(overlaps), auc
        lines.append(f"| {window} | {' | '.join(f'{n:.3f}' for n in numbers)} |")
    lines += [
        "",
        "![Success by T](figure4.png)",
        "",
        "## Speed (table 1)",
        "",
        "Frames a second on davis_parkour, one core, all in one run. (Paper, on a GPU:",
        "45, and 270 with the features at hand.)",
        "",
        "| | frames/s |",
        "|---|---|",
        *(f"| {name} | {speed:.0f} |" for name, speed in frames_a_second.items()),
        "",
        "## Overlap in each video (table 2)",
        "",
        f"| video | {' | '.join(scores)} |",
        "|---" * (1 + len(scores)) + "|",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
    ]
    (folder / "tables.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
