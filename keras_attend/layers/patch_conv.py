"""A convolution, and a dense layer, that are fast to train in a compiled time loop."""

import math
from typing import Any

import keras
from keras import ops
from keras.layers import Conv2D

from keras_attend.layers.tracing import is_uncompiled
from keras_attend.types import Tensor


@keras.saving.register_keras_serializable("keras_attend")
class PatchConv2D(Conv2D):
    """`Conv2D` with "same" padding, computed as one matrix product of patches.

    It has Conv2D's weights and gives the same numbers. Within a compiled loop on a CPU,
    XLA takes 15 to 25 times as long for the gradient of a convolution as it does
    outside, but not for that of a matrix product. And TensorFlow has no gradient there
    for a convolution in groups; this has one.

    Args:
        filters: channels of the output.
        kernel_size: rows and columns of the kernel, or one number.
        **kwargs: of `keras.layers.Conv2D`; not `padding` or `dilation_rate`.
    """

    def __init__(self, filters: int, kernel_size: Any, **kwargs: Any) -> None:
        super().__init__(filters, kernel_size, **{**kwargs, "padding": "same"})
        if self.dilation_rate != (1, 1) or self.data_format != "channels_last":
            raise ValueError(
                "PatchConv2D has no `dilation_rate` and wants channels last. Received: "
                f"dilation_rate={self.dilation_rate}, data_format={self.data_format!r}"
            )

    def call(self, inputs: Tensor) -> Tensor:
        """`[B, H, W, Cin]` to `[B, H', W', filters]`."""
        if is_uncompiled():
            return super().call(inputs)
        parts = zip(
            ops.split(inputs, self.groups, axis=-1),
            ops.split(self.kernel, self.groups, axis=-1),
            strict=True,
        )
        y = [self._convolve(x, kernel) for x, kernel in parts]
        y = ops.concatenate(y, axis=-1) if self.groups > 1 else y[0]
        return self.activation(y + self.bias if self.use_bias else y)

    def _convolve(self, x: Tensor, kernel: Tensor) -> Tensor:
        """Shifted copies of the map side by side, times the kernel's rows."""
        (kh, kw), (sh, sw) = self.kernel_size, self.strides
        height, width = x.shape[1:3]
        rows, cols = math.ceil(height / sh), math.ceil(width / sw)
        around = _padding(height, kh, sh), _padding(width, kw, sw)
        x = ops.pad(x, [[0, 0], *around, [0, 0]])
        # Columns first, then rows of these: kh + kw copies rather than kh * kw.
        shifted = [x[:, :, j : j + (cols - 1) * sw + 1 : sw] for j in range(kw)]
        x = ops.concatenate(shifted, axis=-1)
        shifted = [x[:, i : i + (rows - 1) * sh + 1 : sh] for i in range(kh)]
        patches = ops.concatenate(shifted, axis=-1)  # [B, H', W', kh * kw * Cin]
        inner, filters = patches.shape[-1], kernel.shape[-1]
        y = ops.matmul(
            ops.reshape(patches, (-1, inner)), ops.reshape(kernel, (inner, filters))
        )
        return ops.reshape(y, (-1, rows, cols, filters))


def pointwise(layer: keras.layers.Dense, x: Tensor) -> Tensor:
    """Apply a dense layer at each place of a map `[B, H, W, C]`: a 1x1 convolution.

    It is one product of matrices. Applied to the map itself, the layer would ask for
    the batch's size, which XLA does not know in the gradient of TensorFlow's loops.
    """
    _, rows, cols, channels = x.shape
    y = layer(ops.reshape(x, (-1, channels)))
    return ops.reshape(y, (-1, rows, cols, layer.units))


def _padding(length: int, kernel: int, stride: int) -> tuple[int, int]:
    """Places to add before and after an axis, as TensorFlow's "SAME" has it."""
    total = max((math.ceil(length / stride) - 1) * stride + kernel - length, 0)
    return total // 2, total - total // 2
