"""Handwritten digits: MNIST, a sample inside the package, augmented batches.

MNIST (Y. LeCun and C. Cortes; CC BY-SA 3.0) comes from `keras.datasets.mnist`,
or with no network from `mnist.npz` in the folder named by the environment
variable `KERAS_ATTEND_DATA`.
"""

import os
import zipfile
import zlib
from importlib import resources
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

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
    if split not in ("train", "validation", "test"):
        raise ValueError(
            "`split` must be 'train', 'validation' or 'test'. "
            f"Received: split={split!r}"
        )
    if not 0 <= validation < 60000:
        raise ValueError(
            "`validation` must be at least 0 and less than 60000. "
            f"Received: validation={validation}"
        )
    if split == "validation" and validation == 0:
        raise ValueError(
            "The validation split is empty. Pass `validation` > 0. "
            f"Received: validation={validation}"
        )
    arrays = _mnist_arrays()
    part = "test" if split == "test" else "train"
    images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
    first = len(labels) - validation
    if split == "train":
        images, labels = images[:first], labels[:first]
    elif split == "validation":
        images, labels = images[first:], labels[first:]
    return images[..., None], labels.astype("int32")


def _mnist_arrays() -> dict[str, Array]:
    folder = os.environ.get("KERAS_ATTEND_DATA")
    if folder:
        return _read_mnist(Path(folder))
    try:
        (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    except Exception as error:  # `get_file` raises a bare `Exception`
        raise OSError(
            "MNIST could not be downloaded. Without a network, set the environment "
            "variable KERAS_ATTEND_DATA to a folder that holds mnist.npz. "
            f"Received: {error}"
        ) from error
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def _read_mnist(folder: Path) -> dict[str, Array]:
    if not folder.is_dir():
        raise FileNotFoundError(
            "KERAS_ATTEND_DATA must name a folder that exists. "
            f"Received: KERAS_ATTEND_DATA={folder}"
        )
    path = folder / "mnist.npz"
    if not path.is_file():
        raise FileNotFoundError(
            f"The folder KERAS_ATTEND_DATA={folder} must hold mnist.npz (arrays "
            f"{', '.join(MNIST_SHAPES)}). There is no such file in it."
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
            f"Fetch it again. Received: {type(error).__name__}: {error}"
        ) from error
    shapes = {name: array.shape for name, array in arrays.items()}
    if shapes != MNIST_SHAPES:
        raise ValueError(
            f"{path} is not MNIST: expected shapes {MNIST_SHAPES}. Received: {shapes}"
        )
    return arrays


def sample_digits() -> tuple[Array, Array]:
    """Fifty digits that ship with the package, for demos and tests.

    The first five of each class in MNIST's test set, in its order: images
    `[50, 28, 28, 1]` uint8, labels `[50]` int32. MNIST is (c) Y. LeCun and
    C. Cortes, CC BY-SA 3.0. `write_sample` made the file.
    """
    file = resources.files("keras_attend.datasets") / "sample_digits.npz"
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        return arrays["images"], arrays["labels"]


def write_sample(path: str | Path, per_class: int = 5) -> None:
    """Write what `sample_digits` reads, from MNIST's test set."""
    images, labels = mnist("test")
    rows = [np.flatnonzero(labels == digit)[:per_class] for digit in range(10)]
    chosen = np.sort(np.concatenate(rows))
    np.savez_compressed(path, images=images[chosen], labels=labels[chosen])


class Digits(keras.utils.PyDataset):
    """Shuffled batches of images, warped at random as they are drawn.

    Each image is moved, turned, scaled and sheared about its centre by amounts
    drawn uniformly from plus or minus the argument, and read bilinearly in one
    pass; outside is black. What a batch holds depends on `(seed, epoch, index)`
    alone. Pass `shuffle=False` to `fit` for the batches to come in order too: by
    default Keras itself draws their order, from Python's global random state. (And
    with `workers` > 1 Keras's queue carries batches over from epoch to epoch.)

    Args:
        images: `[N, H, W, 1]`, uint8, or float in [0, 1].
        labels: `[N]`, integers.
        batch_size: images in a batch; the last one may be smaller.
        seed: of the shuffling and the warps.
        shift: in pixels, each axis by itself.
        rotation: in degrees.
        scale: relative; 0.1 draws sizes from 0.9 to 1.1.
        shear: slope; 0.1 moves the top and the bottom row of a 28-pixel image
            by 1.4 pixels against each other's direction.
        shuffle: a new order each epoch.
        **kwargs: of `keras.utils.PyDataset` (`workers`, ...).

    Yields `(images, labels)`: labels int32, images float32 in [0, 1] when warped
    and as they were given (uint8 stays uint8) when not.
    """

    def __init__(
        self,
        images: Array,
        labels: Array,
        batch_size: int = 128,
        seed: int = 0,
        shift: float = 0.0,
        rotation: float = 0.0,
        scale: float = 0.0,
        shear: float = 0.0,
        shuffle: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        images, labels = np.asarray(images), np.asarray(labels)
        if images.ndim != 4 or images.shape[-1] != 1:
            raise ValueError(
                "`images` must have shape [N, height, width, 1]. "
                f"Received: images.shape={images.shape}"
            )
        if labels.shape != images.shape[:1]:
            raise ValueError(
                "`labels` must hold one number per image. Received: "
                f"images.shape={images.shape}, labels.shape={labels.shape}"
            )
        if len(images) == 0:
            raise ValueError("`images` must not be empty. Received: 0 images")
        if batch_size < 1:
            raise ValueError(
                f"`batch_size` must be positive. Received: batch_size={batch_size}"
            )
        ranges = {"shift": shift, "rotation": rotation, "scale": scale, "shear": shear}
        for name, value in ranges.items():
            if not 0 <= value < np.inf:
                raise ValueError(
                    f"`{name}` must be at least 0 and finite. Received: {name}={value}"
                )
        if scale >= 1:
            raise ValueError(f"`scale` must be less than 1. Received: scale={scale}")
        self.images = images
        self.labels = labels.astype("int32")
        self.batch_size = batch_size
        self.seed = seed
        self.shift = shift
        self.rotation = rotation
        self.scale = scale
        self.shear = shear
        self.shuffle = shuffle
        self.augmented = any(ranges.values())
        self.epoch = 0

    @property
    def epoch(self) -> int:
        """The epoch whose batches are drawn; set it to resume a training.

        `fit` moves on once before its first epoch too, when it looks at a batch to
        learn its shape: set the number of epochs done, and the resumed run draws
        what an uninterrupted one would have.
        """
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = epoch
        self._order = np.arange(len(self.images))
        if self.shuffle:
            np.random.default_rng([self.seed, epoch]).shuffle(self._order)

    def on_epoch_end(self) -> None:
        """Go on to the next epoch's order and warps."""
        self.epoch += 1

    def __len__(self) -> int:
        return -(-len(self.images) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        if not 0 <= index < len(self):
            raise IndexError(f"There are {len(self)} batches. Received: index={index}")
        start = index * self.batch_size
        rows = self._order[start : start + self.batch_size]
        images = self.images[rows]  # [B, H, W, 1]
        if self.augmented:
            random = np.random.default_rng([self.seed, self.epoch, index])
            images = warp(images, self._random_maps(random, len(rows)))
        return images, self.labels[rows]

    def _random_maps(self, random: np.random.Generator, count: int) -> Array:
        """Inverse maps `[B, 2, 3]`: rotation x shear / size, and a shift."""
        angle = np.radians(random.uniform(-self.rotation, self.rotation, count))
        slope = random.uniform(-self.shear, self.shear, count)
        size = random.uniform(1 - self.scale, 1 + self.scale, count)
        cos, sin = np.cos(angle), np.sin(angle)
        maps = np.empty((count, 2, 3), "float32")
        maps[:, 0, 0] = (cos - sin * slope) / size
        maps[:, 0, 1] = -sin / size
        maps[:, 1, 0] = (sin + cos * slope) / size
        maps[:, 1, 1] = cos / size
        maps[:, :, 2] = random.uniform(-self.shift, self.shift, (count, 2))
        return maps


def warp(images: Array, maps: Array) -> Array:
    """Affine warps, bilinear, black outside.

    Args:
        images: `[B, H, W, 1]`, uint8, or float in [0, 1].
        maps: `[B, 2, 3]`; pixel `(y, x)`, counted from the image's centre, gets the
            value at `maps[b] @ (y, x, 1)`.

    Returns:
        `[B, H, W, 1]`, float32 in [0, 1].
    """
    count, height, width, _ = images.shape
    # A black border of one pixel, and one row more, so that all four neighbours
    # of a clipped position exist.
    padded = np.zeros((count, height + 3, width + 2), "float32")
    padded[:, 1 : height + 1, 1 : width + 1] = images[..., 0]
    if images.dtype == np.uint8:
        padded *= np.float32(1 / 255)

    center_y, center_x = (height - 1) / 2, (width - 1) / 2
    y, x = np.mgrid[:height, :width].astype("float32").reshape(2, -1)  # [P]
    grid = np.stack([y - center_y, x - center_x, np.ones_like(x)])  # [3, P]
    fraction = np.matmul(maps, grid, dtype="float32")  # [B, 2, P]
    # Padded coordinates are positive, so that truncation is the floor.
    fraction += np.array([[center_y + 1], [center_x + 1]], "float32")
    np.clip(fraction[:, 0], 0, height + 1, out=fraction[:, 0])
    np.clip(fraction[:, 1], 0, width + 1, out=fraction[:, 1])
    corner = fraction.astype("int32")
    fraction -= corner
    index = corner[:, 0] * (width + 2) + corner[:, 1]  # [B, P]
    index = index + np.arange(count)[:, None] * padded[0].size

    # `index` is never outside; "clip" only spares NumPy's buffered check. The
    # very last corner's neighbour is clipped, and has weight 0.
    pixels = padded.ravel()
    upper_left = pixels.take(index, mode="clip")
    upper = pixels.take(index + 1, mode="clip")
    index += width + 2
    lower_left = pixels.take(index, mode="clip")
    lower = pixels.take(index + 1, mode="clip")
    y_part, x_part = fraction[:, 0], fraction[:, 1]  # [B, P]
    _blend(upper, upper_left, x_part)
    _blend(lower, lower_left, x_part)
    _blend(lower, upper, y_part)
    return lower.reshape(images.shape)


def _blend(last: Array, first: Array, part: Array) -> None:
    """`last` becomes `first + part * (last - first)`, without temporaries."""
    last -= first
    last *= part
    last += first
