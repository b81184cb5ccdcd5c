"""RAM's sensor: square patches around one point, each wider than the last."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attend.arguments import KeepsArguments, check_positive_integers, check_shape
from keras_attend.types import Shape, Tensor


@keras.saving.register_keras_serializable("keras_attend")
class Retina(KeepsArguments, keras.layers.Layer):
    r"""Square patches around a location, each wider than the last.

    The glimpse sensor of RAM (Mnih et al. 2014, section 3.1).

    Patch $k$ is a square of $g f^k$ pixels around the pixel

    $$c = \mathrm{trunc}(\tfrac{1}{2}(l + 1) \cdot (W, H)), \qquad l \in [-1, 1]^2$$

    averaged over blocks of $f^k \times f^k$ pixels to $g \times g$. What lies
    outside the image is zero. (The paper says neither what lies outside nor how patches
    are resampled.) The glimpse is $A^y_k X (A^x_k)^T$ with box filters

    $$A_k[i, n] = f^{-k} \;\text{ if }\; s + i f^k \le n < s + (i + 1) f^k,
      \qquad s = c - \lfloor g f^k / 2 \rfloor$$

    The left product is computed by fetching the few rows that it needs, the right one
    as a matrix product: to gather single pixels takes several times as long.

    Args:
        size: $g$, pixels of a patch's side after pooling.
        scales: number of patches.
        factor: $f$, the ratio of two successive widths.

    Call arguments:
        images: `[B, H, W, C]`, any height and width, smaller than the retina too.
        locations: `[B, 2]`, $(x, y)$ in half widths and half heights of the image,
            with (-1, -1) its top left corner. At one that is far outside, infinite or
            NaN all pixels are zero. It has no gradient.

    Returns:
        `[B, size, size, scales * C]`, in the images' unit: channel `k * C + c` is
        channel `c` of patch `k`, of which patch 0 is the finest.
    """

    def __init__(
        self, size: int, scales: int = 1, factor: int = 2, **kwargs: Any
    ) -> None:
        # A half-precision location would miss its pixel: cast images alone.
        super().__init__(**{"autocast": False, **kwargs})
        check_positive_integers(size=size, scales=scales, factor=factor)
        self.size, self.scales, self.factor = size, scales, factor

    def build(self, images_shape: Shape, locations_shape: Shape) -> None:
        """Note the shapes, for `summary`; there are no weights."""

    def call(self, images: Tensor, locations: Tensor) -> Tensor:
        """The glimpses `[B, size, size, scales * C]` at `locations`."""
        check_shape("images", images.shape, "batch, height, width, channels")
        check_shape("locations", locations.shape, "batch, 2")
        images = ops.cast(images, self.compute_dtype)  # [B, H, W, C]
        locations = ops.cast(locations, "float32")  # [B, 2]
        batch, _, width, channels = ops.shape(images)
        g, k = self.size, self.scales

        centre = self._centre(locations[:, 0], width)
        count, wanted = self._blocks(width)
        height, block = ops.shape(images)[1], width // count
        images = ops.reshape(images, (batch, height, count, block, channels))
        left = None
        if wanted < count:
            left = ops.floor((centre - g * self.factor ** (k - 1) // 2) / block)
            left = ops.minimum(ops.where(left >= 0, left, 0.0), count - wanted)
            centre, width = centre - left * block, wanted * block
            left = ops.cast(left, "int32")  # [B]; what was NaN is 0
        rows = self._rows(images, locations[:, 1], left, wanted)
        rows = ops.reshape(rows, (batch, k, g, width, channels))
        columns = self._bank(centre, width)  # [B, k, g, W]
        if images.shape[-1] == 1:
            columns = ops.transpose(columns, (0, 1, 3, 2))  # [B, k, W, g]
            x = ops.matmul(rows[..., 0], columns)[..., None]  # [B, k, g, g, 1]
        else:
            x = ops.matmul(columns[:, :, None], rows)  # [B, k, g, g, C]
        x = ops.transpose(x, (0, 2, 3, 1, 4))  # [B, g, g, k, C]
        return ops.reshape(x, (batch, g, g, k * channels))

    def _blocks(self, width: Any) -> tuple[int, int]:
        """How many blocks a row is divided into, and how many of them hold the patches.

        Only these are fetched where that saves half of a row, so that a glimpse of a
        large image costs no more (if its width has a divisor of 8 or more that serves).
        """
        if not isinstance(width, int):
            return 1, 1
        widest = self.size * self.factor ** (self.scales - 1)
        found = []
        for block in range(8, max(widest, 8) + 1):
            wanted = 1 + -(-(widest - 1) // block)
            if width % block == 0 and wanted * block <= width / 2:
                # To fetch a block takes about as long as to copy four pixels.
                found.append((wanted * block + 4 * wanted, -block, wanted))
        if not found:
            return 1, 1
        _, block, wanted = min(found)
        return width // -block, wanted

    def _rows(
        self, images: Tensor, y: Tensor, left: Tensor | None, wanted: int
    ) -> Tensor:
        """$A^y X$ of all patches, `[B, scales * size, W C]`.

        A box filter takes few rows: to fetch and add these saves a fifth of a training
        step beside the product over all rows.

        Args:
            images: in blocks along the rows, `[B, H, N, W / N, C]`.
            y: `[B]`, in -1..1.
            left: the leftmost of the blocks to fetch, `[B]`; None where there is one.
            wanted: how many neighbours to fetch.
        """
        batch, height, count, block, channels = ops.shape(images)
        flat = ops.reshape(images, (batch * height * count, block * channels))
        length = wanted * block * channels
        before = ops.cast(ops.arange(batch), "int32")[:, None] * height  # [B, 1]
        # All that is outside sees zeros: so far outside is far enough. So does NaN.
        far = ops.cast(height, "float32") + self.size * self.factor**self.scales
        centre = ops.clip(self._centre(y, height), -far, far)
        centre = ops.where(ops.isnan(centre), far, centre)
        centre = ops.cast(centre, "int32")[:, None]  # [B, 1]

        beside = ops.arange(wanted, dtype="int32")

        def fetch(n: Tensor) -> Tensor:  # [B, g] -> [B, g, W C]
            at = before + ops.clip(n, 0, height - 1)
            if left is not None:
                at = (at * count + left[:, None])[..., None] + beside  # [B, g, n]
            found = ops.take(flat, at, axis=0)
            return ops.reshape(found, (batch, self.size, length))

        patches = []
        for k in range(self.scales):
            width = self.factor**k
            top = centre - self.size * width // 2 + width * ops.arange(self.size)
            total = 0.0
            for i in range(width):
                inside = ops.logical_and(top + i >= 0, top + i < height)[..., None]
                row = fetch(top + i)
                total = total + ops.where(inside, row, ops.zeros_like(row))
            patches.append(total / width)  # [B, g, W C]
        return ops.concatenate(patches, axis=1)

    @staticmethod
    def _centre(location: Tensor, length: Any) -> Tensor:
        """$c$ along one axis, `[B]`."""
        return ops.trunc(0.5 * (location + 1.0) * ops.cast(length, "float32"))

    def _bank(self, centre: Tensor, length: Any) -> Tensor:
        """Box filters `[B, scales, size, length]` along one axis."""
        centre = centre[:, None, None, None]
        pixel = ops.arange(length, dtype="float32")  # [N]
        scale = self.factor ** np.arange(self.scales)[:, None, None]
        block = scale.astype("float32")  # [k, 1, 1]
        offset = np.arange(self.size)[:, None] * scale - self.size * scale // 2
        low = centre + offset.astype("float32")  # [B, k, g, 1]
        inside = ops.logical_and(pixel >= low, pixel < low + block)
        bank = ops.cast(inside, "float32") / block
        return ops.cast(bank, self.compute_dtype)

    def compute_output_shape(
        self, images_shape: Shape, locations_shape: Shape | None = None
    ) -> tuple[int | None, ...]:
        """`(B, size, size, scales * C)`."""
        batch, channels = images_shape[0], images_shape[-1]
        depth = None if channels is None else self.scales * channels
        return (batch, self.size, self.size, depth)
