"""One paper a file."""

from keras_attend.models.feedforward import Feedforward
from keras_attend.models.ram import RAM
from keras_attend.models.ram_agent import RAMAgent

__all__ = ["RAM", "Feedforward", "RAMAgent"]
