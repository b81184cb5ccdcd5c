from pathlib import Path

import numpy as np
import pytest

from keras_attend.datasets import KITTI, Clips, read_frames
from keras_attend.datasets.kitti import HELD_OUT, _tracks
from keras_attend.datasets.kitti_labels import read_folder, read_labels
from keras_attend.evaluation import one_pass
from keras_attend.evaluation.tracking import static_box

Image = pytest.importorskip("PIL.Image")

DONT_CARE = "0 -1 DontCare -1 -1 -10 1 2 3 4" + " -1000" * 3 + " -10 -1 -1 -1"


def line(frame, track, kind="Car", truncated=0, occluded=0, left=100, top=100):
    box = f"{left} {top} {left + 60} {top + 40}"
    space = "1.5 1.6 4.0 2.0 1.7 20.0 -1.5"
    return f"{frame} {track} {kind} {truncated} {occluded} 0.5 {box} {space}"


def write(root, video, lines, frames=(), size=(188, 621)):
    labels = root / "training" / "label_02"
    labels.mkdir(parents=True, exist_ok=True)
    (labels / f"{video}.txt").write_text("\n".join(lines) + "\n")
    folder = root / "training" / "image_02" / video
    for number in frames:
        folder.mkdir(parents=True, exist_ok=True)
        picture = np.full((*size, 3), number, "uint8")
        Image.fromarray(picture).save(folder / f"{number:06d}.png")


@pytest.fixture
def folder(tmp_path):
    """A car that is hidden for a while, people, a gap; and a video to hold out."""
    lines = [DONT_CARE]
    for frame in range(10):
        lines.append(line(frame, 0, occluded=2 * (frame in (4, 5)), left=10 * frame))
        lines.append(line(frame, 1, "Pedestrian", truncated=2 * (frame >= 7), top=60))
    lines.append(line(3, 2, "Van"))  # a single frame
    write(tmp_path, "0000", lines, range(10))
    write(tmp_path, "0005", [line(t, 7, "Cyclist") for t in (1, 2, 3, 9)], (1, 2, 3))
    write(tmp_path, "0006", [line(t, 8) for t in range(5)])  # no frames here
    return tmp_path


def test_read_labels(tmp_path):
    path = tmp_path / "0007.txt"
    path.write_text(f"{DONT_CARE}\n{line(5, 2)}\n\n{line(3, 4, 'Tram', 1, 3, 7, 9)}\n")
    labels = read_labels(path)
    assert len(labels) == 2 and labels.video == "0007"
    np.testing.assert_array_equal(labels.frame, [3, 5])
    np.testing.assert_array_equal(labels.track, [4, 2])
    np.testing.assert_array_equal(labels.kind, ["Tram", "Car"])
    np.testing.assert_array_equal(labels.truncated, [1, 0])
    np.testing.assert_array_equal(labels.occluded, [3, 0])
    np.testing.assert_array_equal(labels.boxes, [[7, 9, 60, 40], [100, 100, 60, 40]])
    np.testing.assert_array_equal(labels.size[0], [1.5, 1.6, 4.0])
    np.testing.assert_array_equal(labels.location[0], [2.0, 1.7, 20.0])
    np.testing.assert_array_equal(labels.heading, [-1.5, -1.5])
    np.testing.assert_array_equal(labels.view, [0.5, 0.5])
    np.testing.assert_array_equal(labels.kept(), [False, True])
    np.testing.assert_array_equal(labels.kept(("Tram",), occluded=3), [True, False])


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (line(0, 1)[:-5], "16 columns"),
        (line(0, 1).replace("Car", "Cart"), "Cart"),
        (line(0, 1).replace("20.0", "x"), "could not convert"),
        (line(0, 1).replace("20.0", "nan"), "a value is no number"),
        (line(-1, 1), "the frame is negative"),
        (line(0, 1).replace("160", "90"), "a box without area"),
    ],
)
def test_bad_lines_are_named(tmp_path, bad, why):
    write(tmp_path, "0003", [line(0, 0), bad])
    with pytest.raises(ValueError, match=rf"Line 2 of .*0003\.txt must be.*{why}"):
        read_folder(tmp_path)


def test_tracks(folder):
    data = KITTI(folder)
    by_name = {s.name: s for s in data.sequences}
    assert {name: len(s) for name, s in by_name.items()} == {
        "0000_0": 4,
        "0000_0-2": 4,  # it came back: a new object
        "0000_1": 7,  # until it was mostly out of the frame
        "0005_7": 3,
    }
    back = by_name["0000_0-2"]
    assert [f.stem for f in back.frames] == [f"00000{t}" for t in (6, 7, 8, 9)]
    expected = [[5 * t, 50, 30, 20] for t in (6, 7, 8, 9)]
    np.testing.assert_array_equal(back.boxes, expected)
    assert back.boxes.dtype == np.float32 and back.present.all()
    np.testing.assert_array_equal(read_frames(back)[:, 0, 0, 0], [6, 7, 8, 9])
    cars = KITTI(folder, kinds=("Car", "Van"), occluded=2, shortest=1)
    assert [(s.name, len(s)) for s in cars.sequences] == [("0000_0", 10), ("0000_2", 1)]


def test_a_missing_frame_ends_a_track(folder):
    (folder / "training" / "image_02" / "0000" / "000002.png").unlink()
    names = {s.name: len(s) for s in KITTI(folder).sequences}
    assert names["0000_0"] == 2 and names["0000_0-3"] == 4  # 0-1, (3), 6-9
    assert names["0000_1"] == 2 and names["0000_1-2"] == 4


def test_split_in_time(folder):
    before, after = KITTI(folder).in_time()
    # Video 0000 has 10 frames with tracks: 8 of them are for training.
    assert {(s.name, len(s)) for s in before} == {
        ("0000_0", 4),
        ("0000_0-2", 2),
        ("0000_1", 7),
        ("0005_7", 2),
    }
    assert {(s.name, len(s)) for s in after} == {("0000_0-2", 2)}
    half, rest = KITTI(folder, shortest=1).in_time(0.5)
    assert sum(map(len, half + rest)) == sum(
        map(len, KITTI(folder, shortest=1).sequences)
    )
    assert max(f.stem for s in half for f in s.frames if "0000" in s.name) == "000004"
    assert min(f.stem for s in rest for f in s.frames if "0000" in s.name) == "000005"
    with pytest.raises(ValueError, match="`share` must be"):
        KITTI(folder).in_time(1.0)


def test_runs_are_split_each_for_itself(tmp_path):
    """Nothing is seen in frames 10 to 19: two runs of ten frames, 8 and 8 of them."""
    frames = [*range(10), *range(20, 30)]
    write(tmp_path, "0001", [line(t, 1) for t in frames], range(30))
    before, after = KITTI(tmp_path).in_time()
    assert [(s.name, len(s)) for s in before] == [("0001_1", 8), ("0001_1-2", 8)]
    assert [s.frames[0].stem for s in after] == ["000008", "000028"]


def test_split_by_video(folder):
    data = KITTI(folder)
    train, test = data.by_video()
    assert {s.name[:4] for s in train} == {"0000"}
    assert {s.name[:4] for s in test} == {"0005"} <= set(HELD_OUT)
    train, test = data.by_video(["0000"])
    assert {s.name[:4] for s in test} == {"0000"} and len(train) == 1
    with pytest.raises(ValueError, match="`held_out` must be names of videos"):
        data.by_video("0005")


def test_clips_and_evaluation_take_the_tracks(folder):
    sequences = KITTI(folder).sequences
    clips = Clips(sequences, 2, frames=3, size=(32, 96), crop=None, photometric=0)
    x, y = clips[0]
    assert x["frames"].shape == (2, 3, 32, 96, 3) and y["present"].all()
    scores = one_pass(static_box, sequences)
    assert scores.names == tuple(s.name for s in sequences)
    np.testing.assert_allclose(scores.mean_iou[2:], 1, atol=1e-6)  # who do not move
    assert (scores.mean_iou[:2] < 0.8).all()


def test_frames_of_the_wrong_size(tmp_path):
    write(tmp_path, "0000", [line(t, 0) for t in range(3)], range(3), (94, 1242))
    with pytest.raises(ValueError, match=r"must be about 621x188 .* 1242x94 in"):
        KITTI(tmp_path)
    (found,) = KITTI(tmp_path, scale=1).sequences
    np.testing.assert_array_equal(found.boxes[0], [100, 100, 60, 40])


def test_missing_folders(tmp_path, folder):
    with pytest.raises(FileNotFoundError, match="must hold KITTI's labels"):
        KITTI(tmp_path / "absent")
    for path in (folder / "training" / "image_02").glob("*/*.png"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match="must hold labelled frames"):
        KITTI(folder)
    assert len(read_folder(folder)) == 3
    with pytest.raises(ValueError, match="`kinds` must be one of"):
        KITTI(folder, kinds=("Dog",))


def test_real_labels(data_path):
    videos = read_folder(data_path("kitti"))
    assert len(videos) == 21 and sum(map(len, videos)) == 65301 - 18039
    assert sum(len(np.unique(v.track)) for v in videos) == 917
    kept = [v.kept() for v in videos]
    assert sum(k.sum() for k in kept) == 37292
    pairs = list(zip(videos, kept, strict=True))
    assert sum(len(np.unique(v.track[k])) for v, k in pairs) == 852
    files = {frame: Path(f"{frame:06d}.png") for frame in range(1100)}
    tracks = {v.video: _tracks(v, k, files, 0.5) for v, k in pairs}
    assert sum(map(len, tracks.values())) == 1374
    assert sum(len(t) > 1 for video in tracks.values() for t in video) == 1193
    held_out = sum(len(tracks[video]) for video in HELD_OUT)
    assert held_out / 1374 == pytest.approx(0.15, abs=0.01)


def test_ten_real_frames(data_path):
    data = KITTI(data_path("kitti"))
    found = {s.name: s for s in data.sequences}
    assert {name: len(s) for name, s in found.items()} == {
        "0005_27": 6,
        "0005_28-2": 6,
        "0005_29": 10,
        "0005_30": 4,
        "0005_31": 10,
    }
    van = found["0005_30"]  # black, before a bright street
    np.testing.assert_allclose(van.boxes[0], [127.95, 83.1, 98.9, 67.2], atol=0.02)
    frame = read_frames(van, [0])[0]
    assert frame.shape == (188, 621, 3)
    x, y, w, h = (round(float(v)) for v in van.boxes[0])
    inside = frame[y + 10 : y + h - 10, x + 10 : x + w - 10].mean()
    below = frame[y + h + 3 : y + h + 20, x : x + w].mean()
    assert inside < 0.6 * below
    train, test = data.by_video()
    assert not train and len(test) == 5
