"""Metrics of trackers, for `compile(metrics=...)` and `compute_metrics`.

Each is a weighted mean over all boxes since its last reset, or 0 if there were none.
Boxes are `xywh` in pixels, `[..., 4]`. `sample_weight` holds one number for each box or
for each sample, 0 where the object is absent; there the boxes may hold NaN.
"""

import keras
import numpy as np
from keras import ops

from keras_attend.arguments import KeepsArguments, check_not_negative
from keras_attend.boxes import center_distance, iou
from keras_attend.compat import set_direction
from keras_attend.types import Tensor

NUM_THRESHOLDS = 21  # as in OTB's toolkit


def success(overlap: Tensor, num_thresholds: int = NUM_THRESHOLDS) -> Tensor:
    """Compare overlaps with the thresholds of OTB's success plot.

    Of IoU `[...]` it returns `[..., num_thresholds]`, 1 where the overlap exceeds the
    threshold and else 0. Thresholds are evenly spaced from 0 to 1; no overlap passes 1,
    so that the mean of a perfect tracker's curve is 20/21.
    """
    thresholds = np.linspace(0, 1, num_thresholds, dtype="float32")
    passed = ops.expand_dims(ops.cast(overlap, "float32"), -1) > thresholds
    return ops.cast(passed, "float32")


class BoxMetric(KeepsArguments, keras.metrics.Metric):
    """Average `values`, which subclasses define, over boxes and over their `width`."""

    direction = "up"  # the way in which it gets better

    def __init__(self, name: str, dtype: str | None = None, width: int = 1) -> None:
        super().__init__(name=name, dtype=dtype)
        set_direction(self, self.direction)
        self.total = self.add_variable((width,), "zeros", self.dtype, name="total")
        self.count = self.add_variable((), "zeros", self.dtype, name="count")

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Compute what is averaged of each box, `[..., width]`."""
        raise NotImplementedError

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        """Add boxes `[..., 4]` to the mean, with their weights."""
        values = ops.cast(self.values(y_true, y_pred), self.dtype)  # [..., width]
        weight = _weights(sample_weight, values)  # [..., 1]
        # A weight of 0 alone would not remove NaN.
        values = ops.where(weight > 0, values * weight, 0.0)
        values = ops.reshape(values, (-1, values.shape[-1]))
        self.total.assign_add(ops.sum(values, axis=0))
        self.count.assign_add(ops.sum(weight))

    def result(self) -> Tensor:
        """Return the mean over all boxes since the last reset."""
        return ops.divide_no_nan(ops.mean(self.total), self.count)

    def reset_state(self) -> None:
        """Begin a new mean."""
        self.total.assign(ops.zeros(self.total.shape))
        self.count.assign(0)


@keras.saving.register_keras_serializable("keras_attend")
class BoxIoU(BoxMetric):
    """Average the IoU of boxes. (Keras's `MeanIoU` is for segmentation.)"""

    def __init__(self, name: str = "box_iou", dtype: str | None = None) -> None:
        super().__init__(name, dtype)

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Compute the IoU of each box, `[..., 1]`."""
        return ops.expand_dims(iou(y_true, y_pred), -1)


@keras.saving.register_keras_serializable("keras_attend")
class CenterError(BoxMetric):
    """Average the distance in pixels between the centres of boxes."""

    direction = "down"

    def __init__(self, name: str = "center_error", dtype: str | None = None) -> None:
        super().__init__(name, dtype)

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Compute the distance between the centres, `[..., 1]`."""
        return ops.expand_dims(center_distance(y_true, y_pred), -1)


@keras.saving.register_keras_serializable("keras_attend")
class SuccessAUC(BoxMetric):
    """Compute the area under OTB's success plot; see `success`.

    Every box counts the same here; OTB's tables average over sequences.

    Args:
        num_thresholds: how many thresholds there are from 0 to 1, both included.
    """

    def __init__(
        self,
        num_thresholds: int = NUM_THRESHOLDS,
        name: str = "success_auc",
        dtype: str | None = None,
    ) -> None:
        if num_thresholds < 2:
            raise ValueError(
                "`num_thresholds` must be at least 2, which are 0 and 1. "
                f"Received: num_thresholds={num_thresholds}"
            )
        super().__init__(name, dtype, num_thresholds)
        self.num_thresholds = num_thresholds

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Compare the IoU with each threshold, `[..., num_thresholds]`."""
        return success(iou(y_true, y_pred), self.num_thresholds)

    def curve(self) -> Tensor:
        """Return the success plot: the share of boxes that pass each threshold."""
        return ops.divide_no_nan(ops.convert_to_tensor(self.total), self.count)


@keras.saving.register_keras_serializable("keras_attend")
class PrecisionAt(BoxMetric):
    """Compute the share of boxes whose centre is near the true one.

    Args:
        pixels: the largest distance between the centres of a box that counts. OTB's
            tables have 20.
    """

    def __init__(
        self,
        pixels: float = 20.0,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        check_not_negative(pixels=pixels)
        super().__init__(name=name or f"precision_{pixels:g}", dtype=dtype)
        self.pixels = pixels

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Tell whether each box is near enough, `[..., 1]`, by 1 or 0."""
        near = center_distance(y_true, y_pred) <= self.pixels
        return ops.expand_dims(ops.cast(near, "float32"), -1)


def _weights(sample_weight: Tensor | None, values: Tensor) -> Tensor:
    """Return weights `[..., 1]` that go with values `[..., width]`."""
    ones = ops.ones_like(values[..., :1])
    if sample_weight is None:
        return ones
    weight = ops.cast(sample_weight, ones.dtype)
    if len(weight.shape) > len(ones.shape):
        raise ValueError(
            "`sample_weight` must hold one number for each box or for each sample. "
            f"Received: sample_weight.shape={tuple(weight.shape)} for boxes "
            f"of shape {(*values.shape[:-1], 4)}"
        )
    while len(weight.shape) < len(ones.shape):  # [B] -> [B, 1, 1]
        weight = ops.expand_dims(weight, -1)
    return ones * weight
