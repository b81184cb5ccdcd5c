"""Draw on a frame what a tracker found: boxes, windows and glimpses."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from keras_attend.boxes import window_to_box
from keras_attend.video.drawing import (
    DARK,
    LOST_COLOUR,
    WINDOW_COLOUR,
    Colour,
    corners,
    dash_length,
    letter_size,
    line_width,
    object_colour,
    outline,
    text_width,
    write_text,
)
from keras_attend.video.files import Frame, checked_frame

INSET = 0.3  # the side of the glimpse's picture, in shorter sides of the frame
INSETS = 4  # one in each corner of a frame
SMALL_INSET = 0.22  # where there are several


def annotate(
    frame: Frame,
    box: Any,
    window: Any = None,
    glimpse: Any = None,
    present: Any = True,
) -> Frame:
    """Draw what a tracker found on a copy of a frame.

    Lines, letters and insets are in proportion to the frame. With several objects each
    has a colour of its own, and its number at its box.

    Args:
        frame: `[H, W, 3]` uint8.
        box: the tracker's box `(x, y, w, h)` in pixels, or boxes `[N, 4]`. A box that
            holds NaN is not drawn.
        window: what the model read of the frame, drawn in blue where it differs from
            the box: the window `[6]` of a `GaussianGlimpse`, which needs `glimpse` for
            the size of its grid; or a box `[4]`. `[N, 6]` or `[N, 4]` for N objects.
        glimpse: what was read there, `[n, m, 1]` or `[n, m, 3]` (or `[N, n, m, ...]`),
            uint8 or floats in 0..1. It is drawn in a corner of the frame, if possible
            in one where it does not hide a box. Those of the first four objects are.
        present: whether the object is there, or `[N]`. The box of one that is lost is
            red and dashed.

    Returns:
        The copy, `[H, W, 3]` uint8.
    """
    frame = checked_frame(frame).copy()
    boxes = np.asarray(box, "float32")
    one = boxes.ndim == 1
    boxes = boxes.reshape(-1, 4)
    here = np.broadcast_to(np.asarray(present, bool), len(boxes))
    width = line_width(frame)
    glimpses = _glimpses(glimpse, one)
    if window is not None:
        _windows(frame, boxes, np.asarray(window, "float32"), glimpses, width)
    for number, found in enumerate(boxes):
        if here[number]:
            outline(frame, found, object_colour(number), width)
        else:
            outline(frame, found, LOST_COLOUR, width, dash_length(width))
    if not one and len(boxes) > 1:
        for number, found in enumerate(boxes):
            _tag(frame, found, number)
    _insets(frame, glimpses, boxes, width)
    return frame


def _windows(
    frame: Frame,
    boxes: NDArray[Any],
    windows: NDArray[Any],
    glimpses: list[Frame],
    width: int,
) -> None:
    """Draw the windows that differ from their boxes."""
    windows = windows.reshape(-1, windows.shape[-1])
    if windows.shape[-1] == 6:
        if not glimpses:
            raise ValueError("`window` needs `glimpse`, for the size of its grid.")
        grid = glimpses[0].shape[:2]
        windows = np.asarray(ops.convert_to_numpy(window_to_box(windows, grid)))
    for window, box in zip(windows, boxes, strict=True):
        if not np.allclose(corners(window), corners(box), rtol=0, atol=max(1, width)):
            outline(frame, window, WINDOW_COLOUR, width)


def _tag(frame: Frame, box: NDArray[Any], number: int) -> None:
    """Write an object's number at its box, on a ground of its colour."""
    if not np.isfinite(box).all():
        return
    size = letter_size(frame)
    words = str(number + 1)
    across, down = text_width(words, size) + size // 2, round(1.25 * size)
    x1, y1, _, _ = corners(box)
    height, length = frame.shape[:2]
    left = round(float(np.clip(x1, 0, max(0, length - across))))
    # Above the box where there is room, else within it.
    top = y1 - down if y1 >= down else max(y1, 0)
    top = round(float(np.clip(top, 0, max(0, height - down))))
    frame[top : top + down, left : left + across] = object_colour(number)
    write_text(frame, left + size // 4, top, words, size, DARK)


def _glimpses(glimpse: Any, one: bool) -> list[Frame]:
    """Return the glimpses of some objects as frames `[n, m, 3]`."""
    if glimpse is None:
        return []
    pictures = np.asarray(glimpse)
    if pictures.ndim != (3 if one else 4) or pictures.shape[-1] not in (1, 3):
        raise ValueError(
            "`glimpse` must be [n, m, 1] or [n, m, 3] for one box, and [N, n, m, 1] or "
            f"[N, n, m, 3] for boxes [N, 4]. Received: glimpse.shape={pictures.shape}"
        )
    if 0 in pictures.shape:
        raise ValueError(
            f"`glimpse` must hold pixels. Received: glimpse.shape={pictures.shape}"
        )
    if pictures.dtype != np.uint8:
        numbers = np.nan_to_num(pictures.astype("float32"))
        pictures = np.round(numbers.clip(0, 1) * 255).astype("uint8")
    pictures = pictures.reshape(-1, *pictures.shape[-3:])
    return list(np.broadcast_to(pictures, (*pictures.shape[:3], 3)))


def _insets(
    frame: Frame, glimpses: list[Frame], boxes: NDArray[Any], width: int
) -> None:
    """Draw the glimpses, each in a corner of its own."""
    share = INSET if len(glimpses) == 1 else SMALL_INSET
    taken: set[int] = set()
    for number, glimpse in enumerate(glimpses[:INSETS]):
        rim = (255, 255, 255) if len(glimpses) == 1 else object_colour(number)
        picture = _inset(frame, glimpse, share, rim, width)
        taken.add(_place(frame, picture, boxes, 2 * width, taken))


def _inset(
    frame: Frame, glimpse: Frame, share: float, rim: Colour, width: int
) -> Frame:
    """Return a glimpse enlarged to a share of the frame, with a rim around it."""
    scale = share * min(frame.shape[:2]) / max(glimpse.shape[:2])
    scale = int(scale) if scale >= 1 else scale  # all pixels equally large
    rows, columns = (max(1, round(scale * side)) for side in glimpse.shape[:2])
    picture = np.empty((rows + 2 * width, columns + 2 * width, 3), "uint8")
    picture[...] = rim
    lines = glimpse[np.arange(rows) * glimpse.shape[0] // rows]
    picture[width:-width, width:-width] = lines[
        :, np.arange(columns) * glimpse.shape[1] // columns
    ]
    return picture


def _place(
    frame: Frame, picture: Frame, boxes: NDArray[Any], gap: int, taken: Iterable[int]
) -> int:
    """Draw a picture in the first free corner that hides no box; return its number."""
    rows, columns = picture.shape[:2]
    bottom, right = frame.shape[0] - gap - rows, frame.shape[1] - gap - columns
    places = [(gap, gap), (gap, right), (bottom, gap), (bottom, right)]
    free = [number for number in range(INSETS) if number not in taken]

    def hides(number: int) -> bool:
        top, left = places[number]
        return any(
            x1 < left + columns and x2 > left and y1 < top + rows and y2 > top
            for x1, y1, x2, y2 in map(corners, boxes)
        )

    chosen = next((number for number in free if not hides(number)), free[0])
    top, left = places[chosen]
    place = frame[max(0, top) : top + rows, max(0, left) : left + columns]
    place[...] = picture[: place.shape[0], : place.shape[1]]
    return chosen
