"""Clips of real videos, or of single pictures, for trackers to learn from.

`Clips` draws windows of videos, `StillClips` moves a view over pictures. Boxes are
`xywh`, 0-based.
"""

from abc import abstractmethod
from collections import abc
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_attend.arguments import check_positive_integers
from keras_attend.datasets.clips import ClipBatches
from keras_attend.datasets.sequences import Sequence, read_frames
from keras_attend.datasets.views import (
    common,
    cut_at_border,
    mirrored,
    resample,
    view_of,
)

Array = NDArray[Any]
Clip = tuple[Array, Array, Array]  # frames, boxes, present

LUMA = np.array([0.299, 0.587, 0.114], "float32")  # of red, green, blue


class VideoBatches(ClipBatches):
    """Clips drawn one at a time, each under a light of its own."""

    def __init__(
        self,
        batch_size: int,
        frames: int,
        size: tuple[int, int],
        seed: int,
        batches: int,
        photometric: float,
        grey: bool = False,
        cut: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(batch_size, batches, frames, seed, **kwargs)
        height, width = size
        check_positive_integers(height=height, width=width)
        if not 0 <= photometric < 1:
            raise ValueError(
                "`photometric` must be at least 0 and less than 1. "
                f"Received: photometric={photometric}"
            )
        self.size = (height, width)
        self.photometric = photometric
        self.grey = grey
        self.cut = cut

    @abstractmethod
    def draw_clip(self, random: np.random.Generator) -> Clip:
        """A clip: frames `[T, *size, C]`, boxes `[T, 4]`, present `[T]`."""

    def random(self, index: int) -> np.random.Generator:
        """What a batch is drawn from."""
        return np.random.default_rng([self.seed, self.epoch, index])

    def draw(self, random: np.random.Generator) -> tuple[Array, dict[str, Array]]:
        """Frames `[B, T, *size, C]`, boxes `[B, T, 4]` and present `[B, T]`."""
        clips = []
        for _ in range(self.batch_size):
            shown, boxes, present = self.draw_clip(random)
            clips.append((self.relit(shown, random), boxes, present))
        frames, boxes, present = (np.stack(part) for part in zip(*clips, strict=True))
        if self.grey and frames.shape[-1] == 3:
            frames = np.rint(frames @ LUMA).astype("uint8")[..., None]
        if self.cut:
            boxes = cut_at_border(boxes, self.size)
        return frames, {"boxes": boxes.astype("float32"), "present": present}

    def relit(self, frames: Array, random: np.random.Generator) -> Array:
        """The same gamma, contrast and brightness for all frames."""
        if self.photometric == 0:
            return frames
        gamma, contrast, brightness = random.uniform(-1, 1, 3) * self.photometric
        light = np.linspace(0, 1, 256) ** ((1 + self.photometric) ** gamma)
        light = (light - 0.5) * (1 + contrast) + 0.5 + brightness
        table = np.rint(np.clip(light, 0, 1) * 255).astype("uint8")  # [256]
        return np.take(table, frames)


class Clips(VideoBatches):
    """Random windows of videos, moved, mirrored, reversed and relit as drawn.

    Every clip is of a video drawn uniformly, and begins with a frame in which the
    object is present. What a batch holds depends on `(seed, epoch, index)` alone.
    Pass `shuffle=False` to `fit` for the batches to come in order too.

    Args:
        sequences: of `otb` or `got10k`. Those shorter than a clip (than `shortest`,
            if given; their last frame is then repeated, the object absent) are left
            out.
        batch_size: clips in a batch.
        frames: of a clip, T.
        size: of a frame, (height, width), in pixels.
        seed: of all draws.
        flip: mirror half of the clips, left for right.
        reverse: run half of the clips backwards.
        crop: the least and the greatest size of the view, in sizes (roots of the
            area) of the object in the clip's first frame. The view has the shape of
            `size`, stays where it is during the clip, lies inside the video's frame
            (and is smaller than asked where that is too small), and anywhere around
            the object. None shows the whole frame, stretched to `size`.
        photometric: the greatest change of brightness (white is 1), of contrast
            (relative) and of gamma (relative), the same for all frames of a clip.
        steps: from one frame of a clip to the next it may be up to so many of the
            video's, but no more than a clip has room for; how many is drawn for each
            clip.
        visible: the object counts as present while the view holds at least this
            share of what the video's frame shows of it.
        batches: of an epoch.
        cache: keep each decoded frame in memory (height x width x 3 bytes), and so
            read it once; else read it whenever it is drawn.
        **kwargs: `grey=True` for frames of one channel; `cut=True` for boxes cut at
            the view's border, as KITTI's labels are; `shortest`, the fewest frames
            after which a clip ends (all have `frames` when absent); and of
            `keras.utils.PyDataset` (`workers`, ...).

    Yields `({"frames": [B, T, H, W, 3] uint8, "box": [B, 4]}, {"boxes": [B, T, 4],
    "present": [B, T]})`, float32; boxes in pixels of the view, not cut at its border
    unless asked for.
    """

    def __init__(
        self,
        sequences: abc.Iterable[Sequence],
        batch_size: int,
        frames: int = 10,
        size: tuple[int, int] = (128, 128),
        seed: int = 0,
        flip: bool = True,
        reverse: bool = True,
        crop: tuple[float, float] | None = (2.0, 5.0),
        photometric: float = 0.2,
        steps: int = 1,
        visible: float = 0.25,
        batches: int = 100,
        cache: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(batch_size, frames, size, seed, batches, photometric, **kwargs)
        check_positive_integers(steps=steps)
        if crop is not None:
            check_sizes("crop", crop)
        if not 0 <= visible <= 1:
            raise ValueError(f"`visible` must be in 0..1. Received: visible={visible}")
        given = tuple(sequences)
        self.least = self.shortest or frames
        self.sequences = tuple(s for s in given if len(_starts(s, self.least - 1)))
        if not self.sequences:
            raise ValueError(
                f"`sequences` must hold a video of at least {self.least} frames, the "
                f"object present in the first. Received: {len(given)} videos of up to "
                f"{max(map(len, given), default=0)} frames"
            )
        self.flip = flip
        self.reverse = reverse
        self.crop = crop
        self.steps = steps
        self.visible = visible
        self.cache = cache
        self._decoded: dict[Path, Array] = {}

    def draw_clip(self, random: np.random.Generator) -> Clip:
        """A clip: frames `[T, *size, 3]`, boxes `[T, 4]`, present `[T]`."""
        sequence = self.sequences[random.integers(len(self.sequences))]
        chosen = self._window(sequence, random)
        there = (chosen >= 0) & (chosen < len(sequence))
        chosen = np.clip(chosen, 0, len(sequence) - 1)
        pixels = self._read(sequence, chosen)
        boxes, present = sequence.boxes[chosen], sequence.present[chosen] & there
        height, width = pixels.shape[1:3]
        view = np.array([0.0, 0.0, width, height])
        if self.crop is not None:
            ratio = np.exp(random.uniform(*np.log(self.crop)))
            place = random.random(2)
            view = view_of(boxes[0], ratio, place, self.size, (height, width))
        inside = common(boxes, view)
        shown = common(boxes, np.array([0.0, 0.0, width, height]))
        present = present & (inside >= self.visible * shown)
        present[0] = True  # however large it is, the clip begins with it
        pixels, moved = resample(pixels, boxes, view, self.size)
        # An absent box stays all zeros.
        boxes = np.where(sequence.present[chosen, None], moved, 0)
        if self.flip and random.random() < 0.5:
            pixels, boxes = mirrored(pixels, boxes)
        return pixels, boxes, present

    def _window(self, sequence: Sequence, random: np.random.Generator) -> Array:
        """Which frames of the video, `[T]`, the last ones perhaps beyond its end."""
        fastest = (len(sequence) - 1) // max(self.least - 1, 1)
        step = int(random.integers(1, max(min(self.steps, fastest), 1) + 1))
        if self.reverse and random.random() < 0.5:
            step = -step
        starts = _starts(sequence, step * (self.least - 1))
        if len(starts) == 0:  # not there at any first frame: not so fast, or forwards
            step, starts = 1, _starts(sequence, self.least - 1)
        start = starts[random.integers(len(starts))]
        return start + step * np.arange(self.frames)

    def _read(self, sequence: Sequence, chosen: Array) -> Array:
        if not self.cache:
            return read_frames(sequence, chosen)
        for index in chosen:
            path = sequence.frames[index]
            if path not in self._decoded:
                self._decoded[path] = read_frames(sequence, [index])[0]
        return np.stack([self._decoded[sequence.frames[index]] for index in chosen])


class StillClips(VideoBatches):
    """Clips of single pictures, over which the view wanders and zooms.

    The view's path is a quadratic Bézier curve: where the object is in the view, and
    how large, go smoothly from one drawn place to another, bent towards a third. The
    view lies inside the picture, so that an object that nearly fills it moves little.
    What a batch holds depends on `(seed, epoch, index)` alone.

    Args:
        images: pictures `[H, W, C]` uint8, of any sizes, or `[N, H, W, C]`.
        boxes: of one object in each, `[N, 4]`, `xywh` in pixels.
        batch_size: clips in a batch.
        frames: of a clip, T.
        size: of a frame, (height, width), in pixels.
        seed: of all draws.
        motion: how far the object goes: 0 is nowhere, 1 from anywhere in the view to
            anywhere.
        crop: the least and the greatest size of the view, in sizes (roots of the
            area) of the object.
        flip: mirror half of the clips, left for right.
        photometric: as of `Clips`.
        batches: of an epoch.
        **kwargs: `grey=True` for frames of one channel; `cut=True` for boxes cut at
            the view's border, as KITTI's labels are; `shortest`, the fewest frames
            after which a clip ends (all have `frames` when absent); and of
            `keras.utils.PyDataset` (`workers`, ...).

    Yields what `Clips` does; the object is present throughout.
    """

    def __init__(
        self,
        images: abc.Sequence[Array] | Array,
        boxes: Array,
        batch_size: int,
        frames: int = 10,
        size: tuple[int, int] = (128, 128),
        seed: int = 0,
        motion: float = 0.5,
        crop: tuple[float, float] = (2.0, 5.0),
        flip: bool = True,
        photometric: float = 0.2,
        batches: int = 100,
        **kwargs: Any,
    ) -> None:
        super().__init__(batch_size, frames, size, seed, batches, photometric, **kwargs)
        check_sizes("crop", crop)
        if not 0 <= motion <= 1:
            raise ValueError(f"`motion` must be in 0..1. Received: motion={motion}")
        boxes = np.asarray(boxes, "float32")
        if len(images) == 0 or boxes.shape != (len(images), 4):
            raise ValueError(
                "`boxes` must be [N, 4], one for each of the `images`, and there must "
                f"be some. Received: {len(images)} images, boxes.shape={boxes.shape}"
            )
        for number, (image, box) in enumerate(zip(images, boxes, strict=True)):
            if image.ndim != 3 or image.dtype != np.uint8:
                raise ValueError(
                    "Each of the `images` must be [H, W, C] uint8. Received: number "
                    f"{number} of shape {image.shape}, {image.dtype}"
                )
            whole = np.array([0, 0, image.shape[1], image.shape[0]])
            if not (np.isfinite(box).all() and (box[2:] > 0).all()) or (
                common(box, whole) <= 0
            ):
                raise ValueError(
                    "Each of the `boxes` must be (x, y, w, h) with w, h > 0, and "
                    f"overlap its picture. Received: number {number}, {box.tolist()} "
                    f"in a picture of shape {image.shape}"
                )
        self.images = images
        self.boxes = boxes
        self.motion = motion
        self.crop = crop
        self.flip = flip

    def draw_clip(self, random: np.random.Generator) -> Clip:
        """A clip: frames `[T, *size, C]`, boxes `[T, 4]`, present `[T]`."""
        number = int(random.integers(len(self.images)))
        image, box = self.images[number], self.boxes[number]
        points = random.random((3, 3))  # three times a size and a place
        points[1:] = points[0] + self.motion * (points[1:] - points[0])
        s = np.linspace(0, 1, self.frames)[:, None]
        path = np.stack([(1 - s) ** 2, 2 * s * (1 - s), s**2], -1) @ points
        path = path.reshape(self.frames, 3)
        low, high = np.log(self.crop)
        frames, boxes = [], []
        for fraction, *place in path:
            ratio = np.exp(low + fraction * (high - low))
            view = view_of(box, ratio, np.array(place), self.size, image.shape[:2])
            pixels, moved = resample(image[None], box[None], view, self.size)
            frames.append(pixels[0])
            boxes.append(moved[0])
        clip, track = np.stack(frames), np.stack(boxes)
        if self.flip and random.random() < 0.5:
            clip, track = mirrored(clip, track)
        return clip, track, np.ones(self.frames, bool)


def _starts(sequence: Sequence, reach: int) -> Array:
    """Frames with the object from which `reach` more (or less) is in the video."""
    start = np.flatnonzero(sequence.present)
    return start[(start + reach >= 0) & (start + reach < len(sequence))]


def check_sizes(name: str, value: tuple[float, float]) -> None:
    """Complain of sizes of a view that are not (least, greatest)."""
    low, high = value
    if not 1 <= low <= high < np.inf:
        raise ValueError(
            f"`{name}` must be (least, greatest), at least 1 and in order. "
            f"Received: {name}={value}"
        )
