"""Check the first batch that a model gets.

In training a single NaN makes all weights NaN, without a word. Floats in 0..255 are
another picture to a model of floats in 0..1, and its answers are then nonsense.
"""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

COUNT = 32  # images, or clips, of arrays that are checked; all boxes are


def check_images(x: Any, y: Any = None) -> None:
    """Raise a `ValueError` if the first images are floats that are not in 0..1.

    The arguments are those of `check_first_batch`.
    """
    images = first_batch(x, y)[0]
    images = _array(images[:COUNT] if hasattr(images, "shape") else images)
    if images is None or images.dtype.kind != "f" or not images.size:
        return
    low, high = images.min(), images.max()
    if not (low >= 0 and high <= 1):  # NaN is in no range
        raise ValueError(
            "Images of floats must hold numbers in 0..1; divide by 255 first, or pass "
            f"uint8. Received: numbers in {low}..{high}"
        )


def check_first_batch(x: Any, y: Any) -> None:
    """Raise a `ValueError` that names the clip, if a batch would spoil the weights.

    Args:
        x: the inputs of `fit`, or data that give inputs and targets: a `PyDataset`, or
            a `tf.data.Dataset`. Of a generator nothing is taken.
        y: the targets, if `x` holds inputs alone.
    """
    x, y = first_batch(x, y)
    if not isinstance(x, dict):
        return  # `call` says what is wrong
    y = y if isinstance(y, dict) else {}  # so do the losses
    frames, box = (_array(x.get(key)) for key in ("frames", "box"))
    boxes, present = (_array(y.get(key)) for key in ("boxes", "present"))
    if frames is not None and frames.dtype.kind == "f":
        part = frames[:COUNT]
        wrong = ~((part >= 0) & (part <= 1))  # NaN is in no range
        _refuse("frames", part, wrong, "must hold finite numbers in 0..1, or be uint8")
    if box is not None:
        wrong = ~(np.isfinite(box).all(-1) & (box[..., 2:] > 0).all(-1))
        _refuse("box", box, wrong, "must be finite, with a positive width and height")
    if present is not None:
        wrong = ~((present >= 0) & (present <= 1))
        _refuse("present", present, wrong, "must be in 0..1")
    if boxes is not None:
        wrong = ~np.isfinite(boxes).all(-1)
        if present is not None and present.shape == wrong.shape:
            wrong &= present > 0  # elsewhere a box may hold anything
        _refuse("boxes", boxes, wrong, "must be finite where the object is present")


def first_batch(x: Any, y: Any) -> tuple[Any, Any]:
    """Return inputs and targets, which are taken out of data that give both."""
    if isinstance(x, keras.utils.PyDataset):
        batch = x[0] if len(x) else ()
    elif hasattr(x, "element_spec"):
        batch = next(iter(x), ())
    else:
        return x, y
    if not isinstance(batch, tuple):
        return batch, None
    return batch[0] if batch else None, batch[1] if len(batch) > 1 else None


def _array(value: Any) -> NDArray[Any] | None:
    """Return what is given as an array; what cannot be one is for others to refuse."""
    if value is None:
        return None
    try:
        found = keras.ops.convert_to_numpy(value)
    except (TypeError, ValueError):
        return None
    return found if found.ndim and found.dtype.kind in "fiub" else None


def _refuse(name: str, value: Any, wrong: NDArray[np.bool_], accepted: str) -> None:
    if not wrong.any():
        return
    clip, *place = np.argwhere(wrong)[0].tolist()
    frame = f", frame {place[0]}" if place else ""
    received = value[tuple([clip, *place])]
    raise ValueError(
        f"`{name}` {accepted}. Received: {received} in clip {clip} of the first "
        f"batch{frame}"
    )
