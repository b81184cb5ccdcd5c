import hashlib

import numpy as np
import pytest

from keras_attend.datasets import MovingObjects, sample_digits

DIGITS = sample_digits()[0]


def data(**kwargs):
    return MovingObjects(
        **{"digits": DIGITS, "labels": True, "batch_size": 40, **kwargs}
    )


def box_of(picture):
    rows, columns = np.nonzero(picture > 50 / 255)
    y, x = rows.min(), columns.min()
    return [x, y, columns.max() + 1 - x, rows.max() + 1 - y]


def test_boxes_are_of_the_ink_in_the_frame():
    for arrivals in ("anywhere", "edges"):
        inputs, targets = data(max_digits=1, arrivals=arrivals, frames=12)[0]
        assert inputs["frames"].shape == (40, 12, 50, 50, 1)
        frames, there = inputs["frames"][..., 0], targets["presence"][..., 0] == 1
        assert 0.1 < there.mean() < 0.6
        for frame, box in zip(frames[there], targets["boxes"][there], strict=True):
            found = box_of(frame)
            # At an edge the tile's faint border may be all that is left of a side.
            tolerance = 0 if arrivals == "anywhere" else 4
            np.testing.assert_allclose(box[0], found, atol=tolerance)
        gone = targets["visible"][..., 0] == 0
        assert not frames[gone].any() and not targets["boxes"][~there].any()


def test_targets_agree():
    _, targets = data(frames=8)[0]
    present = targets["presence"] == 1
    np.testing.assert_array_equal(targets["count"], present.sum(-1))
    np.testing.assert_array_equal(targets["ids"] >= 0, present)
    assert (targets["ids"][present] == np.nonzero(present)[2]).all()
    np.testing.assert_array_equal(present, targets["visible"] > 0.5)
    assert (targets["boxes"][present][:, 2:] > 1).all()
    assert set(targets["count"].ravel()) == {0, 1, 2}


def test_digits_move_straight_and_bounce():
    _, targets = data(changes=0.0, frames=30, max_digits=1)[0]
    there = targets["presence"][:, 0, 0] == 1
    corner = targets["boxes"][there, :, 0, :2]  # [b, T, 2]
    step = np.diff(corner, axis=1)
    assert np.hypot(*step.transpose(2, 0, 1)).max() < 3 + np.sqrt(2)
    bounced = targets["bounced"][there, 1:, 0] == 1
    assert 0.02 < bounced.mean() < 0.3
    turned = np.abs(np.diff(step, axis=1)).max(-1) > 2.01  # more than rounding makes
    # A turn shortens the step into its frame and reverses the one after it.
    assert not (turned & ~(bounced[:, 1:] | bounced[:, :-1])).any() and turned.any()
    total = np.abs(step).sum()
    assert total > 10 * len(corner)  # they do move


def test_all_are_there_without_changes():
    _, targets = data(changes=0.0)[0]
    assert (targets["count"] == targets["count"][:, :1]).all()


@pytest.mark.parametrize("arrivals", ["anywhere", "edges"])
def test_digits_come_and_go(arrivals):
    _, targets = data(changes=0.5, frames=20, batch_size=300, arrivals=arrivals)[0]
    present = targets["presence"].transpose(0, 2, 1).reshape(-1, 20) == 1
    lives = present[present.any(-1)]
    late, early = 1 - lives[:, 0].mean(), 1 - lives[:, -1].mean()
    assert abs(late - 0.5) < 0.1
    assert abs(early - 0.5) < 0.1 if arrivals == "anywhere" else 0.03 < early < 0.5
    assert (np.abs(np.diff(lives.astype(int), axis=-1)).sum(-1) <= 2).all()
    if arrivals == "anywhere":
        assert lives.sum(-1).min() >= 3
        assert set(targets["visible"].ravel()) == {0, 1}
    else:
        parts = targets["visible"]
        assert ((parts > 0) & (parts < 1)).mean() > 0.02


def test_boxes_are_disjoint_when_a_digit_appears_and_cross_later():
    _, targets = data(batch_size=300)[0]
    crossed = 0
    for boxes, present in zip(targets["boxes"], targets["presence"], strict=True):
        first = [int(present[:, n].argmax()) for n in (0, 1)]
        for t in np.flatnonzero((present == 1).all(-1)):
            (x0, y0, w0, h0), (x1, y1, w1, h1) = boxes[t]
            width = min(x0 + w0, x1 + w1) - max(x0, x1)
            height = min(y0 + h0, y1 + h1) - max(y0, y1)
            crosses = width > 0 and height > 0
            crossed += crosses
            assert not (crosses and t in first)
    assert crossed > 50


def test_sizes():
    shares = []
    for factor in (0.7, 1.3):
        _, targets = data(sizes=(factor, factor), changes=0.0, frames=1)[0]
        boxes = targets["boxes"][targets["presence"] == 1]
        shares.append(boxes[:, 2:].max(-1).mean())
    assert abs(shares[1] / shares[0] - 1.3 / 0.7) < 0.1


def test_depends_on_its_arguments_alone():
    one, two = data(seed=3), data(seed=3)
    two[2]
    np.testing.assert_array_equal(one[1][0]["frames"], two[1][0]["frames"])
    two.on_epoch_end()
    assert (one[1][0]["frames"] != two[1][0]["frames"]).any()
    held_out = data(seed=3, split="validation")
    before = held_out[1][0]["frames"]
    held_out.on_epoch_end()
    np.testing.assert_array_equal(before, held_out[1][0]["frames"])
    unlabelled = data(seed=3, labels=False)[1]
    np.testing.assert_array_equal(unlabelled["frames"], one[1][0]["frames"])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "e1ba19a88a0daad4"),
        (
            {"arrivals": "edges", "sizes": (0.7, 1.3), "background": "noise"},
            "36a9ddf896e4033f",
        ),
    ],
)
def test_never_changes(arguments, expected):
    inputs, targets = data(seed=7, batch_size=8, **arguments)[0]
    pixels = np.rint(inputs["frames"] * 255).astype("uint8")
    found = [a.tobytes() for a in (pixels, targets["ids"], targets["boxes"])]
    assert hashlib.sha256(b"".join(found)).hexdigest()[:16] == expected


def test_one_frame():
    inputs, targets = data(frames=1)[0]
    assert inputs["frames"].shape == (40, 1, 50, 50, 1)
    assert set(targets["count"].ravel()) == {0, 1, 2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"arrivals": "sky"}, "`arrivals` must be one of"),
        ({"background": "photo"}, "`background` must be one of"),
        ({"sizes": (1.3, 0.7)}, "the smaller one first"),
        ({"size": 36, "sizes": (0.7, 1.3)}, "at least 42"),
        ({"changes": 2}, "`changes` must be in 0..1"),
        ({"frames": 0}, "`frames` must be a positive integer"),
    ],
)
def test_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        data(**arguments)


def test_too_many_digits():
    with pytest.raises(ValueError, match="9 digits do not fit"):
        data(max_digits=9, batch_size=4, changes=0.0)[0]
