"""Write what a recipe has trained, with what it scored."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from keras_attend import evaluation, plots
from keras_attend.callbacks import Checkpoint
from keras_attend.evaluation.test_sets import DrawnClips, TestSet, described
from keras_attend.zoo.card import write_card
from keras_attend.zoo.results import Result, write_results
from keras_attend.zoo.saving import save_preset


def write_preset(
    model: keras.Model,
    results: Sequence[Result],
    args: argparse.Namespace,
    *checkpoints: Path,
    picture: Callable[[Path], Any],
    test_sets: Mapping[str, TestSet],
    **about: Any,
) -> None:
    """Write the preset that a recipe has trained, with what it scored.

    Args:
        model: it is compiled anew, at a rate for fine-tuning.
        results: of the evaluation.
        args: what `parse` returned.
        *checkpoints: of the training's stages, which know how long each took.
        picture: draws what the model does into the folder that it is given.
        test_sets: what the results are of, by its name in the protocols.
        **about: `description`, `paper`, `task`, `input` and `notes` of `save_preset`.
    """
    print_results(results)
    model.compile(keras.optimizers.Adam(1e-4))
    save_preset(model, args.out, **about)
    picture(args.out)
    write_results(
        args.out,
        results,
        device=args.device,
        training_seconds=round(sum(map(Checkpoint.seconds_spent, checkpoints)), 1),
        commit=evaluation.commit(),
        test_sets=described(test_sets),
    )
    write_card(args.out)  # again, now that there are a picture and results


def print_results(results: Sequence[Result]) -> None:
    """Print each result with its spread, and the baselines' below it."""
    for result in results:
        print(f"{result.metric}, {result.protocol}: {result.value}", end=" ")
        print(f"({result.min} to {result.max})\n  baselines: {result.baselines}")


def write_tracker(
    model: Any,
    args: argparse.Namespace,
    *checkpoints: Path,
    test: DrawnClips,
    long: DrawnClips,
    data: str,
    paper_scores: Mapping[str, float],
    baselines: Mapping[str, Any] | None = None,
    **about: Any,
) -> None:
    """Write a tracker that is judged by drawn clips, as `write_preset` does.

    Args:
        model, args, *checkpoints, **about: as of `write_preset`.
        test: clips of the paper's length; the picture shows the first of them.
        long: longer clips.
        data: the clips' name in the protocols.
        paper_scores: the paper's numbers, as `evaluation.clip_results` takes them.
        baselines: trackers by name, in addition to the static box.
    """

    def judge(
        clips: DrawnClips, paper: Mapping[str, float] | None = None
    ) -> list[Result]:
        return evaluation.clip_results(
            [model], clips.load(), data=data, baselines=baselines, paper=paper
        )

    x, y = test.load(batches=1)[0]
    write_preset(
        model,
        [*judge(test, paper_scores), *judge(long)],
        args,
        *checkpoints,
        picture=picture_track(model, x["frames"][0], y["boxes"][0]),
        task="tracking",
        input=f"frames [B, T, H, W, {model.channels}], uint8 or float in 0..1, "
        "and a box [B, 4]",
        test_sets={f"{data}/{clips.frames}_frames": clips for clips in (test, long)},
        **about,
    )


def picture_digits(
    model: keras.Model, images: Any, labels: Any
) -> Callable[[Path], Any]:
    """Return a function for `write_preset` that draws a RAM's glimpses."""

    def draw(folder: Path) -> None:
        path = folder / "picture.png"
        plots.plot_glimpses(model, images[:4], labels[:4], path=path)

    return draw


def picture_track(model: keras.Model, frames: Any, boxes: Any) -> Callable[[Path], Any]:
    """Return a function for `write_preset` that draws a tracker's boxes in a clip."""

    def draw(folder: Path) -> None:
        plots.plot_track(model, frames, boxes, path=folder / "picture.png")

    return draw


def print_errors(model: keras.Model, images: Any, labels: Any) -> None:
    """Print a RAM's error in one pass and in ten, for choosing settings."""
    for episodes, location in ((1, "mean"), (10, "sample")):
        errors = evaluation.error_percent(
            model, images, labels, episodes=episodes, location=location
        )
        print(f"{episodes} passes: {errors.mean():.3f} %", flush=True)
