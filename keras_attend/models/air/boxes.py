"""Where something was drawn."""

from keras import ops

from keras_attend.types import Tensor

INK = 0.25  # what is more opaque belongs to an object's box


def ink_boxes(masks: Tensor, ink: float = INK) -> Tensor:
    """Boxes about the pixels of masks that are more opaque than `ink`.

    Args:
        masks: `[..., H, W]`, in 0..1.
        ink: a threshold.

    Returns:
        Boxes `[..., 4]`: x, y, width and height in pixels; zeros where there is no ink.
    """
    drawn = ops.cast(masks > ink, "int32")
    y, height = _extent(ops.max(drawn, axis=-1))
    x, width = _extent(ops.max(drawn, axis=-2))
    return ops.cast(ops.stack([x, y, width, height], axis=-1), "float32")


def _extent(line: Tensor) -> tuple[Tensor, Tensor]:
    """The first of the ones of `[..., length]`, and how far it is to the last."""
    length = line.shape[-1]
    place = ops.arange(length, dtype="int32")
    any_ink = ops.max(line, axis=-1)
    first = ops.min(ops.where(line > 0, place, length), axis=-1) * any_ink
    last = ops.max(ops.where(line > 0, place, -1), axis=-1)
    return first, (last - first + 1) * any_ink
