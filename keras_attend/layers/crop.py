"""One window per sample, cut out of a batch of images."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import keras
from keras import ops

from keras_attend.types import Tensor

Size: TypeAlias = tuple[int, int]

AUTO_BUCKETS: tuple[Size, ...] = ((64, 64), (128, 128), (256, 256), (512, 512))


def crop_windows(
    images: Tensor, starts: Sequence[Tensor], size: Sequence[int | Tensor]
) -> Tensor:
    """Cut a window of one size out of each image, from a place of its own.

    This file knows the backend because no single `keras.ops` form is fast on both.
    `vectorized_map` is one kernel on JAX; on TensorFlow it becomes a gather of
    single pixels, two to eight times slower. A loop over slices of the whole batch is
    fastest on TensorFlow, and serial on a JAX accelerator. `ops.map` over the images
    themselves copies every frame before it cuts.

    Args:
        images: `[B, H, W, C]`.
        starts: first row and first column of each window, two `[B]` of integers.
        size: `(height, width)` of a window; integers wherever H and W are known.

    Returns:
        `[B, height, width, C]`. Callers bring their own gradient.
    """
    (top, left), (height, width), channels = starts, size, images.shape[-1]
    if keras.backend.backend() == "jax":

        def cut(sample: tuple[Tensor, Tensor, Tensor]) -> Tensor:
            image, y, x = sample
            return ops.slice(image, (y, x, 0), (height, width, channels))

        return ops.vectorized_map(cut, (images, top, left))

    import tensorflow as tf

    def cut_next(b: Tensor, places: Tensor, windows: Any) -> tuple[Any, ...]:
        # `places` turns, so that its first row is this image's. XLA takes a slice's
        # start for a constant unless the loop changes it, and would compile again for
        # each new place.
        begin = tf.concat([[b], places[0], [0]], axis=0)
        window = tf.slice(images, begin, (1, height, width, channels))[0]
        return b + 1, tf.roll(places, -1, axis=0), windows.write(b, window)

    count = tf.shape(images)[0]
    # Told the shape, an empty batch works too.
    static = [size if isinstance(size, int) else None for size in (height, width)]
    windows = tf.TensorArray(
        images.dtype, count, element_shape=tf.TensorShape((*static, channels))
    )
    _, _, windows = tf.while_loop(
        lambda b, *_: b < count,
        cut_next,
        (tf.constant(0), tf.stack([top, left], axis=1), windows),
    )
    return windows.stack()


def parse_buckets(crop: Any) -> tuple[Any, list[Size]]:
    """A `crop` argument as a layer keeps it, and its windows from small to large."""
    if crop is None or crop == "auto":
        return crop, list(AUTO_BUCKETS if crop else ())
    try:
        many = not isinstance(crop, int) and not isinstance(crop[0], int)
        buckets = [parse_size(c, "crop") for c in (crop if many else [crop])]
    except (TypeError, ValueError, LookupError):
        raise ValueError(
            '`crop` must be "auto", None, a positive integer, (height, width) or a '
            f"list of (height, width). Received: crop={crop!r}"
        ) from None
    buckets.sort(key=lambda bucket: bucket[0] * bucket[1])
    return crop, buckets


def parse_size(value: int | Sequence[int], name: str) -> Size:
    """`(height, width)` of an integer or a pair of them."""
    pair = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(pair) != 2 or not all(type(x) is int and x > 0 for x in pair):
        raise ValueError(
            f"`{name}` must be a positive integer or a pair of them. "
            f"Received: {name}={value!r}"
        )
    return pair
