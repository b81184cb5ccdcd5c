"""The read of a spatial transformer whose grid is neither turned nor sheared."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_attend.arguments import KeepsArguments
from keras_attend.layers.crop import parse_size
from keras_attend.layers.tracing import filter_along_x, filter_along_y
from keras_attend.types import Shape, Tensor


@keras.saving.register_keras_serializable("keras_attend")
class BilinearGlimpse(KeepsArguments, keras.layers.Layer):
    r"""Read a small patch of an image at points of a grid, bilinearly.

    A spatial transformer (Jaderberg et al. 2015, eq. 2 and 5) whose map is a shift and
    a scale on each axis, which RATM (Kahou et al. 2015, section 8) proposes instead of
    Gaussians. Along each axis, with $G$ points,

    $$\mu_r = \text{center} + \text{stride} \, (r - (G - 1) / 2), \qquad
      F_{rc} = \max(0, 1 - |c - \mu_r|)$$
    $$\text{glimpse} = F_y \; \text{image} \; F_x^\top$$

    Each point reads its four nearest pixels alone: a window much wider than the glimpse
    skips pixels, and a point's gradient depends on these four only. With `antialias`
    no pixel is skipped: where points are more than a pixel apart, each reads all
    pixels up to its neighbours, $F_{rc} = \max(0, 1 - |c - \mu_r| / w) / w$ with
    $w = \max(1, |\text{stride}|)$. Outside the image all is black.

    It is called as `GaussianGlimpse` is, `glimpse(images, params)`, with the same
    `params` `[B, 6]`; their sigmas have no effect.

    Args:
        size: points per axis, an integer or `(rows, cols)`.
        antialias: whether points that lie far apart read all pixels between them.
    """

    def __init__(
        self, size: int | Sequence[int], antialias: bool = False, **kwargs: Any
    ) -> None:
        # Half precision would round centres to whole pixels: `call` does the casts.
        super().__init__(autocast=False, **kwargs)
        self.size = parse_size(size, "size")
        self.antialias = bool(antialias)

    def build(self, images_shape: Shape, params_shape: Shape) -> None:
        """Note the shapes, for `summary`; there are no weights."""

    def call(self, images: Tensor, params: Tensor) -> Tensor:
        """Read `images` `[B, H, W, C]` at `params` `[B, 6]`: `[B, rows, cols, C]`."""
        params = ops.cast(params, keras.backend.result_type(params.dtype, "float32"))
        lengths, dtype = ops.shape(images)[1:3], self.compute_dtype
        f_y, f_x = (
            ops.cast(
                bilinear_bank(
                    params[:, i::2], self.size[i], lengths[i], self.antialias
                ),
                dtype,
            )
            for i in (0, 1)
        )
        return filter_along_x(f_x, filter_along_y(f_y, ops.cast(images, dtype)))

    def compute_output_shape(
        self, images_shape: Shape, params_shape: Shape
    ) -> tuple[int | None, ...]:
        """`[B, rows, cols, C]`."""
        return (images_shape[0], *self.size, images_shape[-1])


def bilinear_bank(
    axis_params: Tensor, count: int, length: Any, antialias: bool
) -> Tensor:
    """Compute the filters F of one axis, `[B, count, length]`.

    Args:
        axis_params: `[B, 3]`, center, stride and sigma in pixels.
        count: how many points there are.
        length: how many pixels there are.
        antialias: as of `BilinearGlimpse`.
    """
    dtype = axis_params.dtype
    center, stride = axis_params[:, :1, None], axis_params[:, 1:2, None]  # [B, 1, 1]
    grid = ops.cast(ops.arange(count), dtype) - (count - 1) / 2  # [count]
    pixels = ops.cast(ops.arange(length), dtype)  # [length]
    distance = (pixels - center) - stride * grid[:, None]  # [B, count, length]
    if not antialias:
        return ops.relu(1.0 - ops.abs(distance))
    width = ops.maximum(1.0, ops.abs(stride))
    return ops.relu(1.0 - ops.abs(distance) / width) / width
