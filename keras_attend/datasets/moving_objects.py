"""Videos of digits that come and go, cross, and differ in size, for `SequentialAIR`.

`MovingDigits` has one object that is there from the first frame to the last, whose box
is given. Here nothing is given: boxes and identities are for evaluation alone.
"""

from typing import Any

import numpy as np

from keras_attend.arguments import (
    check_choice,
    check_positive_integers,
    check_shares,
)
from keras_attend.datasets import ink
from keras_attend.datasets.backgrounds import with_noise
from keras_attend.datasets.drawn_digits import DrawnDigits
from keras_attend.datasets.multi_digits import ATTEMPTS
from keras_attend.types import Array

SPEEDS = (0.5, 3.0)  # pixels a frame
ARRIVALS = ("anywhere", "edges")
LIFE = 3  # frames for which a digit is there at least
VISIBLE = 0.5  # an object is present if more of its box than this is in the frame


class MovingObjects(DrawnDigits):
    """Batches of videos in which up to `max_digits` digits move over a canvas.

    Each number of digits in a clip is equally likely. A digit keeps its size, which is
    as in `MultiDigits` times a factor in `sizes`, and its velocity, of 0.5 to 3 pixels
    a frame in any direction; the walls reflect it. Digits cross each other, where their
    brightness adds up; only in the frame in which one appears the boxes are disjoint.

    With probability `changes` a digit is not there at the beginning, but comes in some
    later frame; with the same probability it goes before the end. With
    `arrivals="anywhere"` it comes and goes from one frame to the next, as after a cut.
    With "edges" it moves across the canvas's edge, in several frames.

    What a batch holds depends on `(split, seed, epoch, index)` alone. The epochs of
    "validation" and "test" are all the same.

    Args:
        split: "train", "validation" or "test", as of `MultiDigits`.
        batch_size: B, the number of clips in a batch.
        frames: T, the number of frames in a clip.
        size: a frame's side in pixels.
        max_digits: N, the greatest number of digits in a clip.
        changes: the share of digits that come later, and of those that go earlier.
        arrivals: "anywhere" or "edges".
        sizes: (least, greatest) factor of a digit's size, uniformly drawn.
        background: "black" or "noise", as of `MultiDigits`, other noise in each frame.
        seed: the seed of all draws.
        length: the number of batches in an epoch.
        labels: return what is true too.
        digits: `[K, H, H, 1]` uint8, to be drawn in the place of MNIST's.
        **kwargs: of `keras.utils.PyDataset` (`workers`, ...).

    A batch is `{"frames": [B, T, size, size, 1]}`, float32 in 0..1. With `labels` it is
    a pair of this and of targets, whose digits keep their number n in all frames:

        targets["count"]     [B, T]        int32, the number of digits present
        targets["presence"]  [B, T, N]     float32, 1 where a digit is present: where
                                           more than half of its box is in the frame
        targets["boxes"]     [B, T, N, 4]  float32, `xywh` in pixels, 0-based, of the
                                           ink in the frame; zeros where it is absent
        targets["ids"]       [B, T, N]     int32, n, and -1 where it is absent
        targets["visible"]   [B, T, N]     float32, the part of its box in the frame
        targets["bounced"]   [B, T, N]     float32, 1 where a wall has turned it round
    """

    def __init__(
        self,
        split: str = "train",
        batch_size: int = 16,
        frames: int = 10,
        size: int = 50,
        max_digits: int = 2,
        changes: float = 0.5,
        arrivals: str = "anywhere",
        sizes: tuple[float, float] = (1.0, 1.0),
        background: str = "black",
        seed: int = 0,
        length: int = 100,
        labels: bool = False,
        digits: Array | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            split, batch_size, size, max_digits, seed, length, labels, digits, **kwargs
        )
        check_choice("arrivals", arrivals, ARRIVALS)
        check_choice("background", background, ("black", "noise"))
        check_positive_integers(frames=frames)
        check_shares(changes=changes)
        if np.shape(sizes) != (2,) or not 0.5 <= sizes[0] <= sizes[1] <= 2:
            raise ValueError(
                "`sizes` must be two numbers in 0.5..2, the smaller one first. "
                f"Received: sizes={sizes}"
            )
        self.frames, self.sizes, self.changes = frames, sizes, changes
        self.arrivals, self.background = arrivals, background
        self.room = int(np.ceil(ink.SIDES[1] * self.digits.shape[-1] / 28 * sizes[1]))
        if size < self.room:
            raise ValueError(
                f"`size` must be at least {self.room}, the side of the largest digit. "
                f"Received: size={size}, sizes={sizes}"
            )

    def __getitem__(self, index: int) -> Any:
        random, count = self.begin(index)
        clips = self._clips(random, count)
        inputs = {"frames": self._frames(random, clips)}
        return (inputs, self._targets(clips)) if self.labels else inputs

    def _clips(self, random: np.random.RandomState, count: Array) -> dict[str, Array]:
        """Draw clips of so many digits, `[B]`, until boxes are disjoint at first."""
        clips = self._draw(random, count)
        left = np.arange(len(count))
        for _ in range(ATTEMPTS):
            here = {name: values[left] for name, values in clips.items()}
            left = left[_crosses_at_first(here["boxes"], here["visible"] > VISIBLE)]
            if not len(left):
                return clips
            for name, values in self._draw(random, count[left]).items():
                clips[name][left] = values
        raise ValueError(
            f"{self.max_digits} digits do not fit. Use a greater `size` or fewer "
            f"`max_digits`. Received: size={self.size}, max_digits={self.max_digits}"
        )

    def _draw(self, random: np.random.RandomState, count: Array) -> dict[str, Array]:
        """Draw K clips; the arrays are `[K, N, ...]`, those in time `[K, N, T, ...]`.

        It returns "tiles" `[K, N, R, R]`, their "corners" `[K, N, T, 2]`, "boxes",
        "visible" and "bounced".
        """
        shape, T = (len(count), self.max_digits), self.frames
        tile = self.digits.shape[-1]
        rows = random.randint(len(self.digits), size=shape)
        sides = ink.draw_sides(random, shape, tile)
        sides = np.rint(sides * random.uniform(*self.sizes, shape)).astype("int32")
        flat = self.digits[rows].reshape(-1, tile, tile), sides.reshape(-1)
        tiles = ink.resized_tiles(*flat, self.room)
        walk = self._walk(random, self.size - sides, self._lives(random, shape))
        places, bounced, there = walk
        corners = np.rint(places).astype("int32")  # [K, N, T, 2]
        boxes = np.repeat(ink.ink_boxes(tiles).reshape(*shape, 1, 4), T, 2)
        boxes[..., :2] += corners[..., ::-1]
        whole = boxes[..., 2:].prod(-1)
        low = np.clip(boxes[..., :2], 0, self.size)
        boxes[..., 2:] = np.clip(boxes[..., :2] + boxes[..., 2:], 0, self.size) - low
        boxes[..., :2] = low
        exists = np.arange(self.max_digits) < count[:, None]
        shown = there & exists[..., None]
        visible = boxes[..., 2:].prod(-1) / np.maximum(whole, 1) * shown
        return {
            "tiles": tiles.reshape(*shape, self.room, self.room),
            "corners": corners,
            "boxes": boxes,
            "visible": visible.astype("float32"),
            "bounced": bounced & shown,
        }

    def _lives(
        self, random: np.random.RandomState, shape: tuple[int, ...]
    ) -> tuple[Array, Array]:
        """Draw the frame in which each digit comes, and the one in which it is gone."""
        T = self.frames
        comes, goes, first, last = random.uniform(0, 1, (4, *shape))
        start = np.where(comes < self.changes, 1 + first * (T - LIFE), 0).astype(int)
        start = np.clip(start, 0, max(T - LIFE, 0))
        stop = start + LIFE + (last * (T - start - LIFE)).astype(int)
        return start, np.where((goes < self.changes) & (stop < T), stop, T)

    def _walk(
        self, random: np.random.RandomState, free: Array, life: tuple[Array, Array]
    ) -> tuple[Array, Array, Array]:
        """Move K x N digits, of which each has `free` pixels to move over.

        It returns places `[K, N, T, 2]` of row and column, not rounded, and two arrays
        of bool `[K, N, T]`: where a wall has turned the digit, and where it is drawn.
        """
        (start, stop), T = life, self.frames
        shape, edges = free.shape, self.arrivals == "edges"
        angle = random.uniform(0, 2 * np.pi, shape)
        speed = random.uniform(*SPEEDS, shape)
        v = speed[..., None] * np.stack([np.sin(angle), np.cos(angle)], -1)
        p = random.uniform(0, 1, (*shape, 2)) * free[..., None]
        axis, side = random.randint(2, size=(2, *shape))
        if edges:  # those that come later wait outside, and move inwards
            outside = np.where(side == 1, self.size, free - self.size)
            inwards = np.maximum(np.abs(v).max(-1), SPEEDS[0]) * (1 - 2 * side)
            late = (start > 0)[..., None] & (np.arange(2) == axis[..., None])
            p = np.where(late, outside[..., None], p)
            v = np.where(late, inwards[..., None], v)
        places = np.empty((*shape, T, 2))
        bounced = np.zeros((*shape, T), bool)
        for t in range(T):
            places[:, :, t] = p
            p = p + v * (t >= start)[..., None]
            walls = (t < stop)[..., None] if edges else True
            low = (p < 0) & (v < 0) & walls
            high = (p > free[..., None]) & (v > 0) & walls
            p = np.where(low, -p, np.where(high, 2 * free[..., None] - p, p))
            v = np.where(low | high, -v, v)
            if t + 1 < T:
                bounced[:, :, t + 1] = (low | high).any(-1)
        time = np.arange(T)
        there = (time >= start[..., None]) & (time < stop[..., None])
        return places, bounced, np.ones_like(there) if edges else there

    def _frames(self, random: np.random.RandomState, clips: dict[str, Array]) -> Array:
        """Draw the frames `[B, T, size, size, 1]`."""
        B, N, T = clips["visible"].shape
        canvas = np.zeros((B * T, self.size, self.size), "float32")
        for n in range(N):
            tiles = np.repeat(clips["tiles"][:, n], T, 0)  # [B T, R, R]
            corners = clips["corners"][:, n].reshape(-1, 2)
            drawn = ink.paste(tiles, corners, (self.size, self.size))
            shown = clips["visible"][:, n].reshape(-1) > 0
            canvas += drawn * shown[:, None, None]
        canvas = np.minimum(canvas / np.float32(255), np.float32(1))
        if self.background == "noise":
            canvas = with_noise(random, canvas)
        canvas = np.rint(canvas * np.float32(255)) / np.float32(255)
        return canvas.reshape(B, T, self.size, self.size, 1)

    def _targets(self, clips: dict[str, Array]) -> dict[str, Array]:
        """What is true of each digit in each frame; see the class."""
        visible = clips["visible"].swapaxes(1, 2)  # [B, T, N]
        present = visible > VISIBLE
        ids = np.where(present, np.arange(self.max_digits), -1)
        return {
            "count": present.sum(-1).astype("int32"),
            "presence": present.astype("float32"),
            "boxes": clips["boxes"].swapaxes(1, 2) * present[..., None],
            "ids": ids.astype("int32"),
            "visible": visible,
            "bounced": clips["bounced"].swapaxes(1, 2).astype("float32"),
        }


def _crosses_at_first(boxes: Array, present: Array) -> Array:
    """Find the clips `[K]` in which a digit appears where another one is.

    Args:
        boxes: `[K, N, T, 4]`.
        present: `[K, N, T]` bool.
    """
    clip, N = np.arange(len(boxes)), boxes.shape[1]
    crosses = np.zeros(len(boxes), bool)
    for n in range(N):
        first = present[:, n].argmax(-1)  # 0 of one that is never there
        for m in range(N):
            pair = [n, m]
            if n != m:
                there = present[clip, :, first][:, pair]
                at = boxes[clip, :, first][:, pair]
                crosses |= ink.shared_part(at, there) > 0
    return crosses
