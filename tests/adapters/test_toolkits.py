"""GOT-10k's and VOT's toolkits run our trackers, on short parts of two videos."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import keras_attend as ka
from keras_attend import adapters
from keras_attend.adapters.got10k import Tracker
from keras_attend.adapters.raw_results import write_raw_results
from keras_attend.datasets import otb, read_frames
from keras_attend.training.video_trackers import VALIDATION

pytestmark = pytest.mark.toolkits
MODEL, FRAMES = "hart_person", 40
ONE, ASIDE = np.array([1, 1, 0, 0]), np.array([40, 10, 0, 0])
VIDEOS = ("otb_Bolt", "davis_dog")
SCRIPTS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def videos():
    """Two of the validation videos, cut short."""
    data = Path(os.environ.get("KERAS_ATTEND_DATA", "absent")) / "tracking"
    if not data.is_dir():
        pytest.skip("KERAS_ATTEND_DATA names no folder that holds tracking/")
    assert set(VIDEOS) <= set(VALIDATION)
    found = {video.name: video.part(0, FRAMES) for video in otb(data)}
    return [found[name] for name in VIDEOS]


@pytest.fixture(scope="module")
def adapter():
    """One for all tests: it is compiled once for each size of frames."""
    return Tracker(MODEL)


@pytest.fixture(scope="module")
def tracked(adapter, videos):
    """Our own boxes, and their mean IoU after the first frame, by video."""
    tracker = adapter.tracker
    boxes = {v.name: tracker.track(read_frames(v), v.boxes[0]) for v in videos}
    scores = {
        v.name: float(np.mean(ka.boxes.iou(v.boxes, boxes[v.name])[1:])) for v in videos
    }
    assert all(0.2 < score < 0.9 for score in scores.values()), scores
    return boxes, scores


def link_frames(video, folder):
    """The frames as `00000001.jpg` and so on; returns their height and width."""
    folder.mkdir(parents=True)
    for t, path in enumerate(video.frames, start=1):
        (folder / f"{t:08d}.jpg").symlink_to(path.resolve())
    return ka.datasets.sequences.image_size(video.frames[0])


def write_lines(path, rows):
    path.write_text("".join(f"{row}\n" for row in rows))


def comma(boxes):
    return [",".join(f"{x:.4f}" for x in box) for box in boxes]


@pytest.fixture(scope="module")
def got10k_folder(videos, tmp_path_factory):
    """The videos in GOT-10k's layout."""
    root = tmp_path_factory.mktemp("got10k") / "GOT-10k"
    for video in videos:
        folder = root / "val" / video.name
        height, width = link_frames(video, folder)
        write_lines(folder / "groundtruth.txt", comma(video.boxes + ONE))
        write_lines(folder / "absence.label", 1 - video.present.astype(int))
        write_lines(folder / "cover.label", 8 * video.present.astype(int))
        write_lines(folder / "cut_by_image.label", 0 * video.present.astype(int))
        about = ["[METAINFO]", f"resolution: ({width}, {height})"]
        write_lines(folder / "meta_info.ini", about)
    write_lines(root / "val" / "list.txt", VIDEOS)
    return root


def test_got10k(got10k_folder, adapter, videos, tracked, tmp_path, monkeypatch, capsys):
    """Its experiment runs our tracker; its report says what we measure."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    experiments = pytest.importorskip("got10k.experiments")
    boxes, scores = tracked
    experiment = experiments.ExperimentGOT10k(
        str(got10k_folder),
        subset="val",
        result_dir=str(tmp_path / "results"),
        report_dir=str(tmp_path / "reports"),
    )
    experiment.run(adapter)
    for name in VIDEOS:
        path = tmp_path / "results" / "GOT-10k" / MODEL / name / f"{name}_001.txt"
        written = np.loadtxt(path, delimiter=",")
        np.testing.assert_allclose(written, boxes[name] + ONE, atol=0.02)
    # What we write in its layout, it reports on as on its own.
    theirs = tmp_path / "results" / "GOT-10k"
    monkeypatch.setattr(adapter, "name", "ours")
    ours = list(write_raw_results(adapter, videos, theirs, "got10k"))
    report = experiment.report([MODEL, "ours"])
    for name, path in zip(VIDEOS, ours, strict=True):
        same = theirs / MODEL / name / path.name
        assert path.read_text() == same.read_text()
        for tracker in (MODEL, "ours"):
            found = report[tracker]["seq_wise"][name]
            assert found["ao"] == pytest.approx(scores[name], abs=0.005)
            assert found["speed_fps"] > 1
    overall = {name: found["overall"]["ao"] for name, found in report.items()}
    assert overall[MODEL] == overall["ours"]
    assert list((tmp_path / "reports").rglob("success_plot.png"))


def test_otb_of_got10k(adapter, videos, tmp_path, monkeypatch):
    """The report of its experiment on OTB reads our raw results."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    experiments = pytest.importorskip("got10k.experiments")
    (bolt,) = (v for v in videos if v.name == "otb_Bolt")
    renamed = ka.datasets.Sequence("Bolt", bolt.frames, bolt.boxes, bolt.present)
    link_frames(bolt, tmp_path / "OTB" / "Bolt" / "img")
    truth = tmp_path / "OTB" / "Bolt" / "groundtruth_rect.txt"
    write_lines(truth, comma(bolt.boxes + ONE))

    files = sorted(map(str, (tmp_path / "OTB" / "Bolt" / "img").glob("*.jpg")))

    class OneVideo(experiments.ExperimentOTB):
        """On the only video of OTB's that is here; the others are not fetched."""

        def __init__(self):
            named = type("OneVideo", (list,), {"seq_names": ["Bolt"]})
            self.dataset = named([(files, np.loadtxt(truth, delimiter=","))])
            self.result_dir = str(tmp_path / "results")
            self.report_dir = str(tmp_path / "reports")
            self.nbins_iou, self.nbins_ce = 21, 51

    list(write_raw_results(adapter, [renamed], tmp_path / "results", "otb"))
    report = OneVideo().report([MODEL])
    scores = ka.evaluation.one_pass(adapter.tracker.track, [bolt])
    found = report[MODEL]["overall"]
    # The toolkit gives the first frame the true box, and so do we.
    assert found["success_score"] == pytest.approx(scores.success_auc[0], abs=1e-3)
    assert found["precision_score"] == pytest.approx(scores.precision_20[0], abs=1e-3)


STACK = """
title: Two videos, one of them with two objects
experiments:
  baseline:
    type: unsupervised
    multiobject: True
    analyses:
      - type: average_accuracy
        name: accuracy
        burnin: 1
"""


@pytest.fixture(scope="module")
def workspace(videos, tmp_path_factory):
    """A workspace of VOT's toolkit: the videos, the second one with two objects."""
    folder = tmp_path_factory.mktemp("vot")
    registry = Path(adapters.__file__).parent / "trackers.ini"
    (folder / "config.yaml").write_text(f"stack: stack.yaml\nregistry: [{registry}]\n")
    (folder / "stack.yaml").write_text(STACK)
    for video in videos:
        place = folder / "sequences" / video.name
        height, width = link_frames(video, place / "color")
        about = {"fps": 30, "width": width, "height": height, "length": len(video)}
        about["channels.color"] = "color/%08d.jpg"
        write_lines(place / "sequence", [f"{k}={v}" for k, v in about.items()])
        write_lines(place / "groundtruth.txt", comma(video.boxes))
    place.joinpath("groundtruth.txt").rename(place / "groundtruth_a.txt")
    write_lines(place / "groundtruth_b.txt", comma(videos[1].boxes + ASIDE))
    write_lines(folder / "sequences" / "list.txt", VIDEOS)
    return folder


def vot(*arguments):
    """Run VOT's own command."""
    path = os.pathsep.join([str(SCRIPTS), os.environ["PATH"]])
    found = subprocess.run(
        [SCRIPTS / "vot", *map(str, arguments)],
        env=os.environ | {"PATH": path, "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        timeout=1500,
    )
    said = found.stdout + found.stderr
    assert found.returncode == 0 and "rror" not in said, said
    return said


def vot_overlaps(boxes, truth, size):
    """IoU as VOT has it: of whole pixels, and of those in the frame alone."""
    found = (ka.boxes.clip_to_image(np.round(b), *size) for b in (boxes, truth))
    return ka.boxes.iou(*found)


def test_vot(workspace, adapter, videos, tracked):
    """It runs the tracker of our `trackers.ini`; its accuracy is of our boxes."""
    regions = pytest.importorskip("vot.region.io")
    said = vot("evaluate", "--workspace", workspace, MODEL)
    assert "concluded" in said
    first, second = videos
    boxes, _ = tracked
    both = np.stack([second.boxes[0], second.boxes[0] + ASIDE])
    a, b = adapter.tracker.track(read_frames(second), both)
    expected = {
        f"{first.name}_001": (boxes[first.name], first.boxes),
        f"{second.name}_a_001": (a, second.boxes),
        f"{second.name}_b_001": (b, second.boxes + ASIDE),
    }
    found, plain = {}, {}
    for name, (ours, truth) in expected.items():
        video = first if name.startswith(first.name) else second
        place = workspace / "results" / MODEL / "baseline" / video.name
        regions_found = regions.read_trajectory(str(place / f"{name}.bin"))
        written = np.float64([(r.x, r.y, r.width, r.height) for r in regions_found[1:]])
        np.testing.assert_allclose(written, ours[1:], atol=0.02)
        size = ka.datasets.sequences.image_size(video.frames[0])
        found[name] = float(np.mean(vot_overlaps(written, truth[1:], size)))
        plain[name] = float(np.mean(ka.boxes.iou(ours, truth)[1:]))
    vot("analysis", "--workspace", workspace, "--name", "x", MODEL)
    (path,) = (workspace / "analysis").rglob("*.json")
    (((accuracy,),),) = json.loads(path.read_text())["results"]["baseline"]["results"]

    def mean(scores):
        """Of two videos as long as each other; objects count the same within one."""
        alone, *pair = scores.values()
        return (alone + np.mean(pair)) / 2

    assert accuracy == pytest.approx(mean(found), abs=1e-4)
    # Boxes of davis_dog reach beyond the frame: in and out of it they overlap less.
    assert 0.003 < accuracy - mean(plain) < 0.008
