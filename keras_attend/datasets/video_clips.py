"""Clips of real videos, for trackers to learn from."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from keras_attend.arguments import check_positive_integers, check_shares
from keras_attend.datasets.sequences import Sequence, read_frames
from keras_attend.datasets.video_batches import Clip, VideoBatches
from keras_attend.datasets.views import (
    check_crop,
    common,
    mirrored,
    resample,
    view_of,
)
from keras_attend.types import Array


class Clips(VideoBatches):
    """Random windows of videos, moved, mirrored, reversed and relit at random.

    The video of each clip is drawn uniformly. A clip begins with a frame in which the
    object is present. What a batch holds depends on `(seed, epoch, index)` alone. Pass
    `shuffle=False` to `fit` for the batches to come in order too.

    Args:
        sequences: of `otb`, `got10k`, `KITTI` or `KTH`. Videos shorter than a clip are
            left out. If `shortest` is given, only those shorter than it are; the last
            frame of the others is repeated, with the object absent.
        batch_size: B, the number of clips in a batch.
        frames: T, the number of frames in a clip.
        size: (height, width) of a frame in pixels.
        seed: the seed of all draws.
        flip: mirror half of the clips, left for right.
        reverse: play half of the clips backwards.
        crop: (least, greatest) size of the view, relative to the size (the root of
            the area) of the object in the clip's frame 0. The view has the aspect
            ratio of `size` and does not move during a clip. It lies inside the video's
            frame, anywhere around the object, and is made smaller to fit. None takes
            the whole frame, stretched to `size`.
        photometric: the greatest change of brightness (as a share of white), of
            contrast and of gamma (both relative). All frames of a clip change alike.
        steps: the greatest number of the video's frames from one frame of a clip to
            the next. Each clip draws its own, as far as its video is long enough.
        visible: the object is present while the view holds at least this share of its
            part inside the video's frame.
        batches: the number of batches in an epoch.
        cache: keep each decoded frame in memory (height x width x 3 bytes) instead of
            reading it whenever it is drawn.
        **kwargs: `grey=True` for frames of one channel; `cut=True` for boxes that are
            cut at the view's border; `shortest`, the fewest frames after which a clip
            may end; and those of `keras.utils.PyDataset` (`workers`, ...).

    A batch holds what `clips.ClipBatches` says: `{"frames": [B, T, H, W, 3] uint8,
    "box": [B, 4]}` and `{"boxes": [B, T, 4], "present": [B, T], "judged": [B, T]}`,
    float32. Boxes are `xywh` in pixels of the view, zeros where the video has none.
    """

    def __init__(
        self,
        sequences: Iterable[Sequence],
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
            check_crop(crop)
        check_shares(visible=visible)
        given = tuple(sequences)
        self.least = self.shortest or frames
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


def _starts(sequence: Sequence, reach: int) -> Array:
    """Frames that show the object and have the one `reach` later in the video.

    If `reach` is negative, the one so many frames earlier.
    """
    start = np.flatnonzero(sequence.present)
    return start[(start + reach >= 0) & (start + reach < len(sequence))]
