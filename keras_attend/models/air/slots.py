"""What is remembered of objects: N slots, each of one object or of none.

The slots of B videos are a dict of tensors:

    "where"     [B, N, 3]      z^where, as of `ObjectPrior`
    "velocity"  [B, N, 3]      by how much it changed in the last frame
    "what"      [B, N, what]   z^what
    "h"         [B, N, units]  the state of `Dynamics`
    "present"   [B, N]         1 where a slot has an object, else 0
    "ids"       [B, N]         int32, the object's number, and -1 where there is none
    "next_id"   [B]            int32, the number of the next new object
"""

from typing import Any, TypeAlias

from keras import ops

from keras_attend.types import Tensor

Slots: TypeAlias = dict[str, Tensor]


def sizes(what: int, units: int) -> dict[str, int]:
    """How many numbers a slot has of each kind that has several."""
    return {"where": 3, "velocity": 3, "what": what, "h": units}


def empty_slots(batch: Any, count: int, what: int, units: int) -> Slots:
    """Return the slots before the first frame."""
    shape = (batch, count)
    return {
        **{k: ops.zeros((*shape, size)) for k, size in sizes(what, units).items()},
        "present": ops.zeros(shape),
        "ids": ops.zeros(shape, dtype="int32") - 1,
        "next_id": ops.zeros((batch,), dtype="int32"),
    }


def rows(x: Tensor) -> Tensor:
    """`[B, N, ...]` as `[B N, ...]`."""
    return ops.reshape(x, (-1, *x.shape[2:]))


def unrows(x: Tensor, count: int) -> Tensor:
    """`[B N, ...]` as `[B, N, ...]`."""
    return ops.reshape(x, (-1, count, *x.shape[1:]))


def places(present: Tensor, count: Tensor, found: int) -> Tensor:
    """Give each new object the first free slot that no other new one has.

    Args:
        present: `[B, N]`, 1 where a slot is taken.
        count: `[B]`, how many new objects there are, at most as many as free slots.
        found: D, how many could have been found.

    Returns:
        `[B, N, D]`, 1 where slot n gets new object d.
    """
    free = 1.0 - present
    number = (ops.cumsum(free, axis=1) * free)[:, :, None]  # 1, 2, ... of free slots
    d = ops.arange(1, found + 1, dtype="float32")
    taken = ops.logical_and(number == d, d <= ops.cast(count, "float32")[:, None, None])
    return ops.cast(taken, "float32")


def filled(slots: Slots, stay: Tensor, new: Slots, at: Tensor) -> Slots:
    """Return the next frame's slots.

    Args:
        slots: the objects as they were followed.
        stay: `[B, N]`, 1 where an object is still there.
        new: "where" `[B, D, 3]` and "what" `[B, D, what]` of new objects.
        at: their slots, as of `places`.
    """
    coming = ops.sum(at, axis=-1)  # [B, N]
    kept = stay[:, :, None]
    after = {name: slots[name] * kept for name in ("where", "velocity", "what", "h")}
    for name, value in new.items():
        after[name] = after[name] + ops.matmul(at, value)
    d = ops.arange(at.shape[-1], dtype="int32")
    names = slots["next_id"][:, None, None] + d  # [B, 1, D]
    named = ops.sum(ops.cast(at, "int32") * names, axis=-1)
    old, came = stay > 0.5, coming > 0.5
    return {
        **after,
        "present": stay + coming,
        "ids": ops.where(came, named, ops.where(old, slots["ids"], -1)),
        "next_id": slots["next_id"] + ops.cast(ops.sum(coming, axis=-1), "int32"),
    }
