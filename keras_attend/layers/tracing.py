"""Tell layers whether they are traced for an exported file, and how to trace then.

XLA compiles training and `predict`. The runtimes of exported files (ONNX, LiteRT)
compile nothing: there each operation costs time by itself, and some do not exist.
"""

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
    """Make layers, inside the `with` block, trace what is fast in exported files."""
    token = _for_a_file.set(True)
    try:
        yield
    finally:
        _for_a_file.reset(token)


def is_for_a_file() -> bool:
    """Whether this code is traced inside a `for_a_file` block."""
    return _for_a_file.get()


def numbers(x: Tensor, count: int) -> list[Tensor]:
    """Split the last axis into `count` tensors `[...]`; for a file, into `[..., 1]`.

    There each change of shape would cost as much as the arithmetic that follows.
    """
    if is_for_a_file():
        return ops.split(x, count, axis=-1)
    return ops.unstack(x, count, axis=-1)


def together(xs: Sequence[Tensor]) -> Tensor:
    """Join tensors along a last axis: the inverse of `numbers`."""
    if is_for_a_file():
        return ops.concatenate(list(xs), axis=-1)
    return ops.stack(list(xs), axis=-1)


def dynamic_slice(
    x: Tensor, offset: Sequence[Tensor], size: Sequence[Tensor]
) -> Tensor:
    """Slice `x` at an offset and to a size that are tensors, one `[1]` for each axis.

    It is called for files alone, which only TensorFlow writes.
    """
    import tensorflow as tf

    return tf.slice(x, tf.concat(offset, 0), tf.concat(size, 0))


def over_rows(f: Tensor, images: Tensor) -> Tensor:
    """Apply filters `[B, G, H]` along y to images `[B, H, W, C]`: `[B, G, W, C]`."""
    if not is_for_a_file():
        return ops.einsum("brh,bhwc->brwc", f, images)
    # Runtimes of files are faster at matrix products than at `einsum`.
    batch, height, width, channels = ops.shape(images)
    flat = ops.reshape(images, (batch, height, width * channels))
    return ops.reshape(ops.matmul(f, flat), (batch, f.shape[1], width, channels))


def over_columns(f: Tensor, rows: Tensor) -> Tensor:
    """Apply filters `[B, G, W]` along x to images `[B, R, W, C]`: `[B, R, G, C]`."""
    if not is_for_a_file():
        return ops.einsum("bkw,brwc->brkc", f, rows)
    if rows.shape[-1] == 1:
        return ops.matmul(rows[..., 0], ops.swapaxes(f, 1, 2))[..., None]
    return ops.matmul(f[:, None], rows)


def picked(maps: Tensor, places: NDArray[np.int64]) -> Tensor:
    """Gather elements of flattened maps `[B, N, ...]` by their indices, for a file.

    There one gather takes no longer than one of the many slices that it replaces.
    """
    return ops.take(maps, ops.convert_to_tensor(places, "int32"), axis=1)
