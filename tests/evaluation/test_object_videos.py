import numpy as np
import pytest

from keras_attend import evaluation
from keras_attend.datasets import MovingObjects, sample_digits
from keras_attend.evaluation import DrawnVideos
from keras_attend.evaluation.object_videos import video_rows
from keras_attend.evaluation.test_sets import described, from_description
from keras_attend.models import AIR, ObjectPrior, SequentialAIR

VIDEOS = MovingObjects(
    digits=sample_digits()[0], batch_size=12, frames=9, length=2, labels=True
)
BATCHES = [VIDEOS[0], VIDEOS[1]]


class Knows:
    """Says what is true of the batch that it sees, but for what a test changes."""

    def __init__(self, late=0.0, blind=0):
        self.late, self.blind = late, blind

    def truth(self, frames):
        T = frames.shape[1]
        for x, y in BATCHES:
            if np.array_equal(x["frames"][:, :T], frames):
                return y
        raise AssertionError("these are no given frames")

    def predict(self, x, batch_size, verbose):
        assert batch_size == 12
        y = {k: v.copy() for k, v in self.truth(x["frames"]).items()}
        y["presence"][:, : self.blind] = 0
        y["ids"] += 7
        return y

    def imagine(self, frames, steps):
        assert frames.shape[1] == 4 and steps == 5
        y = self.truth(frames)
        future = {k: y[k][:, None, 4:].copy() for k in ("boxes", "presence", "ids")}
        future["ids"] += 7
        future["boxes"][..., 0] += self.late
        return future

    def evaluate(self, x, batch_size, verbose, return_dict):
        return {"elbo": 600.0 if x["frames"] is BATCHES[0][0]["frames"] else 610.0}


def test_who_knows_all_scores_best():
    scores = evaluation.score_videos(Knows(), BATCHES)
    assert scores.count_accuracy == scores.found_rate == scores.mean_iou == 1
    assert scores.identity_switches == 0 and scores.elbo_nats == 605
    np.testing.assert_allclose(scores.imagined, np.zeros(5), atol=1e-6)


def test_errors_are_measured():
    scores = evaluation.score_videos(Knows(late=3.0, blind=3), BATCHES)
    # The first three frames do not count for counts, but for boxes.
    assert scores.count_accuracy == 1 and scores.found_rate < 0.9
    assert scores.sequences.count_accuracy[0] < 0.9
    np.testing.assert_allclose(scores.center_error, 3, atol=1e-4)
    blind = evaluation.score_videos(Knows(blind=4), BATCHES)
    assert blind.count_accuracy < 0.9


def test_rows():
    scores = [evaluation.score_videos(who, BATCHES) for who in (Knows(), Knows(3.0))]
    rows = video_rows(scores, data="toy")
    assert {row.protocol for row in rows} == {"toy/videos"}
    found = {row.metric: row for row in rows}
    assert found["count_accuracy"].value == 1 and found["count_accuracy"].n == 2
    error = found["center_error_px"]
    assert (error.min, error.max, error.value) == (0, 3, 1.5)


def test_who_finds_nothing_imagines_nothing():
    """So that there is no centre to be off: no row, and not one of NaN."""
    rows = video_rows([evaluation.score_videos(Knows(blind=9), BATCHES)], data="toy")
    metrics = {row.metric for row in rows}
    assert "found_rate" in metrics and "center_error_px" not in metrics


@pytest.mark.long
def test_each_model_is_measured_by_the_same_draws():
    air = AIR(50, steps=1, window=6, what=2, units=4, prior=ObjectPrior(side=6.0))
    model = SequentialAIR(air, units=4)
    model.build(model.serving_shape)
    videos = [({"frames": BATCHES[0][0]["frames"][:2, :6]}, first_two(BATCHES[0][1]))]
    twice = evaluation.object_video_results([model, model], videos, data="toy")
    (bound,) = (row for row in twice if row.metric == "elbo_nats")
    assert bound.n == 2 and bound.min == bound.max


def first_two(true):
    return {key: value[:2, :6] for key, value in true.items()}


def test_too_short():
    x, y = BATCHES[0]
    with pytest.raises(ValueError, match="more than 5 frames"):
        evaluation.score_videos(Knows(), [({"frames": x["frames"][:, :5]}, y)])
    with pytest.raises(ValueError, match="must hold a batch"):
        evaluation.score_videos(Knows(), [])


def test_drawn_videos(mnist_file):
    videos = DrawnVideos(frames=6, sizes=(0.7, 1.3), batch_size=3, batches=2)
    again = from_description(described({"toy": videos})["toy"])
    data = again.load()
    assert len(data) == 2 and data.split == "test" and data.labels
    np.testing.assert_array_equal(
        data[1][0]["frames"], videos.load(split="test")[1][0]["frames"]
    )
    for wrong in ({"frames": 5}, {"background": "grid"}, {"sizes": (1.0,)}):
        with pytest.raises(ValueError, match="must be"):
            DrawnVideos(**wrong)
