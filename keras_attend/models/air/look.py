"""What AIR's LSTM sees of a picture and of what is left of it."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
from keras import ops
from keras.layers import Dense

from keras_attend.types import Shape, Tensor


def summarised(images: Tensor) -> Tensor:
    """Pixels of images `[B, H, W, C]` at half the size, as one row each."""
    small = ops.average_pool(images, 2, strides=2, padding="same")
    length = 1
    for side in small.shape[1:]:
        length *= side
    return ops.reshape(small, (-1, length))


class Look(keras.layers.Layer):
    """Features of each block of pixels and of its residual, before they are a row.

    A mean of pixels hides what a small object changes. Each layer here sees blocks of
    2x2 points of the one before, all by the same weights (a convolution whose steps are
    as wide as its kernel, which XLA computes as a product of matrices).

    Args:
        widths: how many features each layer has.

    Called with images `[B, H, W, C]`, whose sides halve evenly once for each layer, it
    returns `[B, F]`.
    """

    def __init__(self, widths: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        dense = partial(Dense, activation="relu", dtype=self.dtype_policy)
        self.features = [dense(n, name=f"look_{i}") for i, n in enumerate(widths, 1)]

    def build(self, images_shape: Shape) -> None:
        """Make the weights."""
        length = 4 * int(images_shape[-1] or 0)
        for layer in self.features:
            layer.build((None, length))
            length = 4 * layer.units

    def length(self, size: tuple[int, int]) -> int:
        """F of pictures of a size."""
        halved = 2 ** len(self.features)
        return size[0] // halved * (size[1] // halved) * self.features[-1].units

    def call(self, images: Tensor) -> Tensor:
        """The features of images."""
        x = images
        for layer in self.features:
            x = layer(in_blocks(x))
        _, H, W, C = x.shape
        return ops.reshape(x, (-1, H * W * C))


def in_blocks(x: Tensor) -> Tensor:
    """`[B, H, W, C]` as `[B, H / 2, W / 2, 4 C]`: each block of 2x2 points in a row."""
    _, H, W, C = x.shape
    x = ops.reshape(x, (-1, H // 2, 2, W // 2, 2, C))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, H // 2, W // 2, 4 * C))
