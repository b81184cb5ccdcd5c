"""Writing what a recipe has trained, with what it scored."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from keras_attend import evaluation, plots
from keras_attend.callbacks import Checkpoint
from keras_attend.zoo.card import write_card
from keras_attend.zoo.results import Result, write_results
from keras_attend.zoo.saving import save_preset


def write_preset(
    model: keras.Model,
    results: Sequence[Result],
    args: argparse.Namespace,
    *checkpoints: Path,
    picture: Callable[[Path], Any],
    description: str,
    paper: str,
    task: str,
    input: str,
    notes: Sequence[str] = (),
) -> None:
    """Write the preset that a recipe has trained, with what it scored.

    Args:
        model: compiled anew here, at a rate to fine-tune with.
        results: of the evaluation.
        args: `parse`'s.
        *checkpoints: of the training's stages, which know how long each took.
        picture: draws what the model does into the preset's folder.
        description: one sentence.
        paper: whose model it is, and which row of its tables.
        task: what it does.
        input: what it takes.
        notes: sentences about what it cannot do, for the card.
    """
    print_results(results)
    model.compile(keras.optimizers.Adam(1e-4))
    save_preset(
        model,
        args.out,
        description=description,
        paper=paper,
        task=task,
        input=input,
        notes=notes,
    )
    picture(args.out)
    write_results(
        args.out,
        results,
        device=args.device,
        training_seconds=round(sum(map(Checkpoint.seconds_spent, checkpoints)), 1),
        commit=evaluation.commit(),
    )
    write_card(args.out)  # again: now there are a picture and results to show


def print_results(results: Sequence[Result]) -> None:
    """Each number with its spread, and the baselines' numbers below it."""
    for result in results:
        print(f"{result.metric}, {result.protocol}: {result.value}", end=" ")
        print(f"({result.min} to {result.max})\n  baselines: {result.baselines}")


def write_tracker(
    model: Any,
    args: argparse.Namespace,
    *checkpoints: Path,
    test: Any,
    long: Any,
    data: str,
    paper_scores: Mapping[str, float],
    baselines: Mapping[str, Any] | None = None,
    description: str,
    paper: str,
) -> None:
    """`write_preset` of a tracker, judged by clips as in the paper and by long ones.

    Args:
        model, args, *checkpoints, description, paper: as of `write_preset`.
        test, long: the clips; a picture shows the first one of `test`.
        data: their name in the protocols' names.
        paper_scores: the paper's numbers, as `evaluation.clip_results` takes them.
        baselines: more trackers, by name, beside the static box.
    """

    def judge(clips: Any, paper: Mapping[str, float] | None = None) -> list[Result]:
        return evaluation.clip_results(
            [model], clips, data=data, baselines=baselines, paper=paper
        )

    x, y = test[0]
    write_preset(
        model,
        [*judge(test, paper_scores), *judge(long)],
        args,
        *checkpoints,
        picture=picture_track(model, x["frames"][0], y["boxes"][0]),
        description=description,
        paper=paper,
        task="tracking",
        input=f"frames [B, T, H, W, {model.channels}], uint8 or float in 0..1, "
        "and a box [B, 4]",
    )


def picture_digits(
    model: keras.Model, images: Any, labels: Any
) -> Callable[[Path], Any]:
    """For `write_preset`: where a RAM looks in the first four images."""

    def draw(folder: Path) -> None:
        path = folder / "picture.png"
        plots.plot_glimpses(model, images[:4], labels[:4], path=path)

    return draw


def picture_track(model: keras.Model, frames: Any, boxes: Any) -> Callable[[Path], Any]:
    """For `write_preset`: what a tracker makes of a clip."""

    def draw(folder: Path) -> None:
        plots.plot_track(model, frames, boxes, path=folder / "picture.png")

    return draw


def print_errors(model: keras.Model, images: Any, labels: Any) -> None:
    """A digit model's errors in one pass and in ten, for choosing settings."""
    for episodes, location in ((1, "mean"), (10, "sample")):
        errors = evaluation.error_percent(
            model, images, labels, episodes=episodes, location=location
        )
        print(f"{episodes} passes: {errors.mean():.3f} %", flush=True)
