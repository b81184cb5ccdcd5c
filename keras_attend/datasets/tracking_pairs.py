"""Short clips for a tracker that compares: real ones, and pictures that seem to move.

A tracker that reads a window around the last box sees the same when the object moves
and when the window does. So a single picture is a clip as well: `moves` says by how
much the tracker shall err in each frame.
"""

from collections import abc
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_attend.arguments import check_positive_integers
from keras_attend.datasets.clips import ClipBatches
from keras_attend.datasets.sequences import Sequence, read_frames

Array = NDArray[Any]

GREY = 127  # of what lies beyond a picture
STEPS = (1, 1, 1, 2, 3, 5, 8)  # frames of a video from one of a clip to the next
STILL = 1 / 3  # of the clips that are not real
FARTHEST = 1.4  # sides of the object by which a window is off


class TrackingPairs(ClipBatches):
    """Clips of real videos and of still pictures, with what befalls an object in them.

    Half of the clips are real. The others show one frame of a video again and again,
    with the object in it, or with any rectangle in its place. In all of them the light
    changes, things come between, and in some the object is hidden, painted over, or
    the whole picture is another one for a while.

    Args:
        videos: to draw from; all their frames are kept in memory.
        batch_size: clips in a batch.
        batches: of an epoch.
        frames: of a clip.
        side: of the frames, in pixels; a picture is put into the middle of a grey
            square, or a part of it if it is larger.
        guided: chance that in a frame the window follows from the true box.
        gone: chance that the object is away for a part of the clip.
        stretch: by how much the rows and columns of most clips that are not real are
            stretched in each frame: the standard deviation of the logarithms.
        real: share of real clips; the rest are half objects and half rectangles.
        stills: pictures `[H, W, 3]`, uint8, of which nothing is known; a third of the
            clips that are not real then show a rectangle of one of them.
        seed: of the draws.
        **kwargs: of `keras.utils.PyDataset`.

    Yields what `ClipBatches` does, and with the inputs "guide", "guided", "shown" and
    "moves", which `WideHART` describes.
    """

    def __init__(
        self,
        videos: abc.Sequence[Sequence],
        batch_size: int = 24,
        batches: int = 100,
        frames: int = 6,
        *,
        side: int = 320,
        guided: float = 1.0,
        gone: float = 0.15,
        real: float = 0.5,
        stretch: float = 0.1,
        stills: abc.Sequence[Array] = (),
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(batch_size, batches, frames, seed, **kwargs)
        check_positive_integers(side=side)
        self.side, self.guided, self.gone = side, guided, gone
        self.real, self.stretch = real, stretch
        self.videos, self.stills = list(videos), list(stills)
        self.pictures = [read_frames(video) for video in self.videos]
        lengths = np.array([min(len(video), 150) for video in self.videos])
        self.chances = np.sqrt(lengths) / np.sqrt(lengths).sum()

    def random(self, index: int) -> np.random.Generator:
        """What a batch is drawn from."""
        return np.random.default_rng([self.seed, self.epoch, index])

    def __getitem__(self, index: int) -> Any:
        inputs, targets = super().__getitem__(index)
        for name in ("guide", "guided", "shown", "moves"):
            inputs[name] = targets.pop(name).astype("float32")
        return inputs, targets

    def draw(self, random: Any) -> tuple[Array, dict[str, Array]]:
        """Frames `[B, T, side, side, 3]` and the rest."""
        B, T = self.batch_size, self.frames
        frames = np.full((B, T, self.side, self.side, 3), GREY, "uint8")
        clips = [self.draw_clip(random, frames[i]) for i in range(B)]
        names = ("boxes", "present", "guide", "guided", "shown", "moves")
        return frames, {n: np.stack([clip[n] for clip in clips]) for n in names}

    def draw_clip(self, random: np.random.Generator, frames: Array) -> dict[str, Array]:
        """Draw a clip into `frames` `[T, side, side, 3]`; what belongs to it."""
        T = self.frames
        number = random.choice(len(self.videos), p=self.chances)
        video, pictures = self.videos[number], self.pictures[number]
        real = random.random() < self.real
        index = self._indices(random, video, real)
        boxes = video.boxes[index].astype("float64")
        present = video.present[index]
        still = bool(self.stills) and not real and random.random() < STILL
        if still:
            pictures = self.stills[random.integers(len(self.stills))][None]
            index, present = np.zeros(T, int), np.ones(T, bool)
        if still or (not real and random.random() < 0.5):
            boxes[:] = _rectangle(random, *pictures.shape[1:3])
        stretch = np.ones((T, 2))
        if not real and random.random() < 0.6:
            stretch = np.exp(random.normal(0, self.stretch, (T, 2)))
            stretch[0] = 1.0
        flip, light = random.random() < 0.5, _Light(random, real)
        away = self._away(random)
        present = present & (away == 0)
        other = self._other(random)
        for t in range(T):
            picture = pictures[index[t]]
            if away[t] == 3:
                picture, boxes[t] = other, boxes[max(t - 1, 0)]
            else:
                picture, boxes[t] = _stretched(picture, boxes[t], stretch[t])
            picture = _with_things(random, picture, boxes[t], other, away[t])
            picture = light(random, picture)
            if random.random() < 0.05:
                picture = _blurred(random, picture)
            boxes[t] = _into(picture, boxes[t], frames[t], flip)
        return self._completed(random, boxes, present, real)

    def _indices(
        self, random: np.random.Generator, video: Sequence, real: bool
    ) -> Array:
        """Which frames of a video: some steps apart, forward or backward."""
        known = np.flatnonzero(video.present)
        if not real:
            return np.full(self.frames, random.choice(known))
        step = int(random.choice(STEPS)) * int(random.choice([-1, 1]))
        index = random.choice(known) + step * np.arange(self.frames)
        if random.random() < 0.3:  # the first frame is long ago
            index[1:] += int(random.integers(-60, 61))
        index = np.clip(index, 0, len(video) - 1)
        if not video.present[index[0]]:
            index[0] = random.choice(known)
        return index

    def _away(self, random: np.random.Generator) -> Array:
        """0 where the object is there; else how it is away, 1 to 3, `[T]`."""
        away = np.zeros(self.frames, int)
        if self.frames > 2 and random.random() < self.gone:
            start = random.integers(1, self.frames)
            length = random.integers(1, self.frames)
            away[start : start + length] = random.integers(1, 4)
        return away

    def _other(self, random: np.random.Generator) -> Array:
        pictures = self.pictures[random.integers(len(self.pictures))]
        return pictures[random.integers(len(pictures))]

    def _completed(
        self, random: np.random.Generator, boxes: Array, present: Array, real: bool
    ) -> dict[str, Array]:
        """What goes with boxes `[T, 4]`: how the tracker is led, and how it errs."""
        T = self.frames
        centers = boxes[:, :2] + boxes[:, 2:] / 2
        sizes = np.sqrt(boxes[:, 2:].prod(-1)).clip(2.0)
        shape = boxes[:, 2:] * np.exp(random.normal(0, 0.05, (T, 2)))
        moved = centers + random.normal(0, 0.04, (T, 2)) * sizes[:, None]
        guide = np.concatenate([moved - shape / 2, shape], -1)
        before = np.concatenate([centers[:1], moved[:-1]])
        unit = np.concatenate([sizes[:1], np.sqrt(shape[:-1].prod(-1))])
        off = (centers - before) / unit[:, None]  # what the object has moved
        scale = np.log(sizes / unit)
        moves = np.zeros((T, 4))
        spread = 0.12 if real else 0.25
        wanted = np.clip(random.laplace(0, spread, (T, 2)), -FARTHEST, FARTHEST)
        far = random.random(T) < (0.05 if real else 0.2)
        anywhere = random.uniform(-FARTHEST, FARTHEST, (T, 2))
        wanted = np.where(far[:, None], anywhere, wanted)
        if real:  # the object's own motion, unless it would leave the window
            wanted = np.where(random.random((T, 1)) < 0.5, off, off + wanted)
            wanted = np.clip(wanted, -FARTHEST, FARTHEST)
        moves[:, :2] = (off - wanted)[:, ::-1]  # y first
        grown = np.clip(random.laplace(0, 0.12 if real else 0.15, T), -0.6, 0.6)
        if real:
            grown = np.where(random.random(T) < 0.5, scale, scale + grown)
        moves[:, 2] = scale - np.clip(grown, -0.8, 0.8)
        wider = random.random(T) < 0.12
        moves[:, 3] = np.where(wider, random.uniform(0, 0.9, T), 0.0)
        guided = random.random(T) < self.guided
        moves[1:][~guided[:-1]] *= 0.0  # own errors, where it follows from its own box
        return {
            "boxes": boxes,
            "present": present,
            "guide": guide,
            "guided": guided,
            "shown": present,
            "moves": moves,
        }


class _Light:
    """Gains of a clip, and smaller ones of each frame."""

    def __init__(self, random: np.random.Generator, real: bool) -> None:
        self.strength = 0.5 if real else 1.0
        common = random.random() < 0.5
        self.gain = 1 + random.normal(0, 0.1, 3) * common
        self.own = random.random() < (0.3 if real else 0.8)
        self.grey = random.random() < 0.08

    def __call__(self, random: np.random.Generator, picture: Array) -> Array:
        if self.grey:
            picture = np.repeat(picture[..., 1:2], 3, axis=-1)
        gain, offset = self.gain, 0.0
        if self.own:
            gain = gain * (1 + random.normal(0, 0.12) * self.strength)
            gain = gain + random.normal(0, 0.06, 3) * self.strength
            offset = random.normal(0, 12) * self.strength
        if not self.own and (gain == 1).all():
            return picture
        levels = np.arange(256)[:, None] * gain + offset
        table = np.clip(np.rint(levels), 0, 255).astype("uint8")
        return np.stack([table[:, c][picture[..., c]] for c in range(3)], -1)


def _rectangle(random: np.random.Generator, height: int, width: int) -> Array:
    """Any part of a picture, as a box."""
    size = np.exp(random.uniform(np.log(14), np.log(0.45 * min(height, width))))
    ratio = np.clip(np.exp(random.normal(0, 0.45)), 0.35, 2.8)
    w, h = size * np.sqrt(ratio), size / np.sqrt(ratio)
    return np.array([random.uniform(0, width - w), random.uniform(0, height - h), w, h])


def _stretched(picture: Array, box: Array, by: Array) -> tuple[Array, Array]:
    """A picture with its rows and columns stretched, and the box in it."""
    if (by == 1).all():
        return picture, box
    rows, cols = (
        np.minimum((np.arange(int(n * k)) / k).astype(int), n - 1)
        for n, k in zip(picture.shape[:2], by, strict=True)
    )
    return picture[rows][:, cols], box * np.tile(by[::-1], 2)


def _with_things(
    random: np.random.Generator, picture: Array, box: Array, other: Array, away: int
) -> Array:
    """A picture in which something covers a part of the object, or all of it."""
    height, width = picture.shape[:2]
    x, y, w, h = box
    if away in (1, 2):  # hidden by another picture's part, or by its own surroundings
        w_t, h_t = w * random.uniform(1.0, 1.5), h * random.uniform(1.0, 1.4)
        c = np.array([x + w / 2, y + h / 2])
    elif away == 0 and random.random() < 0.1:
        size = np.sqrt(w * h)
        w_t, h_t = random.uniform(0.25, 0.65, 2) * size
        c = np.array([x + w / 2, y + h / 2]) + random.normal(0, 0.35, 2) * size
    else:
        return picture
    x0, y0 = (int(max(v, 0)) for v in (c[0] - w_t / 2, c[1] - h_t / 2))
    x1, y1 = int(min(c[0] + w_t / 2, width)), int(min(c[1] + h_t / 2, height))
    if x1 - x0 < 1 or y1 - y0 < 1:
        return picture
    source = picture if away == 2 else other
    if away == 2:  # from beside it
        shift = int(np.ceil(w_t)) * (1 if random.random() < 0.5 else -1)
        left = int(np.clip(x0 + shift, 0, width - (x1 - x0)))
        top = y0
    else:
        left = int(random.integers(0, max(source.shape[1] - (x1 - x0), 0) + 1))
        top = int(random.integers(0, max(source.shape[0] - (y1 - y0), 0) + 1))
    part = source[top : top + y1 - y0, left : left + x1 - x0]
    picture = picture.copy()
    picture[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]] = part
    return picture


def _blurred(random: np.random.Generator, picture: Array) -> Array:
    """A picture smeared along its rows or columns."""
    axis, length = int(random.integers(2)), int(random.integers(2, 6))
    shifted = [np.roll(picture, i, axis) for i in range(length)]
    return np.mean(shifted, axis=0).astype("uint8")


def _into(picture: Array, box: Array, frame: Array, flip: bool) -> Array:
    """Write a picture into the middle of `frame`; the box in it."""
    side = frame.shape[0]
    x, y, w, h = box
    corner, begin, size = [], [], []
    for n, middle in zip(picture.shape[:2], (y + h / 2, x + w / 2), strict=True):
        taken = min(n, side)
        first = int(np.clip(middle - side / 2, 0, n - taken))
        corner.append((side - taken) // 2)
        begin.append(first)
        size.append(taken)
    (t, l), (b0, b1), (s0, s1) = corner, begin, size
    frame[t : t + s0, l : l + s1] = picture[b0 : b0 + s0, b1 : b1 + s1]
    x, y = x - b1 + l, y - b0 + t
    if flip:
        frame[:] = frame[:, ::-1].copy()
        x = side - x - w
    return np.array([x, y, w, h])
