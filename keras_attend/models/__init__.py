"""One paper a file."""

from keras_attend.models.ram import RAM

__all__ = ["RAM"]
