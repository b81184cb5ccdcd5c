"""Pictures of none, one or several digits, which AIR counts and finds (Eslami 2016).

The task of AIR's section 4.1, and backgrounds that it was not made for: noise, a grid,
photographs. Counts and boxes are for evaluation alone.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_attend.arguments import check_choice, check_shares
from keras_attend.datasets import backgrounds, ink
from keras_attend.datasets.drawn_digits import DrawnDigits
from keras_attend.types import Array

BACKGROUNDS = ("black", "noise", "grid", "photo")
ATTEMPTS = 1000  # to place a picture's objects


class MultiDigits(DrawnDigits):
    """Batches of pictures, each with some digits, or none, on a background.

    Each count from `min_digits` to `max_digits` is equally likely. A digit's picture of
    28x28 pixels is shrunk by a factor of N(1.3, 0.1), and put at any whole pixel of the
    canvas. A picture whose boxes of ink cross by more than `overlap` is drawn again.
    Where digits meet, their brightness adds up; in front of a photograph the later one
    covers the earlier one.

    What a batch holds depends on `(split, seed, epoch, index)` alone, and is the same
    on all machines, since pixels are rounded to 1/255; in front of photographs, on all
    machines that have the same ones. The epochs of "validation" and "test" are all the
    same.

    Args:
        split: "train", "validation" or "test": 50,000, 10,000 and 10,000 digits of
            MNIST (the last 10,000 of its training set are for validation).
        batch_size: B, the number of pictures in a batch.
        size: a picture's side in pixels.
        max_digits: N, the greatest number of digits in a picture.
        background: "black"; "noise", which makes $0.8 x + 0.1 + N(0, 0.2)$ of black
            pictures; "grid", lines of 0.4 every 5 pixels, which begin anywhere;
            "photo", crops of `photographs(split)`; or pictures to crop, as
            `read_pictures` returns them.
        color: draw in colour, digits as often as discs, squares, triangles and rings.
        overlap: the greatest part of a digit's box that another one may cover, 0..1.
        seed: the seed of all draws.
        length: the number of batches in an epoch.
        labels: return counts and boxes too.
        digits: `[K, H, H, 1]` uint8, to be drawn in the place of MNIST's.
        min_digits: the least number of digits in a picture.
        **kwargs: of `keras.utils.PyDataset` (`workers`, ...).

    A batch is `images` `[B, size, size, C]`, float32 in 0..1, of one channel, or of
    three with `color`. With `labels` it is `(images, targets)`, where

        targets["count"]   [B]        int32
        targets["boxes"]   [B, N, 4]  float32, `xywh` in pixels, 0-based, of the ink:
                                      of a digit's pixels above 50/255

    The first "count" boxes of a picture are of its digits; the others are zeros.
    """

    def __init__(
        self,
        split: str = "train",
        batch_size: int = 64,
        size: int = 50,
        max_digits: int = 2,
        background: str | Sequence[Array] = "black",
        color: bool = False,
        overlap: float = 0.0,
        seed: int = 0,
        length: int = 100,
        labels: bool = False,
        digits: Array | None = None,
        min_digits: int = 0,
        **kwargs: Any,
    ) -> None:
        shared = (split, batch_size, size, max_digits, seed, length, labels, digits)
        super().__init__(*shared, min_digits, **kwargs)
        check_shares(overlap=overlap)
        self.color, self.overlap = color, overlap
        if isinstance(background, str):
            check_choice("background", background, BACKGROUNDS)
            self.background = background
            self.pictures: tuple[Array, ...] = ()
            if background == "photo":
                self.pictures = backgrounds.photographs(split)
        else:
            self.background, self.pictures = "photo", tuple(background)
        if self.background == "photo":
            backgrounds.check_pictures(self.pictures, size)

    def __getitem__(self, index: int) -> Any:
        random, count = self.begin(index)
        tiles, corners, boxes = self._place(random, count)
        images = self._paint(random, self._alphas(tiles, corners, count))
        # Sums of floats differ in their last bits from one machine to another.
        images = np.rint(images * np.float32(255)) / np.float32(255)
        if not self.labels:
            return images
        return images, {"count": count.astype("int32"), "boxes": boxes}

    def _place(
        self, random: np.random.RandomState, count: Array
    ) -> tuple[Array, Array, Array]:
        """Draw tiles `[B, N, R, R]`, their corners `[B, N, 2]`, boxes `[B, N, 4]`."""
        B, N, tile = len(count), self.max_digits, self.digits.shape[-1]
        room = ink.SIDES[1] * tile // 28
        there = np.arange(N) < count[:, None]  # [B, N]
        tiles = np.empty((B, N, room, room), "float32")
        corners = np.empty((B, N, 2), "int32")
        boxes = np.empty((B, N, 4), "float32")
        left = np.arange(B)  # the pictures whose objects are to be drawn
        for _ in range(ATTEMPTS):
            shape = (len(left), N)
            rows = random.randint(len(self.digits), size=shape)
            things = self.digits[rows]
            if self.color:
                things = with_shapes(random, things)
            sides = ink.draw_sides(random, shape, tile)
            drawn = ink.resized_tiles(
                things.reshape(-1, tile, tile), sides.reshape(-1), room
            )
            free = self.size - sides + 1
            at = (random.uniform(0, 1, (*shape, 2)) * free[..., None]).astype("int32")
            tiles[left], corners[left] = drawn.reshape(*shape, room, room), at
            boxes[left] = ink.ink_boxes(drawn).reshape(*shape, 4)
            boxes[left, :, :2] += at[..., ::-1]
            crossing = ink.shared_part(boxes[left], there[left])
            left = left[crossing > self.overlap]
            if not len(left):
                return tiles, corners, boxes * there[..., None]
        raise ValueError(
            f"{N} digits do not fit. Use a greater `size`, fewer `max_digits`, or a "
            f"greater `overlap`. Received: size={self.size}, max_digits={N}, "
            f"overlap={self.overlap}"
        )

    def _alphas(self, tiles: Array, corners: Array, count: Array) -> Array:
        """Put tiles onto canvases: `[B, N, size, size, 1]` in 0..1, black if absent."""
        B, N, room, _ = tiles.shape
        flat = tiles.reshape(-1, room, room), corners.reshape(-1, 2)
        alphas = ink.paste(*flat, (self.size, self.size))
        alphas = alphas.reshape(B, N, self.size, self.size, 1) / np.float32(255)
        there = np.arange(N) < count[:, None]
        return alphas * there[:, :, None, None, None]

    def _paint(self, random: np.random.RandomState, alphas: Array) -> Array:
        """Paint objects of these opacities onto the background: `[B, H, W, C]`."""
        B, N, size = alphas.shape[:3]
        channels = 3 if self.color else 1
        paint = np.ones((B, N, 1, 1, channels), "float32")
        if self.color:
            paint[:, :, 0, 0] = ink.draw_colors(random, (B, N))
        if self.background == "photo":
            images = backgrounds.crops(random, self.pictures, B, size)
            canvas = images.astype("float32") / np.float32(255)
            canvas = canvas if self.color else backgrounds.grey(canvas)
            for n in range(N):
                canvas += alphas[:, n] * (paint[:, n] - canvas)
            return canvas
        canvas = np.minimum((alphas * paint).sum(1), np.float32(1))
        if self.background == "noise":
            return backgrounds.with_noise(random, canvas)
        if self.background == "grid":
            canvas = np.maximum(canvas, backgrounds.draw_grids(random, B, size))
        return canvas


def with_shapes(random: np.random.RandomState, things: Array) -> Array:
    """Replace half of the digits `[..., H, H]`, at random, by shapes."""
    shapes = ink.shape_pictures(things.shape[-1])
    chosen = shapes[random.randint(len(shapes), size=things.shape[:-2])]
    replaced = random.randint(2, size=(*things.shape[:-2], 1, 1)) == 1
    return np.where(replaced, chosen, things)
