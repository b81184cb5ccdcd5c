"""Objects that are hidden for a while: is it noticed, and are they found again?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from keras_attend.arguments import check_positive_integers
from keras_attend.datasets.sequences import Sequence as Video
from keras_attend.datasets.sequences import read_frames
from keras_attend.evaluation.rows import attribute_row
from keras_attend.evaluation.tracking import SureTrack, auc, compare, static_box
from keras_attend.types import Array, OneLine
from keras_attend.zoo.results import Result

MARGIN = 1.3  # sides of the occluder, in sides of the object's box
FOUND, LOST, HIT = 0.3, 0.1, 0.5  # IoU


@dataclass(frozen=True, eq=False, repr=False)
class HiddenClips(OneLine):
    """What `hidden_clips` measures.

    Attributes:
        found_again: of each clip, whether a box had an IoU above 0.3 soon after the
            object came back, `[N]`.
        presence_auc: the chance that the tracker is surer of a frame in which it has
            the object (IoU above 0.5) than of one in which it has not (IoU below 0.1,
            or the object is hidden).
        calibration_error: how far presence, as a chance, is from the share of the
            first kind among the frames with about this presence; see
            `calibration_error`.
        with_object: how many frames of the first kind there are.
        without: how many of the second.
    """

    found_again: Array
    presence_auc: float
    calibration_error: float
    with_object: int
    without: int

    @property
    def refound_rate(self) -> float:
        """The share of clips in which the object was found again."""
        return float(self.found_again.mean())


class FollowsFrames(Protocol):
    """A `Tracker`, here or of `keras_attend_runtime`."""

    def init(self, frame: Any, box: Any) -> None:
        """Begin with a box."""

    def update(self, frame: Any) -> tuple[Any, Any]:
        """Follow to the next frame."""

    @property
    def outputs(self) -> dict[str, Any]:
        """All that the last step returned."""


def sure_track(tracker: FollowsFrames) -> SureTrack:
    """Make a function of a tracker whose outputs have "presence"."""

    def track(frames: Array, box: Array) -> tuple[Array, Array]:
        tracker.init(frames[0], box)
        boxes, presence = [np.asarray(box, "float32")], [1.0]
        for frame in frames[1:]:
            _, found = tracker.update(frame)
            boxes.append(found)
            presence.append(float(np.ravel(tracker.outputs["presence"])[0]))
        return np.stack(boxes), np.array(presence)

    return track


def hidden_clips(
    track: SureTrack,
    sequences: Sequence[Video],
    occluders: Sequence[Array] | None = None,
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
        occluders: for each of `sequences` a picture `[h, w, 3]`, uint8; the next
            one's first frame when absent.
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
    if occluders is None:
        following = [*sequences[1:], *sequences[:1]]
        occluders = [read_frames(video, [0])[0] for video in following]
    for video, occluder in zip(sequences, occluders, strict=True):
        for start in range(0, len(video) - frames + 1, every):
            clip = video.part(start, start + frames)
            if not clip.present.all():
                continue
            shown = read_frames(clip).copy()
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
    with_object = np.arange(len(values)) < count
    return HiddenClips(
        found_again=np.array(again),
        presence_auc=auc(values, with_object),
        calibration_error=calibration_error(values, with_object),
        with_object=count,
        without=len(values) - count,
    )


def calibration_error(chances: Array, true: Array, bins: int = 10) -> float:
    r"""$\sum_b n_b \, |\bar p_b - \bar y_b| / n$ over equal ranges of 0..1.

    Args:
        chances: p, in 0..1, `[n]`.
        true: y, whether it was so, `[n]`.
        bins: how many ranges.
    """
    b = np.minimum((np.asarray(chances) * bins).astype(int), bins - 1)
    sums = [np.bincount(b, values, bins) for values in (chances, true)]
    return float(np.abs(sums[0] - sums[1]).sum() / len(b))


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


def hidden_results(
    tracks: Sequence[SureTrack],
    sequences: Sequence[Video],
    *,
    data: str,
    baselines: Mapping[str, SureTrack] | None = None,
) -> list[Result]:
    """Measure trackers by the protocol of hidden objects, for `zoo.write_results`.

    Args:
        tracks: that of the trained model, then those of further training seeds.
        sequences: as of `hidden_clips`.
        data: their name in the protocol's name.
        baselines: trackers, by name, that are measured as well as the static box.
    """

    def still(frames: Array, box: Array) -> tuple[Array, Array]:
        return static_box(frames, box), np.ones(len(frames))

    others = {"static box": still, **(baselines or {})}
    scores = (
        [hidden_clips(track, sequences) for track in tracks],
        {name: hidden_clips(track, sequences) for name, track in others.items()},
    )
    protocol = f"{data}/hidden_clips"
    return [
        attribute_row(metric, protocol, metric, scores, None)
        for metric in ("refound_rate", "presence_auc", "calibration_error")
    ]
