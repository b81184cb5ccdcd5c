"""Write a preset: what a recipe has trained, and how it scores."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
from keras import ops

from keras_attend import evaluation, plots
from keras_attend.callbacks import Checkpoint
from keras_attend.evaluation.test_sets import DrawnClips, TestSet, described
from keras_attend.training.papers import label
from keras_attend.zoo.card import write_card
from keras_attend.zoo.results import Result, write_results
from keras_attend.zoo.saving import halved, save_preset


def write_preset(
    model: keras.Model,
    results: Sequence[Result],
    args: argparse.Namespace,
    *checkpoints: Path,
    picture: Callable[[Path], Any],
    test_sets: Mapping[str, TestSet],
    **about: Any,
) -> None:
    """Write the preset that a recipe has trained, and how it scores.

    Args:
        model: the trained model. It is compiled anew, at a rate to fine-tune with.
        results: the rows of its evaluation.
        args: what `parse` returns.
        *checkpoints: those of the training's stages, which know how long each took.
        picture: draws a picture of what the model does into the preset's folder.
        test_sets: the results' test sets, by their names in the protocols.
        **about: `description`, `paper`, `task`, `input` and `notes` of `save_preset`.
    """
    print_results(results)
    model.compile(keras.optimizers.Adam(1e-4))
    save_preset(model, args.out, **about)
    picture(args.out)
    write_results(
        args.out,
        label(args.out, results),
        device=args.device,
        training_seconds=round(sum(map(Checkpoint.seconds_spent, checkpoints)), 1),
        commit=evaluation.commit(),
        test_sets=described(test_sets),
    )
    write_card(args.out)  # again, now that there are a picture and results


def round_weights(model: keras.Model) -> keras.Model:
    """Round a model's weights as `save_preset(half=True)` does, to be measured so."""
    for weight in model.weights:
        weight.assign(halved(ops.convert_to_numpy(weight)))
    return model


def print_results(results: Sequence[Result]) -> None:
    """Print each number with its range, and the baselines' numbers below it."""
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
    """Measure a tracker on drawn clips, and write its preset.

    Args:
        model, args, *checkpoints, **about: as of `write_preset`.
        test, long: clips as long as the paper's, and longer ones. The picture shows the
            first clip of `test`.
        data: their name in the protocols' names.
        paper_scores: the paper's numbers for `test`, as of `evaluation.clip_results`.
        baselines: trackers, by name, that are measured as well as the static box.
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
    """Make `write_preset`'s `picture`: where a RAM looks in the first four images."""

    def draw(folder: Path) -> None:
        path = folder / "picture.png"
        plots.plot_glimpses(model, images[:4], labels[:4], path=path)

    return draw


def picture_track(model: keras.Model, frames: Any, boxes: Any) -> Callable[[Path], Any]:
    """Make `write_preset`'s `picture`: a tracker's boxes in frames of a clip."""

    def draw(folder: Path) -> None:
        plots.plot_track(model, frames, boxes, path=folder / "picture.png")

    return draw


def print_errors(
    model: keras.Model, images: Any, labels: Any, args: argparse.Namespace
) -> None:
    """Print a digit model's errors in one pass and in ten, for choosing settings.

    With `--steps`, which rehearses a recipe, 200 images are enough.
    """
    count = 200 if args.steps else len(images)
    for episodes, location in ((1, "mean"), (10, "sample")):
        errors = evaluation.error_percent(
            model, images[:count], labels[:count], episodes=episodes, location=location
        )
        print(f"{episodes} passes: {errors.mean():.3f} %", flush=True)
