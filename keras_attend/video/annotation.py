"""Draw on a frame what a tracker found: its box, its window and its glimpse."""

from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from keras_attend.boxes import window_to_box
from keras_attend.video.files import Frame, checked_frame

Colour = tuple[int, int, int]

BOX_COLOUR, WINDOW_COLOUR, DARK = (64, 230, 64), (80, 170, 255), (24, 24, 24)
INSET = 0.3  # the side of the glimpse's picture, in shorter sides of the frame


def annotate(frame: Frame, box: Any, window: Any = None, glimpse: Any = None) -> Frame:
    """Draw what a tracker found on a copy of a frame.

    Args:
        frame: `[H, W, 3]` uint8.
        box: the tracker's box `(x, y, w, h)` in pixels, drawn in green. A box that
            holds NaN is not drawn.
        window: the window `[6]` that a `GaussianGlimpse` read, drawn in blue where it
            differs from the box. It needs `glimpse`, whose size is that of its grid.
        glimpse: what was read there, `[N, M, 1]` or `[N, M, 3]`, uint8 or floats in
            0..1. It is drawn in a corner of the frame, if possible in one where it
            does not hide the box.

    Returns:
        The copy, `[H, W, 3]` uint8.
    """
    frame = checked_frame(frame).copy()
    box = np.asarray(box, "float32")
    width = max(1, round(min(frame.shape[:2]) / 240))
    if glimpse is not None:
        glimpse = _displayable(glimpse)
    if window is not None:
        if glimpse is None:
            raise ValueError("`window` needs `glimpse`, for the size of its grid.")
        seen = np.asarray(
            ops.convert_to_numpy(window_to_box(window, glimpse.shape[:2]))
        )
        if not np.allclose(_corners(seen), _corners(box), rtol=0, atol=max(1, width)):
            _outline(frame, seen, WINDOW_COLOUR, width)
    _outline(frame, box, BOX_COLOUR, width)
    if glimpse is not None:
        _inset(frame, glimpse, box, width)
    return frame


def _corners(box: NDArray[Any]) -> NDArray[Any]:
    """Return the corners `(x, y, x + w, y + h)` of a box `(x, y, w, h)`."""
    return np.concatenate([box[:2], box[:2] + box[2:]])


def _outline(frame: Frame, box: NDArray[Any], colour: Colour, width: int) -> None:
    """Draw a box's edges, `width` pixels wide, half of them outside the box."""
    if not np.isfinite(box).all():
        return
    outside = width // 2
    if width > 1:  # a dark rim sets green lines off from grass and blue ones from sky
        rim = max(1, width // 3)
        _ring(frame, box, outside + rim, width + 2 * rim, DARK)
    _ring(frame, box, outside, width, colour)


def _ring(
    frame: Frame, box: NDArray[Any], outside: int, width: int, colour: Colour
) -> None:
    """Colour the pixels around a box, `outside` of the `width` of them beyond it."""
    limits = np.array([*frame.shape[1::-1], *frame.shape[1::-1]])  # W, H, W, H
    grow = outside * np.array([-1, -1, 1, 1])
    shrink = width * np.array([1, 1, -1, -1])
    edges = np.round(_corners(box)) + grow
    x1, y1, x2, y2 = np.clip(edges, 0, limits).astype(int)
    left, top, right, bottom = np.clip(edges + shrink, 0, limits).astype(int)
    inside = frame[top:bottom, left:right].copy()
    frame[y1:y2, x1:x2] = colour
    frame[top:bottom, left:right] = inside


def _displayable(glimpse: Any) -> Frame:
    """Convert a glimpse `[N, M, 1]` or `[N, M, 3]` to a frame `[N, M, 3]`."""
    glimpse = np.asarray(glimpse)
    if glimpse.ndim != 3 or glimpse.shape[-1] not in (1, 3) or 0 in glimpse.shape:
        raise ValueError(
            "`glimpse` must be [N, M, 1] or [N, M, 3]. "
            f"Received: glimpse.shape={glimpse.shape}"
        )
    if glimpse.dtype != np.uint8:
        numbers = np.nan_to_num(glimpse.astype("float32"))
        glimpse = np.round(numbers.clip(0, 1) * 255).astype("uint8")
    return np.broadcast_to(glimpse, (*glimpse.shape[:2], 3))


def _inset(frame: Frame, glimpse: Frame, box: NDArray[Any], width: int) -> None:
    """Draw the glimpse in the first corner where it does not hide the box."""
    height, length = frame.shape[:2]
    scale = INSET * min(height, length) / max(glimpse.shape[:2])
    scale = int(scale) if scale >= 1 else scale  # all pixels equally large
    rows, columns = (max(1, round(scale * side)) for side in glimpse.shape[:2])
    picture = glimpse[np.arange(rows) * glimpse.shape[0] // rows]
    picture = picture[:, np.arange(columns) * glimpse.shape[1] // columns]
    rim = (width, width)
    picture = np.pad(picture, [rim, rim, (0, 0)], constant_values=255)
    rows, columns = picture.shape[:2]
    gap = 2 * width
    bottom, right = height - gap - rows, length - gap - columns
    corners = [(gap, gap), (gap, right), (bottom, gap), (bottom, right)]
    x1, y1, x2, y2 = _corners(box)
    for top, left in corners:
        if x1 >= left + columns or x2 <= left or y1 >= top + rows or y2 <= top:
            break
    else:
        top, left = corners[0]
    place = frame[max(0, top) : top + rows, max(0, left) : left + columns]
    place[...] = picture[: place.shape[0], : place.shape[1]]
