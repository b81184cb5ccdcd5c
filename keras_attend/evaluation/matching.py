"""Pair found boxes with true ones, for models that find objects by themselves."""

import numpy as np
from keras import ops

from keras_attend import boxes as geometry
from keras_attend.types import Array


def pairwise_iou(found: Array, true: Array) -> Array:
    """Compute the IoU of each found box with each true one: `[..., K, M]`.

    Args:
        found: `[..., K, 4]`, `xywh` in pixels.
        true: `[..., M, 4]`.
    """
    found, true = np.asarray(found), np.asarray(true)
    if not found.size or not true.size:
        return np.zeros((*found.shape[:-1], true.shape[-2]))
    iou = geometry.iou(found[..., :, None, :], true[..., None, :, :])
    return ops.convert_to_numpy(iou).astype("float64")


def best_pairs(scores: Array) -> Array:
    """Find the one-to-one pairing with the greatest sum of scores.

    The Hungarian algorithm (Kuhn 1955), by shortest paths with potentials.

    Args:
        scores: `[K, M]`, at least 0. A pair with score 0 is none.

    Returns:
        For each of the M columns the number of its row, or -1.
    """
    K, M = scores.shape
    column_of, count = np.full(M, -1), min(K, M)
    if not count:
        return column_of
    wide = scores if K <= M else scores.T  # a row for each that is sure to be paired
    costs = wide.max() - wide
    rows = _assigned(costs)  # the row of each column, -1 of one that is left over
    for column, row in enumerate(rows):
        if row >= 0 and wide[row, column] > 0:
            k, m = (row, column) if K <= M else (column, row)
            column_of[m] = k
    return column_of


def _assigned(costs: Array) -> Array:
    """Assign each row `[R, C]`, R <= C, a column of its own at the least total cost."""
    R, C = costs.shape
    u, v = np.zeros(R), np.zeros(C + 1)  # potentials
    row_of = np.full(C + 1, -1)  # column C stands for the row that is being placed
    for row in range(R):
        row_of[C], column = row, C
        least, way = np.full(C, np.inf), np.full(C, C)
        done = np.zeros(C + 1, bool)
        while row_of[column] >= 0:  # until a free column is reached
            done[column] = True
            here = row_of[column]
            reduced = costs[here] - u[here] - v[:C]
            nearer = ~done[:C] & (reduced < least)
            least[nearer], way[nearer] = reduced[nearer], column
            column = int(np.where(done[:C], np.inf, least).argmin())
            step = least[column]
            u[row_of[done]] += step
            v[done] -= step
            least[~done[:C]] -= step
        while column != C:  # hand the columns on along the path
            before = way[column]
            row_of[column] = row_of[before]
            column = before
    return row_of[:C]
