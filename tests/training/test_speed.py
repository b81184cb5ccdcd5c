"""Frames a second, as the command measures and writes them."""

import time

import keras
import numpy as np
import pytest

from keras_attend import zoo
from keras_attend.evaluation.test_sets import DrawnClips, Videos, described
from keras_attend.training import speed
from keras_attend.zoo.results import Speed, read_results
from tests.tiny_tracker import save_tiny_preset

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="nothing here is the backend's"
)
WRITE = {"device": "a CPU", "training_seconds": 1, "commit": "abc"}
BALLS = DrawnClips("bouncing_balls", frames=8, batch_size=2, batches=1)


def row(protocol="balls/8_frames", **baselines):
    baselines = {"static box": 0.1} | baselines
    return zoo.Result("mean_iou", protocol, 0.5, 0.5, 0.5, 1, None, baselines)


def busy(seconds):
    def update(_):
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass

    return update


def test_only_the_process_counts():
    """By its own clock: waiting, as while others use the core, takes no time."""
    frames = [None] * 3

    def waiting(_):
        time.sleep(0.02)
        busy(0.002)(_)

    calls = {"fast": busy(0.002), "slow": busy(0.008), "waiting": waiting}
    rates = speed.frames_per_second({k: (v, frames) for k, v in calls.items()}, runs=2)
    assert list(rates) == list(calls)
    assert rates["slow"] == pytest.approx(125, rel=0.3)
    assert rates["fast"] == pytest.approx(500, rel=0.4)
    assert rates["waiting"] > 250  # by the wall's clock it would be 45 at most


def test_the_best_run_counts():
    left = [0.01, 0.01, 0.002, 0.01]  # the first run is not timed

    def update(_):
        busy(left.pop(0))(_)

    found = speed.frames_per_second({"x": (update, [None])}, runs=3)
    assert found["x"] == pytest.approx(500, rel=0.4)


def test_the_command_writes_results_and_card(tmp_path, capsys):
    folder = save_tiny_preset(tmp_path / "tiny")
    zoo.write_results(folder, [row()], **WRITE, test_sets=described({"balls": BALLS}))
    assert "frames/s" not in (folder / "README.md").read_text()
    assert speed.main([str(folder)]) == 0
    results = read_results(folder)
    found = results.speed
    assert set(found.frames_per_second) == {"ours"}
    assert found.frames_per_second["ours"] > 1
    assert found.frames == "8 frames of bouncing balls, 20x20" and found.device
    assert str(found.frames_per_second["ours"]) in capsys.readouterr().out
    assert results.results == (row(),) and results.commit == "abc"
    card = (folder / "README.md").read_text()
    assert "| baselines | loses to | frames/s |" in card and found.frames in card


def test_a_card_shows_the_peers_of_each_row(tmp_path):
    folder = save_tiny_preset(tmp_path / "tiny")
    found = Speed({"ours": 1716.6, "KCF": 402.4, "CSRT": 8.25}, "a clip", "a CPU")
    rows = [row(KCF=0.4, CSRT=0.6), row("other/ope", CSRT=0.6)]
    zoo.write_results(folder, rows, **WRITE, speed=found)
    zoo.card.write_card(folder)
    lines = (folder / "README.md").read_text().splitlines()
    shown = [line for line in lines if line.startswith("| mean IoU")]
    assert shown[0].endswith("| CSRT | **1,717**, KCF 402, CSRT 8.2 |")
    assert shown[1].endswith("| CSRT | **1,717**, CSRT 8.2 |")
    assert read_results(folder).speed == found


@pytest.mark.parametrize(
    "rates", [{"ours": 0}, {"ours": float("nan")}, {"ours": "9"}, {"a|b": 3.0}]
)
def test_bad_speeds(rates):
    with pytest.raises(ValueError, match="Received"):
        Speed(rates, "a clip", "a CPU")


def test_what_cannot_be_measured(tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_ATTEND_DATA", raising=False)
    folder = save_tiny_preset(tmp_path / "tiny")
    with pytest.raises(FileNotFoundError, match=r"must hold a results\.json"):
        speed.main([str(folder)])
    zoo.write_results(folder, [row()], **WRITE)
    with pytest.raises(ValueError, match="no clips and no videos"):
        speed.main([str(folder)])
    sets = described({"videos_test": Videos("tracking_test")})
    zoo.write_results(folder, [row()], **WRITE, test_sets=sets)
    with pytest.raises(ValueError, match="--data or KERAS_ATTEND_DATA"):
        speed.main([str(folder)])


def test_a_video_and_opencv(tmp_path, data_path):
    """OpenCV's trackers that the scores name follow the same frames."""
    cv2 = pytest.importorskip("cv2")
    if not hasattr(cv2, "TrackerKCF_create"):
        pytest.skip("opencv-contrib-python-headless is needed")
    data_path("tracking_test")
    folder = save_tiny_preset(tmp_path / "tiny")
    sets = described({"videos_test": Videos("tracking_test")})
    rows = [row(KCF=0.4)]
    zoo.write_results(folder, rows, **WRITE, test_sets=sets)
    assert speed.main([str(folder)]) == 0
    found = read_results(folder).speed
    assert set(found.frames_per_second) == {"ours", "KCF"}
    assert np.isfinite(list(found.frames_per_second.values())).all()
    assert found.frames == "60 frames of otb_David, 240x320"
