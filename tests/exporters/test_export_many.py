"""Presets follow several objects in one call as they do one at a time."""

import numpy as np
import pytest

from keras_attend import export, zoo
from keras_attend.datasets import otb
from keras_attend.datasets.sequences import read_frames
from keras_attend_runtime import Tracker

pytestmark = [pytest.mark.slow, pytest.mark.packaging]


@pytest.mark.parametrize("preset", ["hart_kitti", "drlt_otb"])
def test_several_objects_as_one_at_a_time(preset, tmp_path, data_path):
    """Eight frames of a video, with three boxes of different sizes."""
    pytest.importorskip("onnxruntime")
    (video,) = (v for v in otb(data_path("tracking")) if v.name == "otb_Man")
    video = video.part(0, 8)
    frames, box = read_frames(video), video.boxes[0]
    boxes = box + np.array([[0, 0, 0, 0], [30, 10, 0, 0], [-12, 8, 9, 14]])
    model = zoo.load(preset)
    one = export(model, tmp_path / "one.onnx", "onnx", uint8=True)
    many = export(model, tmp_path / "many.onnx", "onnx", uint8=True, many=True)
    alone = np.stack([Tracker(one).track(frames, box) for box in boxes])
    assert np.ptp(alone, axis=1).max() > 1
    np.testing.assert_allclose(Tracker(many).track(frames, boxes), alone, atol=0.05)
