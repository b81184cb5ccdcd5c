import hashlib
import os

import numpy as np
import pytest

from keras_attend.datasets import MovingDigits, mnist, sample_digits
from keras_attend.datasets.moving_digits import (
    draw_digits,
    momentum_walk,
    published_walk,
)

needs_mnist = pytest.mark.skipif(
    not os.environ.get("KERAS_ATTEND_DATA"), reason="KERAS_ATTEND_DATA is not set"
)
WALKS = pytest.mark.parametrize("walk", ["momentum", "published"])


def data(**kwargs):
    return MovingDigits(*sample_digits(), **{"batch_size": 8, "batches": 3, **kwargs})


# What a batch is.


@WALKS
@pytest.mark.parametrize("distractors", [0, 1])
def test_what_a_batch_is(walk, distractors):
    inputs, targets = data(walk=walk, distractors=distractors)[0]
    assert set(inputs) == {"frames", "box"}
    assert set(targets) == {"boxes", "present", "judged", "labels"}
    assert inputs["frames"].shape == (8, 30, 100, 100, 1)
    assert inputs["frames"].dtype == np.uint8
    assert targets["boxes"].shape == (8, 30, 4)
    assert targets["boxes"].dtype == inputs["box"].dtype == np.float32
    assert targets["present"].shape == (8, 30) and (targets["present"] == 1).all()
    assert targets["labels"].shape == (8,) and targets["labels"].dtype == np.int32
    np.testing.assert_array_equal(inputs["box"], targets["boxes"][:, 0])


def tiles(inputs, targets):
    """What the boxes show, `[B, T, 28, 28]`."""
    found = np.empty((*targets["boxes"].shape[:2], 28, 28), "uint8")
    for b, t in np.ndindex(*found.shape[:2]):
        x, y, w, h = targets["boxes"][b, t].astype(int)
        assert (w, h) == (28, 28)
        found[b, t] = inputs["frames"][b, t, y : y + h, x : x + w, 0]
    return found


@WALKS
def test_the_box_is_the_digit(walk):
    digits, labels = sample_digits()
    inputs, targets = data(walk=walk)[0]
    found = tiles(inputs, targets)
    np.testing.assert_array_equal(  # nothing is beside it
        found.sum((2, 3), dtype=int), inputs["frames"].sum((2, 3, 4), dtype=int)
    )
    np.testing.assert_array_equal(found, np.repeat(found[:, :1], 30, 1))
    for tile, label in zip(found[:, 0], targets["labels"], strict=True):
        same = (digits[..., 0] == tile).all((1, 2))
        assert label in labels[same]


def test_the_brighter_pixel_stays():
    """The first digit is in its box, with more light only where another one is."""
    digits, labels = sample_digits()
    inputs, targets = data(distractors=2, batch_size=4)[0]
    found = tiles(inputs, targets).min(1)  # [B, 28, 28]
    for tile, label in zip(found, targets["labels"], strict=True):
        assert any((tile >= digit[..., 0]).all() for digit in digits[labels == label])
    assert (inputs["frames"].sum((2, 3, 4)) > found.sum((1, 2))[:, None]).any()


def test_draws_as_a_loop_would(random):
    digits = random.integers(0, 256, (2, 3, 4, 4)).astype("uint8")
    places = random.integers(0, 7, (2, 3, 5, 2))
    expected = np.zeros((2, 5, 10, 10, 1), "uint8")
    for b, n, t in np.ndindex(2, 3, 5):
        y, x = places[b, n, t]
        there = expected[b, t, y : y + 4, x : x + 4, 0]
        there[:] = np.maximum(there, digits[b, n])
    np.testing.assert_array_equal(draw_digits(digits, places, 10), expected)


def test_depends_on_seed_epoch_and_index_alone():
    one, two = data(seed=3), data(seed=3)
    two[2]  # the order of asking does not matter
    np.testing.assert_array_equal(one[1][0]["frames"], two[1][0]["frames"])
    assert (one[1][0]["frames"] != one[0][0]["frames"]).any()
    two.on_epoch_end()
    assert (one[1][0]["frames"] != two[1][0]["frames"]).any()
    one.epoch = 1
    np.testing.assert_array_equal(one[1][0]["frames"], two[1][0]["frames"])
    assert (data(seed=4)[0][0]["frames"] != data(seed=3)[0][0]["frames"]).any()


@pytest.mark.parametrize(
    ("walk", "expected"),
    [("momentum", "1941ca54f041a412"), ("published", "77b9d227177f079e")],
)
def test_never_changes(walk, expected):
    inputs, targets = data(walk=walk, distractors=1, seed=7)[0]
    arrays = (inputs["frames"], targets["boxes"], targets["labels"])
    digest = hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()
    assert digest[:16] == expected


# The walks.


@needs_mnist
def test_published_walk_is_the_authors(golden):
    """Their generator under `RandomState(1)`: places, pictures and classes."""
    theirs = golden("ratm_moving_mnist")
    places = published_walk(np.random.RandomState(1), 16, 30, room=72)
    np.testing.assert_array_equal(places, theirs["pos_row_col"])
    images, labels = mnist("test")
    rows = theirs["digit_idx"]
    np.testing.assert_array_equal(labels[rows], theirs["targets"])
    frames = draw_digits(images[rows, None, ..., 0], places[:, None], 100)[..., 0]
    np.testing.assert_array_equal(frames[:, 0], theirs["video_frame0_uint8"])
    np.testing.assert_array_equal(frames[:, 29], theirs["video_frame29_uint8"])


def test_momentum_walk_as_a_loop():
    """Ten lines of it, one number at a time."""
    found = momentum_walk(np.random.RandomState(5), 3, 40, room=30)
    random = np.random.RandomState(5)
    place = random.uniform(0, 1, (3, 2)) * 30
    speed = random.randint(-15, 15, (3, 2)).astype(float)
    for t in range(40):
        np.testing.assert_array_equal(found[:, t], np.rint(place))
        push = random.randint(-15, 15, (3, 2))
        for i in np.ndindex(3, 2):
            speed[i] = 0.9 * speed[i] + 0.1 * push[i]
            place[i] += speed[i]
            while not 0 <= place[i] <= 30:
                place[i] = -place[i] if place[i] < 0 else 60 - place[i]
                speed[i] = -speed[i]


@pytest.mark.parametrize("walk", [momentum_walk, published_walk])
@pytest.mark.parametrize("room", [16, 72])
def test_stays_inside(walk, room):
    places = walk(np.random.RandomState(0), 500, 100, room)
    last = room if walk is momentum_walk else room - 1
    assert places.shape == (500, 100, 2)
    assert places.min() == 0 and places.max() == last


def lag_correlation(walk):
    """Of a step with the next one, away from the walls."""
    steps = np.diff(walk(np.random.RandomState(0), 500, 60, 10_000)[:, 20:], axis=1)
    return np.corrcoef(steps[:, :-1].ravel(), steps[:, 1:].ravel())[0, 1]


def test_only_one_walk_has_momentum():
    assert lag_correlation(momentum_walk) > 0.85
    assert lag_correlation(published_walk) < 0.15


# What a user can get wrong.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "Received: batch_size=0"),
        ({"frames": 0}, "Received: frames=0"),
        ({"side": 43}, r"longest step\. Received: side=43"),
        ({"distractors": -1}, "Received: distractors=-1"),
        ({"walk": "drunken"}, "'momentum', 'published'.*walk='drunken'"),
    ],
)
def test_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        data(**arguments)


def test_rejects_images():
    images, labels = sample_digits()
    with pytest.raises(ValueError, match=r"images\.dtype=float32"):
        MovingDigits(images.astype("float32"), labels)
    with pytest.raises(ValueError, match=r"images\.shape=\(50, 28, 28\)"):
        MovingDigits(images[..., 0], labels)
    with pytest.raises(ValueError, match=r"images\.shape=\(50, 20, 28, 1\)"):
        MovingDigits(images[:, :20], labels)
    with pytest.raises(ValueError, match=r"labels\.shape=\(49,\)"):
        MovingDigits(images, labels[1:])
    with pytest.raises(ValueError, match=r"there must be some"):
        MovingDigits(images[:0], labels[:0])


def test_rejects_an_index():
    with pytest.raises(IndexError, match=r"There are 3 batches\. Received: index=-1"):
        data()[-1]
