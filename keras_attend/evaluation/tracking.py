"""Trackers: overlap over time, and OTB's one-pass evaluation.

What the numbers mean stands in `keras_attend.evaluation`. Boxes are `xywh` in pixels.
A tracker is either a model, asked by `predict`, or a function
`track(frames, box) -> boxes` of one video: frames `[T, H, W, C]` and the box in the
first one in, `[T, 4]` out.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from keras import ops
from numpy.typing import NDArray

from keras_attend import boxes as geometry
from keras_attend.arguments import check_choice
from keras_attend.datasets.sequences import Sequence as Video
from keras_attend.datasets.sequences import read_frames
from keras_attend.metrics import success
from keras_attend.zoo.results import Result

Array = NDArray[Any]
Track: TypeAlias = Callable[[Array, Array], Array]

PIXELS = np.arange(51)  # the thresholds of OTB's precision plot
OPENCV = ("KCF", "CSRT", "MOSSE")


@dataclass(frozen=True, eq=False)
class ClipScores:
    """How boxes fit over clips; every present box counts the same.

    Attributes:
        mean_iou: without the first frame, whose box the tracker is given.
        mean_iou_with_first: with it.
        center_error: mean distance of the centres in pixels, without the first frame.
        iou_over_time: mean IoU at each step, `[T]`; NaN where no object is present.
        present: objects present at each step, `[T]`.
    """

    mean_iou: float
    mean_iou_with_first: float
    center_error: float
    iou_over_time: Array
    present: Array

    @property
    def last_iou(self) -> float:
        """Mean IoU in the last frame."""
        return float(self.iou_over_time[-1])


def box_scores(
    y_true: Array, y_pred: Array, present: Array | None = None
) -> ClipScores:
    """Scores of predicted boxes.

    Args:
        y_true: `[N, T, 4]`; where the object is absent, anything.
        y_pred: `[N, T, 4]`, finite where the object is present.
        present: `[N, T]`; everywhere, unless given.
    """
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.ndim != 3 or y_true.shape[-1] != 4 or y_true.shape != y_pred.shape:
        raise ValueError(
            "`y_true` and `y_pred` must have one shape, [N, T, 4]. Received: "
            f"y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}"
        )
    some = np.ones(y_true.shape[:2]) if present is None else np.asarray(present)
    if some.shape != y_true.shape[:2]:
        raise ValueError(
            "`present` must be one number a box, [N, T]. Received: "
            f"present.shape={some.shape} for boxes of shape {y_true.shape}"
        )
    some = some > 0
    if not some[:, 1:].any():
        raise ValueError(
            "After the first frame an object must be present somewhere. Received: "
            f"boxes of shape {y_true.shape}, present {some.sum()} times in all"
        )
    overlap, distance = np.zeros((2, *some.shape))
    overlap[some], distance[some] = _compare(y_true[some], y_pred[some])
    count = some.sum(0)
    with np.errstate(invalid="ignore"):
        over_time = overlap.sum(0) / count
    return ClipScores(
        mean_iou=float(overlap[:, 1:].sum() / count[1:].sum()),
        mean_iou_with_first=float(overlap.sum() / count.sum()),
        center_error=float(distance[:, 1:].sum() / count[1:].sum()),
        iou_over_time=over_time,
        present=count,
    )


def score_clips(tracker: Any, dataset: Any) -> ClipScores:
    """Scores of a tracker on clips.

    Args:
        tracker: a model whose `predict({"frames", "box"})` gives "boxes" `[B, T, 4]`,
            or a function `track(frames, box)` of one clip, as `static_box`.
        dataset: a `PyDataset`, or a list of batches, of `({"frames": [B, T, H, W, C],
            "box": [B, 4]}, {"boxes": [B, T, 4]})`, with or without "present"
            `[B, T]` among the latter.
    """
    found = []
    for x, y in _batches(dataset):
        present = y.get("present", np.ones(y["boxes"].shape[:2]))
        found.append((y["boxes"], _predict(tracker, x), present))
    if not found:
        raise ValueError("`dataset` must hold a batch. Received: none")
    lengths = {true.shape[1] for true, _, _ in found}
    if len(lengths) != 1:
        raise ValueError(
            "All clips must be of one length (pad them, with `present` 0). "
            f"Received: lengths {sorted(lengths)}"
        )
    return box_scores(*(np.concatenate(part) for part in zip(*found, strict=True)))


@dataclass(frozen=True, eq=False)
class OnePass:
    """OTB's one-pass evaluation, a row for each of S videos.

    Attributes:
        names: of the videos.
        success: share of frames whose IoU exceeds 0, 0.05, ..., 1: `[S, 21]`.
        precision: share of frames whose centre is at most 0, 1, ..., 50 pixels off:
            `[S, 51]`.
        mean_iou: `[S]`.
        center_error: in pixels, `[S]`.
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

    As OTB's toolkit does, the first frame counts, and every video counts the same.
    Frames without the object are shown and do not count; the toolkit takes them for
    missed in the success plot and for hit in the precision plot.

    Args:
        track: `track(frames, box) -> boxes`: frames `[T, H, W, 3]` uint8 and the box
            in the first one; boxes `[T, 4]`, finite: a tracker that has lost its
            object says where it saw it last.
        sequences: of `datasets.otb` or `datasets.got10k`.
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
    overlap, distance = _compare(np.concatenate(true), np.concatenate(predicted))
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


def static_box(frames: Array, box: Array) -> Array:
    """The tracker that never moves: the first box `[4]` in each frame, `[T, 4]`."""
    return np.repeat(np.asarray(box)[None], len(frames), axis=0)


def opencv_tracker(name: str) -> Track:
    """One of OpenCV's trackers, for `one_pass` and `score_clips`.

    Where it reports a failure the last box stands.

    Args:
        name: "KCF", "CSRT" or "MOSSE".
    """
    check_choice("name", name, OPENCV)
    try:
        import cv2
    except ImportError as error:
        raise ImportError(
            "OpenCV's trackers need OpenCV with its contributed modules: pip install "
            '"keras-attend[bench]"'
        ) from error
    legacy = getattr(cv2, "legacy", None)
    # The old interface takes fractions of a pixel, the new one whole ones.
    create = getattr(legacy, f"Tracker{name}_create", None)
    whole = create is None
    create = create or getattr(cv2, f"Tracker{name}_create", None)
    if create is None:
        raise ImportError(
            f"This OpenCV, {cv2.__version__}, has no {name} tracker: pip install "
            "opencv-contrib-python-headless"
        )

    def track(frames: Array, box: Array) -> Array:
        tracker = create()
        first = tuple(round(float(v)) if whole else float(v) for v in box)
        tracker.init(_opencv_image(frames[0]), first)
        found = [np.asarray(box, "float32")]
        for frame in frames[1:]:
            seen, moved = tracker.update(_opencv_image(frame))
            found.append(np.asarray(moved, "float32") if seen else found[-1])
        return np.stack(found)

    return track


def clip_results(
    trackers: Sequence[Any],
    dataset: Any,
    *,
    data: str,
    baselines: Mapping[str, Any] | None = None,
    paper: Mapping[str, float] | None = None,
) -> list[Result]:
    """The protocols of clips, for `zoo.write_results`.

    Args:
        trackers: as `score_clips` takes them: the trained model, then those of
            further training seeds.
        dataset: as `score_clips` takes it.
        data: its name in the protocols' names.
        baselines: more trackers, by name, beside the static box.
        paper: the paper's numbers, by attribute of `ClipScores`. Only where it has
            `last_iou` is there a row for the last frame.
    """
    scores = [score_clips(tracker, dataset) for tracker in trackers]
    others = {"static box": static_box, **(baselines or {})}
    beside = {name: score_clips(other, dataset) for name, other in others.items()}
    protocol = f"{data}/{len(scores[0].present)}_frames"
    rows = [
        ("mean_iou", protocol, "mean_iou"),
        ("center_error_px", protocol, "center_error"),
        ("mean_iou", f"{protocol}_with_first", "mean_iou_with_first"),
    ]
    if "last_iou" in (paper or {}):
        rows.append(("mean_iou", f"{protocol}_last", "last_iou"))
    return [_result(*row, scores, beside, paper) for row in rows]


def one_pass_results(
    tracks: Sequence[Track],
    sequences: Sequence[Video],
    *,
    data: str,
    baselines: Mapping[str, Track] | None = None,
    paper: Mapping[str, float] | None = None,
) -> list[Result]:
    """The protocol of one pass, for `zoo.write_results`.

    Args:
        tracks: as `one_pass` takes them: of the trained model, then of further
            training seeds.
        sequences: the videos.
        data: their name in the protocol's name.
        baselines: more trackers, by name, beside the static box.
        paper: the paper's numbers, by attribute of `OnePass`.
    """
    scores = [one_pass(track, sequences) for track in tracks]
    others = {"static box": static_box, **(baselines or {})}
    beside = {name: one_pass(other, sequences) for name, other in others.items()}
    return [
        _result(metric, f"{data}/ope", attribute, scores, beside, paper)
        for metric, attribute in (
            ("success_auc", "success_auc"),
            ("precision_20", "precision_20"),
            ("mean_iou", "mean_iou"),
            ("center_error_px", "center_error"),
        )
    ]


def _result(
    metric: str,
    protocol: str,
    attribute: str,
    scores: Sequence[Any],
    beside: Mapping[str, Any],
    paper: Mapping[str, float] | None,
) -> Result:
    """A row: an attribute of each of the scores, in the mean over videos."""
    values = np.array([np.mean(getattr(score, attribute)) for score in scores])
    return Result(
        metric=metric,
        protocol=protocol,
        value=round(float(values.mean()), 4),
        min=round(float(values.min()), 4),
        max=round(float(values.max()), 4),
        n=len(values),
        paper=(paper or {}).get(attribute),
        baselines={
            name: round(float(np.mean(getattr(score, attribute))), 4)
            for name, score in beside.items()
        },
    )


def _compare(true: Array, predicted: Array) -> tuple[Array, Array]:
    """IoU and distance of the centres, `[N]` each, of boxes `[N, 4]`."""
    bad = ~np.isfinite(predicted).all(-1)
    if bad.any():  # NaN would be 0 pixels off
        raise ValueError(
            "Predicted boxes must be finite. Received: "
            f"{bad.sum()} of {bad.size} that are not, such as {predicted[bad][0]}"
        )
    overlap = ops.convert_to_numpy(geometry.iou(true, predicted))
    distance = ops.convert_to_numpy(geometry.center_distance(true, predicted))
    return overlap.astype("float64"), distance.astype("float64")


def _batches(dataset: Any) -> Iterator[tuple[Any, Any]]:
    if hasattr(dataset, "__len__"):
        # Not `iter`: a `PyDataset` need not raise an error beyond its end.
        return (dataset[index] for index in range(len(dataset)))
    return iter(dataset)


def _predict(tracker: Any, x: Mapping[str, Array]) -> Array:
    """Boxes `[B, T, 4]` of a model or of a function."""
    if hasattr(tracker, "predict"):
        found = tracker.predict(x, batch_size=len(x["box"]), verbose=0)
        return np.asarray(found["boxes"])
    return np.stack(
        [tracker(*clip) for clip in zip(x["frames"], x["box"], strict=True)]
    )


def _opencv_image(frame: Array) -> Array:
    """`[H, W, 3]` uint8, blue first, of one as this project has them."""
    if frame.dtype != np.uint8:
        frame = np.rint(np.clip(frame, 0, 1) * 255).astype("uint8")
    if frame.shape[-1] == 1:
        frame = np.repeat(frame, 3, axis=-1)
    return np.ascontiguousarray(frame[..., ::-1])
