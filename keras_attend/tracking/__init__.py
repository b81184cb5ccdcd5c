"""Follow objects frame by frame with a trained model."""

from keras_attend.tracking.tracker import Tracker

__all__ = ["Tracker"]
