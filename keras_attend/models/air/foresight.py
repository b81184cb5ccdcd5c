"""How far from the truth objects are imagined, several frames ahead."""

from typing import Any

from keras import ops

from keras_attend.models.air.dynamics import STEP
from keras_attend.models.air.slots import Slots
from keras_attend.types import Tensor


def misjudged(
    dynamics: Any, slots: Slots, ahead: int, actions: Tensor | None = None
) -> Tensor:
    r"""Imagine objects from each frame on, and compare that with where they went.

    $$F_t = \frac{1}{K} \sum_{k=1}^{K} \sum_n [n \text{ is there at } t + k] \;
      \mathrm{huber}\!\left(\frac{\hat z^{(t)}_{t+k,n} - z_{t+k,n}}{\sigma}\right)$$

    $\hat z^{(t)}_{t+k}$ is what `Dynamics` imagines at frame t + k when it has seen the
    frames up to t, and $\sigma$ is `STEP`. A bound of the likelihood asks for one frame
    ahead alone. There it costs little to trust an object's last step, which jitters;
    over K frames its error grows K times.

    No gradient flows into places and steps, so that objects are found where they are,
    and not where they are easily foreseen. It trains `Dynamics`, through its state.

    Args:
        dynamics: a `Dynamics`.
        slots: of all frames: "where", "velocity" `[B, T, N, 3]`, "h" `[B, T, N, units]`
            and "ids" `[B, T, N]`; see `slots.py`.
        ahead: K.
        actions: `[B, T, actions]`, if there are any.

    Returns:
        F, `[B, T]`.
    """
    seen, ids = ops.stop_gradient(slots["where"]), slots["ids"]
    T, N = ops.shape(seen)[1], seen.shape[2]
    where, h = flat(seen), flat(slots["h"])
    velocity = flat(ops.stop_gradient(slots["velocity"]))
    total, true, then = ops.zeros(ops.shape(ids)[:2]), seen, ids
    for _ in range(ahead):
        true, then = next_frames(true), next_frames(then + 1) - 1  # -1 after the end
        action = None
        if actions is not None:
            actions = next_frames(actions)
            action = flat(ops.repeat(actions[:, :, None], N, axis=2))
        prior = dynamics(where, velocity, h, action)
        where, velocity, h = prior["loc"], prior["loc"] - where, prior["h"]
        far = (ops.reshape(where, (-1, T, N, 3)) - true) / STEP
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
