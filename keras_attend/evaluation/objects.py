"""Evaluate models that find objects without labels, such as AIR, in pictures.

`score_objects` compares counts and boxes, `drawn_outside` what was drawn; both take
arrays. `score_pictures` runs a model on pictures whose objects are known.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_attend.evaluation.matching import best_pairs, pairwise_iou
from keras_attend.models.air.boxes import INK
from keras_attend.types import Array, OneLine

FOUND = 0.5  # an object is found if a box has an IoU above it


@dataclass(frozen=True, eq=False, repr=False)
class ObjectScores(OneLine):
    """How well counts and boxes fit those of pictures; every true object counts alike.

    Attributes:
        count_accuracy: the share of pictures whose count is right.
        confusion: `[N + 1, M + 1]`, the number of pictures with n true objects in which
            m were found.
        mean_iou: the mean, over true objects, of the IoU with the found box that it is
            paired with; 0 of an object that is missed. NaN if there are no objects.
        found_rate: the share of true objects whose IoU is above 0.5.
        ious: `[objects]`, the IoU of each.
    """

    count_accuracy: float
    confusion: Array
    mean_iou: float
    found_rate: float
    ious: Array


def score_objects(
    true_count: Array, true_boxes: Array, count: Array, boxes: Array
) -> ObjectScores:
    """Compare found objects with true ones.

    In each picture found and true boxes are paired one to one, so that the sum of IoUs
    is the greatest.

    Args:
        true_count: `[B]` integers.
        true_boxes: `[B, N, 4]`, `xywh` in pixels; the first `true_count` of them count.
        count: `[B]`, how many were found.
        boxes: `[B, M, 4]`, of which the first `count` count.
    """
    true_count, count = np.asarray(true_count), np.asarray(count)
    true_boxes, boxes = np.asarray(true_boxes), np.asarray(boxes)
    check_boxes(true_count, true_boxes, "true_")
    check_boxes(count, boxes, "")
    if len(count) != len(true_count) or not len(count):
        raise ValueError(
            "`count` and `true_count` must be of the same pictures, and not empty. "
            f"Received: {len(count)} and {len(true_count)} pictures"
        )
    confusion = np.zeros((true_boxes.shape[1] + 1, boxes.shape[1] + 1), int)
    np.add.at(confusion, (true_count, count), 1)
    ious = [np.zeros(0)]
    # Of all pictures at once: a call of the backend takes longer than its arithmetic.
    overlaps = pairwise_iou(boxes, true_boxes)  # [B, M, N]
    for n, m, iou in zip(true_count, count, overlaps, strict=True):
        ious.append(paired_ious(iou[:m, :n]))
    flat = np.concatenate(ious)
    return ObjectScores(
        count_accuracy=float((count == true_count).mean()),
        confusion=confusion,
        mean_iou=float(flat.mean()) if len(flat) else float("nan"),
        found_rate=float((flat > FOUND).mean()) if len(flat) else float("nan"),
        ious=flat,
    )


def paired_ious(iou: Array) -> Array:
    """The IoU `[N]` of each true box with its found one; 0 where it has none.

    Args:
        iou: of all pairs, `[M, N]`.
    """
    pairs = best_pairs(iou)
    has = pairs >= 0
    ious = np.zeros(iou.shape[1])
    ious[has] = iou[pairs[has], np.flatnonzero(has)]
    return ious


def drawn_outside(masks: Array, true_boxes: Array, opaque: float = INK) -> float:
    """Measure the share of what was drawn that lies outside all true objects.

    A model that copies the background into its objects draws much outside.

    Args:
        masks: `[B, M, H, W]`, how opaque each object is at each pixel.
        true_boxes: `[B, N, 4]`, `xywh` in pixels; zeros where there is none.
        opaque: a pixel is drawn on where an object is more opaque.

    Returns:
        The share of drawn pixels outside true boxes, of all pictures together; NaN if
        nothing is drawn.
    """
    masks, true_boxes = np.asarray(masks), np.asarray(true_boxes)
    if masks.ndim != 4 or true_boxes.ndim != 3 or len(masks) != len(true_boxes):
        raise ValueError(
            "`masks` must be [B, M, H, W] and `true_boxes` [B, N, 4], of the same "
            f"pictures. Received: {masks.shape} and {true_boxes.shape}"
        )
    height, width = masks.shape[2:]
    y, x = np.arange(height) + 0.5, np.arange(width) + 0.5
    left, top, w, h = np.moveaxis(true_boxes[..., None], 2, 0)  # [B, N, 1] each
    rows = (y >= top) & (y < top + h)  # [B, N, H]
    columns = (x >= left) & (x < left + w)
    inside = (rows[..., None] & columns[:, :, None]).any(1)  # [B, H, W]
    drawn = masks > opaque
    total = drawn.sum()
    return float((drawn & ~inside[:, None]).sum() / total) if total else float("nan")


@dataclass(frozen=True, eq=False, repr=False)
class PictureScores(OneLine):
    """What `score_pictures` measures.

    Attributes:
        objects: counts and boxes.
        elbo_nats: the mean bound of the log-likelihood, in nats a picture.
        drawn_outside: the share of what is drawn that lies outside true boxes.
    """

    objects: ObjectScores
    elbo_nats: float
    drawn_outside: float

    @property
    def count_accuracy(self) -> float:
        """The share of pictures whose count is right."""
        return self.objects.count_accuracy

    @property
    def mean_iou(self) -> float:
        """The mean IoU of true objects with what was found; 0 of missed ones."""
        return self.objects.mean_iou

    @property
    def found_rate(self) -> float:
        """The share of true objects whose IoU is above 0.5."""
        return self.objects.found_rate


def score_pictures(model: Any, dataset: Any) -> PictureScores:
    """Run a model on pictures whose objects are known.

    Args:
        model: its `predict(images)` gives "count" `[B]`, "boxes" `[B, M, 4]` and
            "masks" `[B, M, H, W, 1]`, and its `evaluate` the metric "elbo".
        dataset: a `PyDataset` or a list of batches `(images, {"count", "boxes"})`, such
            as `MultiDigits(labels=True)`.
    """
    keys = ("count", "boxes")
    true: dict[str, list[Array]] = {key: [] for key in keys}
    found: dict[str, list[Array]] = {key: [] for key in keys}
    bounds, outside, drawn = [], 0.0, 0
    for index in range(len(dataset)):
        images, targets = dataset[index]
        answer = model.predict(images, batch_size=len(images), verbose=0)
        for key in keys:
            true[key].append(np.asarray(targets[key]))
            found[key].append(np.asarray(answer[key]))
        masks = np.asarray(answer["masks"])[..., 0]
        pixels = int((masks > INK).sum())
        if pixels:
            outside += pixels * drawn_outside(masks, targets["boxes"])
            drawn += pixels
        scores = model.evaluate(
            images, batch_size=len(images), verbose=0, return_dict=True
        )
        bounds.append((scores["elbo"], len(images)))
    if not bounds:
        raise ValueError("`dataset` must hold a batch. Received: none")
    values, weights = np.array(bounds).T
    return PictureScores(
        objects=score_objects(
            *(np.concatenate(true[key]) for key in keys),
            *(np.concatenate(found[key]) for key in keys),
        ),
        elbo_nats=float((values * weights).sum() / weights.sum()),
        drawn_outside=outside / drawn if drawn else float("nan"),
    )


def check_boxes(count: Array, boxes: Array, name: str) -> None:
    """Refuse counts and boxes that cannot belong together."""
    if boxes.ndim != 3 or boxes.shape[-1] != 4 or count.shape != boxes.shape[:1]:
        raise ValueError(
            f"`{name}count` must be [B] and `{name}boxes` [B, N, 4]. Received: "
            f"{name}count.shape={count.shape}, {name}boxes.shape={boxes.shape}"
        )
    if count.dtype.kind not in "iu" or (count < 0).any():
        raise ValueError(
            f"`{name}count` must hold integers from 0 on. Received: {count[:20]}"
        )
    if (count > boxes.shape[1]).any():
        raise ValueError(
            f"`{name}count` must not exceed the number of boxes, {boxes.shape[1]}. "
            f"Received: {count.max()}"
        )
