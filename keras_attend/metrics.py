"""Metrics of trackers, for `compile(metrics=...)` and `compute_metrics`.

Boxes are `xywh` in pixels, `[..., 4]`; `sample_weight` is one number a box or
one a sample, 0 where the object is absent. Absent boxes may hold anything,
NaN included. A result is the weighted mean over all boxes seen; over none, 0.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attend.boxes import center_distance, iou
from keras_attend.types import Tensor

NUM_THRESHOLDS = 21


def success(overlap: Tensor, num_thresholds: int = NUM_THRESHOLDS) -> Tensor:
    """Whether an overlap passes each threshold of OTB's success plot.

    The thresholds lie evenly in [0, 1] and must be exceeded; so the last, 1,
    never is, and a perfect tracker's curve has the mean 20/21.

    Args:
        overlap: IoU `[...]`.
        num_thresholds: how many; OTB's toolkit has 21.

    Returns:
        `[..., num_thresholds]`, 0 or 1.
    """
    thresholds = np.linspace(0, 1, num_thresholds, dtype="float32")
    passed = ops.expand_dims(ops.cast(overlap, "float32"), -1) > thresholds
    return ops.cast(passed, "float32")


class BoxMetric(keras.metrics.Metric):
    """The weighted mean of a number for each box; subclasses say which."""

    # Where a box's number is a vector, its length: the mean is over it too.
    def __init__(
        self, name: str | None = None, dtype: str | None = None, width: int = 1
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable(
            (width,), "zeros", dtype=self.dtype, name="total"
        )
        self.count = self.add_variable((), "zeros", dtype=self.dtype, name="count")

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The number of each box: `[..., width]`."""
        raise NotImplementedError

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        """Take in boxes `[..., 4]` and their weights."""
        values = ops.cast(self.values(y_true, y_pred), self.dtype)  # [..., width]
        weight = _weights(sample_weight, values)  # [..., 1]
        # Not a product alone: what is absent may be NaN.
        values = ops.where(weight > 0, values * weight, 0.0)
        values = ops.reshape(values, (-1, values.shape[-1]))
        self.total.assign_add(ops.sum(values, axis=0))
        self.count.assign_add(ops.sum(weight))

    def result(self) -> Tensor:
        """The mean so far."""
        return ops.divide_no_nan(ops.mean(self.total), self.count)

    def reset_state(self) -> None:
        """Forget all boxes."""
        self.total.assign(ops.zeros(self.total.shape))
        self.count.assign(0)


@keras.saving.register_keras_serializable("keras_attend")
class BoxIoU(BoxMetric):
    """Mean intersection over union. (Keras's `MeanIoU` is for segmentation.)"""

    def __init__(self, name: str = "box_iou", dtype: str | None = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self._direction = "up"

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """IoU of each box, `[..., 1]`."""
        return ops.expand_dims(iou(y_true, y_pred), -1)


@keras.saving.register_keras_serializable("keras_attend")
class CenterError(BoxMetric):
    """Mean distance in pixels between the centres of the boxes."""

    def __init__(self, name: str = "center_error", dtype: str | None = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self._direction = "down"

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Distance of each box, `[..., 1]`."""
        return ops.expand_dims(center_distance(y_true, y_pred), -1)


@keras.saving.register_keras_serializable("keras_attend")
class SuccessAUC(BoxMetric):
    """Area under OTB's success plot, all boxes pooled; see `success`.

    OTB's tables take the mean over sequences; here every box counts the same.

    Args:
        num_thresholds: how many thresholds between 0 and 1.
    """

    def __init__(
        self,
        num_thresholds: int = NUM_THRESHOLDS,
        name: str = "success_auc",
        dtype: str | None = None,
    ) -> None:
        if num_thresholds < 2:
            raise ValueError(
                "`num_thresholds` must be at least 2, for 0 and 1. "
                f"Received: num_thresholds={num_thresholds}"
            )
        super().__init__(name=name, dtype=dtype, width=num_thresholds)
        self.num_thresholds = num_thresholds
        self._direction = "up"

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Success at each threshold, `[..., num_thresholds]`."""
        return success(iou(y_true, y_pred), self.num_thresholds)

    def curve(self) -> Tensor:
        """The success plot itself, `[num_thresholds]`."""
        return ops.divide_no_nan(ops.convert_to_tensor(self.total), self.count)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "num_thresholds": self.num_thresholds}


@keras.saving.register_keras_serializable("keras_attend")
class PrecisionAt(BoxMetric):
    """Share of boxes whose centre is at most so many pixels off (OTB: 20).

    Args:
        pixels: the largest distance that counts.
    """

    def __init__(
        self,
        pixels: float = 20.0,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        if pixels < 0:
            raise ValueError(
                f"`pixels` must not be negative. Received: pixels={pixels}"
            )
        super().__init__(name=name or f"precision_{pixels:g}", dtype=dtype)
        self.pixels = pixels
        self._direction = "up"

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Whether each box is near enough, `[..., 1]`."""
        near = center_distance(y_true, y_pred) <= self.pixels
        return ops.expand_dims(ops.cast(near, "float32"), -1)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "pixels": self.pixels}


def _weights(sample_weight: Tensor | None, values: Tensor) -> Tensor:
    """Weights `[..., 1]` for values `[..., width]`."""
    ones = ops.ones_like(values[..., :1])
    if sample_weight is None:
        return ones
    weight = ops.cast(sample_weight, ones.dtype)
    if len(weight.shape) > len(ones.shape):
        raise ValueError(
            "`sample_weight` must be one number a box or one a sample. "
            f"Received: sample_weight.shape={tuple(weight.shape)} for boxes "
            f"of shape {(*values.shape[:-1], 4)}"
        )
    while len(weight.shape) < len(ones.shape):  # [B] -> [B, 1, 1]
        weight = ops.expand_dims(weight, -1)
    return ones * weight
