"""Digits somewhere on a larger canvas, alone or among pieces of other digits.

The data of RAM's tables 1b, 2a and 2b (Mnih et al. 2014, section 4.1), drawn when they
are needed: Translated MNIST (60x60 pixels), and Cluttered Translated MNIST (60x60 with
4 pieces and 100x100 with 8).
"""

from typing import Any

import numpy as np

from keras_attend.arguments import check_choice, check_not_negative
from keras_attend.datasets.clips import frozen_stream
from keras_attend.datasets.digits import Digits
from keras_attend.datasets.mnist_digits import mnist
from keras_attend.datasets.settings import TEST_SEED, VALIDATION_SEED
from keras_attend.types import Array

SEEDS = {"validation": VALIDATION_SEED, "test": TEST_SEED}


class ClutteredDigits(Digits):
    """Shuffled batches of digits on a canvas, each epoch at other places.

    Each digit is put at a whole pixel of a black canvas, all places being equally
    likely. Then `pieces` squares are taken, each from anywhere in any of `images`, and
    put anywhere on the canvas. Where two things overlap, the brighter pixel remains.

    (The paper says only that random 8x8 subpatches of other digits are added at random
    locations. So a piece may be black, or cover the digit.)

    Args:
        images: the digits, `[N, H, W, 1]` uint8.
        labels: `[N]`, integers.
        side: the canvas's side in pixels.
        pieces: the number of pieces on each canvas.
        piece_size: a piece's side in pixels.
        sizes: the least and the greatest factor by which a digit is scaled, with
            linear interpolation; their logarithms are drawn uniformly. A digit then
            lies at any place, not at a whole pixel. None leaves digits as they are.
        **kwargs: of `Digits` (`batch_size`, `seed`, warps, `shuffle`, ...).

    A batch is `(images, labels)`: `[B, side, side, 1]` uint8 and `[B]` int32.
    """

    def __init__(
        self,
        images: Array,
        labels: Array,
        side: int = 60,
        pieces: int = 0,
        piece_size: int = 8,
        sizes: tuple[float, float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(images, labels, **kwargs)
        largest = max(self.images.shape[1:3]) * (sizes[1] if sizes else 1.0)
        if sizes is not None and not 0 < sizes[0] <= sizes[1]:
            raise ValueError(
                "`sizes` must be the least and the greatest factor, both positive. "
                f"Received: sizes={sizes}"
            )
        if self.images.dtype != np.uint8:
            raise ValueError(
                f"`images` must be uint8. Received: images.dtype={self.images.dtype}"
            )
        if side < largest:
            raise ValueError(
                "`side` must be at least the images' own, scaled. Received: "
                f"side={side}, images.shape={self.images.shape}, sizes={sizes}"
            )
        check_not_negative(pieces=pieces)
        if not 1 <= piece_size <= min(self.images.shape[1:3]):
            raise ValueError(
                "`piece_size` must be positive and at most the images' side. "
                f"Received: piece_size={piece_size}, images.shape={self.images.shape}"
            )
        self.side = side
        self.pieces = pieces
        self.piece_size, self.sizes = piece_size, sizes

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        digits, labels = super().__getitem__(index)
        if digits.dtype != np.uint8:  # warping has made them float32
            digits = np.rint(digits * np.float32(255)).astype("uint8")
        random = frozen_stream(self.seed, self.epoch, index)
        return self._canvases(digits[..., 0], random), labels

    def _canvases(self, digits: Array, random: np.random.RandomState) -> Array:
        """Draw canvases `[B, side, side, 1]` with digits `[B, H, W]` and pieces."""
        count, *sides = digits.shape
        if self.sizes is None:
            canvases = np.zeros((count, self.side, self.side), "uint8")
            _paste(canvases, digits, random)
        else:
            canvases = _scaled(digits, self.side, self.sizes, random)
        size = self.piece_size
        rows, columns = np.mgrid[:size, :size]
        for _ in range(self.pieces):
            source = random.randint(len(self.images), size=(count, 1, 1))
            y, x = (random.randint(s - size + 1, size=(count, 1, 1)) for s in sides)
            piece = self.images[source, y + rows, x + columns, 0]
            _paste(canvases, piece, random)
        return canvases[..., None]


def _scaled(digits: Array, side: int, sizes: tuple[float, float], random: Any) -> Array:
    """Draw digits `[B, h, w]` of several sizes on canvases `[B, side, side]`."""
    count, *own = digits.shape
    size = np.exp(random.uniform(*np.log(sizes), size=count)).astype("float32")
    x = digits.astype("float32")
    for axis, length in enumerate(own, start=1):
        room = (side - size * length) / 2
        place = (side - 1) / 2 + random.uniform(-1, 1, count) * room  # of its middle
        # Which pixels of the digit a canvas's pixel shows: one or two where it grows,
        # those of a wider stretch where it shrinks.
        at = (np.arange(side) - place[:, None]) / size[:, None] + (length - 1) / 2
        away = np.abs(at[..., None] - np.arange(length, dtype="float32"))
        steep = np.minimum(size, 1)[:, None, None]
        shares = (np.maximum(1 - away * steep, 0) * steep).astype("float32")
        x = shares @ x if axis == 1 else x @ shares.transpose(0, 2, 1)
    return np.rint(np.clip(x, 0, 255)).astype("uint8")


def _paste(canvases: Array, patches: Array, random: np.random.RandomState) -> None:
    """Put patches `[B, h, w]` anywhere on their canvases `[B, side, side]`."""
    count, height, width = patches.shape
    side = canvases.shape[1]
    y = random.randint(side - height + 1, size=count)
    x = random.randint(side - width + 1, size=count)
    start = (np.arange(count) * side + y) * side + x  # [B]
    inside = np.arange(height)[:, None] * side + np.arange(width)  # [h, w]
    index = start[:, None, None] + inside
    flat = canvases.reshape(-1)  # the same memory: the canvases change
    flat[index] = np.maximum(flat[index], patches)


def cluttered_mnist(
    split: str,
    side: int = 60,
    pieces: int = 0,
    sizes: tuple[float, float] | None = None,
) -> tuple[Array, Array]:
    """The held-out set of a task: each digit once, at places that never change.

    For training there is `ClutteredDigits`.

    Args:
        split: "validation" (the last 6,000 digits of MNIST's training set) or "test"
            (its 10,000 test digits). Pieces come from the same digits.
        side, pieces, sizes: of `ClutteredDigits`.

    Returns:
        Images `[N, side, side, 1]` uint8, labels `[N]` int32.
    """
    check_choice("split", split, tuple(SEEDS))
    data = ClutteredDigits(
        *mnist(split),
        side=side,
        pieces=pieces,
        sizes=sizes,
        seed=SEEDS[split],
        batch_size=1000,
        shuffle=False,
    )
    batches = [data[index] for index in range(len(data))]
    images, labels = (np.concatenate(part) for part in zip(*batches, strict=True))
    return images, labels
