import numpy as np
import pytest

from keras_attend import evaluation

A, B, NONE = [0.0, 0, 10, 10], [20.0, 0, 10, 10], [0.0, 0, 0, 0]


def video(frames, **more):
    """One video; each frame is a list of (identity, box)."""
    T, N = len(frames), 2
    boxes, ids = np.zeros((1, T, N, 4)), np.full((1, T, N), -1)
    for t, frame in enumerate(frames):
        for n, (name, box) in enumerate(frame):
            boxes[0, t, n], ids[0, t, n] = box, name
    return {"boxes": boxes, "ids": ids, "presence": (ids >= 0) * 1.0, **more}


def moved(box, x):
    return [box[0] + x, *box[1:]]


TRUE = video([[(0, A), (1, B)]] * 4)


def test_all_right():
    found = video([[(7, B), (5, A)], [(5, A), (7, B)]] * 2)  # the slots do not matter
    scores = evaluation.score_sequences(TRUE, found)
    assert scores.accuracy == 1 and scores.switches == 0 and scores.found_rate == 1
    np.testing.assert_array_equal(scores.count_accuracy, np.ones(4))
    np.testing.assert_array_equal(scores.found_over_time, np.ones(4))


def test_a_swap_is_two_switches():
    found = video([[(5, A), (7, B)]] * 2 + [[(7, A), (5, B)]] * 2)
    scores = evaluation.score_sequences(TRUE, found)
    assert scores.switches == 2 / 2  # of two objects
    assert scores.accuracy == 1 - 2 / 8
    assert scores.found_rate == 1


def test_a_new_identity_after_a_gap_is_a_switch():
    found = video([[(5, A)], [], [(6, A)], [(6, A)]])
    scores = evaluation.score_sequences(video([[(0, A)]] * 4), found)
    assert scores.switches == 1
    assert scores.accuracy == 1 - (1 + 1) / 4  # a miss and a switch
    np.testing.assert_array_equal(scores.count_accuracy, [1, 0, 1, 1])
    np.testing.assert_array_equal(scores.found_over_time, [1, 0, 1, 1])
    again = video([[(5, A)], [], [(5, A)], [(5, A)]])
    assert evaluation.score_sequences(video([[(0, A)]] * 4), again).switches == 0


def test_a_pair_stays_while_it_overlaps():
    """A nearer box does not take over while the old one still has an IoU above 0.5."""
    first = [(5, A)]
    second = [(5, moved(A, 2)), (6, A)]
    found = video([first, second])
    scores = evaluation.score_sequences(video([[(0, A)]] * 2), found)
    assert scores.switches == 0
    assert scores.accuracy == 1 - 1 / 2  # the other box is false
    np.testing.assert_allclose(scores.mean_iou, (1 + 8 / 12) / 2)
    # When it no longer does, the nearer one does take over.
    found = video([first, [(5, moved(A, 6)), (6, A)]])
    scores = evaluation.score_sequences(video([[(0, A)]] * 2), found)
    assert scores.switches == 1


def test_misses_and_false_boxes():
    found = video([[(5, A), (6, moved(B, 8))], [(5, A)], [(5, A)], [(5, A)]])
    scores = evaluation.score_sequences(TRUE, found)
    # B is found nowhere: in frame 0 a box overlaps by 1/9, which is false.
    assert scores.found_rate == 0.5
    np.testing.assert_allclose(scores.mean_iou, (4 + 1 / 9) / 8)
    assert scores.accuracy == 1 - (4 + 1) / 8
    np.testing.assert_array_equal(scores.count_accuracy, [1, 0, 0, 0])


def test_half_shown_objects_are_not_counted():
    true = video([[(0, A)]] * 2, visible=np.array([[[0.4, 0], [1, 0]]]))
    found = video([[], [(3, A)]])
    np.testing.assert_array_equal(
        evaluation.score_sequences(true, found).count_accuracy, [np.nan, 1]
    )


def test_no_objects():
    nothing = video([[], []])
    scores = evaluation.score_sequences(nothing, nothing)
    assert scores.switches == 0 and scores.accuracy == 1
    np.testing.assert_array_equal(scores.count_accuracy, [1, 1])
    false = evaluation.score_sequences(nothing, video([[(1, A)], []]))
    np.testing.assert_array_equal(false.count_accuracy, [0, 1])


def test_imagined_errors_by_hand():
    frames = [[(0, moved(A, 2 * t)), (1, B)] for t in range(6)]
    bounced = np.zeros((1, 6, 2))
    true = video(frames, bounced=bounced)
    found = video([[(9, moved(A, 2 * t)), (8, B)] for t in range(3)])
    imagined = video(
        [[(9, moved(A, 4 + 3 * s)), (8, B)] for s in (1, 2)] + [[(8, moved(B, 4))]]
    )
    errors = evaluation.imagined_errors(true, found, imagined, given=3)
    # Of the first object 1, 2 and, since it is gone, 10 - 10 = 0; of the other 0, 0, 4.
    np.testing.assert_allclose(errors, [0.5, 1, 2])
    bounced[0, 4, 1] = 1  # from there on the other one does not count
    errors = evaluation.imagined_errors(true, found, imagined, given=3)
    np.testing.assert_allclose(errors, [0.5, 2, 0])
    true["presence"][0, 5] = 0
    errors = evaluation.imagined_errors(true, found, imagined, given=3)
    np.testing.assert_allclose(errors, [0.5, 2, np.nan])
    true["presence"][0, 1, 1] = 0  # the other one has come too late
    errors = evaluation.imagined_errors(true, found, imagined, given=3)
    np.testing.assert_allclose(errors, [1, 2, np.nan])
    outside = video([[(9, moved(A, 6))], [(9, moved(A, 8))], [(9, moved(A, 30))]])
    outside["boxes"][0, 1:] = 0  # it is still imagined, but nothing is in the frame
    errors = evaluation.imagined_errors(true, found, outside, given=3)
    np.testing.assert_allclose(errors, [0, 2, np.nan])
    missed = video([[(9, moved(A, 30))]] * 3)  # nothing was found where they are
    assert np.isnan(evaluation.imagined_errors(true, missed, imagined, given=3)).all()


def test_bad_sequences():
    score = evaluation.score_sequences
    with pytest.raises(ValueError, match="`found` must be a dict with"):
        score(TRUE, {"boxes": TRUE["boxes"]})
    with pytest.raises(ValueError, match="of the same videos"):
        score(TRUE, video([[(0, A)]] * 3))
    with pytest.raises(ValueError, match=r"'ids' \[B, T, N\]"):
        score({**TRUE, "ids": TRUE["ids"][0]}, TRUE)
