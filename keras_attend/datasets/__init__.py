"""Data sets as NumPy arrays behind `keras.utils.PyDataset`, and a game."""

from keras_attend.datasets.catch import Catch, Games
from keras_attend.datasets.cluttered_digits import ClutteredDigits, cluttered_mnist
from keras_attend.datasets.digits import Digits, mnist, sample_digits
from keras_attend.datasets.sequences import (
    Clips,
    Sequence,
    StillClips,
    got10k,
    otb,
    read_frames,
)

__all__ = [
    "Catch",
    "Clips",
    "ClutteredDigits",
    "Digits",
    "Games",
    "Sequence",
    "StillClips",
    "cluttered_mnist",
    "got10k",
    "mnist",
    "otb",
    "read_frames",
    "sample_digits",
]
