import hashlib

import numpy as np
import pytest
from PIL import Image

from keras_attend.datasets import (
    MultiDigits,
    ink,
    photographs,
    read_pictures,
    sample_digits,
)
from keras_attend.datasets.settings import VALIDATION_VIDEOS

DIGITS = sample_digits()[0]
GREYS = (np.full((60, 80, 3), 60, "uint8"), np.full((64, 50, 3), 180, "uint8"))


def data(**kwargs):
    return MultiDigits(**{"digits": DIGITS, "labels": True, "batch_size": 50, **kwargs})


def boxes_of_ink(image, threshold=50 / 255):
    """The box of everything that is bright in a picture `[H, W]`."""
    rows, columns = np.nonzero(image > threshold)
    y, x = rows.min(), columns.min()
    return [x, y, columns.max() + 1 - x, rows.max() + 1 - y]


def test_boxes_are_of_the_ink():
    images, targets = data(max_digits=1)[0]
    assert images.shape == (50, 50, 50, 1) and images.dtype == np.float32
    assert targets["boxes"].shape == (50, 1, 4) and set(targets["count"]) == {0, 1}
    for image, count, box in zip(images, *targets.values(), strict=True):
        if count:
            np.testing.assert_array_equal(box[0], boxes_of_ink(image[..., 0]))
        else:
            assert not image.any() and not box.any()


def test_counts_are_uniform_and_sizes_normal():
    _, targets = data(batch_size=3000)[0]
    share = np.bincount(targets["count"]) / 3000
    assert len(share) == 3 and np.abs(share - 1 / 3).max() < 0.035
    counts = data(batch_size=100, max_digits=3, min_digits=2, size=64)[0][1]["count"]
    assert set(counts) == {2, 3}
    sides = ink.draw_sides(np.random.RandomState(0), (10000,), 28)
    assert sides.min() >= 14 and sides.max() <= 32
    assert (
        abs((28 / sides).mean() - 1.3) < 0.01 and abs((28 / sides).std() - 0.1) < 0.01
    )
    there = np.arange(2) < targets["count"][:, None]
    assert (targets["boxes"][~there] == 0).all()
    assert (targets["boxes"][there][:, 2:] > 1).all()


@pytest.mark.parametrize("overlap", [0.0, 0.5])
def test_boxes_cross_no_more_than_they_may(overlap):
    _, targets = data(batch_size=600, overlap=overlap)[0]
    a, b = targets["boxes"][targets["count"] == 2].transpose(1, 0, 2)
    shared = np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    shared = np.maximum(shared - np.maximum(a[:, :2], b[:, :2]), 0).prod(-1)
    part = shared / np.minimum(a[:, 2:].prod(-1), b[:, 2:].prod(-1))
    assert part.max() <= overlap
    assert (part.max() > 0.4) == (overlap > 0)


def test_noise_and_grid():
    black = data(length=1)[0][0]
    noise = data(background="noise")[0][0]
    empty = noise[black == 0]
    assert abs(np.median(empty) - 0.1) < 0.01  # its mean is above: 0 cuts it
    assert abs(np.percentile(empty, 84.13) - 0.3) < 0.01
    ink_of_digits = black > 0.9
    expected = 0.8 * np.median(black[ink_of_digits]) + 0.1
    assert abs(np.median(noise[ink_of_digits]) - expected) < 0.05
    grid = data(background="grid")[0][0]
    assert ((grid == black) | (np.abs(grid - 0.4) < 1 / 255)).all()
    phases = set()
    for image, digits in zip(grid[..., 0], black[..., 0], strict=True):
        lines = (image >= 0.39).all(0)  # columns that are bright from top to bottom
        first = int(lines.argmax())
        assert first < 5 and (lines[first::5]).all()
        assert lines.sum() == len(lines[first::5]) or digits.any()
        phases.add(first)
    assert phases == set(range(5))


def test_photographs_behind_coloured_things():
    images, targets = data(size=50, background=GREYS, color=True)[0]
    assert images.shape == (50, 50, 50, 3)
    for image, count in zip(images, targets["count"], strict=True):
        backgrounds = np.isin(np.rint(image * 255), (60, 180)).all(-1)
        values = np.unique(image[backgrounds])
        assert len(values) == 1  # one photograph in each picture
        assert backgrounds.all() == (count == 0)
    things = images[~np.isin(np.rint(images * 255), (60, 180)).all(-1)]
    assert (things.max(-1) - things.min(-1)).max() > 0.5  # they have colours
    photographed = data(background=GREYS)[0][0]
    assert photographed.shape == (50, 50, 50, 1)


def test_shapes_are_as_frequent_as_digits():
    white = np.full((1, 28, 28, 1), 255, "uint8")
    images, targets = data(digits=white, color=True, max_digits=1, batch_size=400)[0]
    filled = []
    for image, count, box in zip(images, *targets.values(), strict=True):
        if count:
            x, y, w, h = box[0].astype(int)
            filled.append(image[y : y + h, x : x + w].max(-1).min() > 0.5)
    # Squares fill their box as well as these white digits: 1/2 + 1/2 of 1/4.
    assert abs(np.mean(filled) - 0.625) < 0.1


def test_depends_on_its_arguments_alone():
    one, two = data(seed=3), data(seed=3)
    two[2]  # the order of asking does not matter
    np.testing.assert_array_equal(one[1][0], two[1][0])
    two.on_epoch_end()
    assert (one[1][0] != two[1][0]).any()
    assert (one[1][0] != data(seed=4)[1][0]).any()
    held_out = data(seed=3, split="test")
    before = held_out[1][0]
    assert (before != one[1][0]).any()
    held_out.on_epoch_end()
    np.testing.assert_array_equal(before, held_out[1][0])
    (unlabelled,) = [data(seed=3, labels=False)[1]]
    np.testing.assert_array_equal(unlabelled, one[1][0])


@pytest.mark.parametrize(
    ("background", "color", "expected"),
    [
        ("black", False, "176c5f67970f6b60"),
        ("noise", False, "18691cb751042419"),
        ("grid", True, "a2728de1e5a0a71f"),
        (GREYS, True, "a2fb63741b930e14"),
    ],
)
def test_never_changes(background, color, expected):
    images, targets = data(background=background, color=color, seed=7)[0]
    pixels = np.rint(images * 255).astype("uint8")
    found = [a.tobytes() for a in (pixels, targets["count"], targets["boxes"])]
    assert hashlib.sha256(b"".join(found)).hexdigest()[:16] == expected


def test_splits_of_mnist_share_no_digit(mnist_file):
    sets = [MultiDigits(split) for split in ("train", "validation", "test")]
    assert [len(s.digits) for s in sets] == [50_000, 10_000, 10_000]
    first = {s.digits[-1].tobytes() for s in sets}
    assert len(first) == 3


def test_real_photographs(data_path):
    data_path("tracking")
    splits = [photographs(s) for s in ("train", "validation", "test")]
    # Two stills of each video, and scikit-image's where it is installed.
    assert len(splits[1]) >= 2 * len(VALIDATION_VIDEOS)
    seen = [{p.tobytes() for p in pictures} for pictures in splits]
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])
    assert max(max(p.shape) for pictures in splits for p in pictures) <= 320
    images = MultiDigits("test", 8, 64, background="photo", color=True, digits=DIGITS)
    assert images[0].std(axis=(1, 2)).min() > 0.01


def test_reads_a_folder(tmp_path):
    for name, width in (("b.png", 100), ("a.png", 900)):
        Image.new("RGB", (width, 90), (0, 128, 255)).save(tmp_path / name)
    shapes = [picture.shape for picture in read_pictures(tmp_path)]
    assert shapes == [(30, 300, 3), (90, 100, 3)]
    assert (read_pictures(tmp_path)[0] == [0, 128, 255]).all()
    with pytest.raises(FileNotFoundError, match="must be a folder of pictures"):
        read_pictures(tmp_path / "none")


def test_no_photographs(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_ATTEND_DATA", str(tmp_path))
    monkeypatch.setattr("keras_attend.datasets.backgrounds.find_spec", lambda _: None)
    with pytest.raises(FileNotFoundError, match="pip install scikit-image"):
        photographs("train")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "all"}, "`split` must be one of"),
        ({"size": 20}, "at least 32"),
        ({"max_digits": 0}, "`max_digits` must be a positive integer"),
        ({"min_digits": 3}, r"`min_digits` must be an integer in 0..2"),
        ({"background": "blue"}, "`background` must be one of"),
        ({"background": ()}, "must hold pictures"),
        ({"background": [GREYS[0] / 255]}, "uint8"),
        ({"background": GREYS, "size": 56}, "64x50"),
        ({"overlap": 1.5}, "`overlap` must be in 0..1"),
        ({"digits": DIGITS[..., 0]}, r"\[K, H, H, 1\]"),
        ({"digits": DIGITS[:0]}, "must not be empty"),
    ],
)
def test_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        data(**arguments)


def test_rejects_more_than_fits():
    with pytest.raises(ValueError, match="20 digits do not fit"):
        data(max_digits=20, batch_size=4)[0]
    with pytest.raises(IndexError, match="There are 100 batches"):
        data()[100]
