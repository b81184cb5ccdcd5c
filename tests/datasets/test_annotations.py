"""Videos of one's own: MOT's layout, and the exports of CVAT and Label Studio."""

import json
from pathlib import Path

import numpy as np
import pytest

from keras_attend.datasets import cvat, label_studio, mot
from keras_attend.video import read_video, write_frames

Image = pytest.importorskip("PIL.Image")
PICTURES = 10


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Ten pictures of 40 rows and 80 columns."""
    folder = tmp_path / "video" / "img1"
    folder.mkdir(parents=True)
    for number in range(PICTURES):
        picture = np.full((40, 80, 3), 20 * number, "uint8")
        Image.fromarray(picture).save(folder / f"{number + 1:06d}.png")
    return folder


def test_mot(frames: Path, tmp_path: Path) -> None:
    truth = frames.parent / "gt" / "gt.txt"
    truth.parent.mkdir()
    lines = ["1,7,11,21,5,6,1,1,1", "3,7,13,21,5,6,1,1,0.5", "2,9,1,1,4,4,0,1,1"]
    truth.write_text("\n".join([*lines, "2,2,31,1,8,9"]) + "\n")
    second, seventh = mot(tmp_path)  # the object 9 does not count
    assert (second.name, seventh.name) == ("video-2", "video-7")
    assert len(seventh) == PICTURES and seventh.frames[0].name == "000001.png"
    np.testing.assert_array_equal(np.flatnonzero(seventh.present), [0, 2])
    wanted = [[10, 20, 5, 6], [0, 0, 0, 0], [12, 20, 5, 6]]
    np.testing.assert_array_equal(seventh.boxes[:3], wanted)
    np.testing.assert_array_equal(second.boxes[1], [30, 0, 8, 9])


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<track id="3" label="car">
<box frame="2" xtl="10.0" ytl="5.5" xbr="20.0" ybr="9.5" outside="0" occluded="0"/>
<box frame="6" xtl="18.0" ytl="5.5" xbr="32.0" ybr="9.5" outside="0" occluded="1"/>
<box frame="8" xtl="18.0" ytl="5.5" xbr="32.0" ybr="9.5" outside="1" occluded="0"/>
</track>
<track id="4" label="road"><polygon frame="0" points="1,1;2,2;3,1"/></track>
</annotations>"""


def test_cvat(frames: Path, tmp_path: Path) -> None:
    """The box is drawn between marks, and absent outside of them."""
    path = tmp_path / "annotations.xml"
    path.write_text(CVAT)
    (car,) = cvat(path, frames)
    assert car.name == "car-3"
    np.testing.assert_array_equal(np.flatnonzero(car.present), range(2, 8))
    np.testing.assert_allclose(car.boxes[2], [10, 5.5, 10, 4])
    np.testing.assert_allclose(car.boxes[4], [14, 5.5, 12, 4])
    np.testing.assert_allclose(car.boxes[7], [18, 5.5, 14, 4])
    frames.rename(tmp_path / "images")
    assert cvat(path)[0].frames[0].parent == tmp_path / "images"


def task(*keys: dict) -> str:
    value = {"framesCount": PICTURES, "sequence": list(keys), "labels": ["Cell"]}
    result = {"id": "a", "type": "videorectangle", "value": value}
    return json.dumps([{"id": 1, "annotations": [{"result": [result]}]}])


def key(frame: int, x: float, **more: object) -> dict:
    return {"frame": frame, "x": x, "y": 10, "width": 25, "height": 50, **more}


def test_label_studio(frames: Path, tmp_path: Path) -> None:
    """Percent of the frame become pixels; what is switched off is absent."""
    path = tmp_path / "export.json"
    path.write_text(task(key(5, 20, enabled=False), key(1, 0), key(9, 50)))
    (cell,) = label_studio(path, frames)
    assert cell.name == "Cell-0"
    np.testing.assert_array_equal(np.flatnonzero(cell.present), [0, 1, 2, 3, 4, 8, 9])
    np.testing.assert_allclose(cell.boxes[0], [0, 4, 20, 20])
    np.testing.assert_allclose(cell.boxes[2], [8, 4, 20, 20])
    np.testing.assert_allclose(cell.boxes[9], [40, 4, 20, 20])
    path.write_text(task(key(1, 0), key(PICTURES, 20, enabled=False)))
    assert label_studio(path, frames)[0].present.all()


def test_what_is_no_export(frames: Path, tmp_path: Path) -> None:
    path = tmp_path / "file"
    for text in ("", "{", "[]", '[{"annotations": [{"result": [3]}]}]', "[" * 9999):
        path.write_text(text)
        with pytest.raises(ValueError, match="Label Studio"):
            label_studio(path, frames)
    for keys in ([key(1, float("nan"))], [{"frame": 1}], [key(99, 0)]):
        path.write_text(task(*keys))
        with pytest.raises(ValueError, match="file must"):
            label_studio(path, frames)
    bomb = '<!DOCTYPE a [<!ENTITY b "c">]><annotations>&b;</annotations>'
    images = '<annotations><image id="0"><box label="a"/></image></annotations>'
    for text in (
        "",
        "<a>",
        bomb,
        images,
        CVAT.replace('frame="2"', ""),
        CVAT.replace('frame="8"', 'frame="88"'),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match="file must"):
            cvat(path, frames)
    (tmp_path / "video" / "gt").mkdir()
    (tmp_path / "video" / "gt" / "gt.txt").write_text("1,1,1,1,5,5\n1,2\n")
    with pytest.raises(ValueError, match="Line 2 of"):
        mot(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"gt\.txt"):
        mot(frames)


def test_frames_of_a_video(frames: Path, tmp_path: Path) -> None:
    files = write_frames(frames, tmp_path / "out", every=3)
    names = [f"{number:04d}.png" for number in (1, 2, 3, 4)]
    assert [path.name for path in files] == names
    found = list(read_video(tmp_path / "out"))
    assert [int(frame[0, 0, 0]) for frame in found] == [0, 60, 120, 180]
    with pytest.raises(ValueError, match="empty"):
        write_frames(frames, tmp_path / "out")
