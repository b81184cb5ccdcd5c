"""DRLT's version 1 as it is written: three data sets of digits.

Paper     Zhang et al. 2017, "Deep Reinforcement Learning for Visual Object Tracking
          in Videos", version 1, table 1: IoU 0.721, 0.759 and 0.643, centres 4.13, 3.57
          and 6.54 pixels off
Command   KERAS_BACKEND=tensorflow python zoo/papers/drlt.py --only fixed
          (also scaled, circle, noisy; `--validate` to choose settings)
Makes     the rows' numbers in zoo/papers/measured/drlt.json, and of "noisy" a picture,
          drlt_digits.png; then `make papers`
Expected  see docs/papers/drlt.md

Two convolutions of 8 and 16 filters of 5x5 pixels, a dense layer of 256 rectified
units, an LSTM of 256 whose tanh are rectifiers; the location in pixels with a deviation
of 1; REINFORCE with the error's reward alone, five episodes, windows of ten frames that
begin with an empty memory. 500 videos of 20 frames train the model as they are, 100 of
100 frames judge it. Nothing tells it where its digit is, except in the noisy set, where
two digits are alike: a tracker that follows one of them, at random and perfectly, has
an IoU of 0.612 there (paper: 0.643), so that the first box says which one is meant. The
paper says a location by its centre, by a circle or by a box: here a digit of a fixed
size has a centre, others have a centre and a side, and once more ("circle") a centre
and a radius.

Where the paper is silent: convolutions are padded; a window begins at a random frame;
sizes change by factors of 0.5 to 2 (paper: -0.5 to 2, which makes them negative), and
lie within 14 to 56 pixels. In the noisy set the other digit changes its size too. The
optimizer is Adam, whose rate falls to 0. (The paper trains 2000 epochs, from 1e-5.)
"""

import argparse
from pathlib import Path
from typing import Any

import keras

import keras_attend as ka
from keras_attend import plots, training
from keras_attend.callbacks import Checkpoint
from keras_attend.datasets import (
    TEST_SEED,
    VALIDATION_SEED,
    GivenClips,
    MovingDigits,
    mnist,
)
from keras_attend.evaluation.rows import row as result_row
from keras_attend.training.papers import record
from keras_attend.training.papers.rows import read_paper

HERE = Path(__file__).parent
VIDEOS, LENGTH, WINDOW = 500, 20, 10
SCALED = {"scale": (0.5, 2.0)}
DIGITS: dict[str, dict[str, Any]] = {
    "fixed": {},
    "scaled": SCALED,
    "circle": SCALED,
    "noisy": {**SCALED, "dots": 500, "distractors": 1, "scale_all": True},
}
LOCATIONS = {"fixed": "center", "circle": "circle"}
DIFFERENCES = {
    "noisy": (
        "the first box is given, for nothing else says which of two digits is meant",
    ),
}
SHIFTED = "the 500 videos are shifted on their canvas in each epoch"
PROTOCOLS = {
    "fixed": "walking_digit",
    "scaled": "scaled_digit",
    "circle": "scaled_digit",
    "noisy": "noisy_scaled_digits",
}


def make(task: str, batches: int, args: argparse.Namespace) -> keras.Model:
    """Make the model, compiled for a training of so many batches."""
    cell = ka.models.DRLTCell(
        ka.models.digit_cnn(256),
        units=256,
        channels=1,
        location=LOCATIONS.get(task, "square"),
        given=task == "noisy",  # else it has to find its digit
        core="relu",
    )
    model = ka.models.DRLT(cell, episodes=5, std=0.01)  # one pixel of 100
    decay = args.decay or None
    model.compile(training.falling_rate(batches, rate=args.rate, weight_decay=decay))
    return model


def videos(task: str, args: argparse.Namespace) -> GivenClips:
    """Draw the 500 videos, of which windows are taken."""
    digits = mnist("train", validation=6000 if args.validate else 0)
    drawn = MovingDigits(
        *digits, VIDEOS, 1, frames=LENGTH, seed=args.seed, **DIGITS[task]
    )
    x, y = drawn[0]
    given = [
        {"frames": frames, "boxes": boxes}
        for frames, boxes in zip(x["frames"], y["boxes"], strict=True)
    ]
    windows = LENGTH // WINDOW
    more: dict[str, Any] = {"shift": args.shift, "seed": args.seed}
    return GivenClips(given, 16, frames=WINDOW, windows=windows, **more)


def main() -> None:
    """Train the tasks that are asked for, measure and record their rows."""
    parser = training.parser(__doc__, HERE, epochs=60)
    parser.set_defaults(runs=Path("runs") / "papers_drlt")
    parser.add_argument("--only", choices=tuple(DIGITS))
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--decay", type=float, default=0.0, help="of the weights")
    parser.add_argument("--shift", action="store_true", help="the videos' pictures")
    args = training.parse(parser)
    papers = {row.key: row for row in read_paper(HERE.parent, "drlt").rows}
    for task in [args.only] if args.only else DIGITS:
        keras.utils.set_random_seed(args.seed)
        path = args.runs / f"{task}_{args.seed}.keras"
        model = training.fit(
            lambda batches, task=task: make(task, batches, args),
            videos(task, args),
            path,
            args,
        )
        split = "validation" if args.validate else "test"
        seed = VALIDATION_SEED if args.validate else TEST_SEED
        judge = MovingDigits(
            *mnist(split), 25, 4, frames=100, seed=seed, **DIGITS[task]
        )
        score = ka.evaluation.score_clips(model, judge)
        if task == "noisy" and not args.validate:
            x, y = judge[0]
            picture = args.out / "drlt_digits.png"
            plots.plot_track(model, x["frames"][0], y["boxes"][0], path=picture)
        for name, metric, value in (
            ("iou", "mean_iou", score.mean_iou_with_first),
            ("px", "center_error_px", score.center_error),
        ):
            key = f"{task}_{name}"
            written = result_row(
                metric,
                f"{PROTOCOLS[task]}/100_frames" + "_with_first" * (name == "iou"),
                [value],
                papers[key].paper,
                {},
                setting="paper",
                differences=DIFFERENCES.get(task, ()) + (SHIFTED,) * args.shift,
                trained_on="500 videos of MNIST's training digits",
                chosen_on="videos of its last 6,000 digits",
            )
            print(key, written, flush=True)
            if not args.validate:
                seconds = Checkpoint.seconds_spent(path)
                runs = f"1 seed, {args.epochs} epochs"
                record("drlt", key, written, args, runs=runs, seconds=seconds)


if __name__ == "__main__":
    main()
