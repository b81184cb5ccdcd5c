"""Digits that walk about a canvas: RATM's second task (Kahou et al. 2015, 6.2).

A 28x28 digit on a black canvas of 100x100 pixels, for 30 frames, alone or with another
one ("multi"), which is not to be tracked.

Also the data of DRLT's first version (Zhang et al. 2017), clips of 20 frames: a digit
as above; one that changes its size (`scale=(0.5, 2)`); and one that does so on 500
white dots, beside another digit (`dots=500, distractors=1`).
"""

from functools import cache
from typing import Any

import numpy as np

from keras_attend.arguments import (
    check_choice,
    check_not_negative,
    check_positive_integers,
)
from keras_attend.datasets.clips import ClipBatches
from keras_attend.datasets.digits import check_labels
from keras_attend.datasets.walks import PUSH, WALKS
from keras_attend.types import Array


class MovingDigits(ClipBatches):
    """Clips of random digits that each go on a random walk.

    The box is the digit's whole tile, 28x28 pixels for MNIST: its x and y are the
    column and the row of the tile's top left pixel. Where digits overlap, the brighter
    pixel remains.

    With `scale` the tracked digit changes its size. A walk's places are for tiles of
    28 pixels; one of $s$ pixels is at $(side - s) / (side - 28)$ times the place, so
    that it stays on the canvas at all sizes. Other digits keep their size, which tells
    them from the tracked one for a tracker that is given no box, unless `scale_all`.

    Args:
        images: the digits, `[N, H, H, 1]` uint8.
        labels: `[N]`, integers.
        batch_size, batches, frames: of `ClipBatches`.
        side: the canvas's side in pixels.
        distractors: the number of digits besides the tracked one, of any class.
        walk: "momentum", the paper's (`momentum_walk`); "published", that of the
            authors' code, which jumps (`published_walk`); or "bounce", the straight
            flight of `BouncingBalls`, which the paper has for two digits.
        scale: (least, greatest) factor by which the side of the tracked digit changes
            from a frame to the next, drawn for each frame; frame 0 has the image's own
            side. None: it keeps its size. (DRLT's paper has -0.5 to 2, which makes
            sizes negative; use (0.5, 2), by which digits mostly grow.)
        scale_all: the other digits change their size as well, each by its own draws.
        sides: the smallest and the largest side in pixels that `scale` may make.
        dots: the number of white pixels in the background of a clip, at random places
            that do not move and may coincide.
        **kwargs: of `ClipBatches` (`seed`, `shortest`).

    A batch holds what one of `ClipBatches` does, and `targets["labels"]` `[B]` int32,
    the classes of the tracked digits. Frames are `[B, T, side, side, 1]` uint8.
    """

    def __init__(
        self,
        images: Array,
        labels: Array,
        batch_size: int = 32,
        batches: int = 100,
        frames: int = 30,
        side: int = 100,
        distractors: int = 0,
        walk: str = "momentum",
        scale: tuple[float, float] | None = None,
        sides: tuple[int, int] = (14, 56),
        dots: int = 0,
        scale_all: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(batch_size, batches, frames, **kwargs)
        images, labels = np.asarray(images), np.asarray(labels)
        shape, tile = images.shape, images.shape[1:2]
        if shape != (*shape[:1], *tile, *tile, 1) or images.dtype != np.uint8:
            raise ValueError(
                "`images` must be uint8 of shape [N, H, H, 1]. Received: "
                f"images.dtype={images.dtype}, images.shape={shape}"
            )
        check_labels(images, labels)
        if side <= tile[0] + PUSH:
            raise ValueError(
                f"`side` must be more than the images' own and {PUSH} pixels, the "
                f"longest step. Received: side={side}, images.shape={shape}"
            )
        check_not_negative(distractors=distractors, dots=dots)
        check_choice("walk", walk, tuple(WALKS))
        if scale is not None:
            check_scale(scale, sides, tile[0], side)
        self.images = images
        self.labels = labels.astype("int32")
        self.side = side
        self.distractors = distractors
        self.walk = walk
        self.scale = scale
        self.sides = sides
        self.dots = dots
        self.scale_all = scale_all

    def draw(self, random: np.random.RandomState) -> tuple[Array, dict[str, Array]]:
        """Draw frames `[B, T, side, side, 1]`, boxes `[B, T, 4]` and labels `[B]`."""
        count, digits = self.batch_size, 1 + self.distractors
        rows = random.randint(len(self.images), size=(count, digits))
        tile = self.images.shape[1]
        room = self.side - tile
        places = WALKS[self.walk](random, count * digits, self.frames, room)
        places = places.reshape(count, digits, self.frames, 2)
        images = self.images[rows, ..., 0]  # [B, N, H, H]
        boxes = np.empty((count, self.frames, 4), "float32")
        if self.scale is None:
            frames = draw_digits(images, places, self.side)
            boxes[..., :2] = places[:, 0, :, ::-1]
            boxes[..., 2:] = tile
        else:
            scaled = digits if self.scale_all else 1
            frames = draw_digits(images[:, scaled:], places[:, scaled:], self.side)
            for n in range(scaled):
                sides = walk_sides(  # [B, T]
                    random, count, self.frames, tile, self.scale, self.sides
                )
                corners = places[:, n] * (self.side - sides[..., None]) / room
                corners = np.rint(corners).astype("int32")  # [B, T, 2]
                draw_scaled(frames, images[:, n], corners, sides)
                if n == 0:
                    boxes[..., :2] = corners[..., ::-1]
                    boxes[..., 2:] = sides[..., None]
        # Drawn last, so that dots change nothing else.
        if self.dots:
            y, x = random.randint(self.side, size=(2, count, self.dots))
            frames[np.arange(count)[:, None], :, y, x] = 255
        return frames, {"boxes": boxes, "labels": self.labels[rows[:, 0]]}


def draw_digits(digits: Array, places: Array, side: int) -> Array:
    """Draw N digits `[B, N, H, W]` into each clip: `[B, T, side, side, 1]`, same dtype.

    `places`: row and column of their top left pixels, `[B, N, T, 2]` integers.
    """
    count, number, height, width = digits.shape
    frames = np.zeros((count, places.shape[2], side, side), digits.dtype)
    # All tiles of the canvases, in the same memory: [B, T, rows, columns, H, W].
    tiles = np.lib.stride_tricks.sliding_window_view(
        frames, (height, width), axis=(2, 3), writeable=True
    )
    clip, frame = np.ogrid[:count, : places.shape[2]]
    for n in range(number):
        at = (clip, frame, places[:, n, :, 0], places[:, n, :, 1])  # [B, T] each
        tiles[at] = np.maximum(tiles[at], digits[:, n, None])
    return frames[..., None]


def check_scale(
    scale: tuple[float, float], sides: tuple[int, int], tile: int, side: int
) -> None:
    """Refuse what `MovingDigits` cannot take for images of side `tile`, in pixels."""
    if np.shape(scale) != (2,) or not 0 < scale[0] <= scale[1] < np.inf:
        raise ValueError(
            "`scale` must be None or two positive numbers, the smaller one first. "
            f"Received: scale={scale}"
        )
    if np.shape(sides) != (2,):
        raise ValueError(f"`sides` must be two integers. Received: sides={sides}")
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

    $s_0$ is `start`. Returns `[count, frames]` int32, rounded to whole pixels (the walk
    is not).
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

    Its rows sum to 1. Each is a triangle around the middle of a new pixel, as of
    `views.resample`.
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
    """Draw a digit `[B, H, H]` of changing size into each clip, where it is brighter.

    The frames `[B, T, side, side, 1]` uint8 are changed in place. `corners` `[B, T, 2]`
    are row and column of the digit's top left pixel, `sides` `[B, T]` its sides.
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
