"""Clips in which the object is hidden for a while."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_attend.datasets import otb
from keras_attend.evaluation import hidden_clips

CLIP = {"frames": 12, "hidden": (4, 7), "within": 3, "every": 12}
OCCLUDER = np.full((1, 20, 20, 3), 9, "uint8")


@pytest.fixture
def videos(tmp_path: Path) -> tuple:
    """Twenty-five frames in which a white square moves over black."""
    folder = tmp_path / "video" / "img"
    folder.mkdir(parents=True)
    lines = []
    for t in range(25):
        frame = np.zeros((40, 60, 3), "uint8")
        frame[10:20, 5 + t : 15 + t] = 255
        Image.fromarray(frame).save(folder / f"{t + 1:04d}.png")
        lines.append(f"{6 + t},11,10,10")
    (tmp_path / "video" / "groundtruth_rect.txt").write_text("\n".join(lines))
    return otb(tmp_path)


def bright(frames: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the square is, or was; sure of it where something is bright."""
    boxes, presence = [box], [1.0]
    for frame in frames[1:]:
        y, x = np.nonzero(frame[..., 0] == 255)
        found = len(y) > 50
        boxes.append(np.array([x.min(), y.min(), 10, 10]) if found else boxes[-1])
        presence.append(float(found))
    return np.stack(boxes), np.array(presence)


def test_a_perfect_tracker(videos: tuple) -> None:
    found = hidden_clips(bright, videos, OCCLUDER, **CLIP)
    assert found.found_again.tolist() == [True, True]
    assert found.presence_auc == 1.0
    assert (found.with_object, found.without) == (2 * 8, 2 * 3)


def test_one_that_stays(videos: tuple) -> None:
    def still(frames, box):
        return np.tile(box, (len(frames), 1)), np.ones(len(frames))

    found = hidden_clips(still, videos, OCCLUDER, **CLIP)
    assert found.found_again.tolist() == [False, False]
    assert found.presence_auc == 0.5


def test_the_object_is_covered(videos: tuple) -> None:
    seen = []

    def look(frames, box):
        seen.append(frames)
        return bright(frames, box)

    hidden_clips(look, videos, OCCLUDER, **CLIP)
    assert [(f == 255).any() for f in seen[0]] == [True] * 4 + [False] * 3 + [True] * 5


def test_errors(videos: tuple) -> None:
    with pytest.raises(ValueError, match="`hidden` must be two frames"):
        hidden_clips(bright, videos, OCCLUDER, frames=12, hidden=(0, 3))
    with pytest.raises(ValueError, match="`sequences` must hold a video"):
        hidden_clips(bright, videos, OCCLUDER, frames=80)
