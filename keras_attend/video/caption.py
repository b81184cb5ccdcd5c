"""Write below a frame which frame it is, who is present, and what the colours mean."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_attend.video.drawing import (
    DARK,
    LIGHT,
    LOST_COLOUR,
    WINDOW_COLOUR,
    Colour,
    letter_size,
    line_width,
    object_colour,
    outline,
    text_width,
    write_text,
)
from keras_attend.video.files import Frame, checked_frame

WINDOW = "window, seen in a corner"
CORNERS = "corners: what is read"
WIDEST_NUMBER = "frame 000000"
LEGIBLE = 7  # the height of letters on frames too narrow for larger ones, in pixels


class _Item(NamedTuple):
    """A sample of a line, if there is one, and words beside it."""

    words: str
    room: str  # the widest words that may stand there, so that nothing moves
    colour: Colour | None = None
    dashed: bool = False


def captioned(
    frame: Frame,
    number: int,
    present: Sequence[bool],
    scores: Sequence[float] | None = None,
    window: bool = False,
    glimpse: bool = False,
) -> Frame:
    """Return a frame with a line of text below it, which hides nothing of the frame.

    It has the frame's number, and for each object a sample of its box's line, whether
    it is present or lost, and the score of that. Where not all fits in one line there
    are several; all frames of a video get equally many.

    Args:
        frame: `[H, W, 3]` uint8; see `annotate`.
        number: the frame's number.
        present: `[N]`, whether each object is present.
        scores: `[N]`, how sure the model is that each object is there, in 0..1; None
            for a model that does not say.
        window: whether to say which line is the window, and where its picture is.
        glimpse: whether to say what the pictures in the corners are, if there are no
            lines of windows.

    Returns:
        `[H + rows, W, 3]` uint8.
    """
    frame = checked_frame(frame)
    items = [_Item(f"frame {number}", WIDEST_NUMBER)]
    for index, here in enumerate(present):
        name = f"{index + 1} " if len(present) > 1 else ""
        score = "" if scores is None else f" {scores[index]:.2f}"
        room = f"{name}present" + ("" if scores is None else " 0.00")
        colour = object_colour(index) if here else LOST_COLOUR
        words = f"{name}{'present' if here else 'lost'}{score}"
        items.append(_Item(words, room, colour, dashed=not here))
    if window:
        item = _Item(WINDOW, WINDOW, WINDOW_COLOUR)
        short = _wide(item, LEGIBLE) > frame.shape[1]
        items.append(_Item("window", "window", WINDOW_COLOUR) if short else item)
    elif glimpse and text_width(CORNERS, LEGIBLE) < frame.shape[1]:
        items.append(_Item(CORNERS, CORNERS))
    return np.concatenate([frame, _strip(frame, items)])


def _strip(frame: Frame, items: Sequence[_Item]) -> Frame:
    """Return a strip as wide as the frame that holds the items, in lines."""
    length, size = frame.shape[1], letter_size(frame)
    while size > LEGIBLE and max(_wide(item, size) for item in items) > length - size:
        size -= 1
    lines: list[list[tuple[int, _Item]]] = [[]]
    left = gap = size // 2
    for item in items:
        wide = _wide(item, size)
        if lines[-1] and left + wide > length - gap:
            lines.append([])
            left = gap
        lines[-1].append((left, item))
        left += wide + 2 * gap
    high = round(1.5 * size)
    rows = high * len(lines)
    rows += (frame.shape[0] + rows) % 2  # videos have an even number of rows
    strip = np.empty((rows, length, 3), "uint8")
    strip[...] = DARK
    width = line_width(frame)
    for line, entries in enumerate(lines):
        top = line * high + round(0.1 * size)
        for left, item in entries:
            if item.colour:
                place = [left, line * high + 0.35 * size, 1.2 * size, 0.8 * size]
                thin = max(1, min(width, size // 6))
                dash = size // 4 if item.dashed else 0
                outline(strip, np.array(place), item.colour, thin, dash)
                left += _sample(size)
            write_text(strip, left, top, item.words, size, LIGHT)
    return strip


def _sample(size: int) -> int:
    """Return the width of a sample of a line, and of the space after it."""
    return round(1.2 * size) + size // 2


def _wide(item: _Item, size: int) -> int:
    return text_width(item.room, size) + (_sample(size) if item.colour else 0)
