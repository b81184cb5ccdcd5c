import itertools

import numpy as np
import pytest

from keras_attend import evaluation
from keras_attend.evaluation.matching import best_pairs, pairwise_iou

A, B, C = [0, 0, 10, 10], [20, 0, 10, 10], [0, 30, 10, 10]
NONE = [0, 0, 0, 0]


def moved(box, x, y=0):
    return [box[0] + x, box[1] + y, *box[2:]]


def test_pairwise_iou():
    found = pairwise_iou(np.array([A, moved(A, 5)]), np.array([A, B, NONE]))
    np.testing.assert_allclose(found, [[1, 0, 0], [1 / 3, 0, 0]], atol=1e-6)
    assert pairwise_iou(np.zeros((0, 4)), np.array([A])).shape == (0, 1)


def best_by_trying(scores):
    """The greatest sum over all one-to-one pairings."""
    K, M = scores.shape
    tall = scores if K >= M else scores.T
    return max(
        sum(tall[row, column] for column, row in enumerate(rows))
        for rows in itertools.permutations(range(len(tall)), tall.shape[1])
    )


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (3, 2), (4, 4), (5, 3), (3, 6)])
def test_pairs_are_the_best_ones(shape, random):
    for _ in range(30):
        scores = random.uniform(0, 1, shape) * (random.uniform(0, 1, shape) > 0.3)
        pairs = best_pairs(scores)
        used = [row for row in pairs if row >= 0]
        assert len(pairs) == shape[1] and len(set(used)) == len(used)
        total = sum(scores[row, m] for m, row in enumerate(pairs) if row >= 0)
        assert abs(total - best_by_trying(scores)) < 1e-9
        assert all(scores[row, m] > 0 for m, row in enumerate(pairs) if row >= 0)


def test_pairs_are_not_greedy():
    # The best single pair, .9, would leave the other true box with nothing.
    assert best_pairs(np.array([[0.9, 0.8], [0.7, 0.0]])).tolist() == [1, 0]
    assert best_pairs(np.zeros((0, 2))).tolist() == [-1, -1]
    assert best_pairs(np.zeros((2, 1))).tolist() == [-1]


def test_score_objects_by_hand():
    true = np.array([[A, B], [A, NONE], [NONE, NONE], [A, B]])
    boxes = np.array(
        [
            [moved(B, 2), A, NONE],  # in another order: 1 and 8/12
            [moved(A, 5), C, NONE],  # one too many: 1/3
            [A, NONE, NONE],  # beyond the count, which is right
            [B, NONE, NONE],  # one too few: 0 and 1
        ]
    )
    scores = evaluation.score_objects(
        np.array([2, 1, 0, 2]), true, np.array([2, 2, 0, 1]), boxes
    )
    assert scores.count_accuracy == 0.5
    np.testing.assert_allclose(sorted(scores.ious), [0, 1 / 3, 2 / 3, 1, 1], atol=1e-6)
    np.testing.assert_allclose(scores.mean_iou, 3 / 5, atol=1e-6)
    assert scores.found_rate == 3 / 5
    expected = np.zeros((3, 4), int)
    expected[2, 2] = expected[1, 2] = expected[0, 0] = expected[2, 1] = 1
    np.testing.assert_array_equal(scores.confusion, expected)


def test_pictures_without_objects():
    none = np.zeros((3, 2, 4)), np.zeros(3, int)
    scores = evaluation.score_objects(none[1], none[0], none[1], none[0])
    assert scores.count_accuracy == 1 and np.isnan(scores.mean_iou)


def test_drawn_outside_by_hand():
    masks = np.zeros((2, 2, 8, 8))
    masks[0, 0, 2:4, 2:6] = 0.9  # 8 pixels, of which the box holds 4
    masks[0, 1, 7, 7] = 0.2  # too faint
    masks[1, 1, 0:2, 0:2] = 1.0  # 4 pixels where there is no object
    boxes = np.array([[[2, 2, 2, 2], NONE], [NONE, NONE]])
    np.testing.assert_allclose(evaluation.drawn_outside(masks, boxes), 8 / 12)
    assert np.isnan(evaluation.drawn_outside(0 * masks, boxes))
    np.testing.assert_allclose(evaluation.drawn_outside(masks[:1], boxes[:1]), 0.5)


class Found:
    """Says what it is told about a batch, by the batch's first pixel."""

    def __init__(self, answers, bounds):
        self.answers, self.bounds = answers, bounds

    def predict(self, images, batch_size, verbose):
        assert batch_size == len(images)
        return self.answers[int(images.flat[0])]

    def evaluate(self, images, batch_size, verbose, return_dict):
        return {"elbo": self.bounds[int(images.flat[0])]}


def test_score_pictures():
    masks = np.zeros((2, 1, 8, 8, 1))
    masks[0, 0, 0:4, 0:4] = 1
    answers = [
        {"count": np.array([1, 0]), "boxes": np.array([[A], [NONE]]), "masks": masks},
        {"count": np.array([1]), "boxes": np.array([[B]]), "masks": masks[:1]},
    ]
    data = [
        (np.zeros((2, 8, 8, 1)), {"count": [1, 1], "boxes": np.array([[A], [B]])}),
        (np.ones((1, 8, 8, 1)), {"count": [1], "boxes": np.array([[B]])}),
    ]
    scores = evaluation.score_pictures(Found(answers, [600.0, 630.0]), data)
    np.testing.assert_allclose(scores.elbo_nats, 610)
    np.testing.assert_allclose(scores.objects.count_accuracy, 2 / 3)
    np.testing.assert_allclose(scores.objects.mean_iou, 2 / 3)
    np.testing.assert_allclose(scores.drawn_outside, 0.5)
    with pytest.raises(ValueError, match="must hold a batch"):
        evaluation.score_pictures(Found([], []), [])


def test_bad_objects():
    score = evaluation.score_objects
    count, boxes = np.array([1]), np.array([[A]])
    with pytest.raises(ValueError, match=r"`true_count` must be \[B\]"):
        score(count[:, None], boxes, count, boxes)
    with pytest.raises(ValueError, match="must not exceed the number of boxes, 1"):
        score(count, boxes, count + 1, boxes)
    with pytest.raises(ValueError, match="integers from 0 on"):
        score(count, boxes, count * 1.0, boxes)
    with pytest.raises(ValueError, match="of the same pictures"):
        score(count, boxes, np.array([1, 1]), np.array([[A], [A]]))
    with pytest.raises(ValueError, match="`masks` must be"):
        evaluation.drawn_outside(np.zeros((2, 8, 8)), boxes)
