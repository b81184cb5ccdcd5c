"""What AIR sees of a picture: its pixels at half the size."""

from keras import ops

from keras_attend.types import Tensor


def summarised(images: Tensor) -> Tensor:
    """Pixels of images `[B, H, W, C]` at half the size, as one row each."""
    small = ops.average_pool(images, 2, strides=2, padding="same")
    length = 1
    for side in small.shape[1:]:
        length *= side
    return ops.reshape(small, (-1, length))
