"""Draw lines and letters on frames, in sizes that suit the frame."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_attend.video.files import Frame

Colour = tuple[int, int, int]

DARK, LIGHT = (24, 24, 24), (240, 240, 240)
LOST_COLOUR, WINDOW_COLOUR = (235, 45, 45), (80, 170, 255)
# Of objects in their order; more than these use the same colours again.
COLOURS: tuple[Colour, ...] = (
    *((64, 230, 64), (255, 190, 40), (235, 95, 235), (60, 220, 230)),
    *((250, 250, 120), (190, 150, 255), (255, 150, 110), (240, 240, 240)),
)
DASH = 4  # the length of a dash, and of a gap, in widths of its line
SMALLEST = 11  # the height of letters that anyone can read, in pixels


def object_colour(number: int) -> Colour:
    """Return the colour of object `number`, counted from 0."""
    return COLOURS[number % len(COLOURS)]


def line_width(frame: Frame) -> int:
    """Return the width of a line that suits a frame: 1 of 360 rows, 3 of 720."""
    return max(1, round(min(frame.shape[:2]) / 240))


def letter_size(frame: Frame) -> int:
    """Return the height of letters that suit a frame, in pixels."""
    return max(SMALLEST, round(min(frame.shape[:2]) / 28))


def dash_length(width: int) -> int:
    """Return the length of the dashes of a line of some width."""
    return DASH * max(width, 2)


def corners(box: NDArray[Any]) -> NDArray[Any]:
    """Return the corners `(x, y, x + w, y + h)` of a box `(x, y, w, h)`."""
    return np.concatenate([box[:2], box[:2] + box[2:]])


def outline(
    frame: Frame, box: NDArray[Any], colour: Colour, width: int, dash: int = 0
) -> None:
    """Draw a box's edges, half of their width outside the box.

    Args:
        frame: is drawn on.
        box: `(x, y, w, h)`; one that holds NaN is not drawn.
        colour: of the edges.
        width: of the edges, in pixels.
        dash: the length of a dash, and of a gap, in pixels; 0 for whole lines.
    """
    if not np.isfinite(box).all():
        return
    outside = width // 2
    if width > 1:  # a dark rim sets green lines off from grass and blue ones from sky
        rim = max(1, width // 3)
        for edge in _edges(frame, box, outside + rim, width + 2 * rim, dash):
            edge[...] = DARK
    for edge in _edges(frame, box, outside, width, dash):
        edge[...] = colour


def _edges(
    frame: Frame, box: NDArray[Any], outside: int, width: int, dash: int
) -> Iterator[Frame]:
    """Yield the parts of a frame that a box's edges cover, `outside` of them beyond it.

    Args:
        frame: the frame; the parts are views of it.
        box: `(x, y, w, h)`.
        outside: how many of an edge's pixels lie outside the box.
        width: an edge's width in pixels.
        dash: the length of a dash and of a gap; 0 for whole lines.
    """
    limits = np.array([*frame.shape[1::-1], *frame.shape[1::-1]])  # W, H, W, H
    given = np.round(corners(box))
    grow = outside * np.array([-1, -1, 1, 1])
    shrink = width * np.array([1, 1, -1, -1])
    x1, y1, x2, y2 = np.clip(given + grow, 0, limits).astype(int).tolist()
    inner = np.clip(given + grow + shrink, 0, limits).astype(int).tolist()
    left, top, right, bottom = inner
    right, bottom = max(left, right), max(top, bottom)
    # All dashes begin at the box's corner, those of the rim too.
    origin_x, origin_y = np.clip(given[:2], 0, limits[:2]).astype(int).tolist()
    for rows in (slice(y1, top), slice(bottom, y2)):
        for part in _dashes(x1, x2, origin_x, dash):
            yield frame[rows, part]
    for columns in (slice(x1, left), slice(right, x2)):
        for part in _dashes(top, bottom, origin_y, dash):
            yield frame[part, columns]


def _dashes(begin: int, end: int, origin: int, dash: int) -> Iterator[slice]:
    """Yield the dashes of a line from `begin` to `end`, or all of it."""
    if not dash:
        yield slice(begin, end)
        return
    if begin < origin:  # an edge's own width, before the first dash
        yield slice(begin, min(origin, end))
    for start in range(origin, end, 2 * dash):
        yield slice(max(begin, start), min(start + dash, end))


@lru_cache(maxsize=32)
def font(size: int) -> Any:
    """Return Pillow's own font in a size, or say how to install Pillow."""
    try:
        from PIL import ImageFont
    except ImportError as error:
        raise ImportError(
            "Letters in pictures need Pillow: pip install Pillow"
        ) from error
    return ImageFont.load_default(size)


@lru_cache(maxsize=256)
def text_width(words: str, size: int) -> int:
    """Return the width of words in letters of a size, in pixels."""
    return round(font(size).getlength(words))


@lru_cache(maxsize=256)
def _letters(words: str, size: int) -> NDArray[np.float32]:
    """Return how much of each pixel some words cover, `[rows, columns, 1]` in 0..1."""
    from PIL import Image, ImageDraw

    picture = Image.new("L", (text_width(words, size) + 1, round(1.3 * size)))
    ImageDraw.Draw(picture).text((0, 0), words, fill=255, font=font(size))
    cover = np.asarray(picture, "float32")[..., None]
    return (cover / 255).astype("float32")


def write_text(
    frame: Frame, left: int, top: int, words: str, size: int, colour: Colour
) -> None:
    """Write words on a frame; what lies outside of it is left out."""
    cover = _letters(words, size)
    rows = slice(max(0, -top), max(0, frame.shape[0] - top))
    columns = slice(max(0, -left), max(0, frame.shape[1] - left))
    cover = cover[rows, columns]
    top, left = max(0, top), max(0, left)
    place = frame[top : top + cover.shape[0], left : left + cover.shape[1]]
    mixed = place + cover * (np.array(colour, "float32") - place)
    place[...] = np.round(mixed).astype("uint8")
