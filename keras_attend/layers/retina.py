"""RAM's sensor: k square patches of growing width around one point."""

from typing import Any

import keras
from keras import ops

from keras_attend.arguments import check_positive_integers
from keras_attend.types import Shape, Tensor


@keras.saving.register_keras_serializable("keras_attend")
class Retina(keras.layers.Layer):
    r"""Patches of growing width around a location (Mnih et al. 2014, section 3.1).

    Patch $k$ is a square of $g f^k$ pixels around the pixel

    $$c = \mathrm{trunc}(\tfrac{1}{2}(l + 1) \cdot (W, H)), \qquad l \in [-1, 1]^2$$

    averaged over blocks of $f^k \times f^k$ pixels to $g \times g$. What lies
    outside the image is zero. In one axis, patch $k$ is a matrix of box filters

    $$A_k[i, n] = f^{-k} \;\text{ if }\; s + i f^k \le n < s + (i + 1) f^k,
      \qquad s = c - \lfloor g f^k / 2 \rfloor$$

    and the glimpse is $A^y_k X (A^x_k)^T$: two matrix products, which beat a
    gather by a factor of eight.

    Args:
        size: $g$, pixels of a patch's side after pooling.
        scales: number of patches.
        factor: $f$, the ratio of two successive widths.

    Call arguments:
        images: `[B, H, W, C]`, any height and width, smaller than the retina too.
        locations: `[B, 2]`, $(x, y)$ with (-1, -1) the image's top left corner.
            One far outside, infinite or NaN sees zeros. It has no gradient.

    Returns:
        `[B, size, size, scales * C]`: the channels of the finest patch first, then
        those of the next (channel `k * C + c` is channel `c` of patch `k`).

    The paper names neither padding nor resampling: zeros and averages are ours.
    """

    def __init__(
        self, size: int, scales: int = 1, factor: int = 2, **kwargs: Any
    ) -> None:
        # A half-precision location would miss its pixel: cast images alone.
        super().__init__(**{"autocast": False, **kwargs})
        check_positive_integers(size=size, scales=scales, factor=factor)
        self.size = size
        self.scales = scales
        self.factor = factor

    def call(self, images: Tensor, locations: Tensor) -> Tensor:
        """The glimpses `[B, size, size, scales * C]` at `locations`."""
        self._check(images.shape, locations.shape)
        images = ops.cast(images, self.compute_dtype)  # [B, H, W, C]
        locations = ops.cast(locations, "float32")  # [B, 2]
        batch, height, width, channels = ops.shape(images)
        g, k = self.size, self.scales

        rows = self._bank(locations[:, 1], height)  # [B, k, g, H]
        columns = self._bank(locations[:, 0], width)  # [B, k, g, W]
        rows = ops.reshape(rows, (batch, k * g, height))
        x = ops.reshape(images, (batch, height, width * channels))
        x = ops.matmul(rows, x)  # [B, k g, W C]
        x = ops.reshape(x, (batch, k, g, width, channels))
        if images.shape[-1] == 1:
            columns = ops.transpose(columns, (0, 1, 3, 2))  # [B, k, W, g]
            x = ops.matmul(x[..., 0], columns)[..., None]  # [B, k, g, g, 1]
        else:
            x = ops.matmul(columns[:, :, None], x)  # [B, k, g, g, C]
        x = ops.transpose(x, (0, 2, 3, 1, 4))  # [B, g, g, k, C]
        return ops.reshape(x, (batch, g, g, k * channels))

    def _bank(self, location: Tensor, length: Any) -> Tensor:
        """Box filters `[B, scales, size, length]` along one axis."""
        extent = ops.cast(length, "float32")
        centre = ops.trunc(0.5 * (location + 1.0) * extent)[:, None, None, None]
        pixel = ops.arange(length, dtype="float32")  # [N]
        blocks = [float(self.factor**k) for k in range(self.scales)]
        block = ops.reshape(
            ops.convert_to_tensor(blocks, "float32"), (1, self.scales, 1, 1)
        )
        half = [float(self.size * self.factor**k // 2) for k in range(self.scales)]
        shift = ops.reshape(
            ops.convert_to_tensor(half, "float32"), (1, self.scales, 1, 1)
        )
        i = ops.reshape(ops.arange(self.size, dtype="float32"), (1, 1, -1, 1))
        start = centre - shift + i * block  # [B, k, g, 1]
        inside = ops.logical_and(pixel >= start, pixel < start + block)
        return ops.cast(inside, self.compute_dtype) / ops.cast(
            block, self.compute_dtype
        )

    def _check(self, images: Shape, locations: Shape) -> None:
        if len(images) != 4:
            raise ValueError(
                "`images` must have shape [batch, height, width, channels]. "
                f"Received: images.shape={tuple(images)}"
            )
        if len(locations) != 2 or locations[-1] != 2:
            raise ValueError(
                "`locations` must have shape [batch, 2], (x, y) in -1..1. "
                f"Received: locations.shape={tuple(locations)}"
            )

    def compute_output_shape(
        self, images_shape: Shape, locations_shape: Shape | None = None
    ) -> tuple[int | None, ...]:
        """`(B, size, size, scales * C)`."""
        batch, channels = images_shape[0], images_shape[-1]
        depth = None if channels is None else self.scales * channels
        return (batch, self.size, self.size, depth)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            **super().get_config(),
            "size": self.size,
            "scales": self.scales,
            "factor": self.factor,
        }
