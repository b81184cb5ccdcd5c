"""`keras-attend demo`: classify sample digits, follow one, draw what the models see."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_attend import zoo
from keras_attend.commands.parsers import Commands, add_command

if TYPE_CHECKING:
    import keras

EXAMPLES = """
keras-attend demo              a table, glimpses.png and track.png in this folder
keras-attend demo --out demo   the pictures in a folder of their own
"""
CLASSIFIER, TRACKER = "ram_mnist", "ratm_mnist_multi"
FRAMES = 20  # of the clip that the tracker follows a digit through


def add_demo(commands: Commands) -> None:
    """Add the subcommand `demo`."""
    summary = "classify the sample digits, follow one, and draw what the models see"
    parser = add_command(commands, "demo", demo, summary, EXAMPLES)
    text = "the pictures' folder (default: the current one)"
    parser.add_argument("--out", type=Path, default=".", metavar="DIR", help=text)


def demo(options: argparse.Namespace) -> int:
    """Run a classifier and a tracker on digits that ship, and draw what they see."""
    import keras
    import numpy as np

    from keras_attend.datasets import sample_digits

    keras.utils.set_random_seed(0)  # the first glimpses are at random places
    images, labels = sample_digits()
    order = np.argsort(labels, kind="stable")
    images, labels = images[order], labels[order]
    classifier = zoo.load(CLASSIFIER)
    _classify(classifier, images, labels)
    tracker = zoo.load(TRACKER)
    frames, boxes = _follow(tracker, images, labels)
    try:
        from keras_attend.plots import plot_glimpses, plot_track

        options.out.mkdir(parents=True, exist_ok=True)
        one_each = np.unique(labels, return_index=True)[1]  # an image of each class
        path = options.out / "glimpses.png"
        plot_glimpses(classifier, images[one_each], labels[one_each], path=path)
        print(f"Where {CLASSIFIER} looked: {path}")
        path = options.out / "track.png"
        plot_track(tracker, frames, boxes, path=path)
        print(f"What {TRACKER} followed: {path}")
    except ImportError as error:
        print(f"No pictures. {error}")
    return 0


def _classify(model: "keras.Model", images: Any, labels: Any) -> None:
    """Print what the model takes each digit for."""
    import numpy as np

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


def _follow(model: "keras.Model", images: Any, labels: Any) -> tuple[Any, Any]:
    """Print how well the tracker follows a digit past another; return the clip."""
    import keras

    from keras_attend.boxes import iou
    from keras_attend.datasets import MovingDigits

    shape: dict[str, Any] = {
        "batch_size": 1,
        "batches": 1,
        "frames": FRAMES,
        "distractors": 1,
    }
    x, y = MovingDigits(images, labels, seed=0, **shape)[0]
    found = model(x, training=False)["boxes"]
    overlap = float(keras.ops.mean(iou(found, y["boxes"])))
    print(
        f"{TRACKER} follows a digit past another one through {FRAMES} frames: its box "
        f"and the true one overlap by {overlap:.0%} (IoU)."
    )
    return x["frames"][0], y["boxes"][0]
