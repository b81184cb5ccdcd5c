"""Evaluate models that follow objects without labels, such as `SequentialAIR`.

As CLEAR MOT has it (Bernardin and Stiefelhagen 2008): a true object keeps the found one
that it was paired with as long as they overlap, the others are paired anew, and each
change of the found object's identity is a switch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_attend.arguments import check_positive_integers
from keras_attend.evaluation.matching import best_pairs, pairwise_iou
from keras_attend.evaluation.objects import FOUND
from keras_attend.types import Array, OneLine

SEEN = 4  # frames in which an object is seen before it is imagined
Followed = dict[str, Array]  # "boxes" [B, T, N, 4], "presence" [B, T, N], "ids"


@dataclass(frozen=True, eq=False, repr=False)
class SequenceScores(OneLine):
    """How well objects were found and kept apart in videos.

    Attributes:
        count_accuracy: `[T]`, the share of right counts in each frame.
        found_rate: the share of true boxes whose found box has an IoU above 0.5.
        found_over_time: the same in each frame, `[T]`; NaN where there are none.
        mean_iou: the mean IoU of true boxes; 0 where one is missed.
        switches: the number of identity switches, a true object.
        accuracy: MOTA, 1 less the misses, false boxes and switches a true box.
    """

    count_accuracy: Array
    found_rate: float
    found_over_time: Array
    mean_iou: float
    switches: float
    accuracy: float


def score_sequences(true: Followed, found: Followed) -> SequenceScores:
    """Compare followed objects with true ones.

    A frame that shows a part of an object only, where "visible" of `true` is given and
    is neither 0 nor 1, does not count for `count_accuracy`.

    Args:
        true: "boxes" `[B, T, N, 4]`, "presence" `[B, T, N]`, "ids" `[B, T, N]`, and
            perhaps "visible" `[B, T, N]`, as of `MovingObjects(labels=True)`.
        found: the first three, of M boxes; an object is there where "presence" is above
            0.5.
    """
    check_followed("true", true)
    check_followed("found", found)
    B, T = np.shape(true["presence"])[:2]
    if np.shape(found["presence"])[:2] != (B, T):
        raise ValueError(
            "`true` and `found` must be of the same videos. Received: presence of "
            f"shapes {np.shape(true['presence'])} and {np.shape(found['presence'])}"
        )
    there, seen = (np.asarray(x["presence"]) > 0.5 for x in (true, found))
    right = there.sum(-1) == seen.sum(-1)  # [B, T]
    visible = np.asarray(true.get("visible", there), "float64")
    judged = ((visible == 0) | (visible == 1)).all(-1)
    ious = np.full(there.shape, np.nan)
    switches = false = 0
    for clip in range(B):
        changes, ious[clip], wrong = _followed(true, found, clip)
        switches, false = switches + changes, false + wrong
    objects = max(sum(len(np.unique(i[i >= 0])) for i in np.asarray(true["ids"])), 1)
    boxes, hits = max(int(there.sum()), 1), ious > FOUND
    with np.errstate(invalid="ignore"):
        over_time = hits.sum((0, 2)) / there.sum((0, 2))
        counts = (right & judged).sum(0) / judged.sum(0)
    missed = there.sum() - hits.sum()
    return SequenceScores(
        count_accuracy=counts,
        found_rate=float(hits.sum() / boxes),
        found_over_time=over_time,
        mean_iou=float(np.nansum(ious) / boxes),
        switches=switches / objects,
        accuracy=float(1 - (missed + false + switches) / boxes),
    )


def _followed(true: Followed, found: Followed, clip: int) -> tuple[int, Array, int]:
    """Pair the boxes of one video, frame by frame.

    Returns the number of switches, the IoU of each true box `[T, N]` (NaN where it is
    absent, 0 where it is missed), and the number of found boxes without a true one.
    """
    T, N = np.shape(true["presence"])[1:]
    ious = np.full((T, N), np.nan)
    last: dict[int, int] = {}  # a true object's number, and its last found one
    switches = false = 0
    for t in range(T):
        rows = np.flatnonzero(np.asarray(found["presence"])[clip, t] > 0.5)
        columns = np.flatnonzero(np.asarray(true["presence"])[clip, t] > 0.5)
        iou = pairwise_iou(
            found["boxes"][clip, t][rows], true["boxes"][clip, t][columns]
        )
        names = [int(i) for i in found["ids"][clip, t][rows]]
        owners = [int(i) for i in true["ids"][clip, t][columns]]
        pairs = kept_pairs(iou, names, owners, last)
        for m, owner in enumerate(owners):
            k = pairs[m]
            ious[t, columns[m]] = iou[k, m] if k >= 0 else 0.0
            if k >= 0 and iou[k, m] > FOUND:
                switches += owner in last and last[owner] != names[k]
                last[owner] = names[k]
        good = {int(k) for m, k in enumerate(pairs) if k >= 0 and iou[k, m] > FOUND}
        false += len(rows) - len(good)
    return switches, ious, false


def kept_pairs(
    iou: Array, names: list[int], owners: list[int], last: dict[int, int]
) -> Array:
    """Pair boxes of a frame: first those that were paired and still overlap.

    Args:
        iou: `[K, M]`, of found boxes with true ones.
        names: the K found identities.
        owners: the M true ones.
        last: for a true identity, the found one of before.

    Returns:
        For each of the M true boxes the number of its found one, or -1.
    """
    left = iou.copy()
    pairs = np.full(len(owners), -1)
    for m, owner in enumerate(owners):
        if last.get(owner) in names:
            k = names.index(last[owner])
            if iou[k, m] > FOUND and k not in pairs:
                pairs[m] = k
                left[k], left[:, m] = 0, 0
    others = best_pairs(left)
    return np.where(pairs >= 0, pairs, others)


def imagined_errors(
    true: Followed, found: Followed, imagined: Followed, given: int
) -> Array:
    """Measure how far imagined objects are from where the true ones go.

    A true object counts if it is found (IoU above 0.5) in the last given frame and was
    there in the three frames before it: of one that has just come, nobody knows where
    it goes. It counts up to the frame in which it leaves, or in which a wall has turned
    it round since the first of these four frames.

    Args:
        true: as of `score_sequences`, with "bounced" `[B, T, N]` too, of all frames.
        found: of the given frames.
        imagined: of the frames after them, `[B, steps, M, ...]`.
        given: the number of given frames.

    Returns:
        The mean distance of centres in pixels after 1, 2, ... frames, `[steps]`; NaN
        where no object counts. An object that is no longer imagined, or is imagined
        outside the frame, is taken to be where it was last.
    """
    check_positive_integers(given=given)
    check_followed("true", true)
    check_followed("found", found)
    check_followed("imagined", imagined)
    steps = np.shape(imagined["presence"])[1]
    errors: list[list[float]] = [[] for _ in range(steps)]
    for clip, n, name in _found_at(true, found, given - 1):
        box, seen = None, true["presence"][clip, max(given - SEEN, 0) : given, n]
        if not (seen > 0.5).all():
            continue
        for step in range(min(steps, np.shape(true["presence"])[1] - given)):
            t = given + step
            turned = true["bounced"][clip, max(given - SEEN + 1, 0) : t + 1, n].any()
            if turned or not true["presence"][clip, t, n] > 0.5:
                break
            at = np.flatnonzero(imagined["ids"][clip, step] == name)
            if len(at) and imagined["boxes"][clip, step, at[0], 2:].all():
                box = imagined["boxes"][clip, step, at[0]]
            if box is None:
                box = _box_of(found, clip, given - 1, name)
            wanted = true["boxes"][clip, t, n]
            off = (box[:2] + box[2:] / 2) - (wanted[:2] + wanted[2:] / 2)
            errors[step].append(float(np.hypot(*off)))
    return np.array([np.mean(e) if e else np.nan for e in errors])


def _found_at(
    true: Followed, found: Followed, t: int
) -> Iterator[tuple[int, int, int]]:
    """Clip, number and found identity of each object that is found in frame t."""
    for clip in range(len(true["boxes"])):
        rows = np.flatnonzero(found["presence"][clip, t] > 0.5)
        columns = np.flatnonzero(true["presence"][clip, t] > 0.5)
        iou = pairwise_iou(
            found["boxes"][clip, t][rows], true["boxes"][clip, t][columns]
        )
        for m, k in enumerate(best_pairs(iou)):
            if k >= 0 and iou[k, m] > FOUND:
                yield clip, int(columns[m]), int(found["ids"][clip, t, rows[k]])


def _box_of(found: Followed, clip: int, t: int, name: int) -> Array:
    """The box of a found identity in a frame."""
    box: Array = found["boxes"][clip, t][found["ids"][clip, t] == name][0]
    return box


def check_followed(name: str, followed: Any) -> None:
    """Refuse a dict that does not say where which object is."""
    keys = {"boxes", "presence", "ids"}
    if not isinstance(followed, dict) or not keys <= followed.keys():
        got = sorted(followed) if isinstance(followed, dict) else type(followed)
        raise ValueError(
            f"`{name}` must be a dict with {sorted(keys)}. Received: {got}"
        )
    shape = np.shape(followed["presence"])
    shapes = {key: np.shape(followed[key]) for key in keys}
    if len(shape) != 3 or shapes != {
        "boxes": (*shape, 4),
        "presence": shape,
        "ids": shape,
    }:
        raise ValueError(
            f"`{name}` must hold 'boxes' [B, T, N, 4], 'presence' [B, T, N] and 'ids' "
            f"[B, T, N]. Received: {shapes}"
        )
