"""Recurrent cores that Keras lacks. Each is a cell for `keras.layers.RNN`."""

from functools import partial
from typing import Any

import keras
from keras import ops
from keras.initializers import Identity, Orthogonal
from keras.layers import Dense

from keras_attend.arguments import KeepsArguments, check_positive
from keras_attend.compat import DropoutRNNCell
from keras_attend.types import Shape, Tensor


class _Cell(KeepsArguments, keras.layers.Layer):
    """Two linear maps, of the input and of the state before, and an all-zero state."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_positive(units=units)
        self.units = units

    def _make_maps(self, size: int, recurrent_initializer: Any, **kwargs: Any) -> None:
        """Make both maps, with outputs `[B, size]`; `kwargs` are the input map's."""
        dense = partial(Dense, size, dtype=self.dtype_policy)
        self.input_map = dense(name="input_map", **kwargs)
        self.recurrent_map = dense(
            use_bias=False,
            kernel_initializer=recurrent_initializer,
            name="recurrent_map",
        )

    def build(self, input_shape: Shape) -> None:
        """Create the weights, for inputs `[B, features]`."""
        self.input_map.build(input_shape)
        self.recurrent_map.build((None, self.units))

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """The shape of $h_t$, for `summary`."""
        return (None, self.units)

    def get_initial_state(self, batch_size: Tensor | int | None = None) -> list[Tensor]:
        """Return the state before the first step, which is all zeros."""
        shape = (batch_size, self.units)
        count = len(keras.tree.flatten(self.state_size))
        return [ops.zeros(shape, dtype=self.compute_dtype) for _ in range(count)]


@keras.saving.register_keras_serializable("keras_attend")
class IRNNCell(_Cell):
    r"""Recurrent cell of rectified units, initialised to the identity (Le et al. 2015).

    It is RATM's recurrent core (Kahou et al. 2015, eq. 1 and 3):

    $$h_t = \max(0,\; W_{in} x_t + W_{rec} h_{t-1}), \qquad
      W_{rec} = \alpha I \text{ before training}$$

    There is no bias, as in the paper and in the published code.

    Args:
        units: the size of $h_t$.
        scale: $\alpha$.
        input_initializer: the initializer of $W_{in}$, which RATM's code draws from
            N(0, 1e-3).
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
        """Compute one step: from `[B, features]` and `[h]`, `h` and `[h]`."""
        (h,) = states  # [B, units]
        h = ops.relu(self.input_map(inputs) + self.recurrent_map(h))  # eq. 1
        return h, [h]


@keras.saving.register_keras_serializable("keras_attend")
class ZoneoutLSTMCell(_Cell, DropoutRNNCell):
    r"""LSTM some of whose units keep their last value (Krueger et al. 2017).

    It is HART's recurrent core. With $(i, j, f, o) = W_x x_t + W_h h_{t-1} + b$,

    $$\tilde c_t = \sigma(f) c_{t-1} + \sigma(i) \tanh(j), \qquad
      \tilde h_t = \sigma(o) \tanh(\tilde c_t)$$
    $$c_t = c_{t-1} + m^c_t (\tilde c_t - c_{t-1}), \qquad
      h_t = h_{t-1} + m^h_t (\tilde h_t - h_{t-1})$$

    In training a mask $m$ is 0 with the zoneout rate $p$, and 1 otherwise; outside
    training it is its mean, $1 - p$. The output is $\tilde h_t$: zoneout acts only on
    the state that the next step gets.

    For zoneout as published, the caller draws the masks before a time loop, by
    `zoneout_masks(batch_size, steps)`, and passes each step its own: `cell(x, states,
    masks=(m_c, m_h))`. `keras.layers.RNN` cannot do that: it has the cell draw masks
    that all steps of a sequence share, as with Keras's recurrent dropout. Any other
    call draws its own, which does not work inside a compiled loop.

    States are `[h, c]`, as in Keras. Before training $W_x$ is orthogonal, $W_h$ is
    $0.95 I$ for $j$ and orthogonal for each gate, and $b \sim U(\pm \sqrt{3 / n})$ for
    $n$ biases, the forget gate's among them.

    Args:
        units: the size of $h_t$ and of $c_t$.
        zoneout_cell: $p$ for $c_t$, in [0, 1).
        zoneout_hidden: $p$ for $h_t$, in [0, 1).
        seed: the seed of the masks.
    """

    recurrent_dropout = 0.0  # `DropoutRNNCell` reads it; this cell has none

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
            _identity_candidate,
            kernel_initializer="orthogonal",
            bias_initializer="glorot_uniform",
        )
        self.state_size, self.output_size = [units, units], units
        self._sequence_masks: tuple[Tensor, Tensor] | None = None

    def zoneout_masks(
        self, batch_size: Tensor | int, steps: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw masks for $c$ and for $h$, which are 1 where a unit takes its new value.

        Each is `[batch_size, units]`, or `[batch_size, steps, units]`.
        """
        time = () if steps is None else (steps,)
        shape = (batch_size, *time, self.units)
        # Numbers of float16 are too coarse for a small rate.
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
        """Compute one step: from `[B, features]` and `[h, c]`, output and `[h, c]`."""
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
        """Draw a sequence's masks; `keras.layers.RNN` calls this before its loop."""
        if self.zoneout_cell or self.zoneout_hidden:
            self._sequence_masks = self.zoneout_masks(ops.shape(step_input)[0])

    def reset_dropout_mask(self) -> None:
        """Forget a sequence's masks; `keras.layers.RNN` calls this after its loop."""
        self._sequence_masks = None


@keras.saving.register_keras_serializable("keras_attend")
class ReluLSTMCell(_Cell):
    r"""LSTM with rectified units in place of tanh.

    It is the recurrent core of DRLT's version 1 (Zhang et al. 2017). With
    $(i, j, f, o) = W_x x_t + W_h h_{t-1} + b$,

    $$c_t = \sigma(f) c_{t-1} + \sigma(i) \max(0, j), \qquad
      h_t = \sigma(o) \max(0, c_t)$$

    The paper does not say which activations it replaces; here it is both tanh, and the
    gates stay sigmoid. $c_t$ can then grow without bound. States are `[h, c]`, as in
    Keras.

    Args:
        units: the size of $h_t$ and of $c_t$.
        cell_clip: the largest value that $c_t$ may take; None for no limit.
    """

    def __init__(
        self, units: int, cell_clip: float | None = None, **kwargs: Any
    ) -> None:
        super().__init__(units, **kwargs)
        if cell_clip is not None and cell_clip <= 0:
            raise ValueError(
                f"`cell_clip` must be positive or None. Received: cell_clip={cell_clip}"
            )
        self.cell_clip = cell_clip
        self._make_maps(4 * units, "orthogonal")
        self.state_size, self.output_size = [units, units], units

    def call(self, inputs: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Compute one step: from `[B, features]` and `[h, c]`, `h` and `[h, c]`."""
        h, c = states  # [B, units] each
        z = self.input_map(inputs) + self.recurrent_map(h)
        h, c = _lstm(z, c, ops.relu, self.cell_clip)
        return h, [h, c]


def _identity_candidate(shape: tuple[int, int], dtype: str | None = None) -> Tensor:
    """Initialise $W_h$ of an LSTM, whose columns are those of i, j, f and o."""
    block = (shape[0], shape[1] // 4)
    blocks = [Orthogonal()(block, dtype) for _ in range(4)]
    blocks[1] = Identity(0.95)(block, dtype)
    return ops.concatenate(blocks, axis=1)


def _lstm(
    z: Tensor, c: Tensor, activation: Any, cell_clip: float | None = None
) -> tuple[Tensor, Tensor]:
    """Compute an LSTM's new h and c from `z`, (i, j, f, o) side by side."""
    i, j, f, o = ops.split(z, 4, axis=-1)
    c = ops.sigmoid(f) * c + ops.sigmoid(i) * activation(j)
    if cell_clip is not None:
        c = ops.minimum(c, cell_clip)
    return ops.sigmoid(o) * activation(c), c
