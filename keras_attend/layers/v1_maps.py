"""Features of several resolutions on one grid, and in units of their spread."""

from typing import Any

import keras
from keras import ops

from keras_attend.arguments import KeepsArguments
from keras_attend.layers.efficient_v1 import EfficientV1
from keras_attend.types import Shape, Tensor


@keras.saving.register_keras_serializable("keras_attend")
class V1Maps(KeepsArguments, keras.layers.Layer):
    r"""What a network such as `EfficientV1` says of each place of an image.

        maps = V1Maps(EfficientV1((2, 4, 10)))
        training.imagenet.load_weights(maps.v1)
        maps.adapt(some_images)
        V = maps(images)                       # [B, rows / 8, cols / 8, 248]

    The network's outputs are brought to one grid, 8 pixels apart: four neighbours of
    the finer one become channels of one place, and the coarser one is interpolated.
    Then each channel is normalised, by statistics that never change, so that an object
    has the same features in every image:

    $$V' = (V - m) / \sigma$$

    Call arguments:
        images: `[B, rows, cols, 3]` in 0..1, or uint8; rows and columns must be
            multiples of 16.

    Args:
        v1: gives features of strides 4, 8 and 16; `EfficientV1()` when absent.
    """

    jit_compile = False  # XLA's convolutions are slow on a CPU; see `EfficientV1`

    def __init__(self, v1: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.v1 = v1 or EfficientV1((2, 4, 10), name="v1")

    def build(self, input_shape: Shape) -> None:
        """Make the weights for images `[B, rows, cols, 3]`."""
        if not self.v1.built:  # one that was saved comes back built
            self.v1.build(input_shape)
        fixed = {"trainable": False, "shape": (self.channels,)}
        self.mean = self.add_weight(initializer="zeros", name="mean", **fixed)
        self.scale = self.add_weight(initializer="ones", name="scale", **fixed)

    @property
    def widths(self) -> list[int]:
        """Channels of the network's three outputs."""
        shapes: Any = self.v1.compute_output_shape((None, 64, 64, 3))
        return [shape[-1] for shape in shapes]

    @property
    def channels(self) -> int:
        """Channels of the maps, those of the finest output first."""
        fine, middle, coarse = self.widths
        return 4 * fine + middle + coarse

    def adapt(self, images: Tensor) -> None:
        """Take the statistics $m$ and $\\sigma$ of some images, once, for ever."""
        V = ops.reshape(self.features(images), (-1, self.channels))
        self.mean.assign(ops.mean(V, axis=0))
        self.scale.assign(1 / (ops.std(V, axis=0) + 1e-3))

    def features(self, images: Tensor) -> Tensor:
        """V: all features side by side, not yet normalised."""
        fine, middle, coarse = self.v1(images)
        _, rows, cols, _ = middle.shape
        c = fine.shape[-1]
        fine = ops.reshape(fine, (-1, rows, 2, cols, 2, c))
        fine = ops.transpose(fine, (0, 1, 3, 2, 4, 5))
        fine = ops.reshape(fine, (-1, rows, cols, 4 * c))
        V = ops.concatenate([fine, middle, doubled(coarse)], axis=-1)
        return ops.cast(V, self.compute_dtype)

    def call(self, images: Tensor) -> Tensor:
        """The maps $V'$."""
        return (self.features(images) - self.mean) * self.scale

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """`[B, rows / 8, cols / 8, channels]`."""
        batch, rows, cols, _ = input_shape
        sides = (None if n is None else n // 8 for n in (rows, cols))
        return (batch, *sides, self.channels)


def doubled(x: Tensor) -> Tensor:
    """Maps `[B, h, w, C]` of twice as many rows and columns, by interpolation."""
    for axis in (1, 2):
        h, w, channels = x.shape[1:]
        n = x.shape[axis]
        middle = [ops.take(x, [0], axis=axis), x, ops.take(x, [n - 1], axis=axis)]
        padded = ops.concatenate(middle, axis=axis)
        before, after = (
            (padded[:, :-2], padded[:, 2:])
            if axis == 1
            else (padded[:, :, :-2], padded[:, :, 2:])
        )
        pair = [0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after]
        rows, cols = (2 * h, w) if axis == 1 else (h, 2 * w)
        x = ops.reshape(ops.stack(pair, axis=axis + 1), (-1, rows, cols, channels))
    return x
