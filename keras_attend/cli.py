"""The `keras-attend` command."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from keras_attend import zoo
from keras_attend.datasets import sample_digits
from keras_attend.track_command import add_track_arguments, track
from keras_attend.zoo import convert
from keras_attend.zoo.results import METRICS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; the exit status."""
    parser = argparse.ArgumentParser(
        prog="keras-attend", description="Recurrent visual attention in Keras."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "demo", help="classify the sample digits and draw where the model looked"
    )
    command.add_argument(
        "--out",
        type=Path,
        default=Path("."),
        metavar="DIR",
        help="folder for the picture (default: the current one)",
    )
    commands.add_parser("list", help="the presets")
    command = commands.add_parser("info", help="all about a preset")
    command.add_argument("name", metavar="NAME", help="a preset, or its folder")
    command = commands.add_parser("track", help="follow an object through a video")
    add_track_arguments(command)
    command = commands.add_parser("convert", help="a preset from published weights")
    command.add_argument("model", choices=["hart"], help="whose weights they are")
    command.add_argument("path", type=Path, metavar="PATH", help="the checkpoint")
    command.add_argument("out", type=Path, metavar="OUT", help="the preset's folder")
    options = parser.parse_args(arguments)
    try:
        if options.command == "demo":
            demo(options.out)
        elif options.command == "list":
            print_list()
        elif options.command == "track":
            return track(
                options.input,
                options.box,
                options.model,
                out=options.out,
                boxes=options.boxes,
            )
        elif options.command == "convert":
            convert_hart(options.path, options.out)
        else:
            print_info(options.name)
    except (ImportError, OSError, ValueError) as error:
        print(f"keras-attend: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def demo(out: Path) -> None:
    """Classify the sample digits with `ram_mnist`, print a table, draw the paths."""
    keras.utils.set_random_seed(0)  # of the random first glimpses
    model = zoo.load("ram_mnist")
    images, labels = sample_digits()
    order = np.argsort(labels, kind="stable")
    images, labels = images[order], labels[order]
    logits = model.predict(images, verbose=0)["logits"]  # [50, 10]
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    predictions = probabilities.argmax(axis=1)

    print("digit  label  prediction  confidence")
    rows = zip(labels, predictions, probabilities.max(axis=1), strict=True)
    for number, (label, prediction, confidence) in enumerate(rows, start=1):
        mark = "" if label == prediction else "  wrong"
        print(f"{number:5}  {label:5}  {prediction:10}  {confidence:10.1%}{mark}")
    right = int((labels == predictions).sum())
    print(f"{right} of {len(labels)} right ({right / len(labels):.0%}).")

    try:
        from keras_attend.plots import plot_glimpses
    except ImportError as error:
        print(
            f"No picture, for want of {error.name}: pip install 'keras-attend[plots]'"
        )
        return
    out.mkdir(parents=True, exist_ok=True)
    path = out / "glimpses.png"
    first = np.unique(labels, return_index=True)[1]  # of each class
    plot_glimpses(model, images[first], labels[first], path=path)
    print(f"Where it looked: {path}")


def print_list() -> None:
    """A line for each preset."""
    for name in zoo.list_models():
        print(f"{name}  {zoo.info(name).description}")


def print_info(name: str) -> None:
    """All that a preset says of itself."""
    info = zoo.info(name)
    print(f"{info.name}: {info.description}")
    for label, value in {
        "task": info.task,
        "paper": info.paper,
        "input": info.input,
        "licence": info.licence,
        "model": f"{info.model}, {info.parameters:,} parameters",
        "weights": f"{info.size_bytes / 1e6:.2f} MB",
        "folder": info.folder,
    }.items():
        print(f"  {label + ':':9}{value}")
    for result in info.metrics:
        paper = "" if result.paper is None else f"; paper {result.paper:g}"
        print(
            f"  {METRICS[result.metric]}, {result.protocol}: {result.value:.4g} "
            f"({result.min:.4g} to {result.max:.4g}, n={result.n}{paper})"
        )


def convert_hart(path: Path, out: Path) -> None:
    """A preset of HART's authors' checkpoint."""
    zoo.save_preset(
        convert.hart(path),
        out,
        description="HART with its authors' weights",
        paper="Kosiorek et al. 2017",
        task="tracking",
        input="frames [B, T, H, W, 3], uint8 or float in 0..1, and a box [B, 4]",
        licence="GPL-3.0, as the authors' code",
    )
    print(f"{out}: load it with keras_attend.zoo.load({str(out)!r})")
