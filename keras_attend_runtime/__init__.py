"""Run exported trackers with NumPy and ONNX Runtime alone.

This package is beside `keras_attend`, not in it, because importing that one imports
Keras. `keras_attend` in turn imports from here the code that needs NumPy alone.
"""

from keras_attend_runtime.tracking import FrameTracker, Tracker

__all__ = ["FrameTracker", "Tracker"]
