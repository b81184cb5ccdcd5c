"""One paper a file."""

from keras_attend.models.feedforward import Feedforward
from keras_attend.models.ram import RAM
from keras_attend.models.ram_agent import RAMAgent
from keras_attend.models.ratm import RATM, RATMCell
from keras_attend.models.tracker import RecurrentTracker

__all__ = [
    "RAM",
    "RATM",
    "Feedforward",
    "RAMAgent",
    "RATMCell",
    "RecurrentTracker",
]
