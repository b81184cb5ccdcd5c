"""HART's model of the first visual area, V1: three convolutions of a glimpse."""

from typing import Any

import keras
from keras import ops
from keras.layers import GroupNormalization

from keras_attend.arguments import KeepsArguments, check_choice, check_positive_integers
from keras_attend.layers.patch_conv import PatchConv2D
from keras_attend.layers.tracing import is_uncompiled
from keras_attend.types import Shape, Tensor

NORMS = ("group", "response")


@keras.saving.register_keras_serializable("keras_attend")
class V1(KeepsArguments, keras.layers.Layer):
    r"""Compute features of a glimpse (Kosiorek et al. 2017, section 3.2).

    The glimpse's contrast is stretched to 0..1 and the mean of each channel is
    subtracted. Three convolutions follow, each with a rectifier. The paper takes the
    first three of a trained AlexNet, without their pooling (`V1.alexnet()`); the
    default is small enough to be trained from random weights.

    Call arguments:
        glimpses: `[B, rows, cols, C]`.

    Returns features `[B, rows', cols', filters[-1]]`, smaller by the strides.

    Args:
        filters: of each convolution.
        kernels: their sides.
        strides: of each convolution.
        groups: into how many groups each convolution splits its channels; a channel
            sees those of its own group only.
        norm: "group" normalises groups of channels before each rectifier; "response"
            normalises over neighbouring channels after the first two, as AlexNet does.
    """

    def __init__(
        self,
        filters: tuple[int, ...] = (32, 64, 64),
        kernels: tuple[int, ...] = (5, 3, 3),
        strides: tuple[int, ...] = (2, 2, 1),
        groups: tuple[int, ...] = (1, 1, 1),
        norm: str = "group",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice("norm", norm, NORMS)
        if len({len(x) for x in (filters, kernels, strides, groups)}) > 1:
            raise ValueError(
                "`filters`, `kernels`, `strides` and `groups` must be of one length. "
                f"Received: {filters}, {kernels}, {strides}, {groups}"
            )
        for n, s in zip(filters, strides, strict=True):
            check_positive_integers(filters=n, strides=s)
        self.filters, self.kernels = tuple(filters), tuple(kernels)
        self.strides, self.groups, self.norm = tuple(strides), tuple(groups), norm
        dtype = self.dtype_policy
        shared = {"use_bias": norm == "response", "dtype": dtype}
        parts = zip(filters, kernels, strides, groups, strict=True)
        self.convolutions = [
            PatchConv2D(n, k, strides=s, groups=g, name=f"convolution_{i}", **shared)
            for i, (n, k, s, g) in enumerate(parts)
        ]
        self.norms = [
            GroupNormalization(_groups(n), dtype=dtype, name=f"norm_{i}")
            for i, n in enumerate(filters if norm == "group" else ())
        ]

    @classmethod
    def alexnet(cls, filters: tuple[int, ...] = (96, 256, 384), **kwargs: Any) -> "V1":
        """AlexNet's first three convolutions as HART's code has them: no pooling."""
        return cls(filters, (11, 5, 3), (4, 1, 1), (1, 2, 1), "response", **kwargs)

    def build(self, input_shape: Shape) -> None:
        """Make the weights for glimpses `[B, rows, cols, C]`."""
        shape = tuple(input_shape)
        for i, convolution in enumerate(self.convolutions):
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)
            if self.norms:
                self.norms[i].build(shape)

    def call(self, glimpses: Tensor) -> Tensor:
        """Features of glimpses."""
        x = normalise_contrast(glimpses)
        x = x - ops.mean(x, axis=(1, 2), keepdims=True)
        for i, convolution in enumerate(self.convolutions):
            x = convolution(x)
            x = ops.relu(normalise_groups(self.norms[i], x) if self.norms else x)
            if not self.norms and i < len(self.convolutions) - 1:
                x = normalise_response(x)
        return x

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        """`[B, rows', cols', filters[-1]]`."""
        shape = tuple(input_shape)
        for convolution in self.convolutions:
            shape = convolution.compute_output_shape(shape)
        return shape


def normalise_contrast(x: Tensor) -> Tensor:
    """Images `[B, H, W, C]`, each stretched to 0..1 over all of its numbers."""
    low = ops.min(x, axis=(1, 2, 3), keepdims=True)
    high = ops.max(x, axis=(1, 2, 3), keepdims=True)
    return (x - low) / (high - low + 1e-5)


def normalise_response(x: Tensor) -> Tensor:
    r"""AlexNet's local response normalisation of `[B, H, W, C]`.

    $$y_c = x_c \Big/ \big(1 + \alpha \sum_{|j - c| \le 2} x_j^2\big)^{0.75},
    \qquad \alpha = 2 \cdot 10^{-5}$$
    """
    channels = x.shape[-1]
    square = ops.pad(ops.square(x), [[0, 0], [0, 0], [0, 0], [2, 2]])
    near = sum(square[..., i : i + channels] for i in range(5))
    return x * ops.power(1.0 + 2e-5 * near, -0.75)


def normalise_groups(norm: GroupNormalization, x: Tensor) -> Tensor:
    """`norm(x)` of `[B, H, W, C]`; uncompiled with a third fewer operations."""
    if not is_uncompiled():
        return norm(x)
    batch, rows, columns, channels = ops.shape(x)
    parts = (batch, rows * columns, norm.groups, channels // norm.groups)
    y = ops.reshape(x, parts)
    y = y - ops.mean(y, axis=(1, 3), keepdims=True)
    variance = ops.mean(ops.square(y), axis=(1, 3), keepdims=True)
    y = ops.reshape(y / ops.sqrt(variance + norm.epsilon), ops.shape(x))
    return y * norm.gamma + norm.beta


def _groups(channels: int) -> int:
    """How many groups give each about eight channels."""
    groups = max(channels // 8, 1)
    while channels % groups:
        groups -= 1
    return groups
