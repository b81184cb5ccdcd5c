import hashlib

import numpy as np
import pytest

from keras_attend.datasets import BouncingBalls
from keras_attend.datasets.bouncing_balls import (
    SIDE,
    SPEED,
    bounce,
    draw_balls,
    place_balls,
)


def data(**kwargs):
    return BouncingBalls(**{"batch_size": 8, "batches": 3, **kwargs})


def start(random, balls, count=50, radius=1.2, speed=SPEED):
    place = place_balls(np.random.RandomState(1), count, balls, radius)
    return place, random.uniform(-speed, speed, place.shape)


# What a batch is.


@pytest.mark.parametrize("balls", [1, 3])
def test_what_a_batch_is(balls):
    inputs, targets = data(balls=balls)[0]
    assert set(inputs) == {"frames", "box"} and set(targets) == {
        "boxes",
        "present",
        "judged",
    }
    assert inputs["frames"].shape == (8, 32, 20, 20, 1)
    assert inputs["box"].shape == (8, 4)
    assert targets["boxes"].shape == (8, 32, 4)
    assert targets["present"].shape == (8, 32) and (targets["present"] == 1).all()
    for array in (*inputs.values(), *targets.values()):
        assert array.dtype == np.float32
    assert inputs["frames"].min() >= 0 and 0.9 < inputs["frames"].max() <= 1
    np.testing.assert_array_equal(inputs["box"], targets["boxes"][:, 0])


def test_sizes():
    inputs, targets = data(frames=5, size=40, radius=1.0)[0]
    assert inputs["frames"].shape == (8, 5, 40, 40, 1)
    np.testing.assert_allclose(targets["boxes"][..., 2:], 8.0)


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


def test_never_changes():
    """To a thousandth of a pixel: NumPy promises the draws, not the last bit."""
    boxes = np.rint(data(balls=2, seed=7)[0][1]["boxes"] * 1000).astype("int32")
    assert hashlib.sha256(boxes.tobytes()).hexdigest()[:16] == "7adf61dfe99fd196"


# Where a ball is.


@pytest.mark.parametrize("size", [20, 32])
def test_box_centre_is_the_centroid_of_the_light(size):
    inputs, targets = data(size=size, batch_size=20)[0]
    frames = inputs["frames"][..., 0]
    pixel = np.arange(size)
    total = frames.sum((2, 3))
    x = (frames * pixel).sum((2, 3)) / total
    y = (frames * pixel[:, None]).sum((2, 3)) / total
    boxes = targets["boxes"]
    centers = boxes[..., :2] + boxes[..., 2:] / 2
    np.testing.assert_allclose(centers, np.stack([x, y], -1), atol=0.05)


@pytest.mark.parametrize("balls", [1, 3])
def test_stays_inside(balls):
    boxes = data(balls=balls, batch_size=100, frames=64)[0][1]["boxes"]
    assert (boxes[..., :2] >= -0.5 - 1e-5).all()
    assert (boxes[..., :2] + boxes[..., 2:] <= 19.5 + 1e-5).all()
    # In two thousand frames and more all of the box is visited.
    assert boxes[..., :2].min() < 0 and (boxes[..., :2] + boxes[..., 2:]).max() > 19


def test_a_ball_alone_makes_a_pixel_a_frame():
    boxes = data(batch_size=50)[0][1]["boxes"]
    step = np.linalg.norm(np.diff(boxes[..., :2], axis=1), axis=-1)
    assert step.max() < 1 + 1e-4  # less where it turns
    assert np.mean(abs(step - 1) < 1e-4) > 0.8


def test_all_directions_are_likely():
    place, turn = [], []
    for index in range(3):
        boxes = data(batch_size=1000, frames=2)[index][1]["boxes"]
        place.append(boxes[:, 0, :2] + 0.5)
        turn.append(boxes[:, 1, :2] - boxes[:, 0, :2])
    place, turn = np.concatenate(place), np.concatenate(turn)
    room = 20 * (1 - 2.4 / SIDE)
    assert (abs(place.mean(0) - room / 2) < 4 * room / np.sqrt(12 * 3000)).all()
    assert (abs(turn.mean(0)) < 4 / np.sqrt(2 * 3000)).all()


# How balls fly.


def test_ball_follows_the_folded_line(random):
    """A ball alone: the line it would fly without walls, folded; at any speed."""
    radius, room = 1.2, SIDE - 2.4
    place, speed = start(random, balls=1, speed=9.0)
    found, _ = bounce(place, speed, 20, radius)
    time = np.arange(20)[None, :, None, None]
    line = place[:, None] + time * speed[:, None] - radius
    expected = radius + room - abs(line % (2 * room) - room)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_reflects_at_a_wall():
    place, speed = np.array([[[1.5, 5.0]]]), np.array([[[-0.4, 0.3]]])
    places, speeds = bounce(place, speed, 3, radius=1.2)
    # The wall is 0.3 away: 0.3 there and 0.1 back.
    np.testing.assert_allclose(places[0, :, 0], [[1.5, 5.0], [1.3, 5.3], [1.7, 5.6]])
    np.testing.assert_allclose(speeds[0, :, 0], [[-0.4, 0.3], [0.4, 0.3], [0.4, 0.3]])


@pytest.mark.parametrize("balls", [1, 2, 4])
def test_energy_is_constant(random, balls):
    _, speeds = bounce(*start(random, balls), 200, radius=1.2)
    energy = (speeds**2).sum((2, 3))
    np.testing.assert_allclose(energy, np.repeat(energy[:, :1], 200, 1), rtol=1e-9)


def test_balls_hit_head_on_exchange_speeds():
    place = np.array([[[3.0, 5.0], [6.0, 5.0]]])
    speed = np.array([[[0.4, 0.1], [-0.2, 0.0]]])
    _, speeds = bounce(place, speed, 2, radius=1.45)
    line = np.array([-2.7, 0.05])  # after half a frame
    line /= np.linalg.norm(line)
    change = ((speed[0, 0] - speed[0, 1]) @ line) * line
    np.testing.assert_allclose(speeds[0, 1, 0], speed[0, 0] - change)
    np.testing.assert_allclose(speeds[0, 1, 1], speed[0, 1] + change)
    np.testing.assert_allclose(speeds[0, 1].sum(0), speed[0].sum(0))


def test_balls_stay_apart(random):
    """They overlap by no more than the way of half a frame."""
    place, speed = start(random, balls=2)
    assert (np.linalg.norm(place[:, 0] - place[:, 1], axis=-1) >= 2.4).all()
    speed *= SPEED / np.sqrt((speed**2).sum((1, 2), keepdims=True))
    places, _ = bounce(place, speed, 200, radius=1.2)
    distance = np.linalg.norm(places[:, :, 0] - places[:, :, 1], axis=-1)
    assert distance.min() > 2.4 - np.sqrt(2) * SPEED
    assert (distance < 2.45).any()  # some met


# What a ball looks like.


def test_frames_match_a_loop(random):
    centers = random.uniform(1, 9, (2, 3, 2, 2))
    found = draw_balls(centers, size=7, radius=1.4)
    for b, t, row, column in np.ndindex(2, 3, 7, 7):
        x, y = (column + 0.5) * 10 / 7, (row + 0.5) * 10 / 7
        light = 0.0
        for c_x, c_y in centers[b, t]:
            light += np.exp(-((((x - c_x) ** 2 + (y - c_y) ** 2) / 1.4**2) ** 4))
        np.testing.assert_allclose(
            found[b, t, row, column, 0], min(light, 1), atol=1e-5
        )


# What a user can get wrong.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "Received: batch_size=0"),
        ({"batches": 1.5}, "Received: batches=1.5"),
        ({"frames": 0}, "Received: frames=0"),
        ({"size": 0}, "Received: size=0"),
        ({"balls": 0}, "Received: balls=0"),
        ({"radius": 0}, "Received: radius=0"),
        ({"radius": 5.0}, r"less than 5\.0.*Received: radius=5\.0"),
    ],
)
def test_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        data(**arguments)


def test_rejects_more_balls_than_fit():
    with pytest.raises(ValueError, match="balls=9, radius=2"):
        data(batch_size=1, balls=9, radius=2.0)[0]


def test_rejects_an_index():
    with pytest.raises(IndexError, match=r"There are 3 batches\. Received: index=3"):
        data()[3]


def test_clips_of_random_length():
    """Each ends after `shortest` to all frames; their pictures are the same ones."""
    whole, cut = (
        data(frames=6, batch_size=64),
        data(frames=6, batch_size=64, shortest=3),
    )
    np.testing.assert_array_equal(whole[0][0]["frames"], cut[0][0]["frames"])
    present = cut[0][1]["present"]
    lengths = present.sum(1)
    assert set(lengths) == {3, 4, 5, 6}
    np.testing.assert_array_equal(present, np.arange(6) < lengths[:, None])
    assert (cut[1][1]["present"] != present).any()
    np.testing.assert_array_equal(cut[0][1]["present"], present)
    cut.judged = 4  # a curriculum's
    assert set(cut[0][1]["present"].sum(1)) == {3, 4}
    with pytest.raises(ValueError, match="shortest"):
        data(frames=6, shortest=7)
