import hashlib
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_attend.datasets import ClutteredDigits, cluttered_mnist, sample_digits

needs_mnist = pytest.mark.usefixtures("mnist_file")


def digest(*arrays):
    return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()[:16]


def data(**kwargs):
    return ClutteredDigits(*sample_digits(), **{"batch_size": 50, **kwargs})


def test_a_digit_stands_whole_at_one_place():
    digits, labels = sample_digits()
    images, found = data(shuffle=False)[0]
    assert images.shape == (50, 60, 60, 1) and images.dtype == np.uint8
    np.testing.assert_array_equal(found, labels)
    for digit, image in zip(digits, images, strict=True):
        places = np.lib.stride_tricks.sliding_window_view(image[..., 0], (28, 28))
        assert (places == digit[..., 0]).all((-1, -2)).any()
        assert image.sum() == digit.sum()


def test_all_places_are_likely():
    """Corners of 2,000 placements: uniform over the 33 x 33 that there are."""
    dot = np.zeros((1, 28, 28, 1), "uint8")
    dot[0, 0, 0] = 255
    many = ClutteredDigits(np.repeat(dot, 2000, 0), np.zeros(2000), batch_size=2000)
    _, y, x, _ = np.nonzero(many[0][0])
    for corner in (x, y):
        assert corner.min() == 0 and corner.max() == 32
        assert abs(corner.mean() - 16) < 4 * np.sqrt((33**2 - 1) / 12 / 2000)


def test_digits_of_several_sizes():
    """Whole, of sides from half to twice their own, small ones as likely as large."""
    white = np.full((2000, 28, 28, 1), 255, "uint8")
    sized = ClutteredDigits(
        white, np.zeros(2000), side=60, sizes=(0.5, 2.0), batch_size=2000
    )
    images = sized[0][0][..., 0] / np.float32(255)
    assert images.shape == (2000, 60, 60)
    sides = np.sqrt(images.sum((1, 2)))  # none is cut
    # A pixel beyond the border is black: bilinear edges add half a pixel to each side.
    assert 13.5 < sides.min() < 16 and 54 < sides.max() < 58
    assert 0.45 < (sides < 28).mean() < 0.55
    rows, columns = (images.max(axis) > 0.3 for axis in (2, 1))
    for lines in (rows, columns):
        assert (np.abs(lines.sum(1) - sides) < 2).all()
        first = lines.argmax(1)[sides < 20]
        assert first.min() <= 1 and first.max() >= 38
    one, other = (data(sizes=(0.5, 2.0), seed=n)[0][0] for n in (1, 2))
    assert (one != other).any()
    np.testing.assert_array_equal(one, data(sizes=(0.5, 2.0), seed=1)[0][0])


def windows(image):
    """All 8x8 cuts of an image."""
    return np.lib.stride_tricks.sliding_window_view(image, (8, 8)).reshape(-1, 64)


def test_pieces_only_brighten():
    plain, _ = data(shuffle=False)[0]
    images, _ = data(shuffle=False, pieces=1)[0]
    assert (images >= plain).all() and (images > plain).any()


def test_pieces_are_cut_from_digits():
    digits, labels = sample_digits()
    digits[:25] = 0  # on these canvases there is a piece of the others, or nothing
    images, _ = ClutteredDigits(digits, labels, pieces=1, batch_size=50, shuffle=False)[
        0
    ]
    cuts = {cut.tobytes() for digit in digits for cut in windows(digit[..., 0])}
    pieces = [image[..., 0] for image in images[:25] if image.any()]
    assert len(pieces) > 5
    for image in pieces:
        whole = [cut for cut in windows(image) if cut.sum() == image.sum()]
        assert any(cut.tobytes() in cuts for cut in whole)


def test_depends_on_seed_epoch_and_index_alone():
    one, two = (data(pieces=4, batch_size=20, seed=3) for _ in range(2))
    two[2]  # the order of asking does not matter
    np.testing.assert_array_equal(one[1][0], two[1][0])
    two.on_epoch_end()
    assert (one[1][0] != two[1][0]).any()
    one.epoch = 1
    np.testing.assert_array_equal(one[1][0], two[1][0])
    assert (data(seed=4)[0][0] != data(seed=3)[0][0]).any()


def test_never_changes():
    images, labels = data(pieces=4, shuffle=False, seed=7)[0]
    assert digest(images, labels) == "19c1ce02c25ed508"


@needs_mnist
@pytest.mark.parametrize(
    ("side", "pieces", "expected"),
    [
        (60, 0, "79b04fa436819431"),
        (60, 4, "452dffd64af85ba6"),
        (100, 8, "e6e2f533be79b827"),
    ],
)
def test_the_test_sets_never_change(side, pieces, expected):
    images, labels = cluttered_mnist("test", side, pieces)
    assert images.shape == (10000, side, side, 1)
    assert labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert digest(images, labels) == expected


@needs_mnist
def test_validation_differs_from_test():
    images, labels = cluttered_mnist("validation")
    assert images.shape == (6000, 60, 60, 1) and labels.shape == (6000,)


def test_warped_digits():
    plain, warped = (data(shuffle=False, rotation=r)[0][0] for r in (0.0, 10.0))
    assert warped.dtype == np.uint8
    assert (plain != warped).any()
    assert abs(warped.sum() / plain.sum() - 1) < 0.05


def test_same_on_both_backends():
    """The other backend draws the same."""
    script = (
        "import hashlib; from keras_attend.datasets import *; "
        "d = ClutteredDigits(*sample_digits(), pieces=4, batch_size=50, seed=5,"
        " rotation=5.0); print(hashlib.sha256(d[0][0].tobytes()).hexdigest()[:16])"
    )
    other = "tensorflow" if keras.backend.backend() == "jax" else "jax"
    output = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "KERAS_BACKEND": other},
        capture_output=True,
        text=True,
        check=True,
    )
    found = output.stdout.strip()
    assert found == digest(data(pieces=4, seed=5, rotation=5.0)[0][0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"side": 20}, "Received: side=20"),
        ({"pieces": -1}, "Received: pieces=-1"),
        ({"piece_size": 0}, "Received: piece_size=0"),
        ({"piece_size": 29}, "Received: piece_size=29"),
        ({"sizes": (0.0, 1.0)}, r"Received: sizes=\(0\.0, 1\.0\)"),
        ({"sizes": (2.0, 1.0)}, "the least and the greatest factor"),
        ({"sizes": (1.0, 3.0)}, "Received: side=60"),
    ],
)
def test_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        data(**arguments)


def test_rejects_floats():
    images, labels = sample_digits()
    with pytest.raises(ValueError, match=r"images\.dtype=float32"):
        ClutteredDigits(images.astype("float32"), labels)


def test_rejects_a_split():
    with pytest.raises(ValueError, match="split='train'"):
        cluttered_mnist("train")
