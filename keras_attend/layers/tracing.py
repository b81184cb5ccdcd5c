"""Operations that are traced in another way where nothing compiles them.

XLA compiles training and `predict`. The runtimes of exported files (ONNX, LiteRT) and
TensorFlow's own graph on a CPU compile nothing: there each operation costs time by
itself. In files some do not exist either.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
from keras import ops
from numpy.typing import NDArray

from keras_attend.types import Tensor

_exporting: ContextVar[bool] = ContextVar("exporting", default=False)
_uncompiled: ContextVar[bool] = ContextVar("uncompiled", default=False)


@contextmanager
def uncompiled() -> Iterator[None]:
    """Make layers, inside the `with` block, trace few operations and no gradients."""
    token = _uncompiled.set(True)
    try:
        yield
    finally:
        _uncompiled.reset(token)


@contextmanager
def exporting() -> Iterator[None]:
    """Do as `uncompiled` does, and leave out what the loss alone needs."""
    token = _exporting.set(True)
    try:
        with uncompiled():
            yield
    finally:
        _exporting.reset(token)


def is_uncompiled() -> bool:
    """Whether this code is traced inside an `uncompiled` or `exporting` block."""
    return _uncompiled.get()


def is_exporting() -> bool:
    """Whether this code is traced inside an `exporting` block."""
    return _exporting.get()


def split_last(x: Tensor, count: int) -> list[Tensor]:
    """Split the last axis into `count` tensors: `[...]`, or `[..., 1]` uncompiled.

    Uncompiled, a change of shape costs as much as the arithmetic that follows.
    """
    if is_uncompiled():
        return ops.split(x, count, axis=-1)
    return ops.unstack(x, count, axis=-1)


def join_last(xs: Sequence[Tensor]) -> Tensor:
    """Join tensors along a last axis: the inverse of `split_last`."""
    join = ops.concatenate if is_uncompiled() else ops.stack
    return join(list(xs), axis=-1)


def dynamic_slice(
    x: Tensor, offset: Sequence[Tensor], size: Sequence[Tensor]
) -> Tensor:
    """Slice `x` at an offset and to a size that are tensors, one `[1]` for each axis.

    It is called uncompiled alone, which is on TensorFlow.
    """
    import tensorflow as tf

    return tf.slice(x, tf.concat(offset, 0), tf.concat(size, 0))


def filter_along_y(f: Tensor, images: Tensor) -> Tensor:
    """Apply filters `[B, G, H]` to images `[B, H, W, C]`: `[B, G, W, C]`."""
    if not is_uncompiled():
        return ops.einsum("brh,bhwc->brwc", f, images)
    # Matrix products are faster than `einsum` here. In a file there may be one image
    # for the filters of several objects.
    batch, height, width, channels = ops.shape(images)
    flat = ops.reshape(images, (batch, height, width * channels))
    each = batch if f.shape[0] == images.shape[0] else -1
    return ops.reshape(ops.matmul(f, flat), (each, f.shape[1], width, channels))


def filter_along_x(f: Tensor, rows: Tensor) -> Tensor:
    """Apply filters `[B, G, W]` to images `[B, R, W, C]`: `[B, R, G, C]`."""
    if not is_uncompiled():
        return ops.einsum("bkw,brwc->brkc", f, rows)
    if rows.shape[-1] == 1:
        return ops.matmul(rows[..., 0], ops.swapaxes(f, 1, 2))[..., None]
    return ops.matmul(f[:, None], rows)


def for_each(x: Tensor, objects: Tensor) -> Tensor:
    """Repeat `x` `[1, ...]` for each of the objects that `objects` `[N, ...]` is of.

    Only an exported step for several objects has one frame for N states; elsewhere, and
    in a step for one object, `x` is returned as it is.
    """
    if not is_exporting() or x.shape[0] != 1 or objects.shape[0] == 1:
        return x
    return ops.repeat(x, ops.shape(objects)[0], axis=0)


def gather_places(maps: Tensor, places: NDArray[np.int64]) -> Tensor:
    """Gather elements of flattened maps `[B, N, ...]` by their indices.

    Uncompiled, one gather takes no longer than one of the many slices that it replaces.
    """
    return ops.take(maps, ops.convert_to_tensor(places, "int32"), axis=1)
