"""`keras-attend demo`: classify sample digits, and draw where the model looks."""

import argparse
from pathlib import Path

from keras_attend import zoo
from keras_attend.commands.parsers import Commands, add_command

EXAMPLES = """
keras-attend demo              a table, and glimpses.png in the current folder
keras-attend demo --out demo   the picture in a folder of its own
"""


def add_demo(commands: Commands) -> None:
    """Add the subcommand `demo`."""
    summary = "classify the sample digits and draw where the model looks"
    parser = add_command(commands, "demo", demo, summary, EXAMPLES)
    text = "the picture's folder (default: the current one)"
    parser.add_argument("--out", type=Path, default=".", metavar="DIR", help=text)


def demo(options: argparse.Namespace) -> int:
    """Classify the sample digits with `ram_mnist`, print a table, draw the paths."""
    import keras
    import numpy as np

    from keras_attend.datasets import sample_digits

    keras.utils.set_random_seed(0)  # the first glimpses are at random places
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
    one_each = np.unique(labels, return_index=True)[1]  # an image of each class
    plot_glimpses(model, images[one_each], labels[one_each], path=path)
    print(f"Where the model looked: {path}")
    return 0
