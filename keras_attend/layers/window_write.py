"""The layer that writes a patch into a window of an empty image."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_attend.arguments import KeepsArguments, check_choice, check_shape
from keras_attend.layers.bilinear_glimpse import bilinear_bank
from keras_attend.layers.crop import parse_size
from keras_attend.layers.gaussian_bank import bank
from keras_attend.layers.tracing import filter_along_x, filter_along_y
from keras_attend.types import Shape, Tensor

KINDS = ("bilinear", "gaussian")
KEEPS = ("brightness", "sum")


@keras.saving.register_keras_serializable("keras_attend")
class WindowWrite(KeepsArguments, keras.layers.Layer):
    r"""Write a small patch into a window of an image that is 0 elsewhere.

    The write of DRAW (Gregor et al. 2015, eq. 29) and AIR (Eslami et al. 2016, figure
    2). It is the adjoint of the read by the same window: with the read's filters $F_y$
    and $F_x$ (see `BilinearGlimpse` and `GaussianGlimpse`),

    $$\text{read}(x) = F_y \, x \, F_x^\top, \qquad
      \text{write}(p) = a \; F_y^\top \, p \; F_x$$

    With $a = 1$ the patch's sum is kept, and $\langle \text{read}(x), p \rangle =
    \langle x, \text{write}(p) \rangle$. With $a = |\text{stride}_y \text{stride}_x|$,
    the area in pixels that a point stands for, its brightness is: a patch of ones
    becomes a window of ones. Where a bilinear window with `antialias` has at most one
    point a pixel, that is the spatial transformer (Jaderberg et al. 2015) by which AIR
    draws, each pixel of the window being read from the patch.

    It is called as `write(patches, params)`:

    * patches: `[B, rows, cols, C]`, of any size.
    * params: `[B, 6]`, `center_y, center_x, stride_y, stride_x, sigma_y, sigma_x` in
      pixels of the image; pixel i is at coordinate i. A bilinear window ignores the
      sigmas.
    * returns `[B, H, W, C]` in the layer's compute dtype. The part of a bilinear
      window that lies outside the image is lost.

    Args:
        size: of the image in pixels, an integer or `(height, width)`.
        kind: "bilinear" or "gaussian".
        keeps: "brightness" or "sum".
        antialias: of a bilinear window, as of `BilinearGlimpse`. Without it a window
            whose points are more than a pixel apart has gaps.
        epsilon: of a Gaussian window, as of `GaussianGlimpse`.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        kind: str = "bilinear",
        keeps: str = "brightness",
        antialias: bool = True,
        epsilon: float = 1e-8,
        **kwargs: Any,
    ) -> None:
        # Half precision would round centres to whole pixels: `call` does the casts.
        super().__init__(autocast=False, **kwargs)
        check_choice("kind", kind, KINDS)
        check_choice("keeps", keeps, KEEPS)
        self.size = parse_size(size, "size")
        self.kind, self.keeps = kind, keeps
        self.antialias, self.epsilon = bool(antialias), float(epsilon)

    def build(self, patches_shape: Shape, params_shape: Shape) -> None:
        """Note the shapes, for `summary`; there are no weights."""

    def call(self, patches: Tensor, params: Tensor) -> Tensor:
        """Write `patches` `[B, rows, cols, C]` at `params`: `[B, H, W, C]`."""
        self._check_shapes(patches.shape, params.shape)
        wide = keras.backend.result_type(self.compute_dtype, "float32")
        params = ops.cast(params, wide)  # [B, 6]
        rows, columns = (self._columns(params, patches.shape, i) for i in (0, 1))
        patches = ops.cast(patches, self.compute_dtype)
        return filter_along_x(columns, filter_along_y(rows, patches))

    def _columns(self, params: Tensor, patches_shape: Shape, axis: int) -> Tensor:
        """Compute $F^\\top$ of an axis, `[B, length, count]`, with its part of $a$."""
        one, length = params[:, axis::2], self.size[axis]
        count: Any = patches_shape[1 + axis]
        if self.kind == "gaussian":
            f, _ = bank(one, count, 0, length, self.epsilon)
        else:
            f = bilinear_bank(one, count, length, self.antialias)
        if self.keeps == "brightness":
            f = f * ops.abs(one[:, 1:2, None])
        return ops.cast(ops.swapaxes(f, 1, 2), self.compute_dtype)

    def _check_shapes(self, patches_shape: Shape, params_shape: Shape) -> None:
        check_shape("patches", patches_shape, "batch, rows, columns, channels")
        check_shape("params", params_shape, "batch, 6")
        if None in patches_shape[1:3]:
            raise ValueError(
                "`patches` must have a known number of rows and columns. "
                f"Received: patches.shape={tuple(patches_shape)}"
            )

    def compute_output_shape(
        self, patches_shape: Shape, params_shape: Shape
    ) -> tuple[int | None, ...]:
        """The shape `[B, H, W, C]` of the images."""
        self._check_shapes(patches_shape, params_shape)
        return (patches_shape[0], *self.size, patches_shape[-1])
