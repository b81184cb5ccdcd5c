"""`hart_kitti` in a file does on a real video what it does in Keras."""

import numpy as np
import pytest

from keras_attend import Tracker, export, zoo
from keras_attend.datasets import otb
from keras_attend.datasets.sequences import read_frames
from keras_attend_runtime import Tracker as Runtime

pytestmark = [pytest.mark.slow, pytest.mark.packaging]


def test_onnx_follows_as_keras_does(tmp_path, data_path):
    """Sixty frames, in which each box depends on all before it: within 0.05 pixels."""
    pytest.importorskip("onnxruntime")
    (video,) = (v for v in otb(data_path("tracking")) if v.name == "otb_Man")
    video = video.part(0, 60)
    frames, box = read_frames(video), video.boxes[0]
    model = zoo.load("hart_kitti")
    path = export(model, tmp_path / "hart.onnx", "onnx", uint8=True)
    ours = Tracker(model).track(frames, box)
    np.testing.assert_allclose(Runtime(path).track(frames, box), ours, atol=0.05)

    # Two objects, by a file that follows them in one call.
    path = export(model, tmp_path / "many.onnx", "onnx", uint8=True, many=True)
    found = Runtime(path).track(frames, np.stack([box, box + np.array([30, 10, 0, 0])]))
    np.testing.assert_allclose(found[0], ours, atol=0.05)
