"""`Tracker`, and the compiled step that it runs for each frame."""

from keras_attend.tracking.tracker import Tracker

__all__ = ["Tracker"]
