r"""Vivid colours: what tells an object from a photograph that is behind it.

A piece of a photograph can be explained by an object of a dull colour as well as by the
background. What cannot be dull is left for what the background cannot draw.
"""

import math

from keras import ops

from keras_attend.types import Tensor

NUMBERS = 4  # of z^what: two of the hue, one of the saturation, one of the value
SATURATION, VALUE = 0.6, 0.8  # the least ones
SURE = 2.0  # the length of what `hue_of` returns: the prior's standard deviation is 1
ALIKE = 0.2  # a channel's distance at which a pixel's likeness has fallen to exp(-1/2)
ANGLES = [2 * math.pi * k / 3 for k in range(3)]  # of red, green and blue


def vivid_color(z: Tensor) -> Tensor:
    r"""The colour `[B, 3]` of four numbers `[B, 4]` with standard normal priors.

    The direction of $(z_1, z_2)$ is the hue, so that each hue is as probable as any
    other; $z_3$ gives the saturation and $z_4$ the value, each between its least one
    and 1.
    """
    direction = z[:, :2] / _length(z[:, :2])[:, None]
    pure = ops.clip(0.5 + ops.matmul(direction, _axes()), 0.0, 1.0)  # [B, 3]
    saturation = SATURATION + (1 - SATURATION) * ops.sigmoid(z[:, 2:3])
    value = VALUE + (1 - VALUE) * ops.sigmoid(z[:, 3:4])
    return value * (1 - saturation * (1 - pure))


def hue_of(color: Tensor) -> Tensor:
    """Numbers `[B, 2]` from which `vivid_color` has the hue of a colour `[B, 3]`."""
    direction = ops.matmul(color, ops.transpose(_axes()))
    return SURE * direction / _length(direction)[:, None]


def chroma(pixels: Tensor) -> Tensor:
    """The greatest less the least channel of pixels `[..., C]`: `[...]`."""
    return ops.max(pixels, axis=-1) - ops.min(pixels, axis=-1)


def foreign_color(patch: Tensor, left: Tensor) -> Tensor:
    r"""The mean colour `[B, 3]` of what is not explained yet, and vivid.

    A pixel's weight is the square of its residual's length times its chroma.

    Args:
        patch: the pixels of a window, `[B, W, W, 3]`.
        left: their residuals.
    """
    weight = ops.sum(left**2, axis=-1) * chroma(patch) ** 2 + 1e-6  # [B, W, W]
    weight = weight / ops.sum(weight, axis=(1, 2), keepdims=True)
    return ops.sum(weight[..., None] * patch, axis=(1, 2))


def likeness(patch: Tensor, color: Tensor) -> Tensor:
    """How much each pixel `[B, W, W, 3]` is like a colour `[B, 3]`: `[B, W, W]`."""
    far = ops.sum((patch - color[:, None, None]) ** 2, axis=-1)
    return ops.exp(-far / (2 * ALIKE**2))


def _length(x: Tensor) -> Tensor:
    """The length of vectors `[B, n]`, at least 0.001: at 0 it has no gradient."""
    return ops.sqrt(ops.sum(x**2, axis=-1) + 1e-6)


def _axes() -> Tensor:
    """The directions of red, green and blue, `[2, 3]`."""
    rows = [[math.cos(a) for a in ANGLES], [math.sin(a) for a in ANGLES]]
    return ops.convert_to_tensor(rows, "float32")
