"""Where `WideHARTCell` looks next: what it believes, and how it searches when lost.

Boxes are center y, center x, height and width in pixels, windows center y, center x and
side.
"""

from keras import ops

from keras_attend.models.tracker import image_size
from keras_attend.types import Tensor

UNITS = 4.0  # of a window's side, in which points in it are counted
SMALLEST = 4.0  # pixels: the least side of a box
LOST = 0.3  # a lower presence means that the object is not followed any more
FOUND = 0.6  # a higher one that it is found again
SURE = 0.85  # a higher one that what is seen may serve as a template
GROWTH, WIDEST = 1.15, 2.2  # of the window, for each frame; at most
PATIENCE = 2  # frames before it grows
NEARBY = 8  # frames before it also looks elsewhere
POINTS = 32  # places in the frame where it then looks, one after the other


def limit_of(frame: Tensor) -> Tensor:
    """Height and width of frames, `[2]`."""
    return ops.stack([ops.cast(n, "float32") for n in image_size(frame)])


def size_of(box: Tensor) -> Tensor:
    """Square root of the area, `[B, 1]`, of boxes whose sides come last."""
    return ops.sqrt(box[:, 2:3] * box[:, 3:4])


def window_of(
    box: Tensor, shift: Tensor, lost: Tensor, limit: Tensor, wide: float = 4.0
) -> Tensor:
    r"""The next window, `[B, 3]`.

    Its side is `wide` times $S$, with $S = \sqrt{h w}$ of the box, its center the
    box's, moved by $S$ times `shift`. When the object has not been seen for $n$ frames,
    the window grows step by step to 2.2 times that, or to the whole frame if this is
    smaller. Larger ones would show the object too small to be known again. So from the
    ninth frame on every other window lies elsewhere in the frame, each time at another
    place.

    Args:
        box: where the object was last, `[B, 4]`.
        shift: of the window, y and x, in units of S, `[B, 2]`.
        lost: n, `[B, 1]`.
        limit: the frame's height and width, `[2]`.
        wide: the window's side, in units of S.
    """
    side = size_of(box)
    whole = ops.max(limit) / (wide * side)
    grown = ops.power(GROWTH, ops.relu(lost - PATIENCE))
    grown = ops.clip(grown, 1.0, ops.clip(whole, 1.0, WIDEST))
    center = box[:, :2] + side * shift * ops.cast(lost < 1, "float32")
    turn = (ops.cast(lost[:, 0], "int32") // 2) % POINTS  # [B]
    elsewhere = ops.take(ops.convert_to_tensor(spread(POINTS)), turn, axis=0)
    away = ops.logical_and(lost > NEARBY, lost % 2 > 0.5)
    center = ops.where(away, elsewhere * limit, center)
    return ops.concatenate([center, wide * side * grown], axis=-1)


def believed(
    found: Tensor,
    old: Tensor,
    presence: Tensor,
    rate: Tensor,
    lost: Tensor,
    limit: Tensor,
) -> tuple[Tensor, Tensor]:
    """The box that is believed in, `[B, 4]`, and for how long it is lost, `[B, 1]`.

    A box is followed unless the object is probably not in it. Then the last one
    stands, until one is found that probably has it.

    Args:
        found: the box that was found, `[B, 4]`.
        old: the last one.
        presence: how likely the window shows the object, `[B, 1]`.
        rate: how much of the size found is taken, `[B, 1]`, in 0..1.
        lost: for how many frames it has not been seen, `[B, 1]`.
        limit: the frame's height and width, `[2]`.
    """
    sides = ops.exp(
        (1 - rate) * ops.log(old[:, 2:])
        + rate * ops.log(ops.maximum(found[:, 2:], 1.0))
    )
    center = ops.clip(found[:, :2], 0.0, limit)
    box = ops.concatenate([center, ops.clip(sides, SMALLEST, 2.0 * limit)], axis=-1)
    needed = ops.where(lost > 0, FOUND, LOST)
    seen = presence > needed
    return ops.where(seen, box, old), ops.where(seen, 0.0 * lost, lost + 1)


def relative(box: Tensor, window: Tensor) -> Tensor:
    """A box as `places` counts: from the window's middle, a quarter of it a unit."""
    unit = window[:, 2:] / UNITS
    return ops.concatenate(
        [(box[:, :2] - window[:, :2]) / unit, box[:, 2:] / unit], axis=-1
    )


def absolute(box: Tensor, window: Tensor) -> Tensor:
    """The inverse of `relative`."""
    unit = window[:, 2:] / UNITS
    return ops.concatenate([window[:, :2] + box[:, :2] * unit, box[:, 2:] * unit], -1)


def erring(box: Tensor, moves: Tensor) -> Tensor:
    """A box as if the tracker had erred, by the first three of `[B, 4]` numbers.

    Two move it, in units of its size; one scales it, by a logarithm.
    """
    center = box[:, :2] + size_of(box) * moves[:, :2]
    return ops.concatenate([center, box[:, 2:] * ops.exp(moves[:, 2:3])], axis=-1)


def spread(count: int) -> list[list[float]]:
    """Points in a unit square that lie everywhere alike, `[count, 2]` (Halton's)."""

    def fraction(number: int, base: int) -> float:
        value, share = 0.0, 1.0
        while number:
            share /= base
            value += share * (number % base)
            number //= base
        return value

    return [[fraction(i + 1, 2), fraction(i + 1, 3)] for i in range(count)]
