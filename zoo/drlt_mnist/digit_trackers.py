"""The data, model, training and evaluation of drlt_mnist, its _scaled and its _noisy.

Their three recipes import this file.
"""

import argparse
from pathlib import Path
from typing import Any

import keras

from keras_attend import evaluation, training
from keras_attend.callbacks import RewardSwitch
from keras_attend.datasets import (
    VALIDATION_SEED,
    GivenClips,
    MovingDigits,
    mnist,
)
from keras_attend.models import DRLT, DRLTCell, point_cnn

VIDEOS = 500
# Arguments of MovingDigits, by the names of the data in the protocols.
DIGITS: dict[str, dict[str, Any]] = {
    "walking_digit": {},
    "scaled_digit": {"scale": (0.5, 2.0)},
    "noisy_digit": {"scale": (0.5, 2.0), "dots": 500, "distractors": 1},
}


def drlt(location: str, steps: int) -> keras.Model:
    """Make the model, compiled for a training of so many batches.

    Args:
        location: as of `DRLTCell`.
        steps: the number of batches.
    """
    cell = DRLTCell(
        point_cnn(),
        units=128,
        channels=1,
        location=location,
        given=False,  # it has to find its digit
        core="relu",
    )
    model = DRLT(cell)
    model.compile(training.falling_rate(steps, rate=2e-3))
    return model


def given_videos(data: str, args: argparse.Namespace) -> GivenClips:
    """Draw the paper's 500 videos of 20 frames; they are shifted in each epoch."""
    digits = mnist("train", validation=6000 if args.validate else 0)
    drawn = MovingDigits(*digits, VIDEOS, 1, frames=20, seed=args.seed, **DIGITS[data])
    x, y = drawn[0]
    videos = [
        {"frames": frames, "boxes": boxes}
        for frames, boxes in zip(x["frames"], y["boxes"], strict=True)
    ]
    return GivenClips(videos, 16, frames=20, shift=True, seed=args.seed)


def train(
    location: str, data: GivenClips, args: argparse.Namespace
) -> tuple[Any, Path]:
    """Train the model; return it and its checkpoint.

    In the last third of the epochs the reward is the overlap.
    """
    path = args.runs / f"seed_{args.seed}.keras"
    switch = RewardSwitch(args.epochs * 2 // 3)
    model = training.fit(
        lambda steps: drlt(location, steps), data, path, args, callbacks=(switch,)
    )
    return model, path


def finish(
    model: Any,
    path: Path,
    data: str,
    args: argparse.Namespace,
    **about: Any,
) -> None:
    """Measure the model and write the preset; with `--validate` print a score only."""
    if args.validate:
        digits, seed = mnist("validation"), VALIDATION_SEED
        judge = MovingDigits(*digits, 25, 4, frames=100, seed=seed, **DIGITS[data])
        print(evaluation.score_clips(model, judge))
        return
    training.write_tracker(
        model,
        args,
        path,
        test=evaluation.DrawnClips("moving_digits", 100, 25, 4, DIGITS[data]),
        long=evaluation.DrawnClips("moving_digits", 300, 20, 1, DIGITS[data]),
        data=data,
        **about,
    )
