"""Data sets as NumPy arrays behind `keras.utils.PyDataset`."""

from keras_attend.datasets.digits import Digits, mnist, sample_digits

__all__ = ["Digits", "mnist", "sample_digits"]
