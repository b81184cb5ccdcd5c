"""Evaluate trackers on videos, by the protocols of `keras_attend.evaluation`.

A tracker is a function `track(frames, box)` of one video, such as `Tracker.track`: it
takes frames `[T, H, W, 3]` uint8 and the box `[4]` in frame 0, and returns the boxes
`[T, 4]`, which are finite: a tracker that has lost its object says where it saw it
last. Boxes are `xywh` in pixels.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from keras import ops

from keras_attend.arguments import check_positive_integers
from keras_attend.datasets.sequences import Sequence as Video
from keras_attend.datasets.sequences import read_frames
from keras_attend.evaluation.rows import attribute_row
from keras_attend.evaluation.tracking import Track, compare, score_all
from keras_attend.metrics import success
from keras_attend.types import Array, OneLine
from keras_attend.zoo.results import Result

PIXELS = np.arange(51)  # the thresholds of OTB's precision plot


@dataclass(frozen=True, eq=False, repr=False)
class OnePass(OneLine):
    """What OTB's one-pass evaluation measures in each of S videos.

    Attributes:
        names: the videos' names.
        success: share of frames whose IoU exceeds 0, 0.05, ..., 1: `[S, 21]`.
        precision: share of frames whose centre is at most 0, 1, ..., 50 pixels off:
            `[S, 51]`.
        mean_iou: mean IoU, `[S]`.
        center_error: mean distance of the centres in pixels, `[S]`.
    """

    names: tuple[str, ...]
    success: Array
    precision: Array
    mean_iou: Array
    center_error: Array

    @property
    def success_auc(self) -> Array:
        """The mean of each video's success curve, `[S]`; of a perfect one 20/21."""
        return self.success.mean(1)

    @property
    def precision_20(self) -> Array:
        """Share of frames at most 20 pixels off, `[S]`."""
        return self.precision[:, 20]

    @property
    def success_curve(self) -> Array:
        """The success plot: the mean over videos, `[21]`."""
        return self.success.mean(0)

    @property
    def precision_curve(self) -> Array:
        """The precision plot: the mean over videos, `[51]`."""
        return self.precision.mean(0)


def one_pass(track: Track, sequences: Iterable[Video]) -> OnePass:
    """Run a tracker once through each video, from the object's first box.

    As in OTB's toolkit, the frame with the given box counts, and every video counts the
    same. The tracker is also given frames without the object, but they do not count.
    (The toolkit counts them as failures in the success plot and as hits in the
    precision plot.)

    Args:
        track: the tracker.
        sequences: videos of `datasets.otb` or `datasets.got10k`.
    """
    names, true, predicted = [], [], []
    for video in sequences:
        if not video.present.any():
            raise ValueError(
                "A video must show its object. Received: "
                f"{video.name!r}, {len(video)} frames without it"
            )
        shown = video.part(int(np.argmax(video.present)))
        boxes = np.asarray(track(read_frames(shown), shown.boxes[0].copy()))
        if boxes.shape != shown.boxes.shape:
            raise ValueError(
                f"`track` must return boxes {shown.boxes.shape}, one for each frame "
                f"of {video.name!r}. Received: shape={boxes.shape}"
            )
        names.append(video.name)
        true.append(shown.boxes[shown.present])
        predicted.append(boxes[shown.present])
    if not names:
        raise ValueError("`sequences` must hold a video. Received: none")
    # All at once: a backend may compile anew for each length.
    overlap, distance = compare(np.concatenate(true), np.concatenate(predicted))
    passed = ops.convert_to_numpy(success(overlap))  # [N, 21]
    near = distance[:, None] <= PIXELS  # [N, 51]
    ends = np.cumsum([len(boxes) for boxes in true])[:-1]

    def by_video(values: Array) -> Array:
        return np.stack([part.mean(0) for part in np.split(values, ends)])

    return OnePass(
        names=tuple(names),
        success=by_video(passed),
        precision=by_video(near),
        mean_iou=by_video(overlap),
        center_error=by_video(distance),
    )


@dataclass(frozen=True, eq=False, repr=False)
class VideoClips(OneLine):
    """What `video_clips` measures in each of S videos.

    Attributes:
        names: the videos' names.
        mean_iou: mean IoU, without the frames whose box is given, `[S]`.
        center_error: mean distance of the centres in pixels, in the same frames, `[S]`.
        iou_over_time: mean IoU over the videos in each frame of a clip, `[T]`.
    """

    names: tuple[str, ...]
    mean_iou: Array
    center_error: Array
    iou_over_time: Array


def video_clips(
    track: Track, sequences: Iterable[Video], frames: int = 60
) -> VideoClips:
    """Run a tracker through clips of each video, each from its true first box.

    A last part that is shorter than a clip is left out, and so is a clip whose frame 0
    lacks the object. Each box after the given one counts the same in its clip, each
    clip in its video, each video in the whole.

    Args:
        track, sequences: as of `one_pass`.
        frames: T, the number of frames in a clip.
    """
    check_positive_integers(frames=frames)
    names, overlaps, distances = [], [], []
    for video in sequences:
        starts = range(0, len(video) - frames + 1, frames)
        clips = [video.part(i, i + frames) for i in starts if video.present[i]]
        if not clips:
            continue
        kept = np.stack([clip.present for clip in clips])  # [clips, T]
        found = [
            np.asarray(track(read_frames(clip), clip.boxes[0].copy())) for clip in clips
        ]
        true = np.concatenate([clip.boxes for clip in clips])
        scores = compare(true, np.concatenate(found))
        overlap, distance = (
            np.where(kept, score.reshape(kept.shape), np.nan) for score in scores
        )
        names.append(video.name)
        overlaps.append(overlap)
        distances.append(distance)
    if not names:
        raise ValueError(
            f"`sequences` must hold a video of at least {frames} frames. Received: none"
        )

    def by_video(values: list[Array]) -> Array:
        return np.array([np.nanmean(np.nanmean(v[:, 1:], 1)) for v in values])

    return VideoClips(
        names=tuple(names),
        mean_iou=by_video(overlaps),
        center_error=by_video(distances),
        iou_over_time=np.nanmean([np.nanmean(v, 0) for v in overlaps], 0),
    )


def one_pass_results(
    tracks: Sequence[Track],
    sequences: Sequence[Video],
    *,
    data: str,
    baselines: Mapping[str, Track] | None = None,
    paper: Mapping[str, float] | None = None,
) -> list[Result]:
    """Measure trackers by the protocol of one pass, for `zoo.write_results`.

    Args:
        tracks: the tracker of the trained model, then those of further training seeds.
        sequences: the videos.
        data: their name in the protocol's name.
        baselines: trackers, by name, that are measured as well as the static box.
        paper: the paper's numbers, by attribute of `OnePass`.
    """
    scores = score_all(lambda track: one_pass(track, sequences), tracks, baselines)
    return [
        attribute_row(metric, f"{data}/ope", attribute, scores, paper)
        for metric, attribute in (
            ("success_auc", "success_auc"),
            ("precision_20", "precision_20"),
            ("mean_iou", "mean_iou"),
            ("center_error_px", "center_error"),
        )
    ]


def video_clip_results(
    tracks: Sequence[Track],
    sequences: Sequence[Video],
    *,
    data: str,
    frames: int = 60,
    baselines: Mapping[str, Track] | None = None,
    paper: Mapping[str, float] | None = None,
) -> list[Result]:
    """Measure trackers by the protocol of videos' clips, for `zoo.write_results`.

    Args:
        tracks, sequences, data, baselines: as of `one_pass_results`.
        frames: the number of frames in a clip.
        paper: the paper's numbers, by attribute of `VideoClips`.
    """
    scores = score_all(
        lambda track: video_clips(track, sequences, frames), tracks, baselines
    )
    protocol = f"{data}/{frames}_frame_clips"
    return [
        attribute_row("mean_iou", protocol, "mean_iou", scores, paper),
        attribute_row("center_error_px", protocol, "center_error", scores, paper),
    ]
