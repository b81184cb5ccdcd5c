"""Where the next object is, by a map of the picture; this is not in the paper."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops
from keras.layers import Dense

from keras_attend.types import Shape, Tensor

WIDTHS = (16, 32, 48)  # features of blocks of 2, 4 and 8 pixels
CELL = 2 ** len(WIDTHS)  # pixels along a side of the map's cells
MIXES = 2  # layers that see the cells beside: 40 pixels each way in all


class SearchMap(keras.layers.Layer):
    r"""Rate each place of a picture, and look for an object where the rating is best.

    $$F = f(x,\, x - \hat x_{t-1},\, \text{covered}_{t-1}), \qquad
      (\ell_{ij}, \delta_{ij}, \sigma_{ij}) = g(F_{ij}), \qquad
      (i^*, j^*) = \arg\max_{ij} \ell_{ij}$$
    $$q(\text{present}_t) = \mathrm{sigmoid}(\ell_{i^*j^*}), \qquad
      q(z^{where}_t) = N(c_{i^*j^*} + \delta_{i^*j^*}, \, \sigma_{i^*j^*}^2)$$

    $c_{ij}$ is the middle of a cell. An LSTM that sees the whole picture at once must
    learn at each place anew what an object looks like; a map learns it for all places.
    The choice needs no gradient: where nothing was worth drawing, the rating falls, and
    another place is the best one.

    Args:
        channels: of what is called.
        units: features of each cell.
        center_std: as of `ObjectPrior`.
        initializer: of the layer that rates places.

    Called with `[B, H, W, channels]`, it returns seven numbers of each place,
    `[B, G, G', 7]`: its rating, and the posterior's mean and its scale before
    activation; those of the best place, `[B, 7]`; and its features, `[B, units]`.
    """

    def __init__(
        self,
        channels: int,
        units: int,
        center_std: float,
        initializer: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channels, self.center_std = channels, center_std
        dense = partial(Dense, dtype=self.dtype_policy)
        self.blocks = [dense(n, "relu", name=f"block_{n}") for n in WIDTHS]
        self.mixes = [dense(units, "relu", name=f"mix_{n}") for n in range(MIXES)]
        self.rate = dense(7, kernel_initializer=initializer, name="rate")

    def build(self, images_shape: Shape | None = None) -> None:
        """Make the weights."""
        width = self.channels
        for layer in self.blocks:
            layer.build((None, 4 * width))
            width = layer.units
        for layer in self.mixes:
            layer.build((None, 9 * width))
            width = layer.units
        self.rate.build((None, width))

    def call(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rate all places and find the best; see the class."""
        features = self.features(images)  # [B, G, G', units]
        rated = ops.cast(self.rate(features), "float32")
        cells = tuple(features.shape[1:3])
        rated = rated + self.places(cells, tuple(images.shape[1:3]))
        both = ops.concatenate([rated, ops.cast(features, "float32")], axis=-1)
        both = ops.reshape(both, (-1, cells[0] * cells[1], both.shape[-1]))
        best = ops.argmax(ops.stop_gradient(both[..., 0]), axis=-1)
        chosen = ops.one_hot(best, cells[0] * cells[1])  # [B, G G']
        both = ops.sum(chosen[..., None] * both, axis=1)
        return rated, both[:, :7], both[:, 7:]

    def features(self, images: Tensor) -> Tensor:
        """The features of each cell, `[B, G, G', units]`."""
        height, width = images.shape[1:3]
        more = ((0, 0), (0, -height % CELL), (0, -width % CELL), (0, 0))
        x = ops.pad(ops.cast(images, self.compute_dtype), more)
        for layer in self.blocks:
            x = layer(in_blocks(x))
        first, *others = self.mixes
        x = first(with_neighbours(x))
        for layer in others:
            x = x + layer(with_neighbours(x))
        return x

    def places(self, cells: tuple[int, int], size: tuple[int, int]) -> Tensor:
        """$z^{where}$ of the cells' middles, among seven numbers: `[1, G, G', 7]`."""
        y, x = (
            ((np.arange(n) + 0.5) * CELL / (side / 2) - 1) / self.center_std
            for n, side in zip(cells, size, strict=True)
        )
        at = np.zeros((1, *cells, 7), "float32")
        at[..., 2], at[..., 3] = x, y[:, None]
        return ops.convert_to_tensor(at)


def in_blocks(x: Tensor) -> Tensor:
    """`[B, H, W, C]` as `[B, H / 2, W / 2, 4 C]`: each block of 2x2 points in a row.

    A dense layer of that is a convolution whose steps are as wide as its kernel, which
    XLA computes as one product of matrices.
    """
    _, H, W, C = x.shape
    x = ops.reshape(x, (-1, H // 2, 2, W // 2, 2, C))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, H // 2, W // 2, 4 * C))


def with_neighbours(x: Tensor) -> Tensor:
    """`[B, H, W, C]` as `[B, H, W, 9 C]`: each point and the eight about it."""
    _, H, W, _ = x.shape
    x = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    beside: Sequence[Tensor] = [
        x[:, y : y + H, z : z + W] for y in range(3) for z in range(3)
    ]
    return ops.concatenate(beside, axis=-1)
