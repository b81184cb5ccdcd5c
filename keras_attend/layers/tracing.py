"""Whether layers are traced for a file, to be run without a compiler."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
from keras import ops
from numpy.typing import NDArray

from keras_attend.types import Tensor

_for_a_file: ContextVar[bool] = ContextVar("for_a_file", default=False)


@contextmanager
def for_a_file() -> Iterator[None]:
    """Within, layers are traced in the plain operations that file formats have.

    What XLA needs or fuses (loops around slices, patches side by side) costs other
    runtimes time, or is more than they know.
    """
    token = _for_a_file.set(True)
    try:
        yield
    finally:
        _for_a_file.reset(token)


def is_for_a_file() -> bool:
    """Whether `for_a_file` is on."""
    return _for_a_file.get()


def numbers(x: Tensor, count: int) -> list[Tensor]:
    """The numbers of the last axis one by one, `[...]`; for a file `[..., 1]`.

    A file runs each operation by itself, and changes of shape are as many as sums.
    """
    if is_for_a_file():
        return ops.split(x, count, axis=-1)
    return ops.unstack(x, count, axis=-1)


def together(xs: Sequence[Tensor]) -> Tensor:
    """The inverse of `numbers`."""
    if is_for_a_file():
        return ops.concatenate(list(xs), axis=-1)
    return ops.stack(list(xs), axis=-1)


def cut(x: Tensor, begin: Sequence[Tensor], size: Sequence[Tensor]) -> Tensor:
    """A part of `x`, of a size that is not known before; `[1]` each, an axis.

    For a file: this is TensorFlow's, which writes them.
    """
    import tensorflow as tf

    return tf.slice(x, tf.concat(begin, 0), tf.concat(size, 0))


def over_rows(f: Tensor, images: Tensor) -> Tensor:
    """Filters `[B, G, H]` over the rows of images `[B, H, W, C]`: `[B, G, W, C]`."""
    if not is_for_a_file():
        return ops.einsum("brh,bhwc->brwc", f, images)
    # Runtimes multiply matrices faster than they read subscripts.
    batch, height, width, channels = ops.shape(images)
    flat = ops.reshape(images, (batch, height, width * channels))
    return ops.reshape(ops.matmul(f, flat), (batch, f.shape[1], width, channels))


def over_columns(f: Tensor, rows: Tensor) -> Tensor:
    """Filters `[B, G, W]` over the columns of `[B, R, W, C]`: `[B, R, G, C]`."""
    if not is_for_a_file():
        return ops.einsum("bkw,brwc->brkc", f, rows)
    if rows.shape[-1] == 1:
        return ops.matmul(rows[..., 0], ops.swapaxes(f, 1, 2))[..., None]
    return ops.matmul(f[:, None], rows)


def picked(maps: Tensor, places: NDArray[np.int64]) -> Tensor:
    """Numbers or places of flat maps `[B, N, ...]` by index, for a file.

    One gather there takes the time of one of many slices.
    """
    return ops.take(maps, ops.convert_to_tensor(places, "int32"), axis=1)
