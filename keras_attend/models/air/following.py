"""`SequentialAIR` as a tracker of one object, of which a first box is given."""

from typing import Any

import keras
from keras import ops

from keras_attend import boxes as geometry
from keras_attend.layers.recurrent_tracker import RecurrentTrackerCell
from keras_attend.models.air.slots import sizes
from keras_attend.models.base import scaled_images
from keras_attend.types import Nested, Shape, Tensor

NOBODY = -1.0  # the number of the object, while none is followed


class FollowingCell(RecurrentTrackerCell):
    """Follow the object that overlaps a box most, among all that are in a video.

    All objects are followed, as in `SequentialAIR`. In the first frame, and whenever
    the followed object has left, the one that overlaps the last box most is taken.
    While there is none, the last box stands.

    Args:
        frame_cell: a `SequentialAIRCell` without actions.

    A step returns "box" `[B, 4]`; "presence" `[B]`, 1 where the object is in the frame;
    and "boxes" `[B, N, 4]` of all objects.
    """

    def __init__(self, frame_cell: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # The model's. (Keras would take for this layer's own what is no function.)
        self._frame_cell = lambda: frame_cell

    @property
    def frame_cell(self) -> Any:
        """What follows all objects."""
        return self._frame_cell()

    @property
    def channels(self) -> int:
        """Of the frames."""
        return int(self.frame_cell.air.channels)

    def build(self, frame_shape: Shape | None = None) -> None:
        """Make the weights, if the model has not."""
        if not self.frame_cell.built:
            self.frame_cell.build()
            self.frame_cell.built = True

    @property
    def state_spec(self) -> Nested:
        """Sizes of the state's tensors, `[B, size]`."""
        cell = self.frame_cell
        N = cell.slots
        each = sizes(cell.air.what, cell.units)
        slots = {name: N * size for name, size in each.items()}
        return {"box": 4, "name": 1, **slots, "present": N, "ids": N, "next_id": 1}

    def initial_state(self, frame: Tensor, box: Tensor) -> Nested:
        """The state before the first frame; `box` `[B, 4]` is the object's there."""
        if self.frame_cell.actions:
            raise ValueError(
                "A model with actions cannot be a tracker of one object, which is told "
                f"none. Received: actions={self.frame_cell.actions}"
            )
        box = ops.cast(box, "float32")
        batch = ops.shape(box)[0]
        slots = self.frame_cell.initial_state(batch)
        return {
            "box": box,
            "name": ops.zeros((batch, 1)) + NOBODY,
            **{k: flat(v) for k, v in slots.items()},
        }

    def step(self, frame: Tensor, state: Nested) -> tuple[dict[str, Tensor], Nested]:
        """Follow all objects into a frame `[B, H, W, C]`, and choose the one."""
        cell = self.frame_cell
        images = scaled_images(frame, self.channels, "float32")
        if tuple(images.shape[1:3]) != cell.air.size:
            raise ValueError(
                "Frames must have the size that the model was made for, "
                f"{cell.air.size}. Received: frame.shape={tuple(frame.shape)}"
            )
        before = self.slots(state)
        batch = ops.shape(state["box"])[0]
        means = {**cell.noise(batch), "floor": ops.zeros((1,))}
        found, slots = cell.step({"frame": images, **means}, before)
        ids = ops.cast(found["ids"], "float32")  # [B, N]
        same = ops.logical_and(ids == state["name"], ids > NOBODY)
        last = state["box"]
        overlap = geometry.iou(found["boxes"], last[:, None]) * found["presence"]
        n = ops.where(
            ops.any(same, axis=1),
            ops.argmax(ops.cast(same, "float32"), axis=1),
            ops.argmax(overlap, axis=1),
        )
        chosen = ops.one_hot(n, cell.slots)  # [B, N]
        known = ops.logical_or(same, overlap > 0)
        there = ops.sum(chosen * ops.cast(known, "float32"), axis=1) > 0.5  # [B]
        box = ops.sum(chosen[:, :, None] * found["boxes"], axis=1)
        some = there[:, None]
        name = ops.sum(chosen * ids, axis=1, keepdims=True)
        # An object that is there, but so faint that it has no ink, has an empty box.
        drawn = ops.logical_and(some, ops.min(box[:, 2:], axis=1, keepdims=True) > 0)
        box = ops.where(drawn, box, last)
        after = {"box": box, "name": ops.where(some, name, NOBODY)}
        outputs = {"box": box, "presence": ops.cast(there, "float32")}
        outputs["boxes"] = found["boxes"]
        return outputs, after | {k: flat(v) for k, v in slots.items()}

    def slots(self, state: Nested) -> Nested:
        """The slots of a state, see `slots.py`."""
        N, cell = self.frame_cell.slots, self.frame_cell
        each = sizes(cell.air.what, cell.units)
        found = {k: ops.reshape(state[k], (-1, N, n)) for k, n in each.items()}
        return {
            **found,
            "present": state["present"],
            "ids": ops.cast(state["ids"], "int32"),
            "next_id": ops.cast(state["next_id"][:, 0], "int32"),
        }

    def get_config(self) -> dict[str, Any]:
        """Nothing that could be loaded: the model makes its cell."""
        return keras.layers.Layer.get_config(self)


def flat(x: Tensor) -> Tensor:
    """`[B, ...]` as `[B, size]`, of floats."""
    length = 1
    for side in x.shape[1:]:
        length *= int(side)
    return ops.cast(ops.reshape(x, (-1, length)), "float32")
