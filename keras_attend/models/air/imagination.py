"""What `SequentialAIR` imagines: videos that go on after their last frame."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attend.arguments import (
    check_not_negative,
    check_positive_integers,
    check_shape,
)
from keras_attend.models.air.boxes import ink_boxes
from keras_attend.models.air.look import summarised
from keras_attend.models.air.slots import Slots, rows, unrows
from keras_attend.types import Array, Nested, Tensor
from keras_attend.unroll import unroll


def imagined(
    model: Any,
    frames: Any,
    steps: int,
    samples: int,
    actions: Any,
    next_actions: Any,
    seed: int,
) -> dict[str, Array]:
    """Continue videos; see `SequentialAIR.imagine`."""
    check_positive_integers(steps=steps)
    check_not_negative(samples=samples)
    x = {"frames": frames}
    if not model.actions and (actions is not None or next_actions is not None):
        raise ValueError(
            "The model has no actions: leave `actions` and `next_actions` out. "
            "Received: some"
        )
    if model.actions:
        if actions is None or next_actions is None:
            raise ValueError(
                "The model has actions: pass `actions` [B, T, "
                f"{model.actions}] and `next_actions` [B, {steps}, {model.actions}]. "
                "Received: None"
            )
        shape = np.shape(next_actions)
        check_shape("next_actions", shape, f"batch, {steps}, {model.actions}")
        x["actions"] = actions
    model.check_data(x, None)
    # Futures are rows of a batch: each video comes K times.
    K = max(samples, 1)
    x = {name: np.repeat(np.asarray(value), K, axis=0) for name, value in x.items()}
    B, N = len(x["frames"]), model.slots
    random = np.random.default_rng(seed)
    of_where, of_stay = (B, steps, N, 3), (B, steps, N)
    if samples:
        x["imagined_where"] = random.normal(size=of_where).astype("float32")
        x["imagined_stay"] = random.uniform(size=of_stay).astype("float32")
    else:
        x["imagined_where"] = np.zeros(of_where, "float32")
        x["imagined_stay"] = np.full(of_stay, 0.5, "float32")
    if model.actions:
        x["next_actions"] = np.repeat(np.asarray(next_actions), K, axis=0)
    if not model.built:
        model.build(model.serving_shape)
    found = future_of(model).predict(x, batch_size=min(B, 128), verbose=0)
    return {k: v.reshape(-1, K, *v.shape[1:]) for k, v in found.items()}


def future_of(model: Any) -> "_Future":
    """Return a model's compiled `_Future`, which is made once."""
    if model._future is None:
        future = _Future(model)
        # TensorFlow is fast without XLA, which would compile for each number of frames.
        future.compile(jit_compile=keras.backend.backend() == "jax")
        # (Keras would take for the model's own layer what is no function.)
        model._future = lambda: future
    found: _Future = model._future()
    return found


class _Future(keras.Model):
    """Explain the frames that are given, and imagine those that follow."""

    def __init__(self, model: Any) -> None:
        super().__init__(name="future", autocast=False)
        self.model = model

    def call(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """What is imagined, `[B, S, ...]`."""
        model = self.model
        _, slots = model.explain(inputs, drawn=False)
        last = ops.cast(inputs["frames"][:, -1], "float32")
        if keras.backend.is_int_dtype(inputs["frames"].dtype):
            last = last / 255.0
        air = model.air
        nothing = ops.zeros((ops.shape(last)[0], air.background.latents))
        background, *_ = air.background(summarised(last), nothing)
        noise = {"where": inputs["imagined_where"], "chance": inputs["imagined_stay"]}
        if model.actions:
            noise["action"] = ops.cast(inputs["next_actions"], "float32")
        found: dict[str, Tensor]
        found, _ = unroll(
            lambda x, state: imagine_frame(model.frame_cell, background, x, state),
            slots,
            noise,
        )
        return found


def imagine_frame(
    cell: Any, background: Tensor, inputs: Nested, slots: Slots
) -> tuple[dict[str, Tensor], Slots]:
    """Imagine one frame more.

    Args:
        cell: a `SequentialAIRCell`.
        background: `[B, H, W, C]`.
        inputs: "where" `[B, N, 3]`, standard normal numbers or zeros, "chance"
            `[B, N]`, uniform ones, and perhaps "action" `[B, actions]`.
        slots: of the frame before.

    Returns:
        What is imagined, and the next slots.
    """
    N, where = cell.slots, rows(slots["where"])
    prior = cell.dynamics.of_slots(slots, inputs.get("action"))
    new = prior["loc"] + prior["scale"] * rows(inputs["where"])
    stays = ops.reshape(ops.sigmoid(prior["stays"]), (-1, N))
    present = slots["present"] * ops.cast(stays > inputs["chance"], "float32")
    there = present > 0.5
    after = {
        **slots,
        "where": unrows(new, N),
        "velocity": unrows(new - where, N),
        "h": unrows(prior["h"], N),
        "present": present,
        "ids": ops.where(there, slots["ids"], -1),
    }
    follow = cell.propagation
    alpha, color = cell.air.cell.appearance(rows(slots["what"]))
    behind = ops.repeat(background, N, axis=0)
    mask, ink = follow.draw(behind, alpha, color, follow.window(new), N)
    shown = present[:, :, None, None, None]
    return {
        "boxes": ink_boxes((mask * shown)[..., 0]),
        "presence": present,
        "ids": after["ids"],
        "canvas": background + ops.sum(ink * shown, axis=1),
    }, after
