"""HART's cell as its authors' code has it, for their weights.

What differs from `HARTCell`, in the order of its methods. Every difference between
the paper and the code is decided for the code, and said beside the line.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_attend.boxes import attention_to_box, box_to_attention
from keras_attend.layers.gaussian_params import hart_params
from keras_attend.layers.v1 import V1
from keras_attend.models.hart_cell import HARTCell
from keras_attend.types import Nested, Tensor


@keras.saving.register_keras_serializable("keras_attend")
class PublishedHARTCell(HARTCell):
    r"""`HARTCell` after the authors' code (Kosiorek et al. 2017).

    $$a = (y / H,\; x / W,\; h / (H - 1),\; w / (W - 1)), \qquad
      a_{t+1} = a_t + \sigma(c) \tanh(\mathrm{MLP}(q_t))$$
    $$b_t = \mathrm{box}(a_t - \beta) + \tanh(\mathrm{MLP}(q_t)) \odot (H, W, H, W),
    \qquad \beta = \tfrac14 \tanh(\cdot)$$

    $(y, x)$ is the top-left corner. The arguments are `HARTCell`'s, with the published
    sizes as defaults; `scale` is not used: the first window is the box.
    """

    extra = 6
    residual = False
    bias_initializer = "glorot_uniform"

    def __init__(
        self,
        size: int | Sequence[int] = 56,
        units: int = 100,
        channels: int = 3,
        *,
        maps: int = 5,
        filters: Sequence[int] = (96, 256, 384),
        dropout: float = 0.25,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            size,
            units,
            channels,
            maps=maps,
            filters=filters,
            dropout=dropout,
            **kwargs,
        )

    def _make_v1(self) -> V1:
        return V1.alexnet(self.filters, dtype=self.dtype_policy, name="v1")

    def _make_norm(self) -> keras.layers.Layer:
        return BatchStatistics(dtype=self.dtype_policy, name="norm")

    def _make_match(self) -> None:
        """Nothing is compared with the first frame."""

    def _make_mask_summary(self) -> None:
        """Ten numbers of the location map. (Paper: all of it.)"""
        self.mask_summary = self._dense(self.mask_units, "mask_summary", "elu")

    def _build_mask_summary(self) -> None:
        self.mask_summary.build((None, math.prod(self.map_size)))

    @property
    def mask_units(self) -> int:
        """Numbers of the location map that attention and box see."""
        return 10

    def see_mask(self, s: Tensor) -> Tensor:
        """What attention and box see of the location map, `[B, mask_units]`."""
        return self.mask_summary(ops.reshape(s, (-1, math.prod(self.map_size))))

    def _make_presence(self) -> None:
        """It is a constant."""

    @property
    def filter_units(self) -> int:
        """Of the layer that the filters are made by."""
        return self.units

    def _memory_spec(self) -> dict[str, int]:
        return {}

    def _build_match(self, features: tuple[Any, ...]) -> int:
        return 0

    @property
    def appearance_size(self) -> int:
        """Of alpha: the LSTM's last output. (Paper, eq. 6: an MLP of it.)"""
        return self.units

    def _build_scalars(self, joint: int) -> None:
        uniform = keras.initializers.RandomUniform(-1e-3, 1e-3)
        # Paper: tanh(c), "a small value". Both make the first steps 0.076.
        self.gain = self.add_weight(
            shape=(4,),
            initializer=keras.initializers.Constant(-2.5),
            dtype="float32",
            name="gain",
        )
        self.bias = self.add_weight(
            shape=(4,), initializer=uniform, dtype="float32", name="bias"
        )

    def attention_bias(self) -> Tensor:
        """What the windows are larger by than the boxes, in units of $a$."""
        return 0.25 * ops.tanh(ops.convert_to_tensor(self.bias))

    def start(self, box: Tensor, size: tuple[Any, Any]) -> Tensor:
        """The first box; the bias, added too late, never gets there."""
        return box_to_attention(box, *size)

    def to_window(self, a: Tensor, size: tuple[Any, Any]) -> Tensor:
        """With the published fit of sigma, which is nearly constant."""
        return hart_params(a, size, self.size, sigma="hart_code")

    def region(self, a: Tensor, first: Any, size: tuple[Any, Any]) -> Tensor:
        """Reported with the bias in the first frame, without it in the others."""
        return attention_to_box(a + first * self.attention_bias(), *size)

    def normalise(self, nu: Tensor) -> Tensor:
        """Over the batch, in training and after. (Paper: not at all.)"""
        return self.norm(nu)

    def alpha(self, state: Nested) -> Tensor:
        """The appearance that the filters are made of."""
        return state["appearance"]

    def votes(self, V: Tensor, state: Nested) -> list[Tensor]:
        """Nothing is kept of the first frame."""
        return []

    def first_memory(self, V: Tensor) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Nothing."""
        return {}, []

    def beside(self, window: Tensor) -> list[Tensor]:
        """The window in pixels (not in eq. 4): first Gaussian, sigma, stride."""
        c_y, c_x, d_y, d_x, s_y, s_x = ops.unstack(window, 6, axis=-1)
        u_y = c_y - d_y * ((self.size[0] - 1) / 2)
        u_x = c_x - d_x * ((self.size[1] - 1) / 2)
        numbers = ops.stack([u_y, u_x, s_y, s_x, d_y, d_x], axis=-1)  # [B, 6]
        return [ops.cast(numbers, self.compute_dtype)]

    def find(
        self, a: Tensor, q: Tensor, first: Tensor, size: tuple[Any, Any]
    ) -> Tensor:
        """Bias and step from the second frame on. (Paper, eq. 8: no tanh, no bias.)"""
        height, width = size
        box = attention_to_box(a - (1 - first) * self.attention_bias(), *size)
        step = ops.tanh(self.box_step(self.box_hidden(q))) * (1 - first)
        d_y, d_x, d_h, d_w = ops.unstack(step, 4, axis=-1)
        step = [d_x * width, d_y * height, d_w * width, d_h * height]
        return box + ops.stack(step, axis=-1)

    def move(self, a: Tensor, box: Tensor, q: Tensor, size: tuple[Any, Any]) -> Tensor:
        """From the last window, not from the box. (Paper, eq. 7: tanh of c alone.)"""
        delta = ops.tanh(self.attend(self.attend_hidden(q)))
        return a + ops.sigmoid(self.gain) * delta

    def present(self, q: Tensor) -> Tensor:
        """Always: the code's logit is the constant 1000."""
        return ops.ones_like(q[:, 0])


@keras.saving.register_keras_serializable("keras_attend")
class BatchStatistics(keras.layers.Layer):
    r"""Batch normalisation that never leaves training.

    $$y = \gamma (x - \mu_B) / \sqrt{\sigma_B^2 + 10^{-3}} + \beta$$

    The published code tests with the batch's own statistics: its moving averages are
    never read. With one clip this is an instance norm.
    """

    def build(self, input_shape: Any) -> None:
        """Make the weights for `[B, H, W, C]`."""
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(shape=shape, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=shape, initializer="zeros", name="beta")

    def call(self, x: Tensor) -> Tensor:
        """Normalise over batch and places."""
        wide = ops.cast(x, "float32")
        mean, variance = ops.moments(wide, axes=(0, 1, 2), keepdims=True)
        y = ops.cast((wide - mean) * ops.rsqrt(variance + 1e-3), x.dtype)
        return y * self.gamma + self.beta
