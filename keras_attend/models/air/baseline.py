"""NVIL's baseline: the rewards that are expected of a decision."""

from functools import partial
from typing import Any

import keras
from keras import ops
from keras.layers import Dense

from keras_attend.models.air.cell import HIDDEN
from keras_attend.reinforce import baseline_loss
from keras_attend.types import Shape, Tensor

KEPT = 0.99  # share of a running mean that a batch leaves


class Baseline(keras.layers.Layer):
    r"""Expect a reward from the state in which a decision is made.

    NVIL (Mnih and Gregor 2014) subtracts a running mean of the rewards and the output
    of a network; here $b_t = m + s f(h_t)$, with the running mean $m$ and standard
    deviation $s$, so that the network's numbers stay small while the bound grows by
    hundreds of nats. A baseline leaves the gradient's mean as it is.

    Called with $h_t$ `[B, N, units]`, through which no gradient flows, it returns
    $b_t$ `[B, N]`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        dense = partial(Dense, dtype=self.dtype_policy)
        self.hidden = dense(HIDDEN, "relu", name="hidden")
        self.expected = dense(1, name="expected")

    def build(self, hidden_shape: Shape) -> None:
        """Make the weights, and the running sums of rewards."""
        self.hidden.build(hidden_shape)
        self.expected.build((*hidden_shape[:-1], HIDDEN))

        def running(name: str) -> Any:
            return self.add_weight(
                shape=(),
                initializer="zeros",
                trainable=False,
                name=name,
                aggregation="mean",
                dtype="float32",
            )

        names = ("weight", "mean", "square")
        self.running = {name: running(name) for name in names}

    def moments(self) -> tuple[Tensor, Tensor]:
        """$m$ and $s$; 0 and 1 before the first batch."""
        sums = {k: ops.convert_to_tensor(v) for k, v in self.running.items()}
        weight = ops.maximum(sums["weight"], 1e-6)
        mean = sums["mean"] / weight
        return mean, ops.sqrt(ops.maximum(sums["square"] / weight - mean**2, 1.0))

    def call(self, hidden: Tensor) -> Tensor:
        """$b_t$ `[B, N]`."""
        b_t = self.expected(self.hidden(ops.stop_gradient(hidden)))
        mean, std = self.moments()
        return mean + std * ops.cast(b_t, "float32")[..., 0]

    def losses_of(self, b_t: Tensor, R_t: Tensor, count: Tensor) -> Tensor:
        """The loss `[B]` of the decisions that were taken; moves the running means.

        Args:
            b_t: what was expected, `[B, N]`.
            R_t: the rewards, `[B, N]`.
            count: how many objects were drawn, `[B]`.
        """
        R_t = ops.stop_gradient(R_t)
        t = ops.arange(1, b_t.shape[-1] + 1)
        taken = t <= count[:, None] + 1
        _, std = self.moments()
        loss = baseline_loss(ops.where(taken, b_t, R_t) / std, R_t / std)
        # In the first batch the rewards' scale is not known yet.
        loss = loss * ops.sign(ops.convert_to_tensor(self.running["weight"]))
        weight = ops.cast(taken, "float32")
        weight = weight / ops.sum(weight)
        for name, value in (
            ("weight", 1.0 + 0 * R_t),
            ("mean", R_t),
            ("square", R_t**2),
        ):
            new = ops.sum(weight * value)
            old = ops.convert_to_tensor(self.running[name])
            self.running[name].assign(KEPT * old + (1 - KEPT) * new)
        return loss
