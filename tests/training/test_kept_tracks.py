import numpy as np
import pytest

from keras_attend import training
from keras_attend.training.kept_tracks import boxes_alone, kept


def test_what_a_tracker_found_is_kept(tmp_path, monkeypatch):
    """It runs once for the same frames and box, and again for others."""
    pytest.importorskip("cv2")
    calls = []

    def track(frames, box):
        calls.append(len(frames))
        return np.tile(box, (len(frames), 1)), np.full(len(frames), frames.mean())

    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (5, 12, 16, 3)).astype("uint8")
    box = np.array([1.0, 2, 3, 4])
    monkeypatch.delenv("KERAS_ATTEND_TRACKS", raising=False)
    assert kept(track, "KCF") is track
    monkeypatch.setenv("KERAS_ATTEND_TRACKS", str(tmp_path / "tracks"))
    again = kept(track, "KCF")
    for _ in range(2):
        boxes, sure = again(frames, box)
        np.testing.assert_array_equal(boxes, np.tile(box, (5, 1)))
        np.testing.assert_allclose(sure, frames.mean())
    assert calls == [5]
    np.testing.assert_array_equal(boxes_alone(again)(frames, box), boxes)
    assert calls == [5]
    again(frames[:4], box)
    again(frames, box + 1)
    again(frames[:, ::-1], box)
    kept(track, "CSRT")(frames, box)
    assert calls == [5, 4, 5, 5, 5]
    assert len(list((tmp_path / "tracks").iterdir())) == 5


def test_opencv_peers_find_what_they_found(tmp_path, monkeypatch):
    pytest.importorskip("cv2")
    patch = np.random.default_rng(0).integers(0, 256, (24, 24, 3)).astype("uint8")
    frames = np.full((4, 96, 128, 3), 99, "uint8")
    for t in range(4):
        frames[t, 40 + t : 64 + t, 30:54] = patch
    box = np.array([30.0, 40, 24, 24])
    new = training.opencv_peers("KCF")["KCF"](frames, box)
    monkeypatch.setenv("KERAS_ATTEND_TRACKS", str(tmp_path))
    for _ in range(2):
        again = training.opencv_peers("KCF")["KCF"](frames, box)
        np.testing.assert_array_equal(again, new)
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]
