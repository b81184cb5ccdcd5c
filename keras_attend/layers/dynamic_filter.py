"""Filters that are computed from the appearance of the object that they find."""

import math
from typing import Any

import keras
import numpy as np
from keras import initializers, ops
from keras.layers import Dense

from keras_attend.arguments import KeepsArguments, check_positive, check_shape
from keras_attend.layers.crop import parse_size
from keras_attend.layers.tracing import gather_places, is_uncompiled
from keras_attend.types import Shape, Tensor


def dynamic_conv(features: Tensor, kernels: Tensor) -> Tensor:
    """Convolve each feature map with its own kernel, stride 1, "same" padding.

    Copies of the map, one shifted to each place of the kernel, lie side by side, and
    one batched matrix product does the rest. A grouped or vmapped convolution gives the
    same numbers, but its backward pass is 60 to 200 times slower on a CPU.

    Args:
        features: `[B, H, W, Cin]`.
        kernels: `[B, kh, kw, Cin, Cout]`; of any height and width, even too.

    Returns:
        `[B, H, W, Cout]`.
    """
    check_shape("features", features.shape, "B, H, W, Cin")
    check_shape("kernels", kernels.shape, "B, kh, kw, Cin, Cout")
    kh, kw, c_in, c_out = kernels.shape[1:]
    if features.shape[-1] != c_in:
        raise ValueError(
            "`features` and `kernels` must agree on the number of channels. "
            f"Received: features.shape={tuple(features.shape)}, "
            f"kernels.shape={tuple(kernels.shape)}"
        )
    height, width = ops.shape(features)[1:3]
    if kh * kw > 1:
        # Of an even kernel's padding the larger half is after, as in Conv2D.
        rows, columns = [(kh - 1) // 2, kh // 2], [(kw - 1) // 2, kw // 2]
        padded = ops.pad(features, [[0, 0], rows, columns, [0, 0]])
        features = _shifted(padded, (height, width), (kh, kw))
    inner = kh * kw * c_in
    y = ops.matmul(
        ops.reshape(features, (-1, height * width, inner)),
        ops.reshape(kernels, (-1, inner, c_out)),
    )  # [B, H * W, Cout]
    return ops.reshape(y, (-1, height, width, c_out))


def _shifted(padded: Tensor, size: tuple[Any, Any], kernel: tuple[int, int]) -> Tensor:
    """Copies of a map, shifted to each place of a kernel, `[B, H, W, kh kw Cin]`."""
    (height, width), (kh, kw) = size, kernel
    if is_uncompiled() and isinstance(height, int) and isinstance(width, int):
        batch, rows, columns, channels = ops.shape(padded)
        y, x, i, j = np.ogrid[:height, :width, :kh, :kw]
        flat = ops.reshape(padded, (batch, rows * columns, channels))
        found = gather_places(flat, ((y + i) * columns + x + j).reshape(-1))
        return ops.reshape(found, (batch, height, width, kh * kw * channels))
    copies = [
        padded[:, i : i + height, j : j + width] for i in range(kh) for j in range(kw)
    ]
    return ops.concatenate(copies, axis=-1)


@keras.saving.register_keras_serializable("keras_attend")
class DynamicFilter(KeepsArguments, keras.layers.Layer):
    r"""Convolution whose kernel depends on the object's appearance.

    After Brabandere et al. 2016; HART's dorsal stream (Kosiorek et al. 2017,
    section 3) has two of them. For each sample

    $$f = \phi(W_f \alpha + b_f), \qquad
      \psi = W_\psi f + b_\psi, \qquad
      \beta = W_\beta f + b_\beta, \qquad
      y = \phi(x * \psi + \beta + b)$$

    The paper leaves out both biases of the convolution; its published code has
    them, the dynamic $\beta$ and the static $b$, and so has this.

    Args:
        filters: channels of the output.
        kernel_size: $k_h, k_w$ of $\psi$: one number, or rows and columns.
        units: size of $f$; as large as the appearance, if not given.
        activation: $\phi$.

    Weights and biases start as in HART's code: $\psi$ small around a random
    kernel, $b_\psi \sim U(\pm .1 \sqrt 3)$, $b_\beta \sim U(\pm \sqrt 6)$.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        units: int | None = None,
        activation: Any = "elu",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.kernel_size = parse_size(kernel_size, "kernel_size")
        check_positive(filters=filters, units=1 if units is None else units)
        self.filters, self.units = filters, units
        self.activation = keras.activations.get(activation)

    def build(self, features_shape: Shape, appearance_shape: Shape) -> None:
        """Make the weights; their number depends on the channels of the input."""
        c_in, size = features_shape[-1], appearance_shape[-1]
        ranks = len(features_shape), len(appearance_shape)
        if ranks != (4, 2) or c_in is None or size is None:
            raise ValueError(
                "Call it as layer(features, appearance) with [B, H, W, Cin] and "
                "[B, A]; Cin and A must be known. Received: "
                f"features.shape={tuple(features_shape)}, "
                f"appearance.shape={tuple(appearance_shape)}"
            )
        units = self.units or size
        self.kernel_shape = (*self.kernel_size, c_in, self.filters)
        bias = {"bias_initializer": "glorot_uniform", "dtype": self.dtype_policy}
        self.hidden_map = Dense(units, self.activation, name="hidden_map", **bias)
        self.kernel_map = self._map(math.prod(self.kernel_shape), 0.1, "kernel_map")
        self.bias_map = self._map(self.filters, math.sqrt(2), "bias_map")
        self.hidden_map.build((None, size))
        self.kernel_map.build((None, units))
        self.bias_map.build((None, units))
        self.bias = self.add_weight(
            shape=(self.filters,), initializer="glorot_uniform", name="bias"
        )

    def generate(self, appearance: Tensor) -> tuple[Tensor, Tensor]:
        r"""The kernels $\psi$ `[B, kh, kw, Cin, filters]` and biases $\beta$
        `[B, filters]` that belong to an appearance `[B, A]`."""
        f = self.hidden_map(appearance)  # [B, units]
        psi = ops.reshape(self.kernel_map(f), (-1, *self.kernel_shape))
        return psi, self.bias_map(f)

    def convolve(self, features: Tensor, psi: Tensor, beta: Tensor) -> Tensor:
        """Apply what `generate` made: `[B, H, W, filters]`."""
        y = dynamic_conv(features, psi) + beta[:, None, None, :]
        return self.activation(y + ops.cast(self.bias, y.dtype))

    def call(self, features: Tensor, appearance: Tensor) -> Tensor:
        """Filter `features` `[B, H, W, Cin]` by `appearance` `[B, A]`."""
        return self.convolve(features, *self.generate(appearance))

    def compute_output_shape(
        self, features_shape: Shape, appearance_shape: Shape
    ) -> tuple[int | None, ...]:
        """`[B, H, W, filters]`."""
        return (*features_shape[:-1], self.filters)

    def _map(self, size: int, factor: float, name: str) -> Dense:
        """A linear map that starts with HART's "unit scaling" times `factor`."""
        limit = factor * math.sqrt(3)
        scaling = initializers.VarianceScaling(factor**2, "fan_in", "uniform")
        return Dense(
            size,
            kernel_initializer=scaling,
            bias_initializer=initializers.RandomUniform(-limit, limit),
            dtype=self.dtype_policy,
            name=name,
        )
