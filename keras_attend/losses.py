"""Losses for boxes over time: pure functions, and one class for `compile`.

HART's losses of boxes (Kosiorek et al. 2017, eq. 10 and 11) and the mean over
the objects that are present. Boxes are `xywh`.
"""

import keras
from keras import ops

from keras_attend.boxes import EMPTY, area, intersection, iou
from keras_attend.types import Tensor

TINY = 1e-8


def nll(e: Tensor) -> Tensor:
    r"""Negative logarithm that stays finite.

    $$-\log(e) \text{ for } e > 10^{-8}, \qquad -\log(e + 10^{-8}) \text{ else}$$

    The largest value is 18.42. The paper says that it clips; this is how its
    published code does.
    """
    return -ops.log(ops.where(e > TINY, e, e + TINY))


def iou_loss(y_true: Tensor, y_pred: Tensor) -> Tensor:
    r"""$-\log \mathrm{IoU}$ of each box, `[...]` (eq. 10).

    It has no gradient where the boxes do not overlap.
    """
    return nll(iou(y_pred, y_true))


def intersection_loss(y_true: Tensor, attention: Tensor) -> Tensor:
    r"""How much of the object the attention window misses, `[...]` (eq. 11, term 1).

    $$-\log \frac{|b \cap a|}{|b|}$$

    Args:
        y_true: boxes $b$ of the object, `[..., 4]`.
        attention: boxes $a$ of the attention window, `[..., 4]`.
    """
    whole = area(y_true)
    some = whole > EMPTY
    covered = intersection(attention, y_true) / ops.where(some, whole, 1.0)
    return nll(ops.where(some, covered, 0.0))


def area_loss(
    attention: Tensor, height: Tensor | float, width: Tensor | float
) -> Tensor:
    r"""How much of the image the attention window takes, `[...]` (eq. 11, term 2).

    $$\mathrm{clip}(r, 1, 10) \cdot (-\log(1 - \mathrm{clip}(r, 0, 1))),
    \qquad r = |a| / (H W)$$

    The paper divides the overlap of window and image by that of their union;
    its published code compares the areas alone and weighs a window larger
    than the image up to tenfold. This does as the code does.

    Args:
        attention: boxes $a$ of the attention window, `[..., 4]`.
        height: $H$, of the image in pixels.
        width: $W$, of the image in pixels.
    """
    image = ops.cast(height * width, "float32")
    r = area(attention) / image
    # Not 1 - r: rounded, it would not vanish for a window as large as the image.
    free = ops.relu(image - area(attention)) / image
    return ops.clip(r, 1.0, 10.0) * nll(free)


def masked_mean(values: Tensor, present: Tensor | None = None) -> Tensor:
    """Mean over the batch at each time step, then over the time steps.

    The batch's mean is over the objects present at that step, the mean over
    time over the steps at which at least one is: long tracks count as in HART.
    Nothing present at all gives 0. What is absent has no influence, but must
    be finite for the gradient to be so.

    Args:
        values: `[B, T]`.
        present: `[B, T]`, 1 (or true) where the object is there; all, if not
            given.
    """
    values = ops.cast(values, "float32")
    if len(values.shape) != 2:
        raise ValueError(
            "`values` must be [batch, time]. "
            f"Received: values.shape={tuple(values.shape)}"
        )
    mask = ops.ones_like(values) if present is None else ops.cast(present, "float32")
    if len(mask.shape) != 2:
        raise ValueError(
            f"`present` must be [batch, time] = {tuple(values.shape)}. "
            f"Received: present.shape={tuple(mask.shape)}"
        )
    values = ops.where(mask > 0, values, 0.0)
    count = ops.sum(mask, axis=0)  # [T]
    per_step = ops.sum(values * mask, axis=0) / ops.maximum(count, 1.0)  # [T]
    steps = ops.sum(ops.cast(count > 0, "float32"))
    return ops.sum(per_step) / ops.maximum(steps, 1.0)


@keras.saving.register_keras_serializable("keras_attend")
class IoULoss(keras.losses.Loss):
    r"""$-\log \mathrm{IoU}$ of boxes `xywh`, for `compile(loss=...)`.

    Pass `present` masks as `sample_weight`: the default reduction divides by
    their sum, so that absent objects do not dilute the mean.
    """

    def __init__(
        self,
        reduction: str = "mean_with_sample_weight",
        name: str = "iou_loss",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Loss `[...]` of boxes `[..., 4]`."""
        return iou_loss(y_true, y_pred)
