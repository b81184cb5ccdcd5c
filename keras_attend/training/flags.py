"""The flags that the recipes share."""

import argparse
import os
from pathlib import Path

import keras

from keras_attend import compiling
from keras_attend.datasets.settings import DATA, data_folder
from keras_attend.training import cluster, workers


def parser(
    doc: str | None, preset: Path, epochs: int | None = None
) -> argparse.ArgumentParser:
    """Make a parser of a recipe's flags.

    Args:
        doc: the recipe's docstring, whose first line becomes the description.
        preset: the preset's folder.
        epochs: the default of `--epochs`.
    """
    found = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    add = found.add_argument
    add("--epochs", type=int, default=epochs)
    add("--seed", type=int, default=0)
    add("--steps", type=int, help="batches of an epoch; all when absent")
    add("--out", type=Path, default=preset, help="the preset's folder")
    add("--runs", type=Path, default=Path("runs") / preset.name, help="checkpoints")
    add("--data", type=Path, help="a folder: with mnist.npz, or as the header says")
    add("--device", default="CPU, one core", help="for results.json")
    add("--checkpoint-every", type=float, default=30.0, help="seconds")
    add(
        "--validate",
        action="store_true",
        help="judge by validation data, write no preset",
    )
    add("--stages", type=int, help="how many of a tracker's stages; all when absent")
    add("--resume", action="store_true", help="go on from the last checkpoint")
    add("--devices", type=int, default=1, help="of each worker: GPUs, or CPU parts")
    add("--workers", type=int, default=1, help="processes: here, or as TF_CONFIG says")
    return found


def parse(found: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse the flags, and start the workers that `--workers` asks for.

    `--data` and the environment's folder of data become the same. JAX keeps no compiled
    programs, so that `--resume` gives the weights of a run without a break. With
    `--workers` this process becomes one of them, or starts them all; see
    docs/scaling.md.
    """
    args = found.parse_args()
    if args.validate:  # which trains on other data
        args.runs = args.runs / "validate"
    if args.workers > 1 and cluster.CONFIG not in os.environ:
        raise SystemExit(workers.launch(args.workers))
    if keras.backend.backend() == "jax":
        compiling.compile_anew()
    found_cluster = cluster.start(args.devices, args.workers)
    if not found_cluster.first:  # all measure, one writes
        args.out = args.runs / f"worker_{found_cluster.index}"
    if args.data:
        os.environ[DATA] = str(args.data)
    else:
        args.data = data_folder()
    return args
