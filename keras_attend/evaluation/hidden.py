"""Objects that are hidden for a while: is it noticed, and are they found again?"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from keras_attend.arguments import check_positive_integers
from keras_attend.datasets.sequences import Sequence as Video
from keras_attend.datasets.sequences import read_frames
from keras_attend.evaluation.tracking import _auc, compare

Array: TypeAlias = NDArray[Any]
# A track that also says how sure it is that each box has the object, `[T]`.
SureTrack: TypeAlias = Callable[[Array, Array], tuple[Array, Array]]

MARGIN = 1.3  # sides of the occluder, in sides of the object's box
FOUND, LOST, HIT = 0.3, 0.1, 0.5  # IoU


@dataclass(frozen=True, eq=False)
class HiddenClips:
    """What `hidden_clips` measures.

    Attributes:
        found_again: of each clip, whether a box had an IoU above 0.3 soon after the
            object came back, `[N]`.
        presence_auc: the chance that the tracker is surer of a frame in which it has
            the object (IoU above 0.5) than of one in which it has not (IoU below 0.1,
            or the object is hidden).
        with_object: how many frames of the first kind there are.
        without: how many of the second.
    """

    found_again: Array
    presence_auc: float
    with_object: int
    without: int


def hidden_clips(
    track: SureTrack,
    sequences: Iterable[Video],
    occluders: Array,
    *,
    frames: int = 80,
    hidden: tuple[int, int] = (20, 40),
    within: int = 30,
    every: int = 40,
) -> HiddenClips:
    """Run a tracker through clips in which the object is hidden for a while.

    A rectangle that shows a part of another picture lies over the object's box, and
    moves with it. So the object may come back far from where it was hidden.

    Args:
        track: `track(frames, box) -> (boxes, presence)`, of `[T, H, W, 3]` uint8 and a
            box to `[T, 4]` and `[T]`.
        sequences: of `datasets.otb` or `datasets.got10k`.
        occluders: pictures `[K, h, w, 3]` uint8, taken in turn.
        frames: of a clip.
        hidden: the first frame in which the object is hidden, and the first after.
        within: frames after it in which it is to be found.
        every: frames from a clip's first one to the next clip's.
    """
    check_positive_integers(frames=frames, within=within, every=every)
    low, high = hidden
    if not 0 < low < high < frames:
        raise ValueError(
            "`hidden` must be two frames of the clip, in order, and not the first one. "
            f"Received: hidden={hidden}, frames={frames}"
        )
    again: list[bool] = []
    sure: list[Array] = []
    unsure: list[Array] = []
    for video in sequences:
        for start in range(0, len(video) - frames + 1, every):
            clip = video.part(start, start + frames)
            if not clip.present.all():
                continue
            shown = read_frames(clip).copy()
            occluder = occluders[len(again) % len(occluders)]
            for t in range(low, high):
                cover(shown[t], clip.boxes[t], occluder)
            boxes, presence = track(shown, clip.boxes[0].copy())
            overlap, _ = compare(clip.boxes, np.asarray(boxes))
            covered = (np.arange(frames) >= low) & (np.arange(frames) < high)
            given = np.arange(frames) == 0
            again.append(bool((overlap[high : high + within] > FOUND).any()))
            sure.append(presence[(overlap > HIT) & ~covered & ~given])
            unsure.append(presence[(overlap < LOST) | covered])
    if not again:
        raise ValueError(
            f"`sequences` must hold a video that shows its object in {frames} frames. "
            "Received: none"
        )
    values = np.concatenate([*sure, *unsure])
    count = sum(len(part) for part in sure)
    return HiddenClips(
        found_again=np.array(again),
        presence_auc=_auc(values, np.arange(len(values)) < count),
        with_object=count,
        without=len(values) - count,
    )


def cover(frame: Array, box: Array, occluder: Array) -> None:
    """Draw a picture's upper left quarter into `frame`, over a box and a bit more."""
    height, width = frame.shape[:2]
    x, y, w, h = (float(v) for v in box)
    left, right = (x + w / 2 + s * MARGIN * w / 2 for s in (-1, 1))
    top, bottom = (y + h / 2 + s * MARGIN * h / 2 for s in (-1, 1))
    x0, x1 = (int(np.clip(v, 0, width)) for v in (left, right))
    y0, y1 = (int(np.clip(v, 0, height)) for v in (top, bottom))
    rows = np.linspace(0, occluder.shape[0] / 2, y1 - y0).astype(int)
    cols = np.linspace(0, occluder.shape[1] / 2, x1 - x0).astype(int)
    frame[y0:y1, x0:x1] = occluder[rows][:, cols]
