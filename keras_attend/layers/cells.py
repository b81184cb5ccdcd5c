"""Recurrent cores that Keras lacks. Each is a cell for `keras.layers.RNN`."""

from typing import Any

import keras
from keras import ops
from keras.initializers import Identity, Initializer, Orthogonal
from keras.layers import Dense

from keras_attend.compat import DropoutRNNCell
from keras_attend.types import Shape, Tensor


class _Cell(keras.layers.Layer):
    """What the three have in common: two maps and a start from zeros."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if units < 1:
            raise ValueError(f"`units` must be positive. Received: units={units}")
        self.units = units

    def _make_maps(self, size: int, recurrent_initializer: Any, **kwargs: Any) -> None:
        self.input_map = Dense(
            size, dtype=self.dtype_policy, name="input_map", **kwargs
        )
        self.recurrent_map = Dense(
            size,
            use_bias=False,
            kernel_initializer=recurrent_initializer,
            dtype=self.dtype_policy,
            name="recurrent_map",
        )

    def build(self, input_shape: Shape) -> None:
        """Make the weights for inputs `[B, features]`."""
        self.input_map.build(input_shape)
        self.recurrent_map.build((None, self.units))

    def get_initial_state(self, batch_size: Tensor | int | None = None) -> list[Tensor]:
        """Zeros."""
        shape = (batch_size, self.units)
        count = len(keras.tree.flatten(self.state_size))
        return [ops.zeros(shape, dtype=self.compute_dtype) for _ in range(count)]

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("keras_attend")
class IRNNCell(_Cell):
    r"""Recurrent cell of rectified units that starts as the identity (Le et al. 2015).

    RATM's core (Kahou et al. 2015, eq. 1 and 3):

    $$h_t = \max(0,\; W_{in} x_t + W_{rec} h_{t-1}), \qquad
      W_{rec} = \alpha I \text{ at the start}$$

    Args:
        units: size of $h_t$.
        scale: $\alpha$.
        input_initializer: of $W_{in}$; RATM's code draws it from N(0, 1e-3).

    The paper adds no bias and the published code has none; neither has this.
    """

    def __init__(
        self,
        units: int,
        scale: float = 1.0,
        input_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        self.scale = scale
        self.input_initializer = keras.initializers.get(input_initializer)
        self._make_maps(
            units,
            Identity(scale),
            use_bias=False,
            kernel_initializer=self.input_initializer,
        )
        self.state_size = self.output_size = units

    def call(self, inputs: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One step: `[B, features]` and `[h]` to `h` and `[h]`."""
        (h,) = states  # [B, units]
        h = ops.relu(self.input_map(inputs) + self.recurrent_map(h))  # eq. 1
        return h, [h]

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            **super().get_config(),
            "scale": self.scale,
            "input_initializer": keras.initializers.serialize(self.input_initializer),
        }


@keras.saving.register_keras_serializable("keras_attend")
class IdentityCandidate(Initializer):
    r"""Starts $W_h$ of an LSTM: $\alpha I$ for the candidate, else orthogonal.

    Args:
        scale: $\alpha$.
    """

    def __init__(self, scale: float = 0.95) -> None:
        self.scale = scale

    def __call__(self, shape: tuple[int, int], dtype: str | None = None) -> Tensor:
        """Blocks of the gates i, j (the candidate), f, o, side by side."""
        block = (shape[0], shape[1] // 4)
        blocks = [Orthogonal()(block, dtype) for _ in range(4)]
        blocks[1] = Identity(self.scale)(block, dtype)
        return ops.concatenate(blocks, axis=1)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"scale": self.scale}


@keras.saving.register_keras_serializable("keras_attend")
class ZoneoutLSTMCell(_Cell, DropoutRNNCell):
    r"""LSTM that keeps some of its units as they were (Krueger et al. 2017).

    HART's core. With $(i, j, f, o) = W_x x_t + W_h h_{t-1} + b$,

    $$\tilde c_t = \sigma(f) c_{t-1} + \sigma(i) \tanh(j), \qquad
      \tilde h_t = \sigma(o) \tanh(\tilde c_t)$$
    $$c_t = c_{t-1} + m^c_t (\tilde c_t - c_{t-1}), \qquad
      h_t = h_{t-1} + m^h_t (\tilde h_t - h_{t-1})$$

    A mask $m$ is 0 with the zoneout rate $p$ and else 1; outside training it
    is its mean, $1 - p$. The output is $\tilde h_t$, zoned out only on its way
    to the next step. The forget gate has no bias of 1.

    Three ways to the masks in training:

    * Given, `cell(x, states, masks=(m_c, m_h))`: `zoneout_masks(batch_size,
      steps)` draws them before a time loop. This is zoneout as published.
    * In `keras.layers.RNN`, which has no place for such inputs: drawn before
      its loop and held for all steps of the sequence, as Keras's own cells do
      with recurrent dropout.
    * Not given: drawn anew at every call; not inside a compiled loop, where a
      seed that changes cannot get out.

    Args:
        units: size of $h_t$ and of $c_t$.
        zoneout_cell: $p$ for $c_t$, in [0, 1).
        zoneout_hidden: $p$ for $h_t$, in [0, 1).
        seed: of the masks.

    States are `[h, c]`, as in Keras. $W_x$ starts orthogonal, $W_h$ as
    `IdentityCandidate`, $b \sim U(\pm \sqrt{3 / n})$ for $n$ biases.
    """

    recurrent_dropout = 0.0  # Keras's own, which its base class asks about

    def __init__(
        self,
        units: int,
        zoneout_cell: float = 0.05,
        zoneout_hidden: float = 0.05,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        if not (0 <= zoneout_cell < 1 and 0 <= zoneout_hidden < 1):
            raise ValueError(
                "`zoneout_cell` and `zoneout_hidden` are the chance that a unit "
                "keeps its value, in [0, 1). Received: "
                f"zoneout_cell={zoneout_cell}, zoneout_hidden={zoneout_hidden}"
            )
        self.zoneout_cell = zoneout_cell
        self.zoneout_hidden = zoneout_hidden
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._make_maps(
            4 * units,
            IdentityCandidate(),
            kernel_initializer="orthogonal",
            bias_initializer="glorot_uniform",
        )
        self.state_size, self.output_size = [units, units], units
        self._sequence_masks: tuple[Tensor, Tensor] | None = None

    def zoneout_masks(
        self, batch_size: Tensor | int, steps: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Masks for the cell and the hidden state, 1 where a unit may change.

        Each is `[batch_size, units]`, or `[batch_size, steps, units]`.
        """
        time = () if steps is None else (steps,)
        shape = (batch_size, *time, self.units)
        # Drawn in float32: the steps of float16 are too coarse for a small rate.
        m_c, m_h = (
            ops.cast(
                keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
                >= rate,
                self.compute_dtype,
            )
            for rate in (self.zoneout_cell, self.zoneout_hidden)
        )
        return m_c, m_h

    def call(
        self,
        inputs: Tensor,
        states: list[Tensor],
        masks: tuple[Tensor, Tensor] | None = None,
        training: bool = False,
    ) -> tuple[Tensor, list[Tensor]]:
        """One step: `[B, features]` and `[h, c]` to the output and `[h, c]`."""
        h, c = states  # [B, units] each
        h_new, c_new = _lstm(
            self.input_map(inputs) + self.recurrent_map(h), c, ops.tanh
        )
        if not training:
            m_c, m_h = 1 - self.zoneout_cell, 1 - self.zoneout_hidden
        elif masks is not None:
            m_c, m_h = masks
        elif self._sequence_masks is not None:
            m_c, m_h = self._sequence_masks
        else:
            m_c, m_h = self.zoneout_masks(ops.shape(h)[0])
        return h_new, [h + m_h * (h_new - h), c + m_c * (c_new - c)]

    def get_dropout_mask(self, step_input: Tensor) -> None:
        """Called by `keras.layers.RNN` before its loop: draw the masks."""
        if self.zoneout_cell or self.zoneout_hidden:
            self._sequence_masks = self.zoneout_masks(ops.shape(step_input)[0])

    def reset_dropout_mask(self) -> None:
        """Called by `keras.layers.RNN` after its loop: drop the masks."""
        self._sequence_masks = None

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            **super().get_config(),
            "zoneout_cell": self.zoneout_cell,
            "zoneout_hidden": self.zoneout_hidden,
            "seed": self.seed,
        }


@keras.saving.register_keras_serializable("keras_attend")
class ReluLSTMCell(_Cell):
    r"""LSTM with rectified units in place of tanh (DRLT, Zhang et al. 2017, v1).

    With $(i, j, f, o) = W_x x_t + W_h h_{t-1} + b$,

    $$c_t = \sigma(f) c_{t-1} + \sigma(i) \max(0, j), \qquad
      h_t = \sigma(o) \max(0, c_t)$$

    The paper does not say which of the activations it replaces; here both tanh
    are, and the gates stay sigmoid. $c_t$ can then grow without bound.

    Args:
        units: size of $h_t$ and of $c_t$.
        cell_clip: if given, $c_t$ is cut off at this value.

    States are `[h, c]`, as in Keras.
    """

    def __init__(
        self, units: int, cell_clip: float | None = None, **kwargs: Any
    ) -> None:
        super().__init__(units, **kwargs)
        if cell_clip is not None and cell_clip <= 0:
            raise ValueError(
                f"`cell_clip` must be positive or None. Received: {cell_clip}"
            )
        self.cell_clip = cell_clip
        self._make_maps(4 * units, "orthogonal")
        self.state_size, self.output_size = [units, units], units

    def call(self, inputs: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One step: `[B, features]` and `[h, c]` to `h` and `[h, c]`."""
        h, c = states  # [B, units] each
        z = self.input_map(inputs) + self.recurrent_map(h)
        h, c = _lstm(z, c, ops.relu, self.cell_clip)
        return h, [h, c]

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "cell_clip": self.cell_clip}


def _lstm(
    z: Tensor, c: Tensor, activation: Any, cell_clip: float | None = None
) -> tuple[Tensor, Tensor]:
    """The new h and c from the gates before activation `[B, 4 * units]`."""
    i, j, f, o = ops.split(z, 4, axis=-1)
    c = ops.sigmoid(f) * c + ops.sigmoid(i) * activation(j)
    if cell_clip is not None:
        c = ops.minimum(c, cell_clip)
    return ops.sigmoid(o) * activation(c), c
