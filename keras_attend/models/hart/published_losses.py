"""HART's losses as its authors' code has them (Kosiorek et al. 2017, section 4).

They are those of `model.py` without what is ours (`relative_error`, a loss of the
presence, frames that do not count). The location map's target is drawn and weighed in
another way.
"""

from typing import Any

import keras
from keras import ops

from keras_attend.losses import area_loss, intersection_loss, iou_loss
from keras_attend.models.hart.losses import (
    WeighedTracker,
    after_first,
    by_steps,
    on_grid,
    over_frames,
)
from keras_attend.models.hart.published import PublishedHARTCell
from keras_attend.models.tracker import image_size, targets
from keras_attend.types import Tensor


@keras.saving.register_keras_serializable("keras_attend")
class PublishedHART(WeighedTracker):
    """Track one object with HART's published weights, or train as its code does.

        model = keras_attend.zoo.convert.hart("model.ckpt-347346")
        model.compile(TF1RMSprop())
        boxes = model.predict({"frames": frames, "box": box})["boxes"]

    Its arguments are those of `HART`, with a `PublishedHARTCell()` when `cell` is
    absent. It returns what `HART` does, but "attention" `[B, T, 4]` is in units of the
    frame (see `PublishedHARTCell`), and "presence" is always 1.
    """

    default_cell = PublishedHARTCell

    def named_losses(
        self, x: Any, y: Any, y_pred: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Each loss by its name: of each clip, `[B]`, or the one "l2" of all."""
        height, width = image_size(x["frames"][:, 0])
        boxes, present = targets(y)  # [B, T, 4], [B, T]
        region, later = y_pred["region"], by_steps(after_first(present))
        tracking = iou_loss(boxes, y_pred["boxes"])  # [B, T]
        attention = intersection_loss(boxes, region) + area_loss(region, height, width)
        target = ops.stop_gradient(rasterised(boxes, region, self.cell.map_size))
        appearance = weighted_cross_entropy(target, y_pred["location"])
        return {
            "tracking": ops.sum(later * tracking, axis=1),
            "attention": ops.sum(later * attention, axis=1),
            "appearance": ops.sum(over_frames(present) * appearance, axis=1),
            "l2": self.decay(y_pred),
        }


def weighted_cross_entropy(target: Tensor, logits: Tensor) -> Tensor:
    r"""Cross-entropy of location maps; a cell counts as object where $t > 0$.

    $$\frac1N \sum_i w_i \big( t_i\, \mathrm{softplus}(-z_i)
      + (1 - t_i)\, \mathrm{softplus}(z_i) \big), \qquad
      w_i = 1 / \bar t \text{ where } t_i > 0, \text{ else } 1 / (1 - \bar t)$$

    Of targets $t$ and logits $z$, as of `balanced_cross_entropy`.
    """
    mean = ops.mean(target, axis=(-2, -1), keepdims=True)
    some, rest = (ops.maximum(share, 1e-6) for share in (mean, 1 - mean))
    weight = ops.where(target > 0, 1 / some, 1 / rest)
    cells = target * ops.softplus(-logits) + (1 - target) * ops.softplus(logits)
    return ops.mean(weight * cells, axis=(-2, -1))


def rasterised(box: Tensor, region: Tensor, shape: tuple[int, int]) -> Tensor:
    """The target of the location map: ones in a mask of whole pixels, resized.

    The part of `box` inside `region` is drawn into a mask of the region's size, rounded
    to pixels, which TensorFlow 1's bilinear resize brings to `shape` (output i reads
    from i * in / out; no half pixels, no averaging). Drawn mask and resize are products
    of rows and columns, so neither is made here.

    The arguments are those of `coverage`. Returns `[..., rows, cols]`, mostly 0 or 1.
    """
    return on_grid(_raster, box, region, shape)


def _raster(start: Tensor, n: Tensor, start_r: Tensor, n_r: Tensor, count: int) -> Any:
    low = ops.maximum(start, start_r)
    inside = ops.relu(ops.minimum(start + n, start_r + n_r) - low)
    before = low - start_r
    # Three pieces, each rounded; the last gives way where they would be too long.
    first, ones = ops.round(before), ops.round(inside)
    rest = ops.round(n_r - before - inside)
    rest = ops.relu(ops.minimum(rest, ops.round(n_r) - first - ones))
    length = ops.maximum(first + ones + rest, 1.0)[..., None]
    first, end = first[..., None], (first + ones)[..., None]

    def drawn(i: Tensor) -> Tensor:
        return ops.cast(ops.logical_and(i >= first, i < end), "float32")

    # A last digit decides whether a cell counts as object. So the published division,
    # by a number that XLA does not know: else it multiplies by the reciprocal.
    scale = length / ops.where(length > 0, float(count), 1.0)
    source = ops.arange(count, dtype="float32") * scale  # [..., count]
    left = ops.floor(source)
    share = source - left
    right = ops.minimum(left + 1, length - 1)
    return (1 - share) * drawn(left) + share * drawn(right)
