"""Batches of digits, or of other grey images, changed at random as they are drawn."""

from typing import Any

import keras
import numpy as np

from keras_attend.arguments import check_not_negative, check_positive_integers
from keras_attend.datasets.clips import check_index
from keras_attend.types import Array, OneLine


class Digits(OneLine, keras.utils.PyDataset):
    """Shuffled batches of images, warped at random as they are drawn.

    Each image is moved, turned, scaled and sheared about its centre by amounts that
    are drawn uniformly from minus to plus the argument, with bilinear interpolation.
    What lies outside an image is black. What a batch holds depends on `(seed, epoch,
    index)` alone. Pass `shuffle=False` to `fit` for the batches to come in order too:
    by default Keras itself draws their order, from Python's global random state. (And
    with `workers` > 1 Keras's queue carries batches over from epoch to epoch.)

    Args:
        images: `[N, H, W, 1]`, uint8, or float in [0, 1].
        labels: `[N]`, integers.
        batch_size: B, the number of images in a batch; the last batch may have fewer.
        seed: the seed of the shuffling and the warps.
        shift: the greatest move along each axis, in pixels.
        rotation: the greatest turn, in degrees.
        scale: the greatest relative change of size; 0.1 draws sizes from 0.9 to 1.1.
        shear: the greatest slope; 0.1 moves the top row of a 28-pixel image by 1.4
            pixels to one side and the bottom row by 1.4 pixels to the other.
        shuffle: put the images into a new order each epoch.
        **kwargs: of `keras.utils.PyDataset` (`workers`, ...).

    A batch is `(images, labels)`: images `[B, H, W, 1]`, float32 in [0, 1] if they are
    warped and otherwise of the dtype that was given; labels `[B]` int32.
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
        check_labels(images, labels)
        check_positive_integers(batch_size=batch_size)
        ranges = {"shift": shift, "rotation": rotation, "scale": scale, "shear": shear}
        check_not_negative(**ranges)
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
        """The number of the epoch whose batches are drawn.

        To resume a training set it to the number of finished epochs. The resumed run
        then draws the same batches as an uninterrupted one, since in both `fit` adds
        one before it begins, when it reads a batch to learn its shape.
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
        check_index(index, self)
        start = index * self.batch_size
        rows = self._order[start : start + self.batch_size]
        images = self.images[rows]  # [B, H, W, 1]
        if self.augmented:
            random = np.random.default_rng([self.seed, self.epoch, index])
            images = warp(images, self._random_maps(random, len(rows)))
        return images, self.labels[rows]

    def _random_maps(self, random: np.random.Generator, count: int) -> Array:
        """Draw `warp`'s maps `[B, 2, 3]`: rotation x shear / size, and a shift."""
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


def check_labels(images: Array, labels: Array) -> None:
    """Refuse labels that are not one number for each image, and no images at all."""
    if labels.shape != images.shape[:1] or not len(labels):
        raise ValueError(
            "`images` must not be empty, and `labels` hold one number for each. "
            f"Received: images.shape={images.shape}, labels.shape={labels.shape}"
        )


def warp(images: Array, maps: Array) -> Array:
    """Warp images by affine maps, with bilinear interpolation and black outside.

    Images `[B, H, W, 1]`, uint8 or float in [0, 1], become float32 in [0, 1]. With maps
    `[B, 2, 3]` the new pixel at `(y, x)`, in pixels from the image's centre, is the old
    one at `maps[b] @ (y, x, 1)`.
    """
    count, height, width, _ = images.shape
    # A black border of one pixel and one more row below, so that a position that is
    # clipped to the border has all four neighbours.
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

    # `mode="clip"` is faster than NumPy's default, which checks each index. (Only the
    # last corner's neighbour is outside; its weight is 0.)
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
