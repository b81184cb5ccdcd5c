"""A square window of an image, read at a cost that no image's size changes."""

from typing import Any

import keras
from keras import ops

from keras_attend.arguments import KeepsArguments
from keras_attend.types import Shape, Tensor

GREY = 127.0  # of 255: what lies outside the image
NARROW = 4  # times as wide as the glimpse: images whose rows are taken as a whole


@keras.saving.register_keras_serializable("keras_attend")
class Window(KeepsArguments, keras.layers.Layer):
    r"""Read a square window of an image, bilinearly.

        glimpses = Window(144)(frames, windows)        # [B, 144, 144, 3]

    Along each axis the window's $G$ points lie $d = \text{side} / G$ pixels apart, and
    each is a mean of two pixels that lie $s = \max(1, [d / 2])$ apart:

    $$\mu_r = c + d \, (r - (G - 1) / 2) - \tfrac12, \qquad
      p_r = \lfloor \mu_r - s / 2 + \tfrac12 \rfloor, \qquad
      f_r = (\mu_r - p_r) / s$$
    $$g_r = (1 - f_r) \, x_{p_r} + f_r \, x_{p_r + s}$$

    Where the window has more points than pixels this is bilinear interpolation. Where
    it has fewer, it is smoother than that, since two neighbours would say little about
    the $d$ pixels that a point stands for. Four pixels are read for each point, in
    however large an image, which `GaussianGlimpse` and `BilinearGlimpse`, products of
    matrices, do not offer. Outside the image everything is grey, which
    `EfficientV1` takes for zero. No gradient goes to where the window is.

    Call arguments:
        images: `[B, H, W, C]`, uint8 or floats in 0..1; or `[1, H, W, C]` for all.
        windows: `[B, 3]`: center y and x, and the side, in pixels; the first pixel's
            top left corner is at (0, 0).

    Returns `[B, G, G, C]`, floats in 0..1.

    Args:
        size: G, points along each side.
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.size = size

    def build(self, images_shape: Shape, windows_shape: Shape) -> None:
        """Note the shapes, for `summary`; there are no weights."""

    def call(self, images: Tensor, windows: Tensor) -> Tensor:
        """The pixels of each window."""
        G = self.size
        batch, height, width, channels = ops.shape(images)
        windows = ops.stop_gradient(windows)
        y, by_row = self._taps(windows[:, 0], windows[:, 2], height)  # [B, 2 G]
        x, by_column = self._taps(windows[:, 1], windows[:, 2], width)
        whole = keras.backend.is_int_dtype(images.dtype)
        grey = GREY if whole else GREY / 255
        row = ops.arange(batch, dtype="int32")[:, None] * height + y  # of all images
        if isinstance(width, int) and width <= NARROW * G:
            # Whole rows are taken, then columns: fewer pieces than single pixels.
            rows = ops.take(ops.reshape(images, (-1, width * channels)), row, axis=0)
            rows = mixed(ops.cast(rows, self.compute_dtype) - grey, by_row)
            rows = ops.reshape(rows, (-1, G, width, channels))
            rows = ops.reshape(ops.swapaxes(rows, 1, 2), (-1, G * channels))
            each = ops.arange(ops.shape(windows)[0], dtype="int32")
            column = each[:, None] * width + x
            pixels = mixed(ops.take(rows, column, axis=0), by_column)  # [B, G, G C]
            pixels = ops.swapaxes(ops.reshape(pixels, (-1, G, G, channels)), 1, 2)
        else:
            places = (row * width)[:, :, None] + x[:, None, :]  # [B, 2 G, 2 G]
            pixels = ops.take(ops.reshape(images, (-1, channels)), places, axis=0)
            pixels = ops.cast(pixels, self.compute_dtype) - grey
            pixels = mixed(ops.reshape(pixels, (-1, 2 * G, 2 * G * channels)), by_row)
            pixels = ops.reshape(pixels, (-1, G, G, 2, channels))
            pixels = pixels * ops.reshape(by_column, (-1, 1, G, 2, 1))
            pixels = pixels[:, :, :, 0] + pixels[:, :, :, 1]
        return (pixels + grey) / 255.0 if whole else pixels + grey

    def _taps(self, center: Tensor, side: Tensor, limit: Any) -> tuple[Tensor, Tensor]:
        """Along an axis two pixels for each point, and their shares: `[B, 2 G]`."""
        G = self.size
        grid = ops.arange(G, dtype="float32") - (G - 1) / 2
        d = side[:, None] / G  # [B, 1]
        s = ops.maximum(1.0, ops.round(d / 2))
        mu = center[:, None] + d * grid - 0.5  # [B, G]; pixel i is at i
        low = ops.floor(mu - s / 2 + 0.5)
        share = (mu - low) / s
        places = ops.reshape(ops.stack([low, low + s], -1), (-1, 2 * G))
        shares = ops.reshape(ops.stack([1 - share, share], -1), (-1, 2 * G))
        last = ops.cast(limit, "float32") - 1
        inside = ops.logical_and(places >= 0, places <= last)
        shares = shares * ops.cast(inside, shares.dtype)
        places = ops.cast(ops.clip(places, 0.0, last), "int32")
        return places, ops.cast(shares, self.compute_dtype)

    def compute_output_shape(
        self, images_shape: Shape, windows_shape: Shape
    ) -> tuple[int | None, ...]:
        """`[B, G, G, C]`."""
        return (images_shape[0], self.size, self.size, images_shape[-1])


def mixed(pairs: Tensor, shares: Tensor) -> Tensor:
    """Sums of neighbours `[B, 2 G, n]`, by their shares `[B, 2 G]`: `[B, G, n]`."""
    count, length = pairs.shape[1:]
    pairs = pairs * shares[..., None]
    pairs = ops.reshape(pairs, (-1, count // 2, 2, length))
    return pairs[:, :, 0] + pairs[:, :, 1]
