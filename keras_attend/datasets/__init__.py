"""Data sets as NumPy arrays behind `keras.utils.PyDataset`, and a game."""

from keras_attend.datasets.bouncing_balls import BouncingBalls
from keras_attend.datasets.catch import Catch, Games
from keras_attend.datasets.cluttered_digits import ClutteredDigits, cluttered_mnist
from keras_attend.datasets.digits import Digits, mnist, sample_digits
from keras_attend.datasets.kth import KTH, KTHFold, KTHSequence
from keras_attend.datasets.moving_digits import MovingDigits

__all__ = [
    "KTH",
    "BouncingBalls",
    "Catch",
    "ClutteredDigits",
    "Digits",
    "Games",
    "KTHFold",
    "KTHSequence",
    "MovingDigits",
    "cluttered_mnist",
    "mnist",
    "sample_digits",
]
