"""Compare boxes, clip them, and convert them to other formats and to attention windows.

A box `xywh` is in pixels, counted from 0, and `(x, y)` is its top left corner, as in
OpenCV. It spans `[x, x + w]`; pixel i is at coordinate i. All functions take boxes
`[..., 4]` as NumPy arrays, tensors or symbolic tensors, and compare the boxes of two
such inputs one by one, not all pairs. They compute in `float32`, whatever the inputs'
type: the area of a box of 600 x 200 pixels overflows `float16`.
"""

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_attend.types import Tensor
from keras_attend_runtime.frames import check_box as check_box

# An area of no more than this (square pixels, or square fractions of the image) is
# taken for empty, so that quotients of areas have finite gradients.
EMPTY = 1e-12

_TO_XYWH: dict[str, Callable[..., tuple[Tensor, ...]]] = {
    "xywh": lambda x, y, w, h: (x, y, w, h),
    "yxhw": lambda y, x, h, w: (x, y, w, h),
    "xyxy": lambda x1, y1, x2, y2: (x1, y1, x2 - x1, y2 - y1),
    "yxyx": lambda y1, x1, y2, x2: (x1, y1, x2 - x1, y2 - y1),
    "center_xywh": lambda cx, cy, w, h: (cx - w / 2, cy - h / 2, w, h),
    "center_yxhw": lambda cy, cx, h, w: (cx - w / 2, cy - h / 2, w, h),
}
_FROM_XYWH: dict[str, Callable[..., tuple[Tensor, ...]]] = {
    "xywh": lambda x, y, w, h: (x, y, w, h),
    "yxhw": lambda x, y, w, h: (y, x, h, w),
    "xyxy": lambda x, y, w, h: (x, y, x + w, y + h),
    "yxyx": lambda x, y, w, h: (y, x, y + h, x + w),
    "center_xywh": lambda x, y, w, h: (x + w / 2, y + h / 2, w, h),
    "center_yxhw": lambda x, y, w, h: (y + h / 2, x + w / 2, h, w),
}


def convert_format(
    boxes: Tensor,
    source: str,
    target: str,
    height: Tensor | float | None = None,
    width: Tensor | float | None = None,
) -> Tensor:
    """Convert boxes to another format.

    The formats have the names of `keras.utils.bounding_boxes`, whose function takes no
    symbolic tensors; `yxhw` is HART's.

    Args:
        boxes: `[..., 4]`.
        source: the format of `boxes`: `"xywh"`, `"yxhw"`, `"xyxy"`, `"yxyx"`,
            `"center_xywh"`, `"center_yxhw"`, or one of these after `"rel_"`, in
            fractions of the image.
        target: the format to convert to, one of the same.
        height, width: the image's, in pixels; needed if only one format is relative.
    """
    for name in (source, target):
        if name.removeprefix("rel_") not in _TO_XYWH:
            raise ValueError(
                f"A format must be one of {sorted(_TO_XYWH)}, or one of these "
                f"after 'rel_'. Received: {name!r}"
            )
    x, y, w, h = _TO_XYWH[source.removeprefix("rel_")](*_columns(boxes))
    if source.startswith("rel_") != target.startswith("rel_"):
        if height is None or width is None:
            raise ValueError(
                "To convert between pixels and fractions of the image, `height` and "
                f"`width` are needed. Received: source={source!r}, "
                f"target={target!r}, height={height}, width={width}"
            )
        height, width = _column(height), _column(width)
        if source.startswith("rel_"):
            x, y, w, h = x * width, y * height, w * width, h * height
        else:
            x, y, w, h = x / width, y / height, w / width, h / height
    columns = _FROM_XYWH[target.removeprefix("rel_")](x, y, w, h)
    return ops.concatenate(columns, axis=-1)


def area(box: Tensor) -> Tensor:
    """Compute the area `[...]` of boxes `xywh`; 0 where a side is negative."""
    _, _, w, h = _unstack(box)
    return ops.relu(w) * ops.relu(h)


def intersection(a: Tensor, b: Tensor) -> Tensor:
    """Compute the area `[...]` that the boxes `a` and `b`, both `xywh`, share.

    Its gradient is 0 where the boxes do not overlap.
    """
    x_a, y_a, w_a, h_a = _unstack(a)
    x_b, y_b, w_b, h_b = _unstack(b)
    return _overlap(x_a, w_a, x_b, w_b) * _overlap(y_a, h_a, y_b, h_b)


def iou(a: Tensor, b: Tensor) -> Tensor:
    r"""Compute the intersection over union `[...]` of boxes `a` and `b`, both `xywh`.

    $$\mathrm{IoU} = \frac{|a \cap b|}{|a| + |b| - |a \cap b|}$$

    Two empty boxes have IoU 0, and finite gradients.
    """
    common = intersection(a, b)
    union = area(a) + area(b) - common
    some = union > EMPTY
    # The inner `where` keeps 0 / 0 out of the gradient, the outer one out of the value.
    return ops.where(some, common / ops.where(some, union, 1.0), 0.0)


def center_distance(a: Tensor, b: Tensor) -> Tensor:
    """Compute the distance `[...]` in pixels between the centres of boxes `xywh`."""
    x_a, y_a, w_a, h_a = _unstack(a)
    x_b, y_b, w_b, h_b = _unstack(b)
    dx = (x_a + w_a / 2) - (x_b + w_b / 2)
    dy = (y_a + h_a / 2) - (y_b + h_b / 2)
    square = dx * dx + dy * dy
    some = square > 0  # at 0 the gradient of a square root is infinite
    return ops.where(some, ops.sqrt(ops.where(some, square, 1.0)), 0.0)


def clip_to_image(box: Tensor, height: Tensor | float, width: Tensor | float) -> Tensor:
    """Return the part of boxes `xywh` that is inside the image.

    Of a box outside the image, a box without area is left, at the nearest border.
    """
    x, y, w, h = _unstack(box)
    x, w = _clip_side(x, w, width)
    y, h = _clip_side(y, h, height)
    return ops.stack([x, y, w, h], axis=-1)


def box_to_attention(
    box: Tensor, height: Tensor | float, width: Tensor | float
) -> Tensor:
    r"""Convert boxes `xywh` to HART's normalised attention `[..., 4]`.

    $$a = (y / H,\; x / W,\; h / (H - 1),\; w / (W - 1))$$

    The first two are the top left corner, as in the published code; the paper calls
    them the centre.
    """
    x, y, w, h = _unstack(box)
    return ops.stack(
        [y / height, x / width, h / (height - 1), w / (width - 1)], axis=-1
    )


def attention_to_box(
    attention: Tensor, height: Tensor | float, width: Tensor | float
) -> Tensor:
    """Convert HART's attention to boxes `xywh`: the inverse of `box_to_attention`."""
    a_y, a_x, a_h, a_w = _unstack(attention)
    return ops.stack(
        [a_x * width, a_y * height, a_w * (width - 1), a_h * (height - 1)], axis=-1
    )


def box_to_window(
    box: Tensor,
    size: int | tuple[int, int],
    scale: float = 1.0,
    sigma: float = 0.5,
) -> Tensor:
    r"""Make the windows of a `GaussianGlimpse` that cover boxes `xywh`.

    With $G$ Gaussians on an axis, the outer two on the edges of the window,

    $$d = s\,w / (G - 1), \qquad \sigma = \rho \sqrt{1 + d^2}$$

    so that $\sigma$ grows with the stride $d$, and is at least $\rho$ pixels.

    Args:
        box: `[..., 4]`.
        size: $G$, the glimpse's size: one number, or rows and columns.
        scale: $s$, the window's sides in sides of the box.
        sigma: $\rho$, the width of a Gaussian: in strides, or in pixels where a stride
            is far less than a pixel.

    Returns:
        `[..., 6]`: `center_y, center_x, stride_y, stride_x, sigma_y, sigma_x`, in
        pixels.
    """
    rows, columns = _pair(size)
    x, y, w, h = _columns(box)
    d_y = scale * h / (rows - 1)
    d_x = scale * w / (columns - 1)
    sigma_y = sigma * ops.sqrt(1 + d_y * d_y)
    sigma_x = sigma * ops.sqrt(1 + d_x * d_x)
    window = (y + h / 2, x + w / 2, d_y, d_x, sigma_y, sigma_x)
    return ops.concatenate(window, axis=-1)


def window_to_box(
    window: Tensor, size: int | tuple[int, int], scale: float = 1.0
) -> Tensor:
    """Convert Gaussian windows to boxes `xywh`: the inverse of `box_to_window`."""
    rows, columns = _pair(size)
    center_y, center_x, d_y, d_x, _, _ = _columns(window, 6)
    h = d_y * (rows - 1) / scale
    w = d_x * (columns - 1) / scale
    return ops.concatenate([center_x - w / 2, center_y - h / 2, w, h], axis=-1)


def box_to_ratm_attention(
    box: Tensor,
    height: Tensor | float,
    width: Tensor | float,
    size: int | tuple[int, int],
    scale: float = 1.5,
) -> Tensor:
    r"""Convert the boxes `xywh` that a track begins with to RATM's attention vectors.

    $$(c_x / W,\; c_y / H,\; w / M,\; s\,w / W,\; 1,\; h / N,\; s\,h / H)$$

    $c$ is the box's centre, and the glimpse has $N$ rows and $M$ columns. As in the
    published code, $s$ scales the strides and not the sigmas.

    Args:
        box: `[..., 4]`.
        height, width: $H$ and $W$, of the image in pixels.
        size: $N, M$, the glimpse's size: one number, or rows and columns.
        scale: $s$, the window's sides in sides of the box.

    Returns:
        `[..., 7]`: the centre's x and y; sigma and stride along x; an intensity, which
        is not used; sigma and stride along y.
    """
    rows, columns = _pair(size)
    x, y, w, h = _unstack(box)
    c_x, c_y = (x + w / 2) / width, (y + h / 2) / height
    along_x, along_y = (w / columns, scale * w / width), (h / rows, scale * h / height)
    return ops.stack([c_x, c_y, *along_x, ops.ones_like(w), *along_y], axis=-1)


def _unstack(box: Tensor) -> tuple[Tensor, ...]:
    """Split the last axis into four tensors `[...]`."""
    return tuple(ops.unstack(_checked(box, 4), 4, axis=-1))


def _columns(box: Tensor, count: int = 4) -> list[Tensor]:
    """Split the last axis into columns `[..., 1]`.

    Exported models use what is computed with columns: in a file that is not compiled,
    reshaping them to `[...]` and back would cost as much as the arithmetic.
    """
    return ops.split(_checked(box, count), count, axis=-1)


def _column(side: Any) -> Any:
    """Reshape a side of the image, a number or `[...]`, for arithmetic with columns."""
    return side[..., None] if len(getattr(side, "shape", ())) else side


def _checked(box: Tensor, count: int) -> Tensor:
    box = ops.convert_to_tensor(box)
    if len(box.shape) == 0 or box.shape[-1] != count:
        raise ValueError(
            f"The last axis must hold {count} numbers. Received: {tuple(box.shape)}"
        )
    return ops.cast(box, "float32")


def _overlap(low_a: Tensor, size_a: Tensor, low_b: Tensor, size_b: Tensor) -> Tensor:
    """The length that two intervals share."""
    high = ops.minimum(low_a + size_a, low_b + size_b)
    return ops.relu(high - ops.maximum(low_a, low_b))


def _clip_side(
    low: Tensor, size: Tensor, limit: Tensor | float
) -> tuple[Tensor, Tensor]:
    """The lower end and the length of what is left of an interval in [0, limit]."""
    high = ops.minimum(ops.relu(low + size), limit)
    low = ops.minimum(ops.relu(low), high)
    return low, high - low


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    rows, columns = (size, size) if isinstance(size, int) else size
    if min(rows, columns) < 2:
        raise ValueError(
            "`size` must be at least 2 rows and 2 columns: a window's stride is its "
            f"side divided by their number less one. Received: size={size}"
        )
    return rows, columns
