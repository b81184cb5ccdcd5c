"""What HART's losses are made of, beside `keras_attend.losses`.

The appearance loss's targets and their cross-entropy (Kosiorek et al. 2017, section
4), and how losses of frames make one loss. Boxes are `xywh`.
"""

from typing import Any

import keras
from keras import ops

from keras_attend.boxes import area, convert_format, intersection
from keras_attend.distributed import total
from keras_attend.types import Tensor


def coverage(box: Tensor, region: Tensor, shape: tuple[int, int]) -> Tensor:
    """How much of each cell of a grid over `region` lies in `box`.

    Args:
        box: `[..., 4]`.
        region: `[..., 4]`.
        shape: rows and columns of the grid.

    Returns:
        `[..., rows, cols]`, in 0..1.
    """
    x, y, w, h = _numbers(box)
    x_r, y_r, w_r, h_r = _numbers(region)
    over_y = _cover(y, h, y_r, h_r, shape[0])
    over_x = _cover(x, w, x_r, w_r, shape[1])
    return over_y[..., :, None] * over_x[..., None, :]


def _cover(start: Tensor, n: Tensor, start_r: Tensor, n_r: Tensor, count: int) -> Any:
    cell = ops.maximum(n_r, 1e-3)[..., None] / count
    edge = start_r[..., None] + cell * ops.arange(count, dtype="float32")
    low = ops.maximum(start[..., None], edge)
    high = ops.minimum((start + n)[..., None], edge + cell)
    return ops.relu(high - low) / cell  # [..., count]


def rasterised(box: Tensor, region: Tensor, shape: tuple[int, int]) -> Tensor:
    """The published code's target: ones in a mask of whole pixels, resized.

    The part of `box` inside `region` is drawn into a mask of the region's size, rounded
    to pixels, which TensorFlow 1's bilinear resize brings to `shape` (output i reads
    from i * in / out; no half pixels, no averaging). Drawn mask and resize are products
    of rows and columns, so neither is made here.

    Args:
        box: `[..., 4]`.
        region: `[..., 4]`.
        shape: rows and columns of the target.

    Returns:
        `[..., rows, cols]`, mostly 0 or 1.
    """
    x, y, w, h = _numbers(box)
    x_r, y_r, w_r, h_r = _numbers(region)
    over_y = _raster(y, h, y_r, h_r, shape[0])
    over_x = _raster(x, w, x_r, w_r, shape[1])
    return over_y[..., :, None] * over_x[..., None, :]


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


def balanced_cross_entropy(
    target: Tensor, logits: Tensor, published: bool = False
) -> Tensor:
    r"""Cross-entropy of location maps, object and background weighing the same.

    $$\frac1N \sum_i \Big( \frac{t_i}{\bar t}\, \mathrm{softplus}(-z_i)
      + \frac{1 - t_i}{1 - \bar t}\, \mathrm{softplus}(z_i) \Big)$$

    Args:
        target: $t$, `[..., rows, cols]`, in 0..1.
        logits: $z$, likewise.
        published: weigh a cell by one of the two, as object where $t > 0$.

    Returns:
        `[...]`.
    """
    mean = ops.mean(target, axis=(-2, -1), keepdims=True)
    some, rest = (ops.maximum(p, 1e-6) for p in (mean, 1 - mean))
    positive = target * ops.softplus(-logits)
    negative = (1 - target) * ops.softplus(logits)
    if published:
        weight = ops.where(target > 0, 1 / some, 1 / rest)
        cells = weight * (positive + negative)
    else:
        cells = positive / some + negative / rest
    return ops.mean(cells, axis=(-2, -1))


def relative_error(y_true: Tensor, boxes: Tensor) -> Tensor:
    """Mean distance `[...]` of centres in true sizes, and of sizes in logarithms.

    Unlike IoU's, its slope is there where boxes do not overlap.
    """
    c, sides = ops.split(convert_format(boxes, "xywh", "center_xywh"), 2, axis=-1)
    true_c, true_sides = ops.split(
        convert_format(y_true, "xywh", "center_xywh"), 2, axis=-1
    )
    sides, true_sides = ops.maximum(sides, 1.0), ops.maximum(true_sides, 1.0)
    off = ops.abs(c - true_c) / true_sides
    log_ratio = ops.abs(ops.log(sides) - ops.log(true_sides))
    return ops.mean(ops.concatenate([off, log_ratio], axis=-1), axis=-1)


def shown(box: Tensor, region: Tensor, share: float = 0.25) -> Tensor:
    """1 where at least a share of `box` is within `region`, else 0: `[...]`."""
    least = share * area(box)
    found = ops.cast(intersection(box, region) >= least, "float32")
    return ops.stop_gradient(found)


def by_steps(present: Tensor) -> Tensor:
    """Weights `[B, T]` of HART's mean: over the batch, then over time.

    The mean over the batch of `sum(weights * losses, 1)` is `losses.masked_mean`.
    """
    count = total(ops.sum(present, axis=0))  # [T]
    steps = ops.maximum(ops.sum(ops.cast(count > 0, "float32")), 1.0)
    batch = total(ops.cast(ops.shape(present)[0], "float32"))
    return present * (batch / (ops.maximum(count, 1.0) * steps))


def flat(present: Tensor) -> Tensor:
    """Weights `[B, T]` of the mean over all frames with the object."""
    batch = total(ops.cast(ops.shape(present)[0], "float32"))
    return present * (batch / ops.maximum(total(ops.sum(present)), 1.0))


def kernels(layer: keras.layers.Layer) -> list[Any]:
    """The weight matrices, no biases, that are trained."""
    return [v for v in layer.trainable_variables if v.name == "kernel"]


def _numbers(box: Tensor) -> tuple[Tensor, ...]:
    return tuple(ops.unstack(ops.cast(box, "float32"), 4, axis=-1))
