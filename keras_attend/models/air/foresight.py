"""Learning how objects move from where they have been found."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attend import distributed
from keras_attend.arguments import KeepsArguments, check_positive_integers
from keras_attend.models.air.dynamics import STEP, Dynamics
from keras_attend.models.air.slots import unrows
from keras_attend.types import Shape, Tensor
from keras_attend.unroll import unroll

FINE = STEP / 2  # beyond this an imagined place is far off, in z^where


@keras.saving.register_keras_serializable("keras_attend")
class Foresight(KeepsArguments, keras.Model):
    r"""Train a `Dynamics` on where a `SequentialAIR` has found objects.

    ```python
    found = model.predict({"frames": frames})  # a SequentialAIR
    foresight = ka.models.Foresight(model.frame_cell.dynamics)
    foresight.compile("adam")
    foresight.fit({"where": found["where"], "ids": found["ids"]}, epochs=100)
    model.compile("adam", keep_dynamics=True)  # the rest can go on learning
    ```

    The bound of a `SequentialAIR` trains its `Dynamics` too, but on draws of places,
    which jitter more than twice as much as their means do. From them it learns that an
    object's last step says little. Here it sees the means, in which objects move
    evenly, and nothing has to be drawn into pictures. The loss of a frame is

    $$F_t = \sum_n -\log p(z_{t+1,n}) - \log p(\text{stays}_{t+1,n})
      + \frac{1}{K} \sum_{k=1}^{K}
      \mathrm{huber}\!\left(\frac{\hat z^{(t)}_{t+k,n} - z_{t+k,n}}{\sigma}\right)$$

    over the objects that are there, where $\hat z^{(t)}_{t+k}$ is what is imagined for
    frame t + k by the model that has seen the frames up to t, and $\sigma$ is `FINE`.
    The likelihood asks for one frame ahead alone; an error of a step grows K times over
    K frames.

    Args:
        dynamics: is trained, and nothing else.
        ahead: K.

    Call arguments:
        inputs: a dict of

            * "where": $z^{where}$, `[B, T, N, 3]`, as `SequentialAIR` predicts it.
            * "ids": `[B, T, N]`.
            * "actions": `[B, T, actions]`, if the `Dynamics` has them.

    Returns a dict of sums over all objects of a video, each `[B]`: "surprise",
    $-\log p(z)$; "stays", $-\log p(\text{stays})$; "far", the last term; "objects", how
    many objects there are in all frames but the last.
    """

    def __init__(self, dynamics: Dynamics, ahead: int = 5, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        check_positive_integers(ahead=ahead)
        self.dynamics, self.ahead = dynamics, ahead

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        """Make the weights, if the `Dynamics` has none yet."""
        if not self.dynamics.built:
            self.dynamics.build()
            self.dynamics.built = True

    def call(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Judge what is imagined of videos; see the class."""
        wanted = {"where", "ids"} | ({"actions"} if self.dynamics.actions else set())
        if not isinstance(inputs, dict) or not wanted <= inputs.keys():
            found = sorted(inputs) if isinstance(inputs, dict) else type(inputs)
            raise ValueError(
                f"Foresight's input must be a dict with {sorted(wanted)}. "
                f"Received: {found}"
            )
        where, ids = ops.cast(inputs["where"], "float32"), inputs["ids"]
        actions = inputs["actions"] if self.dynamics.actions else None
        B, N = ops.shape(where)[0], where.shape[2]
        there = ids >= 0
        after = next_frames(ids + 1) - 1  # -1 after the end
        stays = ops.cast(ops.logical_and(there, after == ids), "float32")
        steps = {"where": where, "next": next_frames(where), "stays": stays}
        if actions is not None:
            actions = ops.cast(actions, "float32")
            steps["action"] = next_frames(actions)

        def step(x: Any, state: Any) -> tuple[Any, Any]:
            slots = {"where": x["where"], **state}
            prior = self.dynamics.of_slots(slots, x.get("action"))
            prior = {k: unrows(v, N) for k, v in prior.items()}
            kept = x["stays"][..., None]
            velocity = (x["next"] - x["where"]) * kept
            return (prior, state), {"velocity": velocity, "h": prior["h"] * kept}

        start = {
            "velocity": ops.zeros((B, N, 3)),
            "h": ops.zeros((B, N, self.dynamics.units)),
        }
        (prior, state), _ = unroll(step, start, steps)
        z = (steps["next"] - prior["loc"]) / prior["scale"]
        surprise = ops.sum(ops.log(prior["scale"]) + (z**2 + np.log(2 * np.pi)) / 2, -1)
        present = ops.cast(there, "float32")[:, :-1]
        entropy = (ops.softplus(prior["stays"]) - stays * prior["stays"])[:, :-1]
        slots = {"where": where, "ids": ids, **state}
        far = misjudged(self.dynamics, slots, self.ahead, actions)
        return {
            "surprise": ops.sum(surprise * stays, axis=(1, 2)),
            "stays": ops.sum(entropy * present, axis=(1, 2)),
            "far": ops.sum(far, axis=1),
            "objects": ops.sum(present, axis=(1, 2)),
        }

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """The loss of an object in a frame, on average."""
        total = y_pred["surprise"] + y_pred["stays"] + y_pred["far"]
        objects = distributed.total(ops.sum(y_pred["objects"]))
        return ops.sum(total) / ops.maximum(objects, 1.0)


def misjudged(
    dynamics: Any, slots: dict[str, Tensor], ahead: int, actions: Tensor | None = None
) -> Tensor:
    r"""Imagine objects from each frame on, and compare that with where they went.

    It is the last term of $F$ in `Foresight`.

    Args:
        dynamics: a `Dynamics`.
        slots: of all frames: "where", "velocity" `[B, T, N, 3]`, "h" `[B, T, N, units]`
            and "ids" `[B, T, N]`; see `slots.py`.
        ahead: K.
        actions: `[B, T, actions]`, if there are any.

    Returns:
        `[B, T]`.
    """
    seen, ids = slots["where"], slots["ids"]
    T, N = ops.shape(seen)[1], seen.shape[2]
    where, velocity, h = (flat(slots[k]) for k in ("where", "velocity", "h"))
    total, true, then = ops.zeros(ops.shape(ids)[:2]), seen, ids
    for _ in range(ahead):
        true, then = next_frames(true), next_frames(then + 1) - 1  # -1 after the end
        action = None
        if actions is not None:
            actions = next_frames(actions)
            action = flat(ops.repeat(actions[:, :, None], N, axis=2))
        prior = dynamics(where, velocity, h, action)
        where, velocity, h = prior["loc"], prior["loc"] - where, prior["h"]
        far = (ops.reshape(where, (-1, T, N, 3)) - true) / FINE
        same = ops.logical_and(then == ids, ids >= 0)
        total = total + ops.sum(huber(far) * ops.cast(same, "float32"), axis=-1)
    return total / ahead


def flat(x: Tensor) -> Tensor:
    """`[B, T, N, size]` as `[B T N, size]`."""
    return ops.reshape(x, (-1, x.shape[-1]))


def next_frames(x: Tensor) -> Tensor:
    """What `[B, T, ...]` holds a frame later; zeros after the last one."""
    return ops.concatenate([x[:, 1:], ops.zeros_like(x[:, :1])], axis=1)


def huber(x: Tensor) -> Tensor:
    """Sum over the last axis: half a square up to 1, and the distance beyond."""
    size = ops.abs(x)
    return ops.sum(ops.where(size < 1, x**2 / 2, size - 0.5), axis=-1)
