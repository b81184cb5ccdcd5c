"""Clips of single pictures, over which a view moves, for trackers to learn from."""

from collections.abc import Iterable
from collections.abc import Sequence as SequenceOf
from typing import Any

import numpy as np

from keras_attend.arguments import check_shares
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


class StillClips(VideoBatches):
    """Clips of single pictures, over which a view moves and zooms.

    The object's place in the view and its size follow a quadratic Bézier curve from
    one random point to another, bent towards a third. The view lies inside the picture,
    so an object that nearly fills the picture moves little. What a batch holds depends
    on `(seed, epoch, index)` alone.

    Args:
        images: pictures `[H, W, C]` uint8 of any sizes, or one array `[N, H, W, C]`.
        boxes: `[N, 4]`, `xywh` in pixels: the box of one object in each picture.
        batch_size: B, the number of clips in a batch.
        frames: T, the number of frames in a clip.
        size: (height, width) of a frame in pixels.
        seed: the seed of all draws.
        motion: how far the object moves in the view: 0 is not at all, 1 is from
            anywhere to anywhere.
        crop: (least, greatest) size of the view, relative to the size (the root of
            the area) of the object.
        flip: mirror half of the clips, left for right.
        photometric: the greatest change of brightness (as a share of white), of
            contrast and of gamma (both relative). All frames of a clip change alike.
        batches: the number of batches in an epoch.
        **kwargs: as of `Clips`.

    A batch holds what one of `Clips` does. The object is present in every frame.
    """

    def __init__(
        self,
        images: SequenceOf[Array] | Array,
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
