"""What is behind the objects: a blurred copy of the picture."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_attend.arguments import check_positive, check_positive_integers
from keras_attend.models.air.background import Background, positive
from keras_attend.models.air.prior import divergence, log_ratio
from keras_attend.models.air.vivid import chroma
from keras_attend.models.base import fitted_images
from keras_attend.types import Shape, Tensor

BESIDE = 0.03  # how much pixels of the cells beside one count for it
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
        self.latents = cells**2 * channels

    def build(self, summary_shape: Shape, noise_shape: Shape | None = None) -> None:
        """Make the weights."""
        self.width = self.add_weight(
            shape=(self.channels,),
            initializer=keras.initializers.Constant(NARROW),
            name="width",
        )

    def draw(self, z: Tensor) -> Tensor:
        """Pictures `[B, H, W, C]` of z `[B, latents]`."""
        G, C = self.cells, self.channels
        color = ops.reshape(0.5 + self.std * z, (-1, G, G, C))
        return fitted_images(color, self.size)

    def call(self, summary: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The background of each picture, and what its numbers cost."""
        loc = ops.reshape((self.seen(summary) - 0.5) / self.std, (-1, self.latents))
        scale = positive(ops.cast(ops.convert_to_tensor(self.width), "float32"))
        scale = ops.tile(scale[None], (1, self.cells**2)) + ops.zeros_like(loc)
        z = loc + scale * noise
        return self.draw(z), divergence(loc, scale), log_ratio(z, loc, scale)

    def seen(self, summary: Tensor) -> Tensor:
        """The colours of cells `[B, G, G, C]`, of a picture's summary."""
        G, C = self.cells, self.channels
        y, x = (side // 2 // G for side in self.size)
        pixels = ops.reshape(summary, (-1, G, y, G, x, C))
        weight = ops.exp(-chroma(pixels)[..., None] / self.dull)
        both = ops.concatenate([weight * pixels, weight], axis=-1)
        own = ops.sum(both, axis=(2, 4))  # [B, G, G, C + 1]
        near = 9 * ops.average_pool(
            ops.pad(own, ((0, 0), (1, 1), (1, 1), (0, 0))), 3, strides=1
        )
        both = own + BESIDE * near
        return both[..., :C] / both[..., C:]
