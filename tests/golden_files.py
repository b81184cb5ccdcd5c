"""Inputs and outputs of the original code, by which the tests check fidelity.

`tests/golden/` has a few cases of each kind, so that every clone can run the tests.
All cases are in a folder beside the checkout, `../shared/golden`, or the one that the
environment variable KERAS_ATTEND_GOLDEN names; where it exists, it is read instead.
"""

import json
import os
from pathlib import Path

import numpy as np

SMALL = Path(__file__).parent / "golden"
FULL = Path(
    os.environ.get("KERAS_ATTEND_GOLDEN")
    or Path(__file__).parents[2] / "shared" / "golden"
)
DIGITS = Path(__file__).parents[1] / "keras_attend" / "datasets" / "sample_digits.npz"
REDRAWN = "redrawn"


def find(name, folder=None):
    """The path of a file of all cases or, failing that, of a few; None without any."""
    for each in [folder] if folder else [FULL, SMALL]:
        if (each / name).exists():
            return each / name
    return None


def read(name, folder=None):
    """The arrays of `name`.npz; None if there is no such file."""
    path = find(f"{name}.npz", folder)
    if path is None:
        return None
    with np.load(path, allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    for key, recipe in json.loads(str(arrays.pop(REDRAWN, "{}"))).items():
        arrays[key] = redraw(**recipe)
    return arrays


def redraw(source, shape, cases, skip=0, scale=1, dtype="float32", channels=None):
    """An input that is not stored, for the original code's inputs are known.

    Args:
        source: "random_sample" or "standard_normal" for the draws of NumPy's
            `RandomState(0)`, which no version of NumPy changes; "digits" for the
            MNIST digits that ship with the package; "normalised_digits" for these as
            RAM's best-known public code feeds them.
        shape: of all cases together.
        cases: which of them to keep, on the leading axis.
        skip: so many numbers are drawn before.
        scale: what the draws are multiplied by.
        dtype: of the result.
        channels: how many channels to keep, on the last axis; None for all.
    """
    if source.endswith("digits"):
        with np.load(DIGITS) as file:
            x = file["images"].reshape(-1, *shape[1:])
        if source == "normalised_digits":
            x = (x.astype("float32") / np.float32(255) - np.float32(0.1307)) / (
                np.float32(0.3081)
            )
    else:
        draw = getattr(np.random.RandomState(0), source)
        draw(skip)
        x = draw(shape).astype("float32") * np.float32(scale)
    return x[cases][..., :channels].astype(dtype)
