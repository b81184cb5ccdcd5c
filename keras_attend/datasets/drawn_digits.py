"""What pictures and videos of several digits share: splits, epochs, digits to draw."""

from typing import Any

import keras
import numpy as np

from keras_attend.arguments import check_choice, check_positive_integers
from keras_attend.datasets import ink
from keras_attend.datasets.clips import check_index, frozen_stream
from keras_attend.datasets.mnist_digits import mnist
from keras_attend.types import Array, OneLine

SPLITS = ("train", "validation", "test")
HELD_OUT = 10_000  # of MNIST's training digits: the validation split


class DrawnDigits(OneLine, keras.utils.PyDataset):
    """Batches that depend on `(split, seed, epoch, index)` alone.

    The epochs of "validation" and "test" are all the same.

    Args:
        split: "train", "validation" or "test": 50,000, 10,000 and 10,000 digits of
            MNIST (the last 10,000 of its training set are for validation).
        batch_size: B, how many pictures or videos a batch has.
        size: their side in pixels.
        max_digits: N, the greatest number of digits.
        seed: the seed of all draws.
        length: the number of batches in an epoch.
        labels: return what is true too.
        digits: `[K, H, H, 1]` uint8, to be drawn in the place of MNIST's.
        min_digits: the least number of digits.
        **kwargs: of `keras.utils.PyDataset` (`workers`, ...).
    """

    def __init__(
        self,
        split: str,
        batch_size: int,
        size: int,
        max_digits: int,
        seed: int,
        length: int,
        labels: bool,
        digits: Array | None,
        min_digits: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice("split", split, SPLITS)
        check_positive_integers(
            batch_size=batch_size, size=size, max_digits=max_digits, length=length
        )
        if isinstance(min_digits, bool) or min_digits not in range(max_digits + 1):
            raise ValueError(
                f"`min_digits` must be an integer in 0..{max_digits}, of which the "
                f"latter is `max_digits`. Received: min_digits={min_digits}"
            )
        self.split, self.seed = split, seed
        self.batch_size, self.length, self.labels = batch_size, length, labels
        self.size, self.max_digits, self.min_digits = size, max_digits, min_digits
        self.digits = _checked(digits, size, split)
        self.epoch = 0

    def __len__(self) -> int:
        return self.length

    def on_epoch_end(self) -> None:
        """Go on to the next epoch, if it is for training."""
        self.epoch += self.split == "train"

    def begin(self, index: int) -> tuple[np.random.RandomState, Array]:
        """The random numbers of a batch, and how many digits each of it has, `[B]`."""
        check_index(index, self)
        stream = (SPLITS.index(self.split), self.seed, self.epoch, index)
        random = frozen_stream(*stream)
        counts = (self.min_digits, self.max_digits + 1)
        return random, random.randint(*counts, size=self.batch_size)


def _checked(digits: Array | None, size: int, split: str) -> Array:
    """Return digits `[K, H, H]`, MNIST's of a split unless some are given."""
    if digits is None:
        digits = mnist(split, HELD_OUT)[0]
    digits = np.asarray(digits)
    shape, side = digits.shape, digits.shape[1:2]
    if shape != (*shape[:1], *side, *side, 1) or digits.dtype != np.uint8:
        raise ValueError(
            "`digits` must be uint8 of shape [K, H, H, 1]. Received: "
            f"digits.dtype={digits.dtype}, digits.shape={shape}"
        )
    if not len(digits):
        raise ValueError("`digits` must not be empty.")
    if size < (least := ink.SIDES[1] * side[0] // 28):
        raise ValueError(
            f"`size` must be at least {least}, the side of the largest digit. "
            f"Received: size={size}"
        )
    return digits[..., 0]
