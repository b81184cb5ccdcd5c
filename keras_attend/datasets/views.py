"""A view moves over a picture: the pixels and boxes that it shows."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def resample(
    frames: Array, boxes: Array, view: Array, size: tuple[int, int]
) -> tuple[Array, Array]:
    """A view of frames, scaled to `size`, and the boxes in it.

    A box that goes around pixels $i .. j$ is $(i, j + 1 - i)$ along an axis, before and
    after; pixels are weighted by a triangle (bilinear, and wider where the view
    shrinks), as Pillow does it. Beyond the border the outermost pixels go on.

    Args:
        frames: `[T, H, W, C]` uint8.
        boxes: `[T, 4]`.
        view: `[4]`, `xywh` in pixels of the frames.
        size: (height, width) of the result.

    Returns:
        Frames `[T, *size, C]` uint8, boxes `[T, 4]` float32.
    """
    x, y, w, h = (float(v) for v in view)
    rows, by_row = _taps(y, h, size[0], frames.shape[1])
    columns, by_column = _taps(x, w, size[1], frames.shape[2])
    left, right = columns.min(), columns.max() + 1
    seen = frames[:, :, left:right]  # [T, H, K, C]
    # Sums of a few shifted copies: a matrix product here would wait for BLAS's threads.
    seen = sum(p[:, None, None] * seen[:, r] for r, p in zip(rows, by_row, strict=True))
    # Pixels taken and rows laid flat: three times as fast as indexing by columns.
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
    """Boxes `[T, 4]` as a view of `size` shows them, float32."""
    x, y, w, h = (float(v) for v in view)
    scale = np.array([size[1] / w, size[0] / h] * 2)
    moved = (boxes - np.array([x, y, 0, 0])) * scale
    return moved.astype("float32")


def _taps(start: float, length: float, count: int, limit: int) -> tuple[Array, Array]:
    """Along an axis, the pixels that make each of `count` new ones, and their shares.

    Both `[taps, count]`.
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
    """A view `xywh` around a box, `ratio` times its size, of the shape of `size`.

    `place` is where the box is in it: (0, 0) is the view's top left corner and (1, 1)
    the bottom right one. `limit` is the height and the width that the view lies in.
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
    """The area of boxes `[..., 4]` that lies in a view.

    NumPy's, not `boxes.intersection`: data must not wait for the training's device.
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
    """Left for right; an absent box, of zeros, stays one."""
    x, y, w, h = boxes.T
    flipped = np.stack([frames.shape[2] - x - w, y, w, h], -1)
    some = (w > 0)[:, None]
    return frames[:, :, ::-1], np.where(some, flipped, boxes)
