"""What the recipes in `zoo/` share: flags, and a training that outlives a kill."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from keras_attend import evaluation
from keras_attend.callbacks import Checkpoint


def parser(doc: str | None, preset: Path, epochs: int) -> argparse.ArgumentParser:
    """The flags of a recipe.

    Args:
        doc: the recipe's docstring; its first line becomes the description.
        preset: the preset's folder.
        epochs: how many there are by default.
    """
    found = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    add = found.add_argument
    add("--epochs", type=int, default=epochs)
    add("--seed", type=int, default=0)
    add("--steps", type=int, help="batches of an epoch; all when absent")
    add("--out", type=Path, default=preset, help="the preset's folder")
    add("--runs", type=Path, default=Path("runs") / preset.name, help="checkpoints")
    add("--data", type=Path, help="a folder that holds mnist.npz")
    add("--device", default="CPU, one core", help="for results.json")
    add("--checkpoint-every", type=float, default=30.0, help="seconds")
    add("--validate", action="store_true", help="hold digits out, write no preset")
    add("--resume", action="store_true", help="go on from the last checkpoint")
    return found


def parse(found: argparse.ArgumentParser) -> argparse.Namespace:
    """The flags as given; `--data` takes effect."""
    args = found.parse_args()
    if args.data:
        os.environ["KERAS_ATTEND_DATA"] = str(args.data)
    return args


def fit(
    make: Callable[[int], keras.Model],
    data: Any,
    path: Path,
    args: argparse.Namespace,
    callbacks: tuple[keras.callbacks.Callback, ...] = (),
) -> keras.Model:
    """Train a model, or go on with one, and keep it in a checkpoint.

    Args:
        make: makes the compiled model for a training of so many batches in all.
        data: a `PyDataset` whose `epoch` says which batches come next.
        path: of the checkpoint.
        args: `parse`'s.
        callbacks: of `fit`, beside the checkpoint.
    """
    steps = min(args.steps or len(data), len(data))
    model = Checkpoint.resume(path) if args.resume else None
    if model is None:
        model = make(steps * args.epochs)
    data.epoch = int(model.optimizer.iterations) // steps
    if data.epoch < args.epochs:
        model.fit(
            data,
            epochs=args.epochs,
            initial_epoch=data.epoch,
            steps_per_epoch=steps if args.steps else None,
            shuffle=False,  # `data` does
            verbose=2,
            callbacks=[Checkpoint(path, every=args.checkpoint_every), *callbacks],
        )
    return model


def print_errors(model: keras.Model, images: Any, labels: Any) -> None:
    """A digit model's errors in one pass and in ten, for choosing settings."""
    for episodes, location in ((1, "mean"), (10, "sample")):
        errors = evaluation.error_percent(
            model, images, labels, episodes=episodes, location=location
        )
        print(f"{episodes} passes: {errors.mean():.3f} %", flush=True)
