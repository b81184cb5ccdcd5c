"""RATM for objects of any size: steps in sizes of the window. Ours, not the paper's."""

import keras
from keras import ops

from keras_attend.layers.tracing import join_last, split_last
from keras_attend.models.ratm.cell import RATMCell
from keras_attend.types import Tensor

SMALLEST, LARGEST = 1e-3, 2.0  # sigmas and strides, where the whole frame has 1


@keras.saving.register_keras_serializable("keras_attend")
class RelativeRATMCell(RATMCell):
    r"""A `RATMCell` that follows small and large objects by the same weights.

    Its steps $r = W_{out} h_t$ are in sizes of the window that they lead away from:
    the centre moves by $r\,d$, and sigmas and strides are multiplied by $e^r$.

    The localisation error is $\sqrt{1 + e^2} - 1$ of the distances $e$, in sizes of
    the true window (centre) and in logarithms (strides): an object that is far away
    then counts little more than one that is nearly lost.

    Args: those of `RATMCell`.
    """

    def move(self, a: Tensor, step: Tensor) -> Tensor:
        """The attention `[B, 7]` that a step `[B, 7]` leads to from `a`."""
        g_x, g_y, s_x, d_x, gamma, s_y, d_y = split_last(a, 7)
        r = split_last(step, 7)
        growth = ops.exp(ops.clip(join_last([r[2], r[3], r[5], r[6]]), -3.0, 3.0))
        sizes = ops.clip(join_last([s_x, d_x, s_y, d_y]) * growth, SMALLEST, LARGEST)
        s_x_next, d_x_next, s_y_next, d_y_next = split_last(sizes, 4)
        g_x, g_y = g_x + r[0] * d_x, g_y + r[1] * d_y
        return join_last([g_x, g_y, s_x_next, d_x_next, gamma, s_y_next, d_y_next])

    def localisation_error(self, found: Tensor, true: Tensor) -> Tensor:
        """How far a centre and strides, `[..., 4]`, are from the true ones, `[...]`."""
        g_found, d_found = found[..., :2], found[..., 2:]
        g_true, d_true = true[..., :2], true[..., 2:]
        away = [(g_found - g_true) / d_true, ops.log(d_found / d_true)]
        e = ops.concatenate(away, axis=-1)
        return ops.mean(ops.sqrt(1 + ops.square(e)) - 1, axis=-1)
