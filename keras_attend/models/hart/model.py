"""HART, the tracker, and the losses that it learns by (section 4 of the paper).

The time loop is `RecurrentTracker.call`; `losses.WeighedTracker` adds the losses up.
"""

from typing import Any

import keras
from keras import ops

from keras_attend.boxes import area
from keras_attend.losses import area_loss, intersection_loss, iou_loss
from keras_attend.models.hart.cell import HARTCell
from keras_attend.models.hart.losses import (
    WeighedTracker,
    after_first,
    balanced_cross_entropy,
    by_steps,
    coverage,
    over_frames,
    relative_error,
    visible,
)
from keras_attend.models.tracker import image_size, targets
from keras_attend.types import Tensor

VIEW = 4.0  # how many times the object's sides a frame's are taken to be at the least


@keras.saving.register_keras_serializable("keras_attend")
class HART(WeighedTracker):
    r"""Track one object in a video by spatial and appearance attention.

        model = HART(HARTCell(size=28, units=192))
        model.compile("adam")
        model.fit({"frames": frames, "box": first_boxes}, {"boxes": boxes})

    After Kosiorek et al. 2017. `HARTCell` follows the object; this is how it learns to
    (section 4 of the paper). Each loss is a mean over the frames in which the object is
    present, but the first one, whose box is given:

    * "tracking" (eq. 10): $-\log \mathrm{IoU}$ of the box, and, beyond the paper,
      `losses.relative_error`, whose gradient does not end with the overlap.
    * "attention" (eq. 11): how much of the object the window misses, and how much of
      the frame it takes.
    * "appearance" (eq. 12): cross-entropy of the location map and the object's place
      in the window, object and background weighing alike. The first frame counts too.
    * L2 of the weight matrices, and of the filters that are generated.
    * presence: cross-entropy of "presence" and the targets' "present", in the frames
      that the targets mark as "judged" `[B, T]` (all, if they do not say); ours.

    Args:
        cell: follows the object; `HARTCell()` when absent.
        weight_decay: of the L2 losses.
        losses: which of "tracking", "attention" and "appearance" are learned from.
            Without "appearance" the generated filters have no L2 loss either.

    Beside "boxes" `[B, T, 4]`, the object's in each frame, `xywh` in pixels, the first
    one as it was given, it returns

    * "window" `[B, T, 6]`: the Gaussians that read the glimpse, in pixels: center y and
      x, stride y and x, sigma y and x (`params` of `GaussianGlimpse`).
    * "region" `[B, T, 4]`: the box that these cover, `xywh` in pixels.
    * "attention" `[B, T, 4]`: the same box as center y, center x, height and width.
    * "glimpse" `[B, T, rows, cols, C]`: the pixels that were read, in 0..1.
    * "location" `[B, T, rows', cols']`: in each cell of a grid over the region the
      logit of the object being there.
    * "filter_energy" `[B, T]`: half the sum of squares of the generated filters, for
      the L2 loss.
    * "appearance" `[B, T, units]`: the LSTM's output, which describes the object; no
      unit.
    * "presence" `[B, T]`: how likely the object is there at all, in 0..1.

    "location" and "filter_energy" are not there for a cell without a dorsal stream.
    """

    default_cell = HARTCell
    compile_arguments = ("detached",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.cell.dorsal is None and "appearance" in self.weighed:
            raise ValueError(
                "`losses` must not name 'appearance' for a cell with `dorsal=False`, "
                f"which has no location map. Received: losses={self.weighed}"
            )

    def compile(
        self, optimizer: Any = "adam", *, detached: bool = False, **kwargs: Any
    ) -> None:
        """Keras's `compile`, with `detached=True` for training on long clips.

        A window is chosen in one frame and used in the next, so that a frame's losses
        have gradients in all frames before it; over 30 frames these grow so large that
        only a very low rate is stable. With `detached=True` no gradient goes back
        through the place of a window: it learns from the "attention" loss alone. And a
        frame is left out of the "tracking" loss where its window has less than a
        quarter of the object, and of the "attention" loss where the window before had.
        (The paper trains as with False.)
        """
        super().compile(optimizer, **kwargs)
        self.cell.detached = detached

    @property
    def detached(self) -> bool:
        """As `compile` was told."""
        return self.cell.detached

    def named_losses(
        self, x: Any, y: Any, y_pred: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Each loss by its name: of each clip, `[B]`, or the one "l2" of all."""
        height, width = image_size(x["frames"][:, 0])
        boxes, present = targets(y)  # [B, T, 4], [B, T]
        region = y_pred["region"]
        tracked = aimed = after_first(present)  # frames of the two losses
        if self.detached:
            # Nobody can find what the window does not show, nor aim from there.
            seen = visible(boxes, region)
            before = ops.concatenate([seen[:, :1], seen[:, :-1]], axis=1)
            tracked, aimed = tracked * seen, aimed * before

        tracking = iou_loss(boxes, y_pred["boxes"])  # [B, T]
        tracking = tracking + relative_error(boxes, y_pred["boxes"])
        # A training clip may be a view that is hardly larger than the object.
        frame = ops.maximum(height * width, VIEW**2 * area(boxes))
        attention = intersection_loss(boxes, region) + area_loss(region, frame, 1.0)
        losses = {
            "tracking": ops.sum(by_steps(tracked) * tracking, axis=1),
            "attention": ops.sum(by_steps(aimed) * attention, axis=1),
            "l2": self.decay(y_pred),
        }
        if "location" in y_pred:
            target = ops.stop_gradient(coverage(boxes, region, self.cell.map_size))
            appearance = balanced_cross_entropy(target, y_pred["location"])
            losses["appearance"] = ops.sum(over_frames(present) * appearance, axis=1)
        error = keras.losses.binary_crossentropy(
            present[..., None], y_pred["presence"][..., None]
        )
        judged = ops.cast(y.get("judged", ops.ones_like(present)), "float32")
        losses["presence"] = ops.sum(over_frames(judged) * error, axis=1)
        return losses
