"""What is behind the objects: a blurred copy of the picture."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attend.arguments import check_positive, check_positive_integers
from keras_attend.models.air.background import Background, positive
from keras_attend.models.air.prior import divergence, log_ratio
from keras_attend.models.air.vivid import chroma
from keras_attend.models.base import fitted_images
from keras_attend.types import Shape, Tensor

BESIDE = 0.03  # how much pixels of the cells beside one count for it
LEAST = 0.05  # how far pixels are from it at least, in 0..1
SPREAD = (0.15, 0.5)  # the median of that, and its logarithm's standard deviation
NARROW = -1.5  # what the posterior's scale begins with: `positive` makes 0.33 of it


@keras.saving.register_keras_serializable("keras_attend")
class GridBackground(Background):
    r"""A blurred picture: a coarse grid of colours, interpolated between its cells.

    $$q(z_{ij} \mid x) = N(\mu_{ij}, \sigma^2), \qquad p(z) = N(0, I), \qquad
      \text{color}_{ij} = \tfrac{1}{2} + s\, z_{ij}$$

    $\mu_{ij}$ is not learned, only $\sigma$ is. It is the mean colour of a cell's
    pixels, in which vivid ones count little: by $\exp(-c / \tau)$ with their chroma
    $c$, the difference of the greatest and the least channel. The pixels of the cells
    beside it count by `BESIDE` of that. A learned mean would draw the objects too,
    before anything else had learned to: then there is nothing left to find.

    One more number of each cell tells how far its pixels are from the interpolated
    colour: little in a clear sky, much in a meadow. What a meadow's pixels gain by an
    object in front of them is then less than what an object's own pixels gain.

    Args:
        size, channels: as of `NoBackground`.
        cells: how many cells a side has. It divides half of the picture's sides.
        std: $s$, the standard deviation of a cell's colour.
        dull: $\tau$.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        channels: int = 3,
        cells: int = 8,
        std: float = 0.25,
        dull: float = 0.2,
        **kwargs: Any,
    ) -> None:
        super().__init__(size, channels, **kwargs)
        check_positive_integers(cells=cells)
        check_positive(std=std, dull=dull)
        if any(side % (2 * cells) for side in self.size):
            raise ValueError(
                "`cells` must divide half of the picture's sides. Received: "
                f"cells={cells}, size={self.size}"
            )
        self.cells, self.std, self.dull = cells, std, dull
        self.latents = cells**2 * (channels + 1)

    def build(self, summary_shape: Shape, noise_shape: Shape | None = None) -> None:
        """Make the weights."""
        self.width = self.add_weight(
            shape=(self.channels + 1,),
            initializer=keras.initializers.Constant(NARROW),
            name="width",
        )

    def draw(self, z: Tensor) -> Tensor:
        """Pictures `[B, H, W, C]` of z `[B, latents]`."""
        return fitted_images(0.5 + self.std * self.in_cells(z)[..., :-1], self.size)

    def spread(self, z: Tensor) -> Tensor:
        """How far pixels are from the picture of z, `[B, H, W, 1]`."""
        log_s = np.log(SPREAD[0]) + SPREAD[1] * self.in_cells(z)[..., -1:]
        log_s = ops.clip(log_s, np.log(LEAST), 0.0)
        return ops.exp(fitted_images(log_s, self.size))

    def in_cells(self, z: Tensor) -> Tensor:
        """The numbers of each cell, `[B, G, G, C + 1]`."""
        return ops.reshape(z, (-1, self.cells, self.cells, self.channels + 1))

    def call(self, summary: Tensor, noise: Tensor) -> tuple[Tensor, ...]:
        """The background of each picture, what its numbers cost, and its spread."""
        color, spread = self.seen(summary)
        z_color = (color - 0.5) / self.std
        z_spread = (ops.log(spread) - np.log(SPREAD[0])) / SPREAD[1]
        loc = ops.concatenate([z_color, z_spread], axis=-1)
        loc = ops.reshape(loc, (-1, self.latents))
        scale = positive(ops.cast(ops.convert_to_tensor(self.width), "float32"))
        scale = ops.tile(scale[None], (1, self.cells**2)) + ops.zeros_like(loc)
        z = loc + scale * noise
        costs, ratio = divergence(loc, scale), log_ratio(z, loc, scale)
        return self.draw(z), costs, ratio, self.spread(z)

    def seen(self, summary: Tensor) -> tuple[Tensor, Tensor]:
        """The colours of cells `[B, G, G, C]` and how far pixels are from them."""
        rows, columns = (-(-side // 2) for side in self.size)
        pixels = ops.reshape(summary, (-1, rows, columns, self.channels))
        weight = ops.exp(-chroma(pixels)[..., None] / self.dull)
        color = self.cell_means(pixels, weight)
        far = pixels - fitted_images(color, (rows, columns))
        far = self.cell_means(ops.mean(far**2, axis=-1, keepdims=True), weight)
        return color, ops.sqrt(far + (LEAST / 2) ** 2)

    def cell_means(self, x: Tensor, weight: Tensor) -> Tensor:
        """Means of cells' pixels, and a little of those beside: `[B, G, G, C]`.

        Args:
            x: `[B, G y, G x, C]`.
            weight: of pixels, `[B, G y, G x, 1]`.
        """
        G = self.cells
        y, x_ = (side // 2 // G for side in self.size)
        both = ops.concatenate([weight * x, weight], axis=-1)
        both = ops.reshape(both, (-1, G, y, G, x_, both.shape[-1]))
        own = ops.sum(both, axis=(2, 4))  # [B, G, G, C + 1]
        around = ops.pad(own, ((0, 0), (1, 1), (1, 1), (0, 0)))
        both = own + BESIDE * 9 * ops.average_pool(around, 3, strides=1)
        return both[..., :-1] / both[..., -1:]
