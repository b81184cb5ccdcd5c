"""How objects move: where each one will be, as far as the past tells."""

from functools import partial
from typing import Any

import keras
from keras import ops
from keras.layers import Dense

from keras_attend.arguments import KeepsArguments
from keras_attend.models.air.background import positive
from keras_attend.models.air.slots import Slots, rows
from keras_attend.types import Shape, Tensor

STEP = 0.2  # standard deviation of an imagined place before training, in z^where
CAUTIOUS = 0.1  # share of the usual weights with which corrections begin
STAYS = 3.0  # logit of staying before training


@keras.saving.register_keras_serializable("keras_attend")
class Dynamics(KeepsArguments, keras.layers.Layer):
    r"""Imagine where objects are in the next frame, without seeing it.

    $$h_t = \mathrm{GRU}([z_{t-1}, v_{t-1} / s, a_t],\; h_{t-1})$$
    $$p(z_t) = N\!\left(z_{t-1} + v_{t-1} + f(h_t),\; \sigma(h_t)^2\right), \qquad
      p(\text{stays}) = \mathrm{sigmoid}(g(h_t))$$

    $z$ is an object's $z^{where}$, $v$ what it changed by in the last frame (its side
    is not expected to go on changing), and $a_t$ the action that leads to frame t, if
    there are any. $s$ is `STEP`: a GRU learns slowly from numbers as small as steps
    are. It sees where an object has been, but no picture.

    Args:
        units: of the GRU.
        actions: how many numbers an action has; 0 if there are none.
    """

    def __init__(self, units: int, actions: int = 0, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.units, self.actions = units, actions
        policy = self.dtype_policy
        dense = partial(Dense, dtype=policy)
        small = keras.initializers.VarianceScaling(CAUTIOUS**2, "fan_avg", "uniform")
        self.gru = keras.layers.GRUCell(units, dtype=policy, name="gru")
        self.hidden = dense(units, "relu", name="hidden")
        self.expected = dense(6, kernel_initializer=small, name="expected")
        self.stays = dense(
            1,
            kernel_initializer=small,
            bias_initializer=keras.initializers.Constant(STAYS),
            name="stays",
        )

    def build(self, input_shape: Shape | None = None) -> None:
        """Make the weights."""
        self.gru.build((None, 3 + 3 + self.actions))
        self.hidden.build((None, self.units))
        self.expected.build((None, self.units))
        self.stays.build((None, self.units))

    def of_slots(self, slots: Slots, action: Tensor | None = None) -> dict[str, Tensor]:
        """Imagine the next frame of all objects: `call` of B N rows, slot by slot.

        Args:
            slots: "where", "velocity" and "h", `[B, N, ...]`.
            action: `[B, actions]`.
        """
        where, velocity, h = (rows(slots[k]) for k in ("where", "velocity", "h"))
        if action is not None:
            action = ops.repeat(action, slots["where"].shape[1], axis=0)
        prior: dict[str, Tensor] = self(where, velocity, h, action)
        return prior

    def call(
        self, where: Tensor, velocity: Tensor, h: Tensor, action: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Imagine the next frame of R objects.

        Args:
            where: $z_{t-1}$, `[R, 3]`.
            velocity: $v_{t-1}$, `[R, 3]`.
            h: $h_{t-1}$, `[R, units]`.
            action: $a_t$, `[R, actions]`.

        Returns:
            "h"; "loc" and "scale" of $z_t$, `[R, 3]`; "stays", a logit, `[R]`.
        """
        seen = [where, velocity / STEP, *([] if action is None else [action])]
        x_t = ops.cast(ops.concatenate(seen, axis=-1), self.compute_dtype)
        h, _ = self.gru(x_t, [ops.cast(h, self.compute_dtype)])
        f = self.hidden(h)
        both = ops.cast(self.expected(f), "float32")
        goes_on = velocity * ops.convert_to_tensor([0.0, 1.0, 1.0], "float32")
        return {
            "h": ops.cast(h, "float32"),
            "loc": where + goes_on + both[:, :3],
            "scale": STEP * positive(both[:, 3:]),
            "stays": ops.cast(self.stays(f), "float32")[:, 0],
        }
