"""Other toolkits' protocols, without the toolkits; `test_toolkits.py` runs theirs."""

import configparser
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_attend as ka
from keras_attend import adapters
from keras_attend.adapters.got10k import Tracker
from keras_attend.adapters.raw_results import write_raw_results
from keras_attend.adapters.trax import Objects
from keras_attend.commands.main import main
from keras_attend.datasets import otb
from keras_attend.training.video_trackers import TEST
from tests.tiny_tracker import TrackerModel, save_tiny_preset

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="nothing here is the backend's"
)
T, SIZE = 5, (24, 32)
ONE = np.array([1, 1, 0, 0])


@pytest.fixture(scope="module")
def model():
    made = TrackerModel()
    made.build()
    return made


def write_video(folder, boxes):
    """A bright spot that moves over a dark frame, in OTB's layout."""
    image = pytest.importorskip("PIL.Image")
    (folder / "img").mkdir(parents=True)
    for t in range(T):
        frame = np.full((*SIZE, 3), 20, "uint8")
        frame[4 + 2 * t : 10 + 2 * t, 6 + 3 * t : 12 + 3 * t] = 250
        image.fromarray(frame).save(folder / "img" / f"{t + 1:04d}.png")
    lines = [",".join(map(str, box)) for box in boxes]
    (folder / "groundtruth_rect.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture
def videos(tmp_path):
    """One whose object is there from the beginning, one where it comes later."""
    boxes = [(7 + 3 * t, 5 + 2 * t, 6, 6) for t in range(T)]
    write_video(tmp_path / "in" / "early", boxes)
    write_video(tmp_path / "in" / "late", [(0, 0, 0, 0)] * 2 + boxes[2:])
    return otb(tmp_path / "in")


def test_got10k_counts_pixels_from_one(model, videos):
    video = videos[0]
    tracker = Tracker(model)
    boxes, seconds = tracker.track([str(f) for f in video.frames], (7, 5, 6, 6))
    frames = ka.datasets.read_frames(video)
    expected = ka.Tracker(model).track(frames, (6, 4, 6, 6))
    assert np.ptp(expected, axis=0).max() > 1  # it moves
    np.testing.assert_allclose(boxes, expected + ONE, atol=1e-4)
    assert seconds.shape == (T,) and (seconds > 0).all()


def test_got10k_names(model, tmp_path):
    folder = save_tiny_preset(tmp_path / "tiny")
    assert Tracker(folder).name == Tracker(str(folder)).name == "tiny"
    assert Tracker(model).name == model.name
    assert Tracker(model, "mine").name == "mine"
    assert Tracker(model).is_deterministic


@pytest.mark.parametrize(
    ("layout", "boxes", "times"),
    [
        ("got10k", "{0}/{0}_001.txt", "{0}/{0}_time.txt"),
        ("otb", "{0}.txt", "times/{0}_time.txt"),
    ],
)
def test_raw_results(model, videos, tmp_path, layout, boxes, times):
    out = tmp_path / "out"
    found = list(write_raw_results(Tracker(model, "tiny"), videos, out, layout))
    names = ["early", "late"]
    assert found == [out / "tiny" / boxes.format(name) for name in names]
    for video, path in zip(videos, found, strict=True):
        start = int(np.argmax(video.present))
        written = np.loadtxt(path, delimiter=",")
        shown = video.part(start)
        expected = ka.Tracker(model).track(
            ka.datasets.read_frames(shown), shown.boxes[0]
        )
        expected = np.concatenate([np.repeat(expected[:1], start, 0), expected])
        np.testing.assert_allclose(written, expected + ONE, atol=6e-4)
        seconds = np.loadtxt(out / "tiny" / times.format(video.name))
        assert ((seconds > 0) == (np.arange(T) >= start)).all()
    with pytest.raises(ValueError, match="`layout` must be one of"):
        list(write_raw_results(Tracker(model), videos, out, "vot"))


def test_results_command(tmp_path, capsys):
    folder = save_tiny_preset(tmp_path / "tiny")
    boxes = [(7 + 3 * t, 5 + 2 * t, 6, 6) for t in range(T)]
    for name in TEST:
        write_video(tmp_path / "data" / "tracking_test" / name, boxes)
    out = tmp_path / "results"
    command = ["results", str(folder), str(out), "--layout", "otb"]
    assert main([*command, "--data", str(tmp_path / "data")]) == 0
    printed = capsys.readouterr().out.split()
    assert printed == [str(out / "tiny" / f"{name}.txt") for name in sorted(TEST)]
    first = np.loadtxt(printed[0], delimiter=",")
    np.testing.assert_allclose(first[0], boxes[0])
    assert main([*command, "--data", str(tmp_path)]) == 1
    assert "tracking_test" in capsys.readouterr().err


def test_results_command_without_data(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("KERAS_ATTEND_DATA", raising=False)
    assert main(["results", "hart_person", str(tmp_path), "--layout", "otb"]) == 1
    assert "--data or KERAS_ATTEND_DATA" in capsys.readouterr().err


def test_objects_that_come_later(model, videos):
    """Each is followed as a tracker of its own follows it, in the order of coming."""
    frames = ka.datasets.read_frames(videos[0])
    none = np.zeros((0, 4), "float32")
    first, later = np.float32([(6, 4, 6, 6), (9, 3, 5, 5)]), np.float32([(8, 8, 4, 4)])
    objects = Objects(model)
    for _ in range(2):  # the second video begins anew
        objects.restart()
        found = [
            objects.follow(frame, {0: first, 2: later}.get(t, none))
            for t, frame in enumerate(frames)
        ]
        assert [len(status) for status in found] == [2, 2, 3, 3, 3]
        expected = ka.Tracker(model).track(frames, first)  # [2, T, 4]
        boxes = np.array([[box for box, _ in status[:2]] for status in found])
        np.testing.assert_allclose(boxes.swapaxes(0, 1), expected, atol=1e-4)
        expected = ka.Tracker(model).track(frames[2:], later[0])
        np.testing.assert_allclose([s[2][0] for s in found[2:]], expected, atol=1e-4)
        assert found[-1][2][1] == {"confidence": "1.0000"}


def test_trackers_ini_names_the_trackers_of_videos():
    config = configparser.ConfigParser()
    config.read(Path(adapters.__file__).with_name("trackers.ini"))
    shipped = {
        name
        for name in ka.zoo.list_models(ka.zoo.presets.presets_folder())
        if ka.zoo.info(name).task == "tracking" and "W, 3]" in ka.zoo.info(name).input
    }
    assert set(config.sections()) == shipped
    for name in shipped:
        assert config[name]["command"] == f"keras-attend trax {name}"
        assert config[name]["protocol"] == "trax"
