"""HART with a wide window: the tracker, and what it learns by."""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
from keras import ops

from keras_attend.boxes import convert_format
from keras_attend.compat import set_direction
from keras_attend.models.hart.wide_cell import WideHARTCell
from keras_attend.models.hart.wide_maps import decoded, places
from keras_attend.models.hart.wide_search import UNITS
from keras_attend.models.tracker import RecurrentTracker, targets
from keras_attend.types import Tensor
from keras_attend.unroll import unroll

LOSSES = ("location", "boxes", "ahead", "presence")
INLINE_FRAMES = 8  # of clips to train on; of more each would add to the compilation
NEAR, LEARNED = 0.15, 0.22  # of the target's and of the boxes' bell, in object sides


@keras.saving.register_keras_serializable("keras_attend")
class WideHART(RecurrentTracker):
    r"""Track one object in a video, whatever it is.

        model = WideHART(WideHARTCell())
        training.imagenet.load_weights(model.cell.ventral.v1)
        model.compile("adam")
        model.fit(datasets.TrackingPairs(videos))

    `WideHARTCell` follows the object; this is how it learns to. Of each frame in which
    the window shows the object's middle, in units of a quarter of the window's side:

    * Cross-entropy of the location map and a bell around the object's middle $c$
      (eq. 12 of Kosiorek et al. 2017 has one for each place):
      $t_i \propto \exp(-|c - i|^2 / 2 \cdot 0.15^2)$.
    * $1 - \mathrm{GIoU}$ and a smooth L1 distance of the boxes of places near $c$,
      which weigh by a bell of 0.22 (eq. 10: $-\log \mathrm{IoU}$ of one box).
    * A smooth L1 distance of where the LSTM expects the object in the next frame
      (eq. 11: how much of it the window misses).

    And of each frame the cross-entropy of "presence", whose target is 1 where the
    window shows the object's middle and the targets' "present" is 1.

    In training the inputs may hold more than "frames" and "box"
    (`datasets.TrackingPairs` makes it):

    * "guide" `[B, T, 4]`: boxes `xywh` from which the next frame's window follows, in
      place of those found, where "guided" `[B, T]` is 1; there the template is renewed
      where "shown" `[B, T]` is 1.
    * "moves" `[B, T, 4]`: by how much the window is moved, as if the tracker had erred:
      its center by the first two numbers, in sides of the object, the box's size and
      the window's by the logarithms that the others are.

    Args:
        cell: follows the object; `WideHARTCell()` when absent.
        losses: which of "location", "boxes", "ahead" and "presence" are learned from.

    Beside "boxes" `[B, T, 4]`, the object's in each frame, `xywh` in pixels, the first
    one as it was given, it returns

    * "region" `[B, T, 4]`: the window, `xywh` in pixels.
    * "glimpse" `[B, T, size, size, 3]`: the pixels that were read, in 0..1.
    * "location" `[B, T, g, g]`: in each cell of a grid over the region the logit of the
      object's middle being there, of a softmax over all.
    * "steps" `[B, T, g * g, 4]` and "anchor" `[B, T, 2]`: the box that each place has
      for the object (`decoded`).
    * "appearance" `[B, T, units]`: the LSTM's output; no unit.
    * "presence" `[B, T]`: how likely the window shows the object, in 0..1.
    * "ahead" `[B, T, 2]`: how far the next window is shifted from the box, y and x, in
      sides of the object.
    """

    kept_as: ClassVar[dict[str, str]] = {"losses": "weighed"}

    def __init__(
        self,
        cell: WideHARTCell | None = None,
        *,
        losses: Sequence[str] = LOSSES,
        **kwargs: Any,
    ) -> None:
        if not set(losses) <= set(LOSSES) or "location" not in losses:
            raise ValueError(
                f"`losses` must be some of {LOSSES}, 'location' among them. "
                f"Received: losses={losses!r}"
            )
        if cell is None:
            cell = WideHARTCell(dtype=kwargs.get("dtype"), name="cell")
        super().__init__(cell, **kwargs)
        self.weighed = tuple(losses)
        self.parts = {name: keras.metrics.Mean(name=name) for name in LOSSES}
        for part in self.parts.values():
            set_direction(part, "down")

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """The boxes, and what the cell saw; see the class."""
        if not training:
            return super().call(inputs, training)
        frames, box = self._checked(inputs)
        boxes = ops.repeat(ops.cast(box, "float32")[:, None], frames.shape[1], axis=1)
        none = ops.zeros_like(boxes)
        noise = {
            "guide": ops.cast(inputs.get("guide", boxes), "float32"),
            "guided": ops.cast(inputs.get("guided", none[..., 0]), "float32")[
                ..., None
            ],
            "shown": ops.cast(
                inputs.get("shown", ops.ones_like(none[..., 0])), "float32"
            )[..., None],
            "moves": ops.cast(inputs.get("moves", none), "float32"),
        }
        cell: Any = self.cell
        steps, _ = unroll(
            lambda x, state: cell.step(x["frame"], state, x["noise"]),
            cell.initial_state(frames[:, 0], boxes[:, 0]),
            {"frame": frames, "noise": noise},
            inline=(frames.shape[1] or INLINE_FRAMES + 1) <= INLINE_FRAMES,
        )
        boxes = steps.pop("box")  # [B, T, 4]
        before = ops.where(noise["guided"] > 0, noise["guide"], boxes)
        return {"boxes": boxes, "before": before, **steps}

    def sample_losses(self, x: Any, y: Any, y_pred: dict[str, Tensor]) -> Tensor:
        """The loss of each clip, `[B]`, a mean over its frames."""
        boxes, present = targets(y)  # [B, T, 4], [B, T]
        window = convert_format(y_pred["region"], "xywh", "center_yxhw")
        true = convert_format(boxes, "xywh", "center_yxhw")
        unit = window[..., 2:] / UNITS
        c = (true[..., :2] - window[..., :2]) / unit  # [B, T, 2]
        true = ops.concatenate([c, true[..., 2:] / unit], axis=-1)
        seen = (
            ops.cast(ops.max(ops.abs(c), axis=-1) < 0.475 * UNITS, "float32") * present
        )
        g = self.cell.grid
        logits = ops.reshape(y_pred["location"], (*ops.shape(c)[:2], g * g))
        away = ops.sum(ops.square(places(g) - c[..., None, :]), axis=-1)  # [B, T, N]
        target = ops.softmax(-away / (2 * NEAR**2), axis=-1)
        entropy = -ops.sum(target * ops.log(target + 1e-9), axis=-1)
        location = (
            -ops.sum(target * ops.log_softmax(logits, axis=-1), axis=-1) - entropy
        )
        weight = ops.softmax(-away / (2 * LEARNED**2), axis=-1)
        found = ops.reshape(
            decoded(
                ops.reshape(y_pred["steps"], (-1, g * g, 4)),
                ops.reshape(y_pred["anchor"], (-1, 2)),
            ),
            (*ops.shape(c)[:2], g * g, 4),
        )
        error = ops.sum(weight * box_error(true[..., None, :], found), axis=-1)
        # Where the next frame's object is, from the box that the window followed from.
        before = y_pred.get("before", y_pred["boxes"])  # the latter outside training
        before = convert_format(before, "xywh", "center_yxhw")
        before = ops.stop_gradient(ops.cast(before, "float32"))
        size = ops.sqrt(before[..., 2:3] * before[..., 3:4])
        center = convert_format(boxes, "xywh", "center_yxhw")[..., :2]
        step = (center[:, 1:] - before[:, :-1, :2]) / ops.maximum(size[:, :-1], 1.0)
        step = ops.clip(step, -1.0, 1.0)
        ahead = ops.sum(smooth(step - y_pred["ahead"][:, :-1]), axis=-1)
        both = present[:, 1:] * present[:, :-1]
        judged = ops.cast(y.get("judged", ops.ones_like(present)), "float32")
        p = ops.clip(y_pred["presence"], 1e-6, 1 - 1e-6)
        presence = -(seen * ops.log(p) + (1 - seen) * ops.log(1 - p))

        def mean(values: Tensor, weights: Tensor) -> Tensor:
            total = ops.maximum(ops.mean(ops.sum(weights, axis=1)), 1e-3)
            return ops.sum(values * weights, axis=1) / total

        losses = {
            "location": mean(location, seen),
            "boxes": mean(error, seen),
            "ahead": mean(ahead, both),
            "presence": mean(presence, judged),
        }
        for name, value in losses.items():
            self.parts[name].update_state(value)
        return sum(losses[name] for name in self.weighed)


def box_error(true: Tensor, found: Tensor) -> Tensor:
    """$1 - \\mathrm{GIoU}$ and a smooth L1 distance, `[...]`, of center_yxhw boxes."""
    c, s = true[..., :2], true[..., 2:]
    c_f, s_f = found[..., :2], found[..., 2:]
    low, low_f, high, high_f = c - s / 2, c_f - s_f / 2, c + s / 2, c_f + s_f / 2
    common = ops.prod(
        ops.relu(ops.minimum(high, high_f) - ops.maximum(low, low_f)), axis=-1
    )
    union = ops.prod(s, axis=-1) + ops.prod(s_f, axis=-1) - common
    hull = ops.prod(ops.maximum(high, high_f) - ops.minimum(low, low_f), axis=-1)
    giou = common / union - (hull - union) / hull
    away = ops.sum(smooth(c - c_f) + smooth(ops.log(s / s_f)), axis=-1)
    return 1 - giou + away


def smooth(x: Tensor, bend: float = 0.1) -> Tensor:
    """$x^2 / 2 b$ near zero and $|x| - b / 2$ from $b$ on."""
    size = ops.abs(x)
    return ops.where(size < bend, ops.square(x) / (2 * bend), size - bend / 2)
