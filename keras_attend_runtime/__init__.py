"""Run exported trackers with NumPy and ONNX Runtime alone.

A package beside `keras_attend` rather than in it: importing that one imports Keras and
registers its classes, which Keras counts on when it loads a model. `keras_attend` takes
what is NumPy alone from here.
"""

from keras_attend_runtime.tracking import FrameTracker, Tracker

__all__ = ["FrameTracker", "Tracker"]
