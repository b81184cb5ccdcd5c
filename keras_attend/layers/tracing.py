"""Whether layers are traced for a file, to be run without a compiler."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
from keras import ops
from numpy.typing import NDArray

from keras_attend.types import Shape, Tensor

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


def switch(
    index: Tensor,
    branches: Sequence[Callable[..., Tensor]],
    *inputs: Tensor,
    shape: Shape,
) -> Tensor:
    """`ops.switch`; for a file a row of `cond`, which every format has.

    None within another: converters take minutes over those. `shape` is the result's.
    """
    if not is_for_a_file():
        return ops.switch(index, list(branches), *inputs)
    found = ops.zeros(shape)
    for i, branch in enumerate(branches):
        found = ops.cond(
            ops.equal(index, i),
            lambda branch=branch: branch(*inputs),
            lambda found=found: found,
        )
    return found


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
