"""Evaluate trackers on clips of one length, by `keras_attend.evaluation`'s protocols.

A tracker is a model, whose `predict` is called, or a function `track(frames, box)` of
one video: it takes frames `[T, H, W, C]` and the box `[4]` in frame 0, and returns the
boxes `[T, 4]`. Boxes are `xywh` in pixels.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from keras import ops

from keras_attend import boxes as geometry
from keras_attend.evaluation.rows import attribute_row, row
from keras_attend.types import Array, OneLine
from keras_attend.zoo.results import Result

Track: TypeAlias = Callable[[Array, Array], Array]
# A track that also says how sure it is that each box has the object, `[T]`.
SureTrack: TypeAlias = Callable[[Array, Array], tuple[Array, Array]]


@dataclass(frozen=True, eq=False, repr=False)
class ClipScores(OneLine):
    """How well boxes fit those of clips; every box of a present object counts the same.

    Attributes:
        mean_iou: without frame 0, whose box the tracker is given.
        mean_iou_with_first: the same with frame 0.
        center_error: mean distance of the centres in pixels, without frame 0.
        iou_over_time: mean IoU in each frame, `[T]`; NaN where no object is present.
        present: the number of objects present in each frame, `[T]`.
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
    """Compare predicted boxes with true ones.

    Args:
        y_true: `[N, T, 4]`; where the object is absent, the values are not used.
        y_pred: `[N, T, 4]`, finite where the object is present.
        present: `[N, T]`, above 0 where the object is present; always unless given.
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
    overlap[some], distance[some] = compare(y_true[some], y_pred[some])
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
    """Run a tracker on clips and compare its boxes with the true ones.

    Args:
        tracker: a model whose `predict({"frames", "box"})` gives "boxes" `[B, T, 4]`,
            or a function `track(frames, box)` of one clip, such as `static_box`.
        dataset: a `PyDataset` or a list of batches `({"frames": [B, T, H, W, C],
            "box": [B, 4]}, {"boxes": [B, T, 4]})`. The second dictionary may hold
            "present" `[B, T]` too.
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


def static_box(frames: Array, box: Array) -> Array:
    """Track by a box that never moves: the first box `[4]` in each frame, `[T, 4]`."""
    return np.repeat(np.asarray(box)[None], len(frames), axis=0)


def clip_results(
    trackers: Sequence[Any],
    dataset: Any,
    *,
    data: str,
    baselines: Mapping[str, Any] | None = None,
    paper: Mapping[str, float] | None = None,
) -> list[Result]:
    """Measure trackers by the protocols of clips, for `zoo.write_results`.

    Args:
        trackers: as of `score_clips`: the trained model, then those of further
            training seeds.
        dataset: as of `score_clips`.
        data: its name in the protocols' names.
        baselines: trackers, by name, that are measured as well as the static box.
        paper: the paper's numbers, by attribute of `ClipScores`. There is a row for
            the last frame only if `last_iou` is among them.
    """
    scores = score_all(lambda one: score_clips(one, dataset), trackers, baselines)
    protocol = f"{data}/{len(scores[0][0].present)}_frames"
    rows = [
        ("mean_iou", protocol, "mean_iou"),
        ("center_error_px", protocol, "center_error"),
        ("mean_iou", f"{protocol}_with_first", "mean_iou_with_first"),
    ]
    if "last_iou" in (paper or {}):
        rows.append(("mean_iou", f"{protocol}_last", "last_iou"))
    return [attribute_row(*names, scores, paper) for names in rows]


def score_all(
    score: Callable[[Any], Any],
    trackers: Sequence[Any],
    baselines: Mapping[str, Any] | None,
) -> tuple[list[Any], dict[str, Any]]:
    """Score trackers, and by their names the static box and more baselines."""
    others = {"static box": static_box, **(baselines or {})}
    found = {name: score(other) for name, other in others.items()}
    return [score(tracker) for tracker in trackers], found


def presence_auc(model: Any, dataset: Any) -> tuple[float, float]:
    """Measure how well "presence" tells frames with the object from those without.

    Args:
        model: its `predict` gives "presence" `[B, T]`.
        dataset: as of `score_clips`, with "present" among the targets.

    Returns:
        The area under the ROC curve, which is the chance that a frame with the object
        gets a higher presence than one without; and the same of a clock, whose
        presence falls from frame to frame. (Objects leave late, so that time alone
        says something.) Frame 0 does not count.
    """
    scores: list[Array] = []
    clocks: list[Array] = []
    truth: list[Array] = []
    for x, y in _batches(dataset):
        present = np.asarray(y["present"])
        known = np.asarray(y.get("judged", np.ones_like(present)))[:, 1:] > 0
        seen = model.predict(x, batch_size=len(x["box"]), verbose=0)["presence"]
        clock = -np.broadcast_to(np.arange(present.shape[1]), present.shape)
        for values, found in ((scores, seen), (clocks, clock), (truth, present)):
            values.append(np.asarray(found)[:, 1:][known])
    there = np.concatenate(truth) > 0
    if there.all() or not there.any():
        raise ValueError(
            "`dataset` must hold frames with the object and frames without. "
            f"Received: {there.size} frames, {there.sum()} with it"
        )
    return auc(np.concatenate(scores), there), auc(np.concatenate(clocks), there)


def auc(values: Array, there: Array) -> float:
    """The area under the ROC curve: how well `values` tell what is there.

    It is Mann and Whitney's U over its greatest value; ties count half.
    """
    _, rank, count = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count - 1) / 2  # of each value's ranks, from 1
    hits = there.sum()
    above = middle[rank][there].sum() - hits * (hits + 1) / 2
    return float(above / (hits * (there.size - hits)))


def presence_results(models: Sequence[Any], dataset: Any, *, data: str) -> list[Result]:
    """Measure models by the protocol of presence, for `zoo.write_results`.

    Args:
        models, dataset: as of `presence_auc`.
        data: the dataset's name in the protocol's name.
    """
    found = [presence_auc(model, dataset) for model in models]
    values = [auc for auc, _ in found]
    clock = {"clock": found[0][1]}
    return [row("presence_auc", f"{data}/presence", values, None, clock)]


def compare(true: Array, predicted: Array) -> tuple[Array, Array]:
    """Compute IoU and distance of the centres, `[N]` each, of boxes `[N, 4]`."""
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
    """Predict the boxes `[B, T, 4]` by a model or a function."""
    if hasattr(tracker, "predict"):
        found = tracker.predict(x, batch_size=len(x["box"]), verbose=0)
        return np.asarray(found["boxes"])
    return np.stack(
        [tracker(*clip) for clip in zip(x["frames"], x["box"], strict=True)]
    )
