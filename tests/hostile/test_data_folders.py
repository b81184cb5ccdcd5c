"""A data folder with a fault ends in an error that names the file, and the line."""

import numpy as np
import pytest
from PIL import Image

from keras_attend.datasets import kth
from keras_attend.datasets.kitti import KITTI
from keras_attend.datasets.sequences import got10k, otb, read_frames

BOXES = "1,1,4,4\n2,2,4,4\n3,3,4,4\n4,4,4,4\n"


def video(folder, layout, numbers=(1, 2, 3, 4), boxes=BOXES, suffix=".png"):
    """A video of five pixels a side, whose frame n is of grey level 10 n."""
    home = folder / "clip"
    images = home / "img" if layout == "otb" else home
    images.mkdir(parents=True)
    for n in numbers:
        Image.fromarray(np.full((5, 5, 3), 10 * n, "uint8")).save(
            images / f"{n:04d}{suffix}"
        )
    truth = home / f"groundtruth{'_rect' if layout == 'otb' else ''}.txt"
    truth.write_bytes(boxes if isinstance(boxes, bytes) else boxes.encode())
    return home


READERS = {"otb": otb, "got10k": got10k}


@pytest.fixture(params=READERS)
def layout(request):
    return request.param


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((1, 3, 4), r"0002\.png is missing"),
        ((1, 2, 4), r"0003\.png is missing"),
        ((2, 3, 4), r"0001\.png is missing"),
        ((1, 2, 3, 5, 6), r"0004\.png is missing"),
        ((1, 4, 5, 6, 7), r"0002\.png is missing"),
    ],
)
def test_a_missing_frame(numbers, message, layout, tmp_path):
    video(tmp_path, layout, numbers)
    with pytest.raises(ValueError, match=rf"clip.* must hold a frame .*{message}"):
        READERS[layout](tmp_path)


@pytest.mark.parametrize(
    "numbers", [(1, 2), (1, 2, 3, 4, 5), (0, 1, 2, 3), (5, 6, 7, 8), (5, 6, 7, 8, 9)]
)
def test_frames_that_are_numbered_on(numbers, layout, tmp_path):
    video(tmp_path, layout, numbers)
    (found,) = READERS[layout](tmp_path)
    assert len(found) == min(4, len(numbers))
    levels = read_frames(found)[:, 0, 0, 0] / 10
    np.testing.assert_array_equal(levels - levels[0], found.boxes[:, 0])


def test_a_frame_that_is_there_twice(layout, tmp_path):
    home = video(tmp_path, layout)
    images = home / "img" if layout == "otb" else home
    (images / "0002.jpg").write_bytes((images / "0002.png").read_bytes())
    with pytest.raises(ValueError, match=r"0002\.png is there twice"):
        READERS[layout](tmp_path)


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        (b"1,1,4,4\n1,1,\xff4,4\n", r"Line 2 of .*clip.*txt must be text in UTF-8"),
        (b"\x89PNG\r\n\x1a\n", r"Line 1 of .*clip.*txt must be text"),
        ("1,1,4,4\n9,9,4\n", r"Line 2 of .* must be x,y,w,h"),
        ("x" * 10**6, r"Line 1 of .* must be x,y,w,h"),
    ],
)
def test_boxes(boxes, message, layout, tmp_path):
    video(tmp_path, layout, boxes=boxes)
    with pytest.raises(ValueError, match=message) as caught:
        READERS[layout](tmp_path)
    assert len(str(caught.value)) < 1000


def test_a_mark_at_the_beginning_of_a_text(layout, tmp_path):
    video(tmp_path, layout, boxes=b"\xef\xbb\xbf" + BOXES.encode())
    assert len(READERS[layout](tmp_path)[0]) == 4


def test_boxes_that_are_a_link_to_a_secret(layout, tmp_path):
    home = video(tmp_path, layout)
    (truth,) = home.glob("groundtruth*.txt")
    truth.unlink()
    truth.symlink_to("/etc/passwd")
    with pytest.raises(ValueError, match="a symbolic link out of it"):
        READERS[layout](tmp_path)


def test_a_text_of_no_end(layout, tmp_path):
    home = video(tmp_path, layout)
    (truth,) = home.glob("groundtruth*.txt")
    with truth.open("r+b") as file:
        file.truncate(2**32)
    with pytest.raises(ValueError, match="must have at most"):
        READERS[layout](tmp_path)


# KITTI and KTH.

LABEL = "{} 1 Car 0 0 0.1 10 10 {} 40 1.5 1.6 3.9 1 2 20 0.1\n"


def kitti(folder, labels, pictures=("000000", "000001")):
    for name, content in (("label_02/0000.txt", labels),):
        path = folder / "training" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    images = folder / "training" / "image_02" / "0000"
    images.mkdir(parents=True)
    for name in pictures:
        Image.new("RGB", (621, 188)).save(images / f"{name}.png")


TWO = (LABEL.format(0, 50) + LABEL.format(1, 50)).encode()


@pytest.mark.parametrize(
    ("labels", "pictures", "message"),
    [
        (TWO, ("000000", "thumb"), r"thumb\.png must be named by its number"),
        (TWO, ("000000", "²"), r"must be named by its number"),
        (TWO + b"\xff\n", ("000000",), r"Line 3 of .*0000\.txt must be text"),
        (LABEL.format(0, 5).encode(), ("000000",), r"Line 1 of .*a box without area"),
    ],
)
def test_kitti(labels, pictures, message, tmp_path):
    kitti(tmp_path, labels, pictures)
    with pytest.raises(ValueError, match=message):
        KITTI(tmp_path)


def test_a_sound_kitti(tmp_path):
    kitti(tmp_path, TWO)
    assert len(KITTI(tmp_path).sequences) == 1


@pytest.mark.parametrize("corners", ["40 10 20 30", "10 40 30 20"])
def test_kth_boxes_that_are_turned_round(corners, tmp_path):
    path = tmp_path / "boxes.txt"
    path.write_text(f"# subject ...\n1 1 3 1 1 1 {corners}\n")
    with pytest.raises(ValueError, match=r"Line 2 of .*boxes\.txt"):
        kth.read_boxes(path)
