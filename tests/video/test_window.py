"""The window of OpenCV's, which runs in a process of its own."""

import os
import sys

import numpy as np
import pytest

from keras_attend.video.window import boxes_from_window

FRAME = np.zeros((20, 30, 3), "uint8")
FRAME[..., 0] = 200  # red
# In OpenCV's place: the tests have no screen. It checks that blue comes first.
STAND_IN = """
import numpy as np

def selectROIs(title, frame):
    if frame.shape != (20, 30, 3) or frame[0, 0].tolist() != [0, 0, 200]:
        raise RuntimeError(f"this is not the frame: {frame[0, 0]}")
    print("Select a ROI and then press SPACE or ENTER button!")
    return %s
"""


@pytest.fixture
def opencv(tmp_path, monkeypatch):
    """`opencv("what it returns")`"""
    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))

    def write(returned):
        (tmp_path / "cv2.py").write_text(STAND_IN % returned)

    return write


def test_boxes_come_back(opencv):
    opencv("np.array([[1, 2, 3, 4], [1, 2, 3, 4], [5, 6, 0, 9], [7, 8, 9, 10]])")
    assert boxes_from_window(FRAME) == [[1, 2, 3, 4], [7, 8, 9, 10]]


def test_nothing_was_drawn(opencv):
    opencv("()")  # as OpenCV has it
    assert boxes_from_window(FRAME) == []


def test_a_window_that_does_not_open(opencv):
    opencv("frame.no_windows")
    with pytest.raises(ValueError, match=r"could not open a window.*no_windows"):
        boxes_from_window(FRAME)


def test_without_opencv(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match="pip install opencv-python"):
        boxes_from_window(FRAME)
