"""HART's losses of boxes (Kosiorek et al. 2017, eq. 10 and 11), and a masked mean.

Boxes are `xywh`. The losses are functions, and `IoULoss` is a class for `compile`.
"""

from typing import Any

import keras
from keras import ops

from keras_attend.arguments import check_shape
from keras_attend.boxes import EMPTY, area, intersection, iou
from keras_attend.types import Tensor

TINY = 1e-8  # the published code's: it bounds the negative logarithm


def nll(e: Tensor) -> Tensor:
    r"""Compute a negative logarithm that stays finite.

    $$-\log(e) \text{ for } e > 10^{-8}, \qquad -\log(e + 10^{-8}) \text{ otherwise}$$

    The largest value is 18.42. The paper says that it clips; its code does it so.
    """
    return -ops.log(ops.where(e > TINY, e, e + TINY))


def iou_loss(y_true: Tensor, y_pred: Tensor) -> Tensor:
    r"""Compute $-\log \mathrm{IoU}$ of each box, `[...]` (eq. 10).

    Its gradient is 0 where the boxes do not overlap.
    """
    return nll(iou(y_pred, y_true))


def intersection_loss(y_true: Tensor, attention: Tensor) -> Tensor:
    r"""Penalise what the attention window misses of the object, `[...]` (eq. 11).

    This is the left term of the equation:

    $$-\log \frac{|b \cap a|}{|b|}$$

    $b$ are the object's boxes, $a$ the attention window's, `[..., 4]` each.
    """
    whole = area(y_true)
    some = whole > EMPTY
    covered = intersection(attention, y_true) / ops.where(some, whole, 1.0)
    return nll(ops.where(some, covered, 0.0))


def area_loss(
    attention: Tensor, height: Tensor | float, width: Tensor | float
) -> Tensor:
    r"""Penalise a large attention window, `[...]` (eq. 11, the right term).

    $$\mathrm{clip}(r, 1, 10) \cdot (-\log(1 - \mathrm{clip}(r, 0, 1))),
    \qquad r = |a| / (H W)$$

    So the published code has it: it compares the areas of window and image, and weighs
    the loss of a window larger than the image up to tenfold. The paper's $r$ is the IoU
    of window and image.

    $a$ are the attention window's boxes, `[..., 4]`, $H$ and $W$ the image's in pixels.
    """
    image = ops.cast(height * width, "float32")
    r = area(attention) / image
    # 1 - r is rounded, and would not be 0 for a window as large as the image.
    free = ops.relu(image - area(attention)) / image
    return ops.clip(r, 1.0, 10.0) * nll(free)


def masked_mean(values: Tensor, present: Tensor | None = None) -> Tensor:
    """Average values over the batch at each time step, and then over the time steps.

    As in HART, the mean at each step is over the samples whose object is present, so
    that late steps, which only long tracks reach, count as much as early ones. Steps
    without any object do not count; without any step the result is 0. Values of absent
    objects have no influence, but must be finite for the gradient to be finite.

    Args:
        values: `[B, T]`.
        present: `[B, T]`, 1 or true where the object is present. By default all are.
    """
    values = ops.cast(values, "float32")
    mask = ops.ones_like(values) if present is None else ops.cast(present, "float32")
    check_shape("values", values.shape, "batch, time")
    check_shape("present", mask.shape, "batch, time")
    values = ops.where(mask > 0, values, 0.0)
    count = ops.sum(mask, axis=0)  # [T]
    per_step = ops.sum(values * mask, axis=0) / ops.maximum(count, 1.0)  # [T]
    steps = ops.sum(ops.cast(count > 0, "float32"))
    return ops.sum(per_step) / ops.maximum(steps, 1.0)


@keras.saving.register_keras_serializable("keras_attend")
class IoULoss(keras.losses.Loss):
    r"""Compute $-\log \mathrm{IoU}$ of boxes `xywh`, for `compile(loss=...)`.

    Give a mask of the objects that are present as `sample_weight`: the default
    reduction divides by the mask's sum, so that the mean is over these objects alone.
    """

    def __init__(
        self, reduction: str = "mean_with_sample_weight", **kwargs: Any
    ) -> None:
        super().__init__(**{"name": "iou_loss", **kwargs}, reduction=reduction)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Compute the loss `[...]` of boxes `[..., 4]`."""
        return iou_loss(y_true, y_pred)
