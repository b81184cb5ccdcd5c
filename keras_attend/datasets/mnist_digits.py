"""MNIST's handwritten digits, and a sample of them inside the package.

MNIST (Y. LeCun and C. Cortes; CC BY-SA 3.0) comes from `keras.datasets.mnist`, which
downloads it, or from the file `mnist.npz` in the folder that the environment variable
`KERAS_ATTEND_DATA` names.
"""

import zipfile
import zlib
from importlib import resources
from pathlib import Path

import keras
import numpy as np

from keras_attend.arguments import check_choice
from keras_attend.datasets.settings import DATA, data_folder
from keras_attend.types import Array

MNIST_SHAPES = {
    "x_train": (60000, 28, 28),
    "y_train": (60000,),
    "x_test": (10000, 28, 28),
    "y_test": (10000,),
}


def mnist(split: str = "train", validation: int = 6000) -> tuple[Array, Array]:
    """One split of MNIST: images `[N, 28, 28, 1]` uint8, labels `[N]` int32.

    Args:
        split: `"train"`, `"validation"` (the last `validation` images of the
            original training set, which `"train"` then leaves out) or `"test"`.
        validation: how many images are held out; 0 trains on all 60,000. The
            RAM paper holds out 10,000, its popular PyTorch code 6,000.
    """
    check_choice("split", split, ("train", "validation", "test"))
    if not 0 <= validation < 60000:
        raise ValueError(
            f"`validation` must be in 0..59999. Received: validation={validation}"
        )
    if split == "validation" and validation == 0:
        raise ValueError(
            "The validation split is empty. Pass `validation` > 0. "
            f"Received: validation={validation}"
        )
    arrays = _mnist_arrays()
    part = "test" if split == "test" else "train"
    images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
    end = len(labels) - validation
    if split == "train":
        images, labels = images[:end], labels[:end]
    elif split == "validation":
        images, labels = images[end:], labels[end:]
    return images[..., None], labels.astype("int32")


def _mnist_arrays() -> dict[str, Array]:
    """The arrays of `MNIST_SHAPES`, by their names."""
    folder = data_folder()
    if folder:
        return _read_mnist(folder)
    try:
        (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    except Exception as error:  # `get_file` raises a bare `Exception`
        raise OSError(
            "MNIST could not be downloaded. Without a network, set the environment "
            f"variable {DATA} to a folder that holds mnist.npz. "
            f"Received: {error}"
        ) from error
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def _read_mnist(folder: Path) -> dict[str, Array]:
    """The same from `mnist.npz` in a folder."""
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{DATA} must name a folder that exists. Received: {DATA}={folder}"
        )
    path = folder / "mnist.npz"
    if not path.is_file():
        raise FileNotFoundError(
            f"The folder {DATA}={folder} must hold mnist.npz. It is not there."
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in MNIST_SHAPES}
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise ValueError(
            f"{path} is damaged or is not MNIST (arrays {', '.join(MNIST_SHAPES)}). "
            f"Download it again. Received: {type(error).__name__}: {error}"
        ) from error
    shapes = {name: array.shape for name, array in arrays.items()}
    if shapes != MNIST_SHAPES:
        raise ValueError(
            f"{path} is not MNIST: expected shapes {MNIST_SHAPES}. Received: {shapes}"
        )
    return arrays


def sample_digits() -> tuple[Array, Array]:
    """Fifty digits that ship with the package, for demos and tests.

    They are the first five of each class in MNIST's test set, in its order: images
    `[50, 28, 28, 1]` uint8, labels `[50]` int32. `write_sample` made the file.
    """
    file = resources.files("keras_attend.datasets") / "sample_digits.npz"
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        return arrays["images"], arrays["labels"]


def write_sample(path: str | Path, per_class: int = 5) -> None:
    """Write the file that `sample_digits` reads, from MNIST's test set."""
    images, labels = mnist("test")
    rows = [np.flatnonzero(labels == digit)[:per_class] for digit in range(10)]
    chosen = np.sort(np.concatenate(rows))
    np.savez_compressed(path, images=images[chosen], labels=labels[chosen])
