"""The numbers of checkpoints, read without making their models."""

import io
import json
import os
import zipfile
from pathlib import Path

import h5py
import numpy as np

from keras_attend import disk


def numbers(path):
    """Return all arrays of a checkpoint, and the state of its random numbers."""
    found = {}
    with zipfile.ZipFile(path) as archive:
        notes = json.loads(archive.read("keras_attend.json"))
        weights = io.BytesIO(archive.read("model.weights.h5"))
    found["seeds"] = np.array(notes["seeds"], "float64")
    with h5py.File(weights) as file:

        def take(name, item):
            if isinstance(item, h5py.Dataset):
                found[name] = np.asarray(item[()]).astype("float64")

        file.visititems(take)
    return found


def iterations(path):
    """Return how many batches the model of a checkpoint was trained on."""
    return int(numbers(path)["optimizer/vars/0"])


def checkpoints(folder):
    """Return the checkpoints of a folder, without those that are being written."""
    # `os.walk`: a folder may vanish meanwhile, which `rglob` does not bear.
    found = [Path(at) / name for at, _, names in os.walk(folder) for name in names]
    written = (p for p in found if not p.parent.name.startswith(disk.PREFIX))
    return [path for path in written if path.suffix == ".keras"]


def batches(folder):
    """Return how many batches all models of a folder were trained on."""
    return sum(map(iterations, checkpoints(folder)))


def difference(one, other):
    """Return the greatest difference between two folders' checkpoints."""
    paths = [{p.name: p for p in checkpoints(folder)} for folder in (one, other)]
    if paths[0].keys() != paths[1].keys():
        return float("inf")
    greatest = 0.0
    for name in paths[0]:
        first, second = (numbers(found[name]) for found in paths)
        if first.keys() != second.keys():
            return float("inf")
        for key, value in first.items():
            if value.shape != second[key].shape:
                return float("inf")
            if value.size and not np.array_equal(value, second[key], equal_nan=True):
                greatest = max(greatest, float(np.abs(value - second[key]).max()))
    return greatest
