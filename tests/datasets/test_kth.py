import sys

import numpy as np
import pytest

from keras_attend.datasets import KTH, Clips
from keras_attend.datasets.kth import read_boxes

Image = pytest.importorskip("PIL.Image")

HEADER = "#\n# Bounding boxes: subject scenario action sequence start end boxes\n#\n#\n"


def frame(subject, number):
    """A picture that says whose it is and which."""
    picture = np.zeros((120, 160), "uint8")
    picture[:60] = subject
    picture[60:] = number
    return picture


def line(subject, scenario, action, passage, start, corners):
    end = start + len(corners) - 1
    numbers = [subject, scenario, action, passage, start, end, *np.ravel(corners)]
    return " ".join(map(str, numbers)) + "\n"


def corners(subject, count):
    """`y1 x1 y2 x2`: a box that walks to the right, as high as its subject's number."""
    return [(10, 20 + t, 10 + subject, 50 + 2 * t) for t in range(count)]


@pytest.fixture
def folder(tmp_path):
    """Four subjects; two passages of a walk each, and a run without any frames."""
    lines = [HEADER]
    for subject in (1, 2, 12, 25):
        lines.append(line(subject, 3, 6, 1, 1, corners(subject, 4)))
        lines.append(line(subject, 3, 6, 2, 8, corners(subject, 3)) + "\n")
        lines.append(line(subject, 1, 5, 1, 5, corners(subject, 2)))
        lines.append(line(subject, 1, 1, 1, 5, corners(subject, 2)))  # boxing
        lines.append(f"{subject} 4 4 1 0 0\n")  # a missing video
        video = tmp_path / "frames" / f"person{subject:02d}_walking_d3_uncomp"
        video.mkdir(parents=True)
        for number in range(1, 11):
            picture = Image.fromarray(frame(subject, number))
            picture.save(video / f"{number:03d}.png")
    (tmp_path / "KTHBoundingBoxInfo.txt").write_text("".join(lines))
    return tmp_path


# The box file.


def test_sequences(folder):
    data = KTH(folder)
    found = [
        (s.subject, s.action, s.scenario, s.passage, s.start) for s in data.sequences
    ]
    assert found[:4] == [
        (1, "walking", 3, 1, 1),
        (1, "walking", 3, 2, 8),
        (1, "running", 1, 1, 5),
        (2, "walking", 3, 1, 1),
    ]
    assert len(found) == 12 and len(data.sequences[0]) == 4
    assert data.sequences[0].video == "person01_walking_d3_uncomp"


def test_boxes_are_xywh(folder):
    boxes = KTH(folder).sequences[6].boxes
    assert boxes.dtype == np.float32
    np.testing.assert_array_equal(
        boxes, [(20, 10, 30, 12), (21, 10, 31, 12), (22, 10, 32, 12), (23, 10, 33, 12)]
    )


def test_actions_and_subjects(folder):
    assert len(KTH(folder, actions=["walking"]).sequences) == 8
    assert len(KTH(folder, actions=["boxing"]).sequences) == 4
    assert len(KTH(folder, subjects=[2, 25]).sequences) == 6
    assert len(read_boxes(folder / "KTHBoundingBoxInfo.txt")) == 16


# Frames.


def test_reads_a_sequence(folder):
    data = KTH(folder)
    frames, boxes = data.read(data.sequences[1])
    assert frames.shape == (3, 120, 160, 1) and frames.dtype == np.uint8
    expected = np.stack([frame(1, number) for number in (8, 9, 10)])
    np.testing.assert_array_equal(frames[..., 0], expected)
    np.testing.assert_array_equal(boxes, data.sequences[1].boxes)


def test_reads_a_part(folder):
    data = KTH(folder)
    frames, boxes = data.read(data.sequences[0], first=1, count=2)
    np.testing.assert_array_equal(frames[:, -1, 0, 0], [2, 3])
    np.testing.assert_array_equal(boxes, data.sequences[0].boxes[1:3])


def test_videos_for_clips(folder):
    """As grey clips of the authors' size; the box and the frame's number agree."""
    data = KTH(folder, actions=["walking"], subjects=[2, 12])
    videos = data.videos(data.sequences)
    assert [len(video) for video in videos] == [4, 3, 4, 3]
    assert videos[1].name == "person02_walking_d3_uncomp_2"
    arguments = {"frames": 3, "size": (120, 160), "crop": None, "photometric": 0.0}
    clips = Clips(videos, 8, grey=True, flip=False, reverse=False, **arguments)
    inputs, targets = clips[0]
    assert inputs["frames"].shape == (8, 3, 120, 160, 1)
    for frames, boxes in zip(inputs["frames"], targets["boxes"], strict=True):
        number = int(frames[0, -1, 0, 0])  # in the video; both passages begin a walk
        steps = number - (1 if number < 8 else 8) + np.arange(3)
        np.testing.assert_allclose(boxes[:, 0], 20 + steps, atol=1e-3)
        assert frames[0, 0, 0, 0] in (2, 12)


def test_reads_colour_as_grey(folder):
    path = folder / "frames" / "person01_walking_d3_uncomp" / "001.png"
    Image.fromarray(np.full((120, 160, 3), (90, 90, 90), "uint8")).save(path)
    data = KTH(folder)
    assert (data.read(data.sequences[0], count=1)[0] == 90).all()


# Folds.


def test_folds_leave_a_subject_out(folder):
    data = KTH(folder)
    folds = list(data.folds())
    assert [fold.test_subject for fold in folds] == [1, 2, 12, 25]
    for fold in folds:
        assert fold.validation_subject != fold.test_subject
        assert {s.subject for s in fold.test} == {fold.test_subject}
        assert {s.subject for s in fold.validation} == {fold.validation_subject}
        assert len({s.subject for s in fold.train}) == 2
        parts = [*fold.train, *fold.validation, *fold.test]
        assert {id(s) for s in parts} == {id(s) for s in data.sequences}
        assert len(parts) == len(data.sequences)


def test_folds_depend_on_the_seed(folder):
    def validation(seed):
        return [fold.validation_subject for fold in KTH(folder).folds(seed)]

    assert validation(3) == validation(3)
    assert len({tuple(validation(seed)) for seed in range(10)}) > 1


def test_the_authors_validation_subjects(tmp_path):
    """Under seed 1: `RandomState(1).randint(24)` is 5, the sixth of the others."""
    lines = [line(s, 1, 6, 1, 1, corners(s, 1)) for s in range(1, 26)]
    (tmp_path / "KTHBoundingBoxInfo.txt").write_text(HEADER + "".join(lines))
    found = [fold.validation_subject for fold in KTH(tmp_path).folds()]
    assert found == [7] * 6 + [6] * 19


# What a user can get wrong.


def test_rejects_a_folder_without_boxes(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must hold KTHBoundingBoxInfo\.txt"):
        KTH(tmp_path)


def test_rejects_arguments(folder):
    with pytest.raises(ValueError, match=r"'walking'.*actions='flying'"):
        KTH(folder, actions=["flying"])
    with pytest.raises(ValueError, match=r"1 to 25\. Received: \[0, 26\]"):
        KTH(folder, subjects=[0, 7, 26])
    with pytest.raises(ValueError, match=r"three subjects.*subjects=\[1, 2\]"):
        next(KTH(folder, subjects=[1, 2]).folds())


@pytest.mark.parametrize(("first", "count"), [(-1, 2), (0, 5), (4, None), (1, 0)])
def test_rejects_a_part(folder, first, count):
    data = KTH(folder)
    with pytest.raises(ValueError, match=f"4 frames.*first={first}, count={count}"):
        data.read(data.sequences[0], first, count)


@pytest.mark.parametrize(
    "bad",
    [
        "1 1 6 1 1 2 10 20 30 40\n",  # two frames, one box
        "1 1 6 1 1 1 10 20 30\n",
        "1 1 9 1 1 1 10 20 30 40\n",
        "1 1 6 1\n",
        "1 1 6 1 1 1 10 20 thirty 40\n",
        "1 1 6 1 3 1 10 20 30 40\n",
    ],
)
def test_rejects_a_line(tmp_path, bad):
    path = tmp_path / "KTHBoundingBoxInfo.txt"
    path.write_text(HEADER + line(1, 1, 6, 1, 1, corners(1, 2)) + bad)
    with pytest.raises(ValueError, match=f"Line 6 of .*Received: {bad.strip()}"):
        KTH(tmp_path)


def test_frames_that_are_not_there(folder):
    data = KTH(folder)
    with pytest.raises(FileNotFoundError, match=r"d1_uncomp.005\.png.*ffmpeg"):
        data.read(data.sequences[2])


def test_a_truncated_frame(folder):
    path = folder / "frames" / "person01_walking_d3_uncomp" / "002.png"
    path.write_bytes(path.read_bytes()[:60])
    data = KTH(folder)
    with pytest.raises(ValueError, match=r"002\.png is damaged"):
        data.read(data.sequences[0])


def test_a_frame_of_another_size(folder):
    path = folder / "frames" / "person01_walking_d3_uncomp" / "001.png"
    Image.fromarray(np.zeros((240, 320), "uint8")).save(path)
    data = KTH(folder)
    with pytest.raises(ValueError, match=r"160x120.*Received: 320x240"):
        data.read(data.sequences[0])


def test_without_pillow(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    data = KTH(folder)
    with pytest.raises(ImportError, match="pip install Pillow"):
        data.read(data.sequences[0])
