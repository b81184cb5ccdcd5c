"""Clips of real videos and of single pictures, for trackers to learn from."""

from collections.abc import Iterable
from collections.abc import Sequence as SequenceOf
from pathlib import Path
from typing import Any

import numpy as np

from keras_attend.arguments import check_positive_integers, check_shares
from keras_attend.datasets.clips import Clip, VideoBatches
from keras_attend.datasets.sequences import Sequence, read_frames
from keras_attend.datasets.views import check_crop, common, mirrored, resample, view_of
from keras_attend.types import Array


class Clips(VideoBatches):
    """Random windows of videos, moved, mirrored, reversed and relit at random.

    The video of each clip is drawn uniformly. A clip begins with a frame in which the
    object is present.

    Args:
        sequences: of `otb`, `got10k`, `KITTI` or `KTH`. Videos shorter than a clip are
            left out. If `shortest` is given, only those shorter than it are; the last
            frame of the others is repeated, with the object absent.
        batch_size: B, the number of clips in a batch.
        flip: mirror half of the clips, left for right.
        reverse: play half of the clips backwards.
        crop: (least, greatest) size of the view, relative to the size (the root of
            the area) of the object in the clip's frame 0. The view has the aspect
            ratio of `size` and does not move during a clip. It lies inside the video's
            frame, anywhere around the object, and is made smaller to fit. None takes
            the whole frame, stretched to `size`.
        steps: the greatest number of the video's frames from one frame of a clip to
            the next. Each clip draws its own, as far as its video is long enough.
        visible: the object is present while the view holds at least this share of its
            part inside the video's frame.
        cache: keep each decoded frame in memory (height x width x 3 bytes) instead of
            reading it whenever it is drawn.
        **kwargs: of `VideoBatches` (`size`, `photometric`, `grey`, `cut`) and
            `ClipBatches` (`frames`, `seed`, `batches`, `shortest`).

    A batch holds what one of `ClipBatches` does, with frames uint8. Boxes are in pixels
    of the view, zeros where the video has none.
    """

    def __init__(
        self,
        sequences: Iterable[Sequence],
        batch_size: int,
        *,
        flip: bool = True,
        reverse: bool = True,
        crop: tuple[float, float] | None = (2.0, 5.0),
        steps: int = 1,
        visible: float = 0.25,
        cache: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(batch_size, **kwargs)
        check_positive_integers(steps=steps)
        if crop is not None:
            check_crop(crop)
        check_shares(visible=visible)
        given = tuple(sequences)
        self.least = self.shortest or self.frames
        self.sequences = tuple(s for s in given if len(_starts(s, self.least - 1)))
        if not self.sequences:
            raise ValueError(
                f"`sequences` must hold a video of at least {self.least} frames from "
                f"one that shows the object. Received: {len(given)} videos of up to "
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
        """Draw frames `[T, H, W, 3]` uint8, boxes `[T, 4]` and present `[T]` bool."""
        sequence = self.sequences[random.integers(len(self.sequences))]
        chosen = self._window(sequence, random)
        filmed = (chosen >= 0) & (chosen < len(sequence))
        chosen = np.clip(chosen, 0, len(sequence) - 1)
        pixels = self._read(sequence, chosen)
        boxes, present = sequence.boxes[chosen], sequence.present[chosen] & filmed
        height, width = pixels.shape[1:3]
        view = np.array([0.0, 0.0, width, height])
        if self.crop is not None:
            ratio = np.exp(random.uniform(*np.log(self.crop)))
            place = random.random(2)
            view = view_of(boxes[0], ratio, place, self.size, (height, width))
        in_view = common(boxes, view)
        in_frame = common(boxes, np.array([0.0, 0.0, width, height]))
        present = present & (in_view >= self.visible * in_frame)
        present[0] = True  # even if the object is larger than the view
        pixels, moved = resample(pixels, boxes, view, self.size)
        # The box of an absent object stays all zeros.
        boxes = np.where(sequence.present[chosen, None], moved, 0)
        if self.flip and random.random() < 0.5:
            pixels, boxes = mirrored(pixels, boxes)
        return pixels, boxes, present

    def _window(self, sequence: Sequence, random: np.random.Generator) -> Array:
        """Draw the numbers of a clip's frames, `[T]`, the last perhaps past the end."""
        fastest = (len(sequence) - 1) // max(self.least - 1, 1)
        step = int(random.integers(1, max(min(self.steps, fastest), 1) + 1))
        if self.reverse and random.random() < 0.5:
            step = -step
        starts = _starts(sequence, step * (self.least - 1))
        if len(starts) == 0:  # no frame with the object leaves room for such steps
            step, starts = 1, _starts(sequence, self.least - 1)
        start = starts[random.integers(len(starts))]
        return start + step * np.arange(self.frames)

    def _read(self, sequence: Sequence, chosen: Array) -> Array:
        """The frames `[T, H, W, 3]` of these numbers."""
        if not self.cache:
            return read_frames(sequence, chosen)
        for index in chosen:
            path = sequence.frames[index]
            if path not in self._decoded:
                self._decoded[path] = read_frames(sequence, [index])[0]
        return np.stack([self._decoded[sequence.frames[index]] for index in chosen])


class StillClips(VideoBatches):
    """Clips of single pictures, over which a view moves and zooms.

    The object's place in the view and its size follow a quadratic Bézier curve from
    one random point to another, bent towards a third. The view lies inside the picture,
    so an object that nearly fills the picture moves little.

    Args:
        images: pictures `[H, W, C]` uint8 of any sizes, or one array `[N, H, W, C]`.
        boxes: `[N, 4]`, `xywh` in pixels: the box of one object in each picture.
        batch_size: B, the number of clips in a batch.
        motion: how far the object moves in the view: 0 is not at all, 1 is from
            anywhere to anywhere.
        crop: (least, greatest) size of the view, relative to the size (the root of
            the area) of the object.
        flip: mirror half of the clips, left for right.
        **kwargs: as of `Clips`.

    A batch holds what one of `Clips` does. The object is present in every frame.
    """

    def __init__(
        self,
        images: SequenceOf[Array] | Array,
        boxes: Array,
        batch_size: int,
        *,
        motion: float = 0.5,
        crop: tuple[float, float] = (2.0, 5.0),
        flip: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(batch_size, **kwargs)
        check_crop(crop)
        check_shares(motion=motion)
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
        """Draw frames `[T, H, W, C]` uint8, boxes `[T, 4]` and present `[T]` bool."""
        number = int(random.integers(len(self.images)))
        image, box = self.images[number], self.boxes[number]
        points = random.random((3, 3))  # three of (size, down, right)
        points[1:] = points[0] + self.motion * (points[1:] - points[0])
        s = np.linspace(0, 1, self.frames)[:, None]
        path = np.stack([(1 - s) ** 2, 2 * s * (1 - s), s**2], -1) @ points
        path = path.reshape(self.frames, 3)
        low, high = np.log(self.crop)
        seen = []
        for fraction, *place in path:
            ratio = np.exp(low + fraction * (high - low))
            view = view_of(box, ratio, np.array(place), self.size, image.shape[:2])
            seen.append(resample(image[None], box[None], view, self.size))
        clip, track = (np.concatenate(part) for part in zip(*seen, strict=True))
        if self.flip and random.random() < 0.5:
            clip, track = mirrored(clip, track)
        return clip, track, np.ones(self.frames, bool)


def still_clips(
    sequences: Iterable[Sequence], every: int = 4, **kwargs: Any
) -> StillClips:
    """`StillClips` of the frames of videos, each taken as a single picture.

    Args:
        sequences: of `otb`, `got10k`, `KITTI` or `KTH`.
        every: take one of so many of the frames that show the object.
        **kwargs: of `StillClips`.
    """
    images: list[Array] = []
    boxes: list[Array] = []
    for sequence in sequences:
        chosen = np.flatnonzero(sequence.present)[::every]
        images += list(read_frames(sequence, chosen))
        boxes += list(sequence.boxes[chosen])
    return StillClips(images, np.array(boxes), **kwargs)


class MixedClips(VideoBatches):
    """Batches whose clips are drawn by several datasets, each by a share of its own.

    Args:
        parts: pairs of a dataset (`Clips`, `StillClips` or `RenderedKITTI`) and its
            share of the clips, relative to the other shares. All have the same
            `frames`, `size`, `grey` and `cut`. Their batch sizes and seeds are not
            used.
        batch_size: B, the number of clips in a batch.
        seed: the seed of all draws.
        **kwargs: `batches`, `shortest`, ... of `ClipBatches`.

    A batch holds what a batch of one of its parts does.
    """

    def __init__(
        self,
        parts: Iterable[tuple[VideoBatches, float]],
        batch_size: int,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        given = tuple(parts)
        kinds = {(part.frames, part.size, part.grey, part.cut) for part, _ in given}
        if len(kinds) != 1:
            raise ValueError(
                "`parts` must be datasets of the same frames, size, grey and cut, at "
                f"least one. Received: (frames, size, grey, cut) {sorted(kinds)}"
            )
        shares = np.array([share for _, share in given])
        if not ((shares >= 0).all() and shares.sum() > 0):
            raise ValueError(
                "The shares of `parts` must not be negative, nor all 0. "
                f"Received: {shares.tolist()}"
            )
        ((frames, size, grey, cut),) = kinds
        # No photometric change here: each part makes its own.
        kwargs |= {"frames": frames, "seed": seed, "photometric": 0}
        super().__init__(batch_size, size, grey=grey, cut=cut, **kwargs)
        self.parts = tuple(part for part, _ in given)
        self._until = np.cumsum(shares / shares.sum())[:-1]

    def draw_clip(self, random: np.random.Generator) -> Clip:
        """Draw frames `[T, H, W, C]` uint8, boxes `[T, 4]` and present `[T]` bool."""
        part = self.parts[np.searchsorted(self._until, random.random(), side="right")]
        pixels, boxes, present = part.draw_clip(random)
        return part.relit(pixels, random), boxes, present


def _starts(sequence: Sequence, reach: int) -> Array:
    """Frames that show the object and have the one `reach` later in the video.

    If `reach` is negative, the one so many frames earlier.
    """
    start = np.flatnonzero(sequence.present)
    return start[(start + reach >= 0) & (start + reach < len(sequence))]
