"""Crop each image of a batch at a place of its own."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import keras
from keras import ops

from keras_attend.types import Tensor

Size: TypeAlias = tuple[int, int]

AUTO_SIZES: tuple[Size, ...] = ((64, 64), (128, 128), (256, 256), (512, 512))


def crop_images(
    images: Tensor, corner: Sequence[Tensor], size: Sequence[int | Tensor]
) -> Tensor:
    """Crop all images to one size, each at a place of its own.

    Each backend has its own code here, because no `keras.ops` function is fast on both.
    `vectorized_map` is one kernel on JAX; on TensorFlow it gathers single pixels, two
    to eight times slower than a loop over the batch. `ops.map` copies each image first.

    Args:
        images: `[B, H, W, C]`.
        corner: the top row and the left column of each crop, two `[B]` of integers.
        size: `(height, width)` of the crops; integers wherever H and W are known.

    Returns:
        `[B, height, width, C]`. No useful gradient is defined: callers define theirs.
    """
    (top, left), (height, width), channels = corner, size, images.shape[-1]
    if keras.backend.backend() == "jax":

        def crop_one(sample: tuple[Tensor, Tensor, Tensor]) -> Tensor:
            image, y, x = sample
            return ops.slice(image, (y, x, 0), (height, width, channels))

        return ops.vectorized_map(crop_one, (images, top, left))

    import tensorflow as tf

    def crop_next(b: Tensor, corners: Tensor, crops: Any) -> tuple[Any, ...]:
        # Each turn rolls `corners`, so that row 0 is image b's. XLA takes an offset
        # that the loop does not change for a constant, and would compile again for
        # each new place.
        offset = tf.concat([[b], corners[0], [0]], axis=0)
        crop = tf.slice(images, offset, (1, height, width, channels))[0]
        return b + 1, tf.roll(corners, -1, axis=0), crops.write(b, crop)

    count = tf.shape(images)[0]
    # With its elements' shape, the array can be stacked for an empty batch too.
    known = [side if isinstance(side, int) else None for side in (height, width)]
    crops = tf.TensorArray(images.dtype, count, element_shape=(*known, channels))
    _, _, crops = tf.while_loop(
        lambda b, *_: b < count,
        crop_next,
        (tf.constant(0), tf.stack([top, left], axis=1), crops),
    )
    return crops.stack()


def parse_crop(crop: Any) -> list[Size]:
    """Return the sizes that a `crop` argument allows, from small to large."""
    if crop is None or crop == "auto":
        return list(AUTO_SIZES if crop else ())
    try:
        many = not isinstance(crop, int) and not isinstance(crop[0], int)
        sizes = [parse_size(c, "crop") for c in (crop if many else [crop])]
    except (TypeError, ValueError, LookupError):
        raise ValueError(
            '`crop` must be "auto", None, a positive integer, (height, width) or a '
            f"list of (height, width). Received: crop={crop!r}"
        ) from None
    return sorted(sizes, key=lambda size: size[0] * size[1])


def parse_size(value: int | Sequence[int], name: str) -> Size:
    """Return `(height, width)`, from such a pair or from one integer for both."""
    pair = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(pair) != 2 or not all(type(x) is int and x > 0 for x in pair):
        raise ValueError(
            f"`{name}` must be a positive integer or a pair of them. "
            f"Received: {name}={value!r}"
        )
    return pair
