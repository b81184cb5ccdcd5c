"""Rows of a `results.json` of models that find objects in pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_attend.evaluation.digits import with_new_draws
from keras_attend.evaluation.objects import PictureScores, score_pictures
from keras_attend.evaluation.rows import row
from keras_attend.types import Array
from keras_attend.zoo.results import Result

METRICS = ("count_accuracy", "mean_iou", "found_rate", "elbo_nats", "drawn_outside")


def picture_results(
    models: Sequence[keras.Model],
    pictures: Any,
    *,
    data: str,
    paper: Mapping[str, float] | None = None,
) -> list[Result]:
    """Measure models by the protocol `<data>/pictures`, for `zoo.write_results`.

    Args:
        models: those of all training seeds.
        pictures: a `PyDataset` or a list of batches, as of `score_pictures`.
        data: its name in the protocol's name.
        paper: the paper's numbers, by metric.
    """
    batches = [pictures[index] for index in range(len(pictures))]
    scores = [seeded_scores(model, batches) for model in models]
    counts = np.concatenate([targets["count"] for _, targets in batches])
    return picture_rows(scores, counts, data=data, paper=paper)


def seeded_scores(model: keras.Model, pictures: Any) -> PictureScores:
    """`score_pictures` with the draws that every model is measured by."""
    return score_pictures(with_new_draws(model), pictures)


def picture_rows(
    scores: Sequence[PictureScores],
    counts: Array,
    *,
    data: str,
    paper: Mapping[str, float] | None = None,
) -> list[Result]:
    """Make the rows of scores that were measured before.

    A metric that cannot be had of each model has no row: where nothing is drawn,
    nothing is drawn outside.

    Args:
        scores: those of all training seeds.
        counts: the pictures' true counts.
        data, paper: as of `picture_results`.
    """
    # What one scores who says the same number of each picture: nothing to compare with
    # where it is the same of each.
    always = float(np.bincount(counts).max() / len(counts))
    rows = []
    for metric in METRICS:
        values = [getattr(score, metric) for score in scores]
        if not np.isfinite(values).all():
            continue
        others = {"the most frequent count": always}
        baselines = others if metric == "count_accuracy" and always < 1 else {}
        expected = (paper or {}).get(metric)
        rows.append(row(metric, f"{data}/pictures", values, expected, baselines))
    return rows
