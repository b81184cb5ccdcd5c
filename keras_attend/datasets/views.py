"""A view is a rectangle of a picture: its pixels, and the boxes relative to it.

Views and boxes are `xywh` in pixels.
"""

import math

import numpy as np

from keras_attend.types import Array


def resample(
    frames: Array, boxes: Array, view: Array, size: tuple[int, int]
) -> tuple[Array, Array]:
    """Scale a view of frames to `size`, and move the boxes accordingly.

    As in Pillow, each new pixel is a mean of old ones, weighted by a triangle: linear
    interpolation where the view grows, a wider triangle where it shrinks. Beyond the
    picture's border its outermost pixels are repeated. Along each axis a box that goes
    around pixels $i .. j$ is $(i, j + 1 - i)$.

    Frames `[T, H, W, C]` uint8 become `[T, *size, C]`, with `size` (height, width).
    """
    x, y, w, h = (float(v) for v in view)
    rows, by_row = _taps(y, h, size[0], frames.shape[1])
    columns, by_column = _taps(x, w, size[1], frames.shape[2])
    left, right = columns.min(), columns.max() + 1
    seen = frames[:, :, left:right]  # [T, H, K, C]
    # Not by a matrix product: BLAS would wait for threads that the training keeps busy.
    seen = sum(p[:, None, None] * seen[:, r] for r, p in zip(rows, by_row, strict=True))
    # `take` on flattened rows is three times as fast as indexing by columns.
    flat = (*seen.shape[:2], -1)
    seen = sum(
        p * np.take(seen, c, axis=2).reshape(flat)
        for c, p in zip(
            columns - left, np.repeat(by_column, seen.shape[3], axis=1), strict=True
        )
    )  # [T, H, W C]
    shape = (len(frames), *size, frames.shape[3])
    pixels = np.rint(seen).astype("uint8").reshape(shape)
    return pixels, boxes_in(boxes, view, size)


def boxes_in(boxes: Array, view: Array, size: tuple[int, int]) -> Array:
    """Boxes `[T, 4]` float32 in pixels of a view that is scaled to `size`."""
    x, y, w, h = (float(v) for v in view)
    scale = np.array([size[1] / w, size[0] / h] * 2)
    moved = (boxes - np.array([x, y, 0, 0])) * scale
    return moved.astype("float32")


def _taps(start: float, length: float, count: int, limit: int) -> tuple[Array, Array]:
    """Which pixels make each of `count` new ones along an axis, and their weights.

    The new pixels divide the stretch of `length` old ones from `start` on evenly. The
    axis has `limit` old pixels. Indices and weights are `[K, count]` both: each new
    pixel is made of K old ones.
    """
    step = length / count
    reach = max(step, 1.0)
    centers = start + (np.arange(count) + 0.5) * step - 0.5  # pixel i is at i
    first = np.floor(centers - reach).astype(int) + 1
    pixels = first + np.arange(math.ceil(2 * reach))[:, None]
    near = np.maximum(0, 1 - abs(pixels - centers) / reach)
    near /= near.sum(0)
    return np.clip(pixels, 0, limit - 1), near.astype("float32")


def view_of(
    box: Array,
    ratio: float,
    place: Array,
    size: tuple[int, int],
    limit: tuple[int, ...],
) -> Array:
    """A view `[4]` that holds a box `[4]`.

    Args:
        ratio: the view's size (the root of its area) relative to the box's.
        place: (down, right) place of the box in the view: at (0, 0) the box is in the
            view's top left corner, at (1, 1) in the bottom right one.
        size: (height, width) whose aspect ratio the view has.
        limit: (height, width) of the picture, in which the view must fit.
    """
    x, y, w, h = (float(v) for v in box)
    zoom = ratio * np.sqrt(w * h / (size[0] * size[1]))
    zoom = min(zoom, limit[0] / size[0], limit[1] / size[1])
    height, width = zoom * size[0], zoom * size[1]
    left = x - place[1] * (width - w)
    top = y - place[0] * (height - h)
    left = np.clip(left, 0, max(limit[1] - width, 0))
    top = np.clip(top, 0, max(limit[0] - height, 0))
    return np.array([left, top, width, height])


def common(boxes: Array, view: Array) -> Array:
    """The area of the part of boxes `[..., 4]` that lies in a view `[4]`.

    (`boxes.intersection` runs on the training's device, for which data must not wait.)
    """
    low = np.maximum(boxes[..., :2], view[:2])
    high = np.minimum(boxes[..., :2] + boxes[..., 2:], view[:2] + view[2:])
    return np.maximum(high - low, 0).prod(-1)


def cut_at_border(boxes: Array, size: tuple[int, int]) -> Array:
    """The part of boxes `[..., 4]` that lies in an image of `size` (height, width)."""
    limit = np.array(size[::-1])
    low = np.clip(boxes[..., :2], 0, limit)
    high = np.clip(boxes[..., :2] + boxes[..., 2:], 0, limit)
    return np.concatenate([low, high - low], -1)


def mirrored(frames: Array, boxes: Array) -> tuple[Array, Array]:
    """Frames `[T, H, W, C]` and boxes `[T, 4]` mirrored left for right."""
    x, y, w, h = boxes.T
    flipped = np.stack([frames.shape[2] - x - w, y, w, h], -1)
    # A box of zeros, which stands for an absent object, remains one.
    return frames[:, :, ::-1], np.where((w > 0)[:, None], flipped, boxes)


def check_crop(crop: tuple[float, float]) -> None:
    """Refuse sizes of a view that are not (least, greatest), from 1 on."""
    low, high = crop
    if not 1 <= low <= high < np.inf:
        raise ValueError(
            f"`crop` must be (least, greatest), from 1 on, in order. Received: {crop=}"
        )
