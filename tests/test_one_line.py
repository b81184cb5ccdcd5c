"""What is printed of videos, datasets and results is one line that says something."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_attend import zoo
from keras_attend.datasets import BouncingBalls, Digits, GivenClips, Sequence
from keras_attend.evaluation import ClipScores, OnePass
from keras_attend.video import read_video


def sequence():
    boxes, present = np.ones((40, 4), "float32"), np.arange(40) > 4
    return Sequence("car", tuple(map(Path, map(str, range(40)))), boxes, present)


def scores():
    over_time = np.linspace(1, 0, 60)
    return ClipScores(0.5, 0.51, 3.25, over_time, np.ones(60, "int64"))


def one_pass():
    rows = np.ones((2, 21))
    return OnePass(("a", "b"), rows, rows, np.array([0.25, 0.75]), np.ones(2))


def digits():
    return Digits(np.zeros((50, 8, 8, 1), "uint8"), np.zeros(50, "int32"), seed=3)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (sequence, ["Sequence('car', 40 frames, present in 35)"]),
        (scores, ["ClipScores(mean_iou=0.5", "center_error=3.25", "60 float64"]),
        (one_pass, ["OnePass(names=('a', 'b')", "mean_iou=<2 float64, mean 0.5>"]),
        (digits, ["Digits(", "images=<50x8x8x1 uint8>", "seed=3"]),
        (lambda: BouncingBalls(7), ["BouncingBalls(", "batch_size=7", "frames="]),
        (lambda: zoo.info("ram_mnist"), ["ModelInfo('ram_mnist', image clas", "RAM"]),
        (lambda: zoo.info("ram_mnist").metrics[0], ["Result(", "value=1.0"]),
    ],
    ids=lambda x: getattr(x, "__name__", "") if callable(x) else "",
)
def test_is_one_line(make, words):
    shown = repr(make())
    assert "\n" not in shown and len(shown) < 400, shown
    assert all(word in shown for word in words), shown
    assert str(make()) == shown


def test_a_dataset_of_videos_is_one_line():
    frames = np.zeros((9, 8, 8, 3), "uint8")
    video = {"frames": frames, "boxes": np.ones((9, 4), "float32")}
    shown = repr(GivenClips([video] * 6, batch_size=1, frames=4))
    assert "\n" not in shown and "videos=<6 items>" in shown, shown


def test_a_video_is_one_line(tmp_path):
    for number in range(3):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{number}.png")
    assert repr(read_video(tmp_path)) == (f"Video({str(tmp_path)!r}, 3 frames, 30/s)")
