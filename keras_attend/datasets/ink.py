"""Small things to draw: digits and shapes of any size, and the boxes of their ink.

What `MultiDigits` and `MovingObjects` share.
"""

from functools import cache

import numpy as np

from keras_attend.datasets.moving_digits import resize_matrix
from keras_attend.types import Array

INK = 50  # a pixel of a digit that is brighter, of 255, is ink
SIDES = (14, 32)  # the least and the greatest side that `draw_sides` makes of 28 pixels
SHAPES = ("disc", "square", "triangle", "ring")


def draw_sides(
    random: np.random.RandomState, shape: tuple[int, ...], tile: int
) -> Array:
    r"""Draw the sides of shrunk digits, whose pictures have a side of `tile` pixels.

    $$s = \mathrm{round}(tile / f), \qquad f \sim N(1.3,\; 0.1)$$

    cut at `SIDES`, in pixels of MNIST's 28. Returns `shape` integers.
    """
    factors = random.normal(1.3, 0.1, shape)
    least, most = (side * tile // 28 for side in SIDES)
    return np.clip(np.rint(tile / factors), least, most).astype("int32")


def resized_tiles(digits: Array, sides: Array, room: int) -> Array:
    """Resize K pictures, each to a side of its own, in the corner of equal tiles.

    Args:
        digits: `[K, H, H]` uint8.
        sides: `[K]` integers, none above `room`.
        room: the side of a tile in pixels.

    Returns:
        `[K, room, room]` float32, whole numbers in 0..255, black beside the picture.
    """
    tiles = np.zeros((len(digits), room, room), "float32")
    for side in np.unique(sides):  # all pictures of one size at once
        rows = np.flatnonzero(sides == side)
        matrix = resize_matrix(int(side), digits.shape[-1])  # [side, H]
        resized = matrix @ digits[rows].astype("float32") @ matrix.T
        tiles[rows, :side, :side] = np.rint(resized)
    return tiles


def ink_boxes(tiles: Array, threshold: float = INK) -> Array:
    """Find the boxes `[K, 4]` float32, `xywh`, of the pixels above a threshold.

    Args:
        tiles: `[K, H, W]`.
        threshold: a pixel above it is ink. The box of a tile without any is zeros.
    """
    ink = tiles > threshold
    boxes = np.zeros((len(tiles), 4), "float32")
    for axis in (0, 1):  # x, of the columns that have ink; then y
        line: Array = np.logical_or.reduce(ink, axis=1 + axis)  # [K, W] or [K, H]
        first = line.argmax(-1)
        last = line.shape[-1] - line[:, ::-1].argmax(-1)
        boxes[:, axis] = np.where(line.any(-1), first, 0)
        boxes[:, 2 + axis] = np.where(line.any(-1), last - first, 0)
    return boxes


def shared_part(boxes: Array, present: Array) -> Array:
    """Compute the greatest part of a box that another one of its picture covers.

    Args:
        boxes: `[B, N, 4]`, `xywh`.
        present: `[B, N]` bool; the others do not count.

    Returns:
        `[B]`, the area that two boxes share, in areas of the smaller one.
    """
    low, size = boxes[..., :2], boxes[..., 2:]
    high = low + size
    common = np.minimum(high[:, :, None], high[:, None]) - np.maximum(
        low[:, :, None], low[:, None]
    )
    common = np.maximum(common, 0).prod(-1)  # [B, N, N]
    area = size.prod(-1)
    smaller = np.maximum(np.minimum(area[:, :, None], area[:, None]), 1)
    number = np.arange(boxes.shape[1])
    pairs = present[:, :, None] & present[:, None] & (number[:, None] < number)
    return np.where(pairs, common / smaller, 0).max((1, 2), initial=0)


def paste(tiles: Array, corners: Array, size: tuple[int, int]) -> Array:
    """Put each of K tiles onto a black canvas of its own: `[K, height, width]`.

    Args:
        tiles: `[K, R, R]`.
        corners: row and column of each tile's corner, `[K, 2]` integers; what lies
            outside the canvas is left out.
        size: height and width of a canvas.
    """
    count, room, _ = tiles.shape
    height, width = size
    padded = np.zeros((count, height + 2 * room, width + 2 * room), tiles.dtype)
    y, x = (np.clip(corners[:, i], -room, size[i]) + room for i in (0, 1))
    inside = np.arange(room)
    rows, columns = y[:, None, None] + inside[:, None], x[:, None, None] + inside
    padded[np.arange(count)[:, None, None], rows, columns] = tiles
    return padded[:, room : room + height, room : room + width]


@cache
def shape_pictures(side: int = 28) -> Array:
    """White shapes, one for each name in `SHAPES`: `[4, side, side]` uint8.

    They are as large as MNIST's digits, whose ink covers 20 of 28 pixels.
    """
    fine = 4 * side  # drawn four times as large, and averaged
    y, x = (np.mgrid[:fine, :fine] + 0.5) / (fine / 28) - 14  # pixels of 28
    far = np.hypot(y, x)
    masks = {
        "disc": far < 10,
        "square": np.maximum(abs(y), abs(x)) < 9,
        "triangle": (y < 9) & (abs(x) < (y + 10) * 0.55),
        "ring": (far < 10) & (far > 5.5),
    }
    drawn = np.stack([masks[name] for name in SHAPES]).astype("float32")
    small = drawn.reshape(len(SHAPES), side, 4, side, 4).mean((2, 4))
    pictures = np.rint(255 * small).astype("uint8")
    pictures.flags.writeable = False  # because of the cache, all callers share it
    return pictures


def draw_colors(random: np.random.RandomState, shape: tuple[int, ...]) -> Array:
    """Draw bright colours of any hue: `[*shape, 3]` float32 in 0..1."""
    hue = random.uniform(0, 1, shape)[..., None]
    saturation = random.uniform(0.6, 1, shape)[..., None]
    value = random.uniform(0.8, 1, shape)[..., None]
    # Each channel is full over a third of the hues, and falls off over a sixth.
    far = np.abs((hue - np.arange(3) / 3 + 0.5) % 1 - 0.5)
    pure = np.clip(2 - 6 * far, 0, 1)
    colors: Array = value * (1 - saturation * (1 - pure))
    return colors.astype("float32")
