"""Rows of a `results.json` of models that find and follow objects in videos."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_attend.evaluation.digits import with_new_draws
from keras_attend.evaluation.identities import (
    SequenceScores,
    imagined_errors,
    score_sequences,
)
from keras_attend.evaluation.rows import row
from keras_attend.types import Array, OneLine
from keras_attend.zoo.results import Result

AHEAD = 5  # frames after the last one that the model sees
SETTLED = 3  # the number of the first frame whose count is judged
METRICS = {  # of a `results.json`, and what `VideoScores` calls them
    "count_accuracy": "count_accuracy",
    "found_rate": "found_rate",
    "mean_iou": "mean_iou",
    "identity_switches": "identity_switches",
    "center_error_px": "center_error",
    "elbo_nats": "elbo_nats",
}


@dataclass(frozen=True, eq=False, repr=False)
class VideoScores(OneLine):
    """What `score_videos` measures.

    Attributes:
        sequences: counts, boxes and identities.
        elbo_nats: the mean bound of the log-likelihood, in nats a frame.
        imagined: `[5]`, the mean distance in pixels of imagined centres from the true
            ones, 1 to 5 frames after the last one that the model sees.
    """

    sequences: SequenceScores
    elbo_nats: float
    imagined: Array

    @property
    def count_accuracy(self) -> float:
        """The share of right counts, in the frame after the third where it is least.

        Of a video of fewer frames: in the last one.
        """
        counts = self.sequences.count_accuracy
        return float(counts[min(SETTLED, len(counts) - 1) :].min())

    @property
    def found_rate(self) -> float:
        """The share of true boxes whose found box has an IoU above 0.5."""
        return self.sequences.found_rate

    @property
    def mean_iou(self) -> float:
        """Of true boxes; 0 where one is missed."""
        return self.sequences.mean_iou

    @property
    def identity_switches(self) -> float:
        """Their number, divided by that of true objects."""
        return self.sequences.switches

    @property
    def center_error(self) -> float:
        """Pixels, five frames after the last one that the model sees."""
        return float(self.imagined[-1])


def score_videos(model: Any, dataset: Any) -> VideoScores:
    """Run a model on videos whose objects are known.

    It sees all frames, and is asked for counts and boxes. Then it sees all but the last
    five, and imagines those.

    Args:
        model: a `SequentialAIR`, or one with its `predict`, `evaluate` and `imagine`.
        dataset: a `PyDataset` or a list of batches `({"frames"}, targets)`, such as
            `MovingObjects(labels=True)`, of 6 or more frames.
    """
    truths, answers, futures, bounds, weights = [], [], [], [], []
    for index in range(len(dataset)):
        x, true = dataset[index]
        count, T = x["frames"].shape[:2]
        if T <= AHEAD:
            raise ValueError(
                f"Videos must have more than {AHEAD} frames. Received: {T} frames"
            )
        found = model.predict(x, batch_size=count, verbose=0)
        keys = ("boxes", "presence", "ids")
        future = model.imagine(x["frames"][:, :-AHEAD], AHEAD)
        truths.append(true)
        answers.append({key: found[key] for key in keys})
        futures.append({key: future[key][:, 0] for key in keys})
        scores = model.evaluate(x, batch_size=count, verbose=0, return_dict=True)
        bounds.append(scores["elbo"])
        weights.append(count)
    if not truths:
        raise ValueError("`dataset` must hold a batch. Received: none")
    true, found, future = (_joined(parts) for parts in (truths, answers, futures))
    given = found["boxes"].shape[1] - AHEAD
    return VideoScores(
        sequences=score_sequences(true, found),
        elbo_nats=float(np.average(bounds, weights=weights)),
        imagined=imagined_errors(true, found, future, given),
    )


def object_video_results(
    models: Sequence[keras.Model], videos: Any, *, data: str
) -> list[Result]:
    """Measure models by the protocol `<data>/videos`, for `zoo.write_results`.

    Args:
        models: those of all training seeds.
        videos: as of `score_videos`.
        data: its name in the protocol's name.
    """
    batches = [videos[index] for index in range(len(videos))]
    scores = [score_videos(with_new_draws(model), batches) for model in models]
    return video_rows(scores, data=data)


def video_rows(scores: Sequence[VideoScores], *, data: str) -> list[Result]:
    """Make the rows of scores that were measured before, of all training seeds.

    There is no centre error of a model that has found no object to imagine.
    """
    values = {k: [getattr(score, v) for score in scores] for k, v in METRICS.items()}
    return [
        row(metric, f"{data}/videos", found, None, {})
        for metric, found in values.items()
        if np.isfinite(found).all()
    ]


def _joined(parts: list[dict[str, Array]]) -> dict[str, Array]:
    """Put the videos of all batches together."""
    return {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}
