"""Boxes: overlap, conversion, clipping and what a model makes of them.

At the public edge a box is `xywh`: pixels, 0-based, `(x, y)` its top-left
corner, as OpenCV has it. It spans `[x, x + w]`; pixel i sits at coordinate i.
All functions work on `[..., 4]`, row by row (aligned, never all pairs), in
`float32` whatever comes in: the area of a 600 x 200 box overflows `float16`.
"""

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_attend.types import Tensor
from keras_attend_runtime.frames import check_box as check_box

# Less than this (square pixels, or square fractions of the image) is empty:
# it keeps the gradient of a quotient of areas finite.
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
    """Write boxes in another format.

    The names are those of `keras.utils.bounding_boxes`, and HART's `yxhw`.
    Unlike Keras's function this takes symbolic tensors too.

    Args:
        boxes: `[..., 4]`.
        source: the format they are in: `"xywh"`, `"yxhw"`, `"xyxy"`,
            `"yxyx"`, `"center_xywh"`, `"center_yxhw"`, or one of these after
            `"rel_"`, in fractions of the image.
        target: the format they shall have.
        height: of the image in pixels, where one of the two is relative.
        width: of the image in pixels, likewise.
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
                "Between pixels and fractions of the image, `height` and "
                f"`width` are needed. Received: source={source!r}, "
                f"target={target!r}, height={height}, width={width}"
            )
        height, width = _column(height), _column(width)
        if source.startswith("rel_"):
            x, y, w, h = x * width, y * height, w * width, h * height
        else:
            x, y, w, h = x / width, y / height, w / width, h / height
    return _joined(*_FROM_XYWH[target.removeprefix("rel_")](x, y, w, h))


def area(box: Tensor) -> Tensor:
    """Area `[...]` of boxes `xywh`; nought where a side is negative."""
    _, _, w, h = _unstack(box)
    return ops.relu(w) * ops.relu(h)


def intersection(a: Tensor, b: Tensor) -> Tensor:
    """Area `[...]` common to the boxes `a` and `b`, both `xywh`.

    It has no gradient where the boxes do not overlap.
    """
    x_a, y_a, w_a, h_a = _unstack(a)
    x_b, y_b, w_b, h_b = _unstack(b)
    return _overlap(x_a, w_a, x_b, w_b) * _overlap(y_a, h_a, y_b, h_b)


def iou(a: Tensor, b: Tensor) -> Tensor:
    r"""Intersection over union `[...]` of the boxes `a` and `b`, both `xywh`.

    $$\mathrm{IoU} = \frac{|a \cap b|}{|a| + |b| - |a \cap b|}$$

    Two empty boxes have IoU 0, and finite gradients.
    """
    common = intersection(a, b)
    union = area(a) + area(b) - common
    some = union > EMPTY
    # The inner `where` keeps 0/0 out of the gradient, the outer out of the value.
    return ops.where(some, common / ops.where(some, union, 1.0), 0.0)


def center_distance(a: Tensor, b: Tensor) -> Tensor:
    """Distance `[...]` in pixels between the centres of boxes `xywh`."""
    x_a, y_a, w_a, h_a = _unstack(a)
    x_b, y_b, w_b, h_b = _unstack(b)
    dx = (x_a + w_a / 2) - (x_b + w_b / 2)
    dy = (y_a + h_a / 2) - (y_b + h_b / 2)
    square = dx * dx + dy * dy
    some = square > 0  # the square root has no finite slope at 0
    return ops.where(some, ops.sqrt(ops.where(some, square, 1.0)), 0.0)


def clip_to_image(box: Tensor, height: Tensor | float, width: Tensor | float) -> Tensor:
    """The part of boxes `xywh` inside the image.

    A box outside is left with no area, on the border that it is beyond.
    """
    x, y, w, h = _unstack(box)
    x, w = _clip_side(x, w, width)
    y, h = _clip_side(y, h, height)
    return ops.stack([x, y, w, h], axis=-1)


def box_to_attention(
    box: Tensor, height: Tensor | float, width: Tensor | float
) -> Tensor:
    r"""HART's normalised attention of boxes `xywh`.

    $$a = (y / H,\; x / W,\; h / (H - 1),\; w / (W - 1))$$

    The paper calls the first two the centre; in the published code, as here,
    they are the top-left corner.
    """
    x, y, w, h = _unstack(box)
    return ops.stack(
        [y / height, x / width, h / (height - 1), w / (width - 1)], axis=-1
    )


def attention_to_box(
    attention: Tensor, height: Tensor | float, width: Tensor | float
) -> Tensor:
    """Boxes `xywh` of HART's attention: the inverse of `box_to_attention`."""
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
    r"""A Gaussian window that covers boxes `xywh`.

    With $G$ Gaussians an axis, the first on one edge, the last on the other,

    $$d = s\,w / (G - 1), \qquad \sigma = \rho \sqrt{1 + d^2}$$

    so that $\sigma$ is in proportion to the stride $d$ and never vanishes.

    Args:
        box: `[..., 4]`.
        size: of the glimpse in pixels, $G$: one number, or rows and columns.
        scale: $s$, how many times the box's sides the window covers.
        sigma: $\rho$, of a Gaussian, in strides (in pixels for a small box).

    Returns:
        `[..., 6]`: `center_y, center_x, stride_y, stride_x, sigma_y, sigma_x`.
    """
    rows, columns = _pair(size)
    x, y, w, h = _columns(box)
    d_y = scale * h / (rows - 1)
    d_x = scale * w / (columns - 1)
    sigma_y = sigma * ops.sqrt(1 + d_y * d_y)
    sigma_x = sigma * ops.sqrt(1 + d_x * d_x)
    return _joined(y + h / 2, x + w / 2, d_y, d_x, sigma_y, sigma_x)


def window_to_box(
    window: Tensor, size: int | tuple[int, int], scale: float = 1.0
) -> Tensor:
    """Boxes `xywh` of Gaussian windows: the inverse of `box_to_window`."""
    rows, columns = _pair(size)
    center_y, center_x, d_y, d_x, _, _ = _columns(window, 6)
    h = d_y * (rows - 1) / scale
    w = d_x * (columns - 1) / scale
    return _joined(center_x - w / 2, center_y - h / 2, w, h)


def box_to_ratm_attention(
    box: Tensor,
    height: Tensor | float,
    width: Tensor | float,
    size: int | tuple[int, int],
    scale: float = 1.5,
) -> Tensor:
    r"""RATM's first attention vector, of the first box, `xywh`.

    $$(c_x / W,\; c_y / H,\; w / M,\; s\,w / W,\; 1,\; h / N,\; s\,h / H)$$

    $c$ is the centre, $N \times M$ the glimpse; `[..., 7]` act as centre (two),
    sigma, stride, an unused intensity, sigma, stride. The published code scales
    the strides, not the sigmas; so does this.

    Args:
        box: `[..., 4]`.
        height: $H$, of the image in pixels.
        width: $W$, of the image in pixels.
        size: of the glimpse, $N, M$: one number, or rows and columns.
        scale: $s$, how many times the box's sides the window covers.
    """
    rows, columns = _pair(size)
    x, y, w, h = _unstack(box)
    c_x, c_y = (x + w / 2) / width, (y + h / 2) / height
    along_x, along_y = (w / columns, scale * w / width), (h / rows, scale * h / height)
    return ops.stack([c_x, c_y, *along_x, ops.ones_like(w), *along_y], axis=-1)


def _unstack(box: Tensor) -> tuple[Tensor, ...]:
    return tuple(ops.unstack(_checked(box, 4), 4, axis=-1))


def _columns(box: Tensor, count: int = 4) -> list[Tensor]:
    """The numbers of the last axis, `[..., 1]` each.

    An exported file runs each operation by itself, and reshaping them to `[...]` and
    back would cost as much as the arithmetic.
    """
    return ops.split(_checked(box, count), count, axis=-1)


def _joined(*columns: Tensor) -> Tensor:
    """The inverse of `_columns`."""
    return ops.concatenate(columns, axis=-1)


def _column(side: Any) -> Any:
    """A side of the image, a number or `[...]`, to go with `_columns`."""
    return side[..., None] if len(getattr(side, "shape", ())) else side


def _checked(box: Tensor, count: int) -> Tensor:
    box = ops.convert_to_tensor(box)
    if len(box.shape) == 0 or box.shape[-1] != count:
        raise ValueError(
            f"The last axis must hold {count} numbers. Received: {tuple(box.shape)}"
        )
    return ops.cast(box, "float32")


def _overlap(
    start_a: Tensor, size_a: Tensor, start_b: Tensor, size_b: Tensor
) -> Tensor:
    low = ops.maximum(start_a, start_b)
    high = ops.minimum(start_a + size_a, start_b + size_b)
    return ops.relu(high - low)


def _clip_side(
    start: Tensor, size: Tensor, limit: Tensor | float
) -> tuple[Tensor, Tensor]:
    end = ops.minimum(ops.relu(start + size), limit)
    start = ops.minimum(ops.relu(start), end)
    return start, end - start


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    rows, columns = (size, size) if isinstance(size, int) else size
    if min(rows, columns) < 2:
        raise ValueError(
            "A glimpse needs at least 2 rows and 2 columns: its stride is the "
            f"window's side over their number less one. Received: size={size}"
        )
    return rows, columns
