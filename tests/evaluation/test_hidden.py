"""Clips in which the object is hidden for a while."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_attend.datasets import otb
from keras_attend.evaluation import (
    calibration_error,
    hidden_clips,
    hidden_results,
    sure_track,
)

CLIP = {"frames": 12, "hidden": (4, 7), "within": 3, "every": 12}
OCCLUDER = [np.full((20, 20, 3), 9, "uint8")]


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
    assert found.presence_auc == found.refound_rate == 1.0
    assert (found.with_object, found.without) == (2 * 8, 2 * 3)
    assert found.calibration_error == 0.0


def test_one_that_stays(videos: tuple) -> None:
    def still(frames, box):
        return np.tile(box, (len(frames), 1)), np.ones(len(frames))

    found = hidden_clips(still, videos, OCCLUDER, **CLIP)
    assert found.found_again.tolist() == [False, False]
    assert found.presence_auc == 0.5
    # It is always sure, and wrong in this share of the frames.
    share = found.without / (found.without + found.with_object)
    assert found.calibration_error == pytest.approx(share)


def test_calibration_error() -> None:
    chances = np.array([0.0, 0.04, 0.92, 1.0, 0.55])
    true = np.array([False, False, True, False, True])
    parts = [abs(0.04 - 0), abs(1.92 - 1), abs(0.55 - 1)]
    assert calibration_error(chances, true) == pytest.approx(sum(parts) / 5)


def test_the_object_is_covered(videos: tuple) -> None:
    seen = []

    def look(frames, box):
        seen.append(frames)
        return bright(frames, box)

    hidden_clips(look, videos, OCCLUDER, **CLIP)
    assert [(f == 255).any() for f in seen[0]] == [True] * 4 + [False] * 3 + [True] * 5


def test_another_video_hides_the_object(videos: tuple, tmp_path: Path) -> None:
    """It does unless there are pictures for it: here the next video is dark."""
    dark = tmp_path / "dark.png"
    Image.fromarray(np.full((40, 60, 3), 7, "uint8")).save(dark)
    both = (videos[0], replace(videos[0], name="dark", frames=(dark,) * 25))
    seen = []

    def still(frames, box):
        seen.append(frames)
        return np.tile(box, (len(frames), 1)), np.linspace(1, 0, len(frames))

    hidden_clips(still, both, **CLIP)
    covered = seen[0][4:7, 10:20]
    assert not (covered == 255).any()
    assert (covered == 7).any(axis=(1, 2, 3)).all()


class Counting:
    """A tracker that moves right, and is less sure in each frame."""

    def init(self, frame, box):
        self.box, self.step = np.asarray(box, "float32"), 0

    def update(self, frame):
        self.step += 1
        return True, self.box + np.array([self.step, 0, 0, 0])

    @property
    def outputs(self):
        return {"presence": np.array([1 / (1 + self.step)])}


def test_sure_track(videos: tuple) -> None:
    boxes, presence = sure_track(Counting())(np.zeros((3, 9, 9, 3)), np.ones(4))
    np.testing.assert_array_equal(boxes[:, 0], [1, 2, 3])
    np.testing.assert_allclose(presence, [1, 1 / 2, 1 / 3])


def test_results(videos: tuple) -> None:
    long = tuple(  # 25 frames, four times: the square jumps back, and is there again
        replace(
            v,
            frames=v.frames * 4,
            boxes=np.tile(v.boxes, (4, 1)),
            present=np.tile(v.present, 4),
        )
        for v in videos
    )
    rows = hidden_results([bright], long, data="squares", baselines={"same": bright})
    found = {row.metric: row for row in rows}
    assert found.keys() == {"refound_rate", "presence_auc", "calibration_error"}
    assert found["refound_rate"].protocol == "squares/hidden_clips"
    assert found["refound_rate"].value == 1.0
    assert found["refound_rate"].baselines["same"] == 1.0
    assert found["presence_auc"].baselines["static box"] == 0.5


def test_errors(videos: tuple) -> None:
    with pytest.raises(ValueError, match="`hidden` must be two frames"):
        hidden_clips(bright, videos, OCCLUDER, frames=12, hidden=(0, 3))
    with pytest.raises(ValueError, match="`sequences` must hold a video"):
        hidden_clips(bright, videos, OCCLUDER, frames=80)
