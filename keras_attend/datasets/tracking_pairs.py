"""Short clips for a tracker that compares: real ones, and pictures that seem to move.

A tracker that reads a window around the last box sees the same when the object moves
and when the window does. So a single picture is a clip as well: `moves` says by how
much the tracker shall err in each frame.
"""

from collections import abc
from typing import Any

import numpy as np

from keras_attend.arguments import (
    check_positive,
    check_positive_integers,
    check_shares,
)
from keras_attend.datasets.clips import Clip, ClipBatches
from keras_attend.datasets.pair_pictures import (
    Light,
    blurred,
    rectangle,
    stretched,
    with_things,
    write_into,
)
from keras_attend.datasets.sequences import Sequence, read_frames
from keras_attend.types import Array

GREY = 127  # of what lies beyond a picture
STEPS = (1, 1, 1, 2, 3, 5, 8)  # frames of a video from one of a clip to the next
STILL = 1 / 3  # of the clips that are not real
FARTHEST = 1.4  # sides of the object by which a window is off
FAR = 60  # frames by which the first of a clip may be farther off than the others


class TrackingPairs(ClipBatches):
    """Clips of real videos and of still pictures, with what befalls an object in them.

    A share `real` of the clips is real, or `drawn`. The others show one frame of a
    video again and again, with the object in it, or with any rectangle in its place. In
    all of them the light changes, things come between, and in some the object is
    hidden, painted over, or the whole picture is another one for a while.

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
        real: share of real clips; the rest are half objects and half rectangles, with
            `stills` a third and two thirds.
        farthest: by how many sides of the object a window is off at most.
        drawn: more clips, (frames `[T, H, W, 3]` uint8, boxes, present) each, such as
            those of `RenderedKITTI`.
        drawn_share: the share of the real clips that are taken from `drawn`.
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
        farthest: float = FARTHEST,
        stills: abc.Sequence[Array] = (),
        drawn: abc.Sequence[Clip] = (),
        drawn_share: float = 0.35,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(batch_size, batches, frames, seed, **kwargs)
        check_positive_integers(side=side)
        check_positive(farthest=farthest)
        check_shares(real=real, drawn_share=drawn_share)
        self.side, self.guided, self.gone = side, guided, gone
        self.real, self.stretch, self.farthest = real, stretch, farthest
        self.stills, self.drawn = list(stills), list(drawn)
        self.drawn_share = drawn_share if self.drawn else 0.0
        self.videos = [(read_frames(v), v.boxes, v.present) for v in videos]
        lengths = np.array([min(len(video), 150) for video in videos])
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
        real = random.random() < self.real
        if real and random.random() < self.drawn_share:
            clip = self.drawn[random.integers(len(self.drawn))]
        else:
            clip = self.videos[random.choice(len(self.videos), p=self.chances)]
        pictures, known, there = clip
        index = self._indices(random, there, real)
        boxes, present = known[index].astype("float64"), there[index]
        for t in map(int, np.flatnonzero(boxes[:, 2:].prod(-1) == 0)):
            boxes[t] = boxes[max(t - 1, 0)]  # where it was last; the first has a box
        still = bool(self.stills) and not real and random.random() < STILL
        if still:
            pictures = self.stills[random.integers(len(self.stills))][None]
            index, present = np.zeros(T, int), np.ones(T, bool)
        if still or (not real and random.random() < 0.5):
            boxes[:] = rectangle(random, *pictures.shape[1:3])
        stretch = np.ones((T, 2))
        if not real and random.random() < 0.6:
            stretch = np.exp(random.normal(0, self.stretch, (T, 2)))
            stretch[0] = 1.0
        flip, light = random.random() < 0.5, Light(random, real)
        away = self._away(random)
        present = present & (away == 0)
        other = self._other(random)
        written = np.empty_like(boxes)  # in the frames
        about = boxes[0, 1::-1] + boxes[0, :1:-1] / 2  # row and column
        for t in range(T):
            picture = pictures[index[t]]
            if away[t] == 3:
                picture, boxes[t] = other, boxes[max(t - 1, 0)]
            else:
                picture, boxes[t] = stretched(picture, boxes[t], stretch[t])
            picture = with_things(random, picture, boxes[t], other, away[t])
            picture = light(random, picture)
            if random.random() < 0.05:
                picture = blurred(random, picture)
            written[t] = write_into(picture, boxes[t], frames[t], flip, about)
        centers = written[:, :2] + written[:, 2:] / 2
        present &= ((centers >= 0) & (centers < self.side)).all(-1)
        return self._completed(random, written, present, real)

    def _indices(self, random: np.random.Generator, there: Array, real: bool) -> Array:
        """Which frames of a video: some steps apart, forward or backward.

        `there` says in which of the video's frames the object is. Steps are so short
        that the clip does not wait at the video's end.
        """
        known, T = np.flatnonzero(there), self.frames
        if not real:
            return np.full(T, random.choice(known))
        longest = max((len(there) - 1 - known[0]) // max(T - 1, 1), 1)
        step = min(int(random.choice(STEPS)), longest)
        early = known[known + step * (T - 1) < len(there)]
        index = random.choice(early if len(early) else known) + step * np.arange(T)
        index = np.minimum(index, len(there) - 1)
        if there[index[-1]] and random.random() < 0.5:
            index = index[::-1].copy()
        if random.random() < 0.3:  # the first frame is long ago, or long after
            index[0] = random.choice(known[np.abs(known - index[0]) <= FAR])
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
        pictures = self.videos[random.integers(len(self.videos))][0]
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
        most, spread = self.farthest, 0.12 if real else 0.25
        spread = spread * most / FARTHEST
        wanted = np.clip(random.laplace(0, spread, (T, 2)), -most, most)
        far = random.random(T) < (0.05 if real else 0.2)
        anywhere = random.uniform(-most, most, (T, 2))
        wanted = np.where(far[:, None], anywhere, wanted)
        if real:  # the object's own motion, unless it would leave the window
            wanted = np.where(random.random((T, 1)) < 0.5, off, off + wanted)
            wanted = np.clip(wanted, -most, most)
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
