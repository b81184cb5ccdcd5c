"""Maps on a grid, and boxes among their places, as `WideHART` has them.

A window shows `g` by `g` places. A point or a size is counted in quarters of the
window's side, which is the object's size, from the window's middle: the row first.
"""

import math

from keras import ops

from keras_attend.types import Tensor


def unit(x: Tensor) -> Tensor:
    """Vectors of length 1 along the last axis."""
    square = ops.sum(ops.square(x), axis=-1, keepdims=True)
    return x * ops.rsqrt(square + 1e-4)


def hough(R: Tensor, m: Tensor, g: int) -> Tensor:
    r"""$h_i = \sum_q m_q R_{q, i + \delta_q} / \sum_q m_q$, `[B, K, N]`.

    Part $q$, in row $r$ and column $c$ of the template, lies
    $\delta_q = (r, c) - \lfloor p / 2 \rfloor$ from its middle. Every row is shifted by
    one more place by laying it out in rows that are longer by one.

    Args:
        R: similarities, `[B, K, P, N]`.
        m: weights of the parts, `[B, K, P]`.
        g: rows and columns of the window's grid.
    """
    kinds, p = R.shape[1], math.isqrt(R.shape[2])
    w, sides = g + p - 1, [p // 2, p - 1 - p // 2]
    R = ops.reshape(R * m[..., None], (-1, p * p, g, g))
    R = ops.pad(R, [[0, 0], [0, 0], sides, sides])
    R = _sheared(ops.reshape(R, (-1, p, p * w * w)), w)  # rows of the template
    R = _sheared(ops.reshape(ops.sum(R, axis=1), (-1, p, w * w)), 1)  # columns
    h = ops.reshape(ops.sum(R, axis=1), (-1, w, w))[:, :g, :g]
    h = ops.reshape(h, (-1, kinds, g * g))
    return h / (ops.sum(m, axis=2)[..., None] + 1e-3)


def _sheared(x: Tensor, step: int) -> Tensor:
    """Row r of `[B, p, n]` begins r * step numbers later; zeros come after its end."""
    _, p, n = x.shape
    x = ops.pad(ops.reshape(x, (-1, p * n)), [[0, 0], [0, p * step]])
    return ops.reshape(x, (-1, p, n + step))[:, :, :n]


def places(g: int, cell: float | None = None) -> Tensor:
    """Row and column of the places of a grid, `[g * g, 2]`.

    In units of the object's side, of which the window has four, from its middle;
    `cell` is a place's side, 4 / g when absent.
    """
    line = (ops.arange(g, dtype="float32") - (g - 1) / 2) * (cell or 4.0 / g)
    rows, cols = ops.meshgrid(line, line, indexing="ij")
    return ops.reshape(ops.stack([rows, cols], axis=-1), (g * g, 2))


def coverage(
    center: Tensor, sides: Tensor, g: int, cell: float | None = None
) -> Tensor:
    """How much of each place a box covers, `[B, g * g]`, in 0..1.

    Args:
        center: row and column, `[B, 2]`, as `places` counts.
        sides: height and width, `[B, 2]`, likewise.
        g: rows and columns of the grid.
        cell: a place's side; absent, that of a window's grid, 4 / g.
    """
    cell = cell or 4.0 / g
    line = (ops.arange(g, dtype="float32") - (g - 1) / 2) * cell
    shares = []
    for axis in (0, 1):
        c, half = center[:, axis : axis + 1], sides[:, axis : axis + 1] / 2
        low = ops.maximum(line - cell / 2, c - half)
        high = ops.minimum(line + cell / 2, c + half)
        shares.append(ops.relu(high - low) / cell)  # [B, g]
    return ops.reshape(shares[0][:, :, None] * shares[1][:, None, :], (-1, g * g))


def geometry(center: Tensor, sides: Tensor, g: int, cell: float) -> Tensor:
    """How each place lies to a box, `[B, g * g, 5]`.

    How much of it the box covers, and how far the box's upper, left, lower and right
    side are from its middle, inwards positive. Arguments as of `coverage`.
    """
    away = places(g, cell)[None] - center[:, None]  # [B, N, 2]
    half = sides[:, None] / 2
    inside = coverage(center, sides, g, cell)[..., None]
    return ops.concatenate([inside, away + half, half - away], axis=-1)


def decoded(steps: Tensor, anchor: Tensor) -> Tensor:
    r"""Boxes `[B, N, 4]` (center row, center column, height, width; unit: `places`).

    The center is the place's, moved by the first two numbers. The sides are the first
    frame's shape times the exponential of the others: a shape that each frame changed
    a little would be lost in a hundred frames.
    """
    g = math.isqrt(steps.shape[1])
    c = places(g)[None] + steps[..., :2]
    sides = anchor[:, None] * ops.exp(ops.clip(steps[..., 2:], -1.5, 1.5))
    return ops.concatenate([c, sides], axis=-1)


def cropped(maps: Tensor, center: Tensor, g: int, p: int) -> tuple[Tensor, Tensor]:
    """Of maps `[B, N, C]` the p by p places nearest to a point.

    Args:
        maps: of a window.
        center: the point, `[B, 2]`, as `places` counts.
        g: rows and columns of the window's grid.
        p: of what is cropped.

    Returns:
        `[B, p * p, C]`, and the point as the cropped part's own middle counts it,
        `[B, 2]`: part of a template's `geometry`.
    """
    middle = (center + 2.0) * (g / 4.0)  # in places from the grid's corner
    corner = ops.clip(ops.round(middle - p / 2), 0.0, float(g - p))
    line = ops.arange(p, dtype="int32")
    row, col = ops.unstack(ops.cast(corner, "int32"), 2, axis=-1)
    index = (row[:, None, None] + line[:, None]) * g + col[:, None, None] + line
    index = ops.reshape(index, (-1, p * p, 1))
    taken = ops.take_along_axis(maps, index, axis=1)
    return taken, (middle - corner - p / 2) * (4.0 / g)


def template_of(nu: Tensor, box: Tensor, g: int, p: int) -> Tensor:
    """What is at the p by p places nearest to a box, and how they lie to it.

    Args:
        nu: maps of a window, `[B, N, C]`.
        box: center row and column, height, width, `[B, 4]`, as `places` counts.
        g: rows and columns of the window's grid.
        p: of the template.

    Returns:
        `[B, p * p, 5 + C]`: `geometry`, then the maps.
    """
    taken, center = cropped(nu, box[:, :2], g, p)
    gamma = geometry(center, box[:, 2:], p, 4.0 / g)
    return ops.concatenate([gamma, taken], axis=-1)


def peak(s: Tensor, boxes: Tensor, prior: float) -> tuple[Tensor, Tensor]:
    """The box where the location map is greatest, and how much of it is there.

    Args:
        s: location map, `[B, N]`.
        boxes: of the places, `[B, N, 4]`.
        prior: how much the middle of the window counts, in 0..1; it may decide between
            places that are about as likely.

    Returns:
        The mean box of the nine places around the greatest, `[B, 4]`, and their share
        of the map, `[B, 1]`.
    """
    g = math.isqrt(s.shape[1])
    score = ops.sqrt(s + 1e-9)
    score = score / ops.max(score, axis=-1, keepdims=True)
    score = (1 - prior) * score + prior * hann(g)
    # Where it is greatest; `ops.argmax` is more than ONNX has.
    top = score >= ops.max(score, axis=-1, keepdims=True)
    top = ops.cast(top, score.dtype)
    best = ops.matmul(top, places(g)) / ops.sum(top, axis=-1, keepdims=True)
    away = ops.max(ops.abs(places(g)[None] - best[:, None]), axis=-1)
    near = s * ops.cast(away < 1.5 * 4.0 / g, s.dtype) + 1e-12
    share = ops.sum(near, axis=-1, keepdims=True)
    weights = ops.stop_gradient(near / share)
    return ops.matmul(weights[:, None], boxes)[:, 0], share


def hann(g: int) -> Tensor:
    """A bell over a grid, 1 in the middle, `[g * g]`."""
    line = ops.sin((ops.arange(g, dtype="float32") + 1) * (math.pi / (g + 1))) ** 2
    return ops.reshape(line[:, None] * line, (g * g,))
