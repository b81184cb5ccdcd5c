import json

import numpy as np
import pytest

from keras_attend.datasets import TEST_SEED, BouncingBalls, MultiDigits
from keras_attend.evaluation import (
    CatchGames,
    DigitImages,
    DrawnClips,
    DrawnPictures,
    Videos,
)
from keras_attend.evaluation.test_sets import described, from_description

SETS = {
    "a": DigitImages(60, 4),
    "b": CatchGames(100),
    "c": DrawnClips("moving_digits", 8, 2, 3, {"scale": (0.5, 2.0), "distractors": 1}),
    "d": Videos("tracking", ("otb_Man",), skipped_thirds=1),
    "e": DrawnPictures(64, 3, "grid", overlap=0.5, batches=2, min_digits=1),
}


def test_a_description_makes_the_same_test_set():
    written = json.loads(json.dumps(described(SETS)))
    again = described(
        {name: from_description(found) for name, found in written.items()}
    )
    assert json.loads(json.dumps(again)) == written


def test_clips_are_those_of_the_seed():
    found = from_description(
        described({"c": DrawnClips("bouncing_balls", 4, 3, 2)})["c"]
    )
    x, _ = found.load()[1]
    expected, _ = BouncingBalls(3, 2, 4, seed=TEST_SEED)[1]
    np.testing.assert_array_equal(x["frames"], expected["frames"])
    assert len(found.load(2, 1)) == 1 and found.load(2, 1)[0][0]["box"].shape == (2, 4)


@pytest.mark.parametrize("walk", [{"distractors": 1}, {"scale": [0.5, 2.0]}])
def test_digits_walk_as_described(walk, mnist_file):
    written = described({"c": DrawnClips("moving_digits", 3, 2, 1, walk)})["c"]
    x, _ = from_description(json.loads(json.dumps(written))).load()[0]
    assert x["frames"].shape == (2, 3, 100, 100, 1)


def test_pictures_are_of_the_test_split(mnist_file):
    found = DrawnPictures(40, 1, "grid", batch_size=3, batches=2)
    images, targets = found.load()[1]
    arguments = {"size": 40, "max_digits": 1, "background": "grid", "length": 2}
    expected = MultiDigits("test", 3, labels=True, **arguments)[1]
    np.testing.assert_array_equal(images, expected[0])
    np.testing.assert_array_equal(targets["boxes"], expected[1]["boxes"])
    assert len(found.load(1)) == 1
    assert np.abs(images - found.load(split="validation")[1][0]).max() > 0.1


PICTURES = {"kind": "drawn_pictures"}
CLIPS = {"kind": "drawn_clips", "source": "moving_digits", "frames": 3}
CLIPS |= {"batch_size": 2, "batches": 2}


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({}, "`kind` must be one of"),
        ({"kind": "Lambda"}, "`kind` must be one of"),
        ({"kind": ["videos"]}, "`kind` must be one of"),
        ({"kind": "videos", "folder": "../../etc"}, "`folder` must be"),
        ({"kind": "videos", "folder": "kitti", "skipped_thirds": 9}, "skipped_thirds"),
        ({"kind": "digit_images", "side": 10**9}, "`side` must be an integer in"),
        ({"kind": "digit_images", "side": 60.5}, "`side` must be an integer in"),
        ({"kind": "digit_images", "code": "1"}, "unexpected keyword"),
        ({"kind": "catch_games", "count": 10**12}, "`count` must be an integer in"),
        ({**CLIPS, "batches": 10**9}, "`batches` must be an integer in"),
        ({**CLIPS, "batch_size": 0}, "`batch_size` must be an integer in"),
        ({**CLIPS, "source": "os.system"}, "`source` and `arguments` must be"),
        ({**CLIPS, "arguments": {"images": 1}}, "`source` and `arguments` must be"),
        ({**CLIPS, "arguments": {"dots": 1e9}}, "must be numbers in 0..10,000"),
        ({**CLIPS, "arguments": {"dots": float("nan")}}, "must be numbers in"),
        ({**CLIPS, "arguments": {"scale": [1, 2, 3]}}, "must be numbers in"),
        ({**CLIPS, "arguments": {"scale": "1"}}, "must be numbers in"),
        ({**PICTURES, "size": 10**6}, "`size` must be an integer in"),
        ({**PICTURES, "max_digits": 99}, "`max_digits` must be an integer in"),
        ({**PICTURES, "batch_size": 10**7}, "`batch_size` must be an integer in"),
        ({**PICTURES, "batches": 10**7}, "`batches` must be an integer in"),
        ({**PICTURES, "background": "/etc"}, "`background` must be one of"),
        ({**PICTURES, "background": ["photo"]}, "`background` must be one of"),
        ({**PICTURES, "color": 1}, "`color` true or false"),
        ({**PICTURES, "overlap": 2}, "`overlap` must be in 0..1"),
        ({**CLIPS, "arguments": 7}, "as `evaluation.test_sets` does it"),
    ],
)
def test_what_is_refused(description, message):
    with pytest.raises(ValueError, match=message):
        from_description(description)
