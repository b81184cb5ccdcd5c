"""One frame of `SequentialAIR`: objects are followed, leave, and are discovered."""

from typing import Any

import keras
from keras import ops

from keras_attend.models.air import elbo
from keras_attend.models.air.background import MeanBackground, NoBackground
from keras_attend.models.air.boxes import ink_boxes
from keras_attend.models.air.dynamics import Dynamics
from keras_attend.models.air.look import summarised
from keras_attend.models.air.model import AIR
from keras_attend.models.air.propagation import Propagation, bernoulli_divergence
from keras_attend.models.air.slots import Slots, empty_slots, filled, places
from keras_attend.types import Shape, Tensor

NEVER = -1e4  # log-probability of more new objects than there are free slots


def check_air(air: Any) -> None:
    """Refuse what cannot discover objects in what the known ones leave."""
    if not isinstance(air, AIR) or air.inference != "enumerate":
        given = getattr(air, "inference", type(air).__name__)
        raise ValueError(
            f"`air` must be an AIR with inference='enumerate'. Received: air={given!r}"
        )
    # `gain` blends objects, and a background would be of the frame and of its rest.
    still = isinstance(air.background, NoBackground | MeanBackground)
    if not (air.blend and still):
        raise ValueError(
            "`air` must have `blend=True` and a background that is the same in all "
            'frames, "none" or "mean". Received: '
            f"blend={air.blend}, background={type(air.background).__name__}"
        )


class SequentialAIRCell(keras.layers.Layer):
    r"""Explain a frame by the objects of the last one, and by new ones.

    1. `Propagation` finds each known object n again, which gives its ink $y_n$, and
       says how probable it is that it is still there, $\pi_n$. Whether it is, $s_n$, is
       drawn; outside training it is $\pi_n > 1/2$.
    2. The `AIR` explains what is left, $x_t - \sum_n s_n y_n$: discovery. It is the
       static model, of which the count n' of new objects is enumerated.
    3. New objects get free slots, and numbers that no object had before.

    The bound of a frame's log-likelihood, given the last one's objects, is

    $$\mathrm{ELBO}_t = \mathrm{ELBO}^{AIR}(x_t - \textstyle\sum_n s_n y_n)
      - \sum_n s_n K_n - \sum_n KL(\pi_n \,\|\, p(\text{stays}_n))$$

    with $K_n$ the divergence of place and appearance. It has no gradient for decisions.
    What is maximised replaces it by the decision's local expectation, as AIR's count is
    enumerated and not drawn. With $f_n$ the log-likelihood that object n adds to the
    other known ones', less $K_n$, each object contributes

    $$w_n f_n + \pi_n \, [f_n] - KL(\pi_n \,\|\, p(\text{stays}_n)), \qquad
      w_n = [\max(\pi_n, \text{floor})]$$

    where no gradient flows through brackets. Early in training the floor keeps objects
    that the model cannot yet follow from being given up.

    Args:
        air: finds new objects.
        slots: N, the greatest number of objects in a frame.
        units: of `Dynamics`.
        reach: of `Propagation`.
        actions: of `Dynamics`.
    """

    def __init__(
        self,
        air: AIR,
        slots: int,
        units: int,
        reach: float,
        actions: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        # The model's. (Keras would take for this layer's own what is no function.)
        self._air = lambda: air
        self.slots, self.units, self.actions = slots, units, actions
        policy = self.dtype_policy
        self.dynamics = Dynamics(units, actions, dtype=policy, name="dynamics")
        self.propagation = Propagation(
            air.cell, self.dynamics, reach, dtype=policy, name="propagation"
        )

    @property
    def air(self) -> Any:
        """What finds new objects."""
        return self._air()

    def build(self, input_shape: Shape | None = None) -> None:
        """Make the weights."""
        if not self.air.built:
            self.air.build(self.air.serving_shape)
            self.air.built = True
        self.dynamics.build()
        self.propagation.build()

    def initial_state(self, batch: Any) -> Slots:
        """The slots before the first frame."""
        return empty_slots(batch, self.slots, self.air.what, self.units)

    def noise(self, *lead: Any, seed: Any = None) -> dict[str, Tensor]:
        """The random numbers of frames, `[*lead, ...]`; without a seed, the means'."""
        D, N, what = self.air.steps, self.slots, self.air.what

        def normal(*shape: int) -> Tensor:
            full = (*lead, *shape)
            return (
                ops.zeros(full)
                if seed is None
                else keras.random.normal(full, seed=seed)
            )

        chance = ops.zeros((*lead, 1 + N))
        if seed is not None:
            chance = keras.random.uniform((*lead, 1 + N), seed=seed)
        return {
            "find_where": normal(D, 3),
            "find_what": normal(D, what),
            "behind": normal(self.air.background.latents),
            "follow_where": normal(N, 3),
            "follow_what": normal(N, what),
            "chance": chance,
        }

    def step(
        self, inputs: dict[str, Tensor], state: Slots, training: bool = False
    ) -> tuple[dict[str, Tensor], Slots]:
        """Explain one frame.

        Args:
            inputs: "frame" `[B, H, W, C]` in 0..1, the numbers of `noise`, "floor"
                `[1]` and, if there are actions, "action" `[B, actions]`, the one that
                led to this frame.
            state: the slots.
            training: draw decisions.

        Returns:
            What was found, see `SequentialAIR`, and the next state.
        """
        frame, air = inputs["frame"], self.air
        bg, *_ = air.background(summarised(frame), inputs["behind"])
        noise = {k: inputs[f"follow_{k}"] for k in ("where", "what")}
        followed = self.propagation(frame, bg, state, noise, inputs.get("action"))
        pi = ops.sigmoid(followed["stays"])
        limit = inputs["chance"][:, 1:] if training else ops.full_like(pi, 0.5)
        stay = ops.cast(pi > limit, "float32") * state["present"]
        gain = self.gain(frame, bg, followed, stay)  # [B, N]
        ink = followed["ink"] * stay[:, :, None, None, None]
        explained = ops.stop_gradient(ops.sum(ink, axis=1))
        noise = {k: inputs[f"find_{k}"] for k in ("where", "what")}
        found = air.found(frame - explained, noise, inputs["behind"])
        chance = inputs["chance"][:, 0] if training else None
        value, count = self.discovered(found, self.slots - ops.sum(stay, 1), chance)

        at = places(stay, count, air.steps)
        new = {name: found[name] for name in ("where", "what")}
        known = {k: followed[k] for k in ("where", "velocity", "what", "h")}
        after = filled(state | known, stay, new, at)
        masks = followed["mask"] * stay[:, :, None, None, None]
        drawn = ops.einsum("bnd,bdhwc->bnhwc", at, found["masks"])
        costs = bernoulli_divergence(followed["stays"], followed["stays_prior"])
        costs = ops.sum(costs * state["present"], axis=-1)
        local = ops.maximum(ops.stop_gradient(pi), inputs["floor"])
        local = local * gain + pi * ops.stop_gradient(gain)
        bound = value - ops.sum(stay * followed["divergence"], axis=-1) - costs
        objective = value + ops.sum(state["present"] * local, axis=-1) - costs
        n = ops.one_hot(count, air.steps + 1)[:, :, None, None, None]
        return {
            "boxes": ink_boxes((masks + drawn)[..., 0]),
            "presence": after["present"],
            "ids": after["ids"],
            "canvas": ops.sum(found["canvases"] * n, axis=1) + explained,
            "where": after["where"],
            "what": after["what"],
            "elbo": bound,
            "objective": objective,
        }, after

    def gain(
        self, frame: Tensor, background: Tensor, followed: Slots, stay: Tensor
    ) -> Tensor:
        """By how many nats each object improves the bound of the frame, `[B, N]`."""
        ink = followed["ink"]
        others = ops.stop_gradient(ink * stay[:, :, None, None, None])
        others = ops.sum(others, axis=1, keepdims=True) - others
        without = background[:, None] + others
        air, images = self.air, frame[:, None]

        def L(canvas: Tensor) -> Tensor:
            return elbo.log_likelihood(images, canvas, air.likelihood, air.sigma)

        return L(without + ink) - L(without) - followed["divergence"]

    def discovered(
        self, found: dict[str, Tensor], free: Tensor, chance: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The bound of what is left `[B]`, and how many new objects there are `[B]`.

        Args:
            found: what `AIR` returns of it.
            free: how many slots are free, `[B]`.
            chance: uniform numbers `[B]` to draw the count by; None takes the most
                probable one.
        """
        n = ops.arange(self.air.steps + 1, dtype="float32")
        never = ops.where(n > free[:, None] + 0.5, NEVER, 0.0)
        log_q = ops.log_softmax(elbo.log_count_probs(found["logits"]) + never)
        log_p = ops.log_softmax(self.air.prior.log_count_probs(self.air.steps) + never)
        _, value = elbo.outcomes_value(found["L"], found["K"], log_p, log_q)
        if chance is None:
            return value, ops.cast(ops.argmax(log_q, axis=-1), "int32")
        below = ops.cumsum(ops.exp(log_q), axis=-1)[:, :-1] < chance[:, None]
        count = ops.sum(ops.cast(below, "int32"), axis=-1)
        most = ops.cast(ops.round(free), "int32")
        return value, ops.minimum(count, ops.minimum(most, self.air.steps))
