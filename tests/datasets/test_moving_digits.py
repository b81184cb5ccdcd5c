import hashlib

import numpy as np
import pytest

from keras_attend.datasets import MovingDigits, mnist, sample_digits
from keras_attend.datasets.moving_digits import (
    draw_digits,
    resize_matrix,
    walk_sides,
)
from keras_attend.datasets.walks import bounce_walk, momentum_walk, published_walk

needs_mnist = pytest.mark.usefixtures("mnist_file")
WALKS = pytest.mark.parametrize("walk", ["momentum", "published", "bounce"])


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


def authors_walk():
    return published_walk(np.random.RandomState(1), 16, 30, room=72)


def test_published_walk_is_the_authors(golden):
    """Their generator under `RandomState(1)`: the digits' places."""
    theirs = golden("ratm_moving_mnist")["pos_row_col"]
    np.testing.assert_array_equal(authors_walk(), theirs)


@needs_mnist
def test_published_pictures_are_the_authors(golden):
    theirs, places = golden("ratm_moving_mnist", whole=True), authors_walk()
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


def test_bounce_walk_as_a_loop():
    """One step at a time: as fast in each frame, and turned round at a wall."""
    found = bounce_walk(np.random.RandomState(5), 4, 60, room=30)
    random = np.random.RandomState(5)
    place = random.uniform(0, 30, (4, 1, 2))[:, 0]
    angle = random.uniform(0, 2 * np.pi, 4)
    speed = 30 * 0.5 / 7.6 * np.stack([np.sin(angle), np.cos(angle)], 1)
    for t in range(60):
        np.testing.assert_array_equal(found[:, t], np.rint(place))
        place = place + speed
        for i in np.ndindex(4, 2):
            if not 0 <= place[i] <= 30:
                place[i] = -place[i] if place[i] < 0 else 60 - place[i]
                speed[i] = -speed[i]


@pytest.mark.parametrize("walk", [momentum_walk, published_walk, bounce_walk])
@pytest.mark.parametrize("room", [16, 72])
def test_stays_inside(walk, room):
    places = walk(np.random.RandomState(0), 500, 100, room)
    last = room - 1 if walk is published_walk else room
    assert places.shape == (500, 100, 2)
    assert places.min() == 0 and places.max() == last


def lag_correlation(walk):
    """Of a step with the next one, away from the walls."""
    steps = np.diff(walk(np.random.RandomState(0), 500, 60, 10_000)[:, 20:], axis=1)
    return np.corrcoef(steps[:, :-1].ravel(), steps[:, 1:].ravel())[0, 1]


def test_only_one_walk_has_momentum():
    assert lag_correlation(momentum_walk) > 0.85
    assert lag_correlation(published_walk) < 0.15


# DRLT's: a digit that changes its size, on dots, beside another one.

SCALE = (0.5, 2)


@WALKS
def test_a_scaled_digit_fills_its_box(walk):
    """All light is in the box, and is the first frame's digit as Pillow resizes it."""
    Image = pytest.importorskip("PIL.Image")
    BILINEAR = Image.Resampling.BILINEAR
    inputs, targets = data(walk=walk, scale=SCALE, frames=20)[0]
    boxes = targets["boxes"].astype(int)
    np.testing.assert_array_equal(boxes, targets["boxes"])  # whole pixels
    assert (boxes[:, 0, 2:] == 28).all()
    assert (boxes[..., :2] >= 0).all() and (
        boxes[..., :2] + boxes[..., 2:] <= 100
    ).all()
    for b, t in np.ndindex(8, 20):
        x, y, w, h = boxes[b, 0]
        digit = inputs["frames"][b, 0, y : y + h, x : x + w, 0]
        x, y, w, h = boxes[b, t]
        found = inputs["frames"][b, t, y : y + h, x : x + w, 0]
        assert found.sum(dtype=int) == inputs["frames"][b, t].sum(dtype=int)
        expected = Image.fromarray(digit.astype("float32")).resize((w, h), BILINEAR)
        np.testing.assert_allclose(found, expected, atol=0.51)


@WALKS
@pytest.mark.parametrize("size", [14, 28, 56])
def test_a_scaled_digit_goes_everywhere(walk, size):
    """From one side of the canvas to the other, whatever its size."""
    sides = (min(size, 28), max(size, 28))
    factor = size / 28
    kwargs = {"walk": walk, "scale": (factor, factor), "sides": sides, "frames": 200}
    boxes = data(**kwargs)[0][1]["boxes"][:, 1:]
    assert (boxes[..., 2:] == size).all()
    assert boxes[..., :2].min() == 0 and 98 - size <= boxes[..., :2].max() <= 100 - size


def test_sides_as_a_loop():
    found = walk_sides(np.random.RandomState(5), 30, 40, 28, SCALE, (14, 56))
    factors = np.random.RandomState(5).uniform(0.5, 2, (30, 39))
    for b in range(30):
        side = 28.0
        for t in range(40):
            assert found[b, t] == np.rint(side)
            side = max(14.0, min(56.0, side * factors[b, t])) if t < 39 else side
    assert found.min() == 14 and found.max() == 56


def test_sides_change_within_scale():
    sides = data(scale=(0.9, 1.2), sides=(20, 40))[0][1]["boxes"][..., 2]
    assert sides.min() >= 20 and sides.max() <= 40
    before, after = sides[:, :-1], sides[:, 1:]
    assert (after + 0.5 >= 0.9 * (before - 0.5)).all()
    assert (after - 0.5 <= 1.2 * (before + 0.5)).all()
    assert (after < before).any() and (after > before).any()
    assert (sides[0] != sides[1]).any()


@pytest.mark.parametrize("size", [1, 14, 19, 27, 28, 29, 41, 56])
def test_resize_matrix(size):
    matrix = resize_matrix(size, 28)
    assert matrix.shape == (size, 28) and matrix.dtype == np.float32
    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], atol=1e-6)
    # A ramp stays one, away from the edges.
    middle = (np.arange(size) + 0.5) * 28 / size - 0.5
    inner = (middle > 3) & (middle < 24)
    np.testing.assert_allclose(
        (matrix @ np.arange(28))[inner], middle[inner], atol=0.03
    )
    if size == 28:
        np.testing.assert_array_equal(matrix, np.eye(28))


def test_a_scaled_digit_keeps_its_light():
    inputs, targets = data(scale=SCALE)[0]
    light = inputs["frames"].sum((2, 3, 4)) / targets["boxes"][..., 2] ** 2
    np.testing.assert_allclose(light, np.repeat(light[:, :1], 30, 1), rtol=0.03)


def test_a_distractor_keeps_its_size():
    """Outside the tracked digit's boxes all is as it is when that one keeps its."""
    inputs, targets = data(distractors=1, scale=SCALE)[0]
    plain, kept = data(distractors=1)[0]
    pixels = np.arange(100)
    outside = np.ones((8, 30, 100, 100), bool)
    for boxes in (targets["boxes"], kept["boxes"]):
        x, y, w, h = np.moveaxis(boxes[..., None], 2, 0)  # [B, T, 1] each
        across = (pixels >= x) & (pixels < x + w)
        down = (pixels >= y) & (pixels < y + h)
        outside &= ~(down[..., None] & across[..., None, :])
    found, expected = inputs["frames"][outside], plain["frames"][outside]
    np.testing.assert_array_equal(found, expected)
    assert found.sum(dtype=int) > plain["frames"].sum(dtype=int) / 10


def test_a_distractor_changes_its_size_too():
    """By draws of its own; the tracked digit is as it is when the other keeps its."""
    inputs, targets = data(distractors=1, scale=SCALE, scale_all=True)[0]
    one, kept = data(distractors=1, scale=SCALE)[0]
    np.testing.assert_array_equal(targets["boxes"], kept["boxes"])

    def light(frames):
        return frames.sum((2, 3, 4), dtype=float)

    # Where the distractor keeps its size, the tracked digit alone changes the light.
    alone, _ = data(distractors=0, scale=SCALE)[0]
    both, before = light(inputs["frames"]), light(one["frames"])
    assert light(alone["frames"]).mean() < before.mean() < both.mean()
    assert (both / before).max() > 1.5


@pytest.mark.parametrize("scale", [None, SCALE])
def test_dots_stay(scale):
    kwargs = {"scale": scale, "distractors": 1}
    frames = data(dots=500, **kwargs)[0][0]["frames"]
    without = data(**kwargs)[0][0]["frames"]
    dots = (frames == 255).all(1, keepdims=True)  # in every frame of a clip
    np.testing.assert_array_equal(frames, np.where(dots, 255, without))
    count = dots.sum((1, 2, 3, 4))
    assert (count > 450).all() and (count <= 500).all()  # 488 by chance
    assert (dots[0] != dots[1]).any()
    rows, columns = np.nonzero(dots.any((0, 1, 4)))
    assert min(*rows, *columns) == 0 and max(*rows, *columns) == 99


@WALKS
@pytest.mark.parametrize("distractors", [0, 1])
def test_a_scale_of_one_changes_nothing(walk, distractors):
    kwargs = {"walk": walk, "distractors": distractors}
    one, two = data(**kwargs)[0], data(scale=(1, 1), **kwargs)[0]
    np.testing.assert_array_equal(one[0]["frames"], two[0]["frames"])
    for name, target in one[1].items():
        np.testing.assert_array_equal(target, two[1][name])


def test_sides_and_dots_depend_on_seed_epoch_and_index_alone():
    def draw(seed=3, epoch=0, index=1):
        batches = data(scale=SCALE, dots=50, seed=seed)
        batches.epoch = epoch
        inputs, targets = batches[index]
        sides = targets["boxes"][..., 2]
        return inputs["frames"], sides, (inputs["frames"] == 255).all(1)

    for one, two in zip(draw(), draw(), strict=True):
        np.testing.assert_array_equal(one, two)
    for other in (draw(seed=4), draw(epoch=1), draw(index=2)):
        assert all((a != b).any() for a, b in zip(draw(), other, strict=True))


# What a user can get wrong.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "Received: batch_size=0"),
        ({"frames": 0}, "Received: frames=0"),
        ({"side": 43}, r"longest step\. Received: side=43"),
        ({"distractors": -1}, "Received: distractors=-1"),
        ({"walk": "drunken"}, "'momentum', 'published'.*walk='drunken'"),
        ({"scale": (-0.5, 2)}, r"positive.*Received: scale=\(-0\.5, 2\)"),
        ({"scale": (2, 0.5)}, r"smaller one first\. Received: scale=\(2, 0\.5\)"),
        ({"scale": (1, np.inf)}, r"Received: scale=\(1, inf\)"),
        ({"scale": 2}, r"two positive numbers.*Received: scale=2"),
        ({"scale": (1, 1), "sides": 28}, r"two integers.*Received: sides=28"),
        ({"scale": (1, 1), "sides": (0, 56)}, r"Received: sides\[0\]=0"),
        ({"scale": (1, 1), "sides": (14, 56.0)}, r"Received: sides\[1\]=56\.0"),
        ({"scale": (1, 1), "sides": (29, 56)}, r"`sides`.*sides=\(29, 56\).* 28 "),
        ({"scale": (1, 1), "sides": (14, 27)}, r"`sides`.*sides=\(14, 27\).* 28 "),
        ({"scale": (1, 1), "side": 55}, r"`side` .*Received: side=55, sides=\(14, 56"),
        ({"dots": -1}, r"`dots` must not be negative .*\. Received: dots=-1"),
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
    with pytest.raises(ValueError, match=r"must not be empty.*images\.shape=\(0, 28"):
        MovingDigits(images[:0], labels[:0])


def test_rejects_an_index():
    with pytest.raises(IndexError, match=r"There are 3 batches\. Received: index=-1"):
        data()[-1]
