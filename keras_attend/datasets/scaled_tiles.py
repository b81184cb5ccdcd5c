"""Digits whose size changes from frame to frame, for `moving_digits.py`."""

from functools import cache

import numpy as np

from keras_attend.arguments import check_positive_integers
from keras_attend.types import Array


def check_scale(
    scale: tuple[float, float], sides: tuple[int, int], tile: int, side: int
) -> None:
    """Refuse a `scale` or `sides` impossible for these tiles and this canvas.

    Args:
        scale, sides: as of `MovingDigits`.
        tile: the side of the images in pixels.
        side: the side of the canvas in pixels.
    """
    if np.shape(scale) != (2,) or not 0 < scale[0] <= scale[1] < np.inf:
        raise ValueError(
            "`scale` must be None or two positive numbers, the smaller one first. "
            f"Received: scale={scale}"
        )
    if np.shape(sides) != (2,):
        raise ValueError(
            "`sides` must be two integers, the smallest side and the largest. "
            f"Received: sides={sides}"
        )
    check_positive_integers(**{"sides[0]": sides[0], "sides[1]": sides[1]})
    if not sides[0] <= tile <= sides[1]:
        raise ValueError(
            "`sides` must have the images' own side, that of frame 0, between them. "
            f"Received: sides={sides}, and images of {tile} pixels"
        )
    if side < sides[1]:
        raise ValueError(
            "`side` must be at least the largest of `sides`. "
            f"Received: side={side}, sides={sides}"
        )


def walk_sides(
    random: np.random.RandomState,
    count: int,
    frames: int,
    start: int,
    scale: tuple[float, float],
    sides: tuple[int, int],
) -> Array:
    r"""Draw random walks of sizes.

    $$s_{t+1} = \min(\max(k_t s_t,\; s_{min}),\; s_{max}), \qquad k_t \sim U(scale)$$

    What is returned is rounded to whole pixels, the walk is not.

    Args:
        random: the generator of all that is drawn.
        count: the number of walks.
        frames: the number of sizes of each.
        start: $s_0$.
        scale: the bounds of $k_t$.
        sides: $s_{min}$ and $s_{max}$.

    Returns:
        Sides `[count, frames]` int32.
    """
    factors = random.uniform(*scale, (count, frames - 1))
    walk = np.empty((count, frames))
    walk[:, 0] = start
    for t in range(1, frames):
        walk[:, t] = np.clip(factors[:, t - 1] * walk[:, t - 1], *sides)
    return np.rint(walk).astype("int32")


@cache
def resize_matrix(size: int, tile: int) -> Array:
    """A matrix that resizes `tile` pixels to `size`: `[size, tile]` float32.

    Its rows sum to 1. Each is a triangle around the middle of a new pixel: linear
    interpolation if there are more pixels than before, and as wide as two new pixels
    if there are fewer.
    """
    step = tile / size
    middle = (np.arange(size) + 0.5) * step - 0.5
    far = np.abs(middle[:, None] - np.arange(tile)) / max(step, 1)
    weights = np.maximum(1 - far, 0)
    weights /= weights.sum(1, keepdims=True)
    weights = weights.astype("float32")
    weights.flags.writeable = False  # because of the cache, all callers share it
    return weights


def draw_scaled(frames: Array, digits: Array, corners: Array, sides: Array) -> None:
    """Draw a digit of changing size into each clip, where it is brighter.

    Args:
        frames: `[B, T, side, side, 1]` uint8, changed in place.
        digits: `[B, H, H]` uint8.
        corners: row and column of the digits' top left pixels, `[B, T, 2]` integers.
        sides: the digits' side in each frame, `[B, T]` integers.
    """
    digits = digits.astype("float32")
    # All frames in which the digit has the same size are drawn at once.
    for size in np.unique(sides):
        clip, frame = np.nonzero(sides == size)  # [n] each
        matrix = resize_matrix(int(size), digits.shape[-1])  # [size, H]
        resized = np.rint(matrix @ digits[clip] @ matrix.T)  # [n, size, size]
        tiles = np.lib.stride_tricks.sliding_window_view(
            frames[..., 0], (size, size), axis=(2, 3), writeable=True
        )
        at = (clip, frame, corners[clip, frame, 0], corners[clip, frame, 1])
        tiles[at] = np.maximum(tiles[at], resized.astype(frames.dtype))
