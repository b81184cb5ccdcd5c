"""RATM for objects of any size: steps in sizes of the window. Ours, not the paper's."""

from typing import Any

import keras
from keras import ops

from keras_attend.arguments import check_choice
from keras_attend.layers.tracing import join_last, split_last
from keras_attend.models.ratm.cell import RATMCell
from keras_attend.types import Nested, Shape, Tensor

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


@keras.saving.register_keras_serializable("keras_attend")
class SquareRATMCell(RelativeRATMCell):
    r"""A `RelativeRATMCell` whose windows are square, for networks that know shapes.

    A window is `scale` times as wide as the square root $S$ of the box's area. The
    predicted boxes have the shape that the object had in the first frame, and only
    their size changes: a shape that each frame changed a little would be lost in a
    hundred frames.

    Args: those of `RATMCell`; `start` must be "box".
    """

    def build(self, frame_shape: Shape) -> None:
        """Make the weights, which are the same for all sizes of frames."""
        check_choice("start", self.start, ("box",))
        super().build(frame_shape)

    @property
    def state_spec(self) -> Nested:
        """Sizes of the state's tensors."""
        return super().state_spec | {"shape": 2}

    def initial_state(self, frame: Tensor, box: Tensor) -> Nested:
        """That of `RATMCell`, and the object's shape."""
        shape = self.shape_of(ops.cast(box, "float32"))
        return super().initial_state(frame, box) | {"shape": shape}

    def shape_of(self, box: Tensor) -> Tensor:
        """Height and width of boxes `[B, 4]`, in units of S, `[B, 2]`."""
        _, _, w, h = split_last(box, 4)
        S = _size(w, h)
        return join_last([h / S, w / S])

    def sides_in_window(self, box: Tensor) -> Tensor:
        """Height and width of boxes `[B, 4]`, as parts of their windows', `[B, 2]`."""
        return self.shape_of(box) / self.scale

    def to_attention(self, box: Tensor, size: tuple[Any, Any]) -> Tensor:
        """The attention `[B, 7]` of a square window around a box `[B, 4]`."""
        x, y, w, h = split_last(box, 4)
        S = _size(w, h)
        square = join_last([x + (w - S) / 2, y + (h - S) / 2, S, S])
        return super().to_attention(square, size)

    def to_box(self, window: Tensor, state: Nested) -> Tensor:
        """The box `[B, 4]` of the first frame's shape that a window stands for."""
        x, y, w, h = split_last(super().to_box(window, state), 4)
        tall, wide = split_last(state["shape"], 2)
        x, y = x + w * (1 - wide) / 2, y + h * (1 - tall) / 2
        return join_last([x, y, w * wide, h * tall])

    def move(self, a: Tensor, step: Tensor) -> Tensor:
        """The attention `[B, 7]` that a step `[B, 7]` leads to: one growth for all."""
        r = split_last(step, 7)
        growth = (r[2] + r[3] + r[5] + r[6]) / 4
        return super().move(
            a, join_last([r[0], r[1], *[growth] * 2, r[4], *[growth] * 2])
        )


def _size(w: Tensor, h: Tensor) -> Tensor:
    """S, the square root of a box's area."""
    return ops.sqrt(ops.maximum(w * h, 1e-6))
