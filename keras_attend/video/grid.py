"""Draw a grid of pixel coordinates over a frame, to read boxes from."""

from typing import Any

import numpy as np

from keras_attend.video.annotation import annotate
from keras_attend.video.drawing import DARK, LIGHT, text_width, write_text
from keras_attend.video.files import Frame, checked_frame

STEPS = (5, 10, 20, 50, 100, 200, 500, 1000, 2000)  # pixels from line to line
LINES = 16  # along the longer side, at most
SMALLEST = 600  # the longer side of the picture, in pixels, below which it is enlarged
PARTS = 5  # short marks between two lines


def gridded(frame: Frame, boxes: Any = None) -> Frame:
    """Return a picture of a frame with lines and numbers that tell its pixels' places.

    A small frame is enlarged, by a whole number of times; the numbers are those of its
    own pixels.

    Args:
        frame: `[H, W, 3]` uint8.
        boxes: boxes `[N, 4]` to draw, if any.
    """
    frame = checked_frame(frame)
    longer = max(frame.shape[:2])
    scale = max(1, -(-SMALLEST // longer))
    step = next((step for step in STEPS if longer / step <= LINES), STEPS[-1])
    picture = frame.repeat(scale, 0).repeat(scale, 1)
    for place in range(step, longer, step):
        for view in (picture, picture.swapaxes(0, 1)):
            line = view[place * scale : place * scale + 1]
            # Dark on light and light on dark pixels, half of it the picture's own.
            ground = line.mean(-1, keepdims=True)
            line[...] = (line / 2 + np.where(ground < 128, 127, 0)).astype("uint8")
    if boxes is not None:
        picture = annotate(picture, scale * np.asarray(boxes, "float32"))
    return _with_rulers(picture, scale, step)


def _with_rulers(picture: Frame, scale: int, step: int) -> Frame:
    """Return a picture with a ruler at each of its sides."""
    size = max(12, round(max(picture.shape[:2]) / 70))
    margin = text_width("00000", size)
    rim = [(margin, margin), (margin, margin), (0, 0)]
    page = np.pad(picture, rim, constant_values=LIGHT[0])
    height, width = (side // scale for side in picture.shape[:2])
    for place in range(0, width, step):
        words = str(place)
        left = margin + place * scale
        middle = left - text_width(words, size) // 2
        write_text(page, middle, margin - round(1.9 * size), words, size, DARK)
        below = margin + picture.shape[0] + round(0.5 * size)
        write_text(page, middle, below, words, size, DARK)
    for place in range(0, height, step):
        words = str(place)
        top = margin + place * scale - round(0.6 * size)
        left = margin - text_width(words, size) - round(0.6 * size)
        write_text(page, left, top, words, size, DARK)
        right = margin + picture.shape[1] + round(0.6 * size)
        write_text(page, right, top, words, size, DARK)
    _marks(page, margin, scale, step, (height, width))
    return page


def _marks(
    page: Frame, margin: int, scale: int, step: int, sides: tuple[int, int]
) -> None:
    """Draw the marks of the rulers: long ones at numbers, short ones between them."""
    part = max(1, step // PARTS)
    for view, side in ((page, sides[1]), (page.swapaxes(0, 1), sides[0])):
        for place in range(0, side, part):
            length = margin // (6 if place % step == 0 else 12)
            at = margin + place * scale
            view[margin - length : margin, at] = DARK
            end = view.shape[0] - margin
            view[end : end + length, at] = DARK
