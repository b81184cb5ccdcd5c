"""`keras-attend demo`: digits, answers, and where the model looked."""

import argparse
from pathlib import Path

import keras
import numpy as np

from keras_attend import zoo
from keras_attend.commands.parsers import Commands, add_command
from keras_attend.datasets import sample_digits

EXAMPLES = """
keras-attend demo              a table, and glimpses.png in the current folder
keras-attend demo --out demo   the picture in a folder of its own
"""


def add_demo(commands: Commands) -> None:
    """The subcommand `demo`."""
    parser = add_command(
        commands,
        "demo",
        demo,
        "classify the sample digits and draw where the model looked",
        EXAMPLES,
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("."),
        metavar="DIR",
        help="folder for the picture (default: the current one)",
    )


def demo(options: argparse.Namespace) -> int:
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
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "glimpses.png"
    first = np.unique(labels, return_index=True)[1]  # of each class
    plot_glimpses(model, images[first], labels[first], path=path)
    print(f"Where it looked: {path}")
    return 0
