"""A head for DRLT that chooses among the boxes of `MatchBoxes`. Ours."""

import keras
from keras import layers, ops

from keras_attend.arguments import KeepsArguments, check_positive_integers
from keras_attend.models.drlt.match_boxes import NUMBERS
from keras_attend.types import Shape, Tensor

FAR = 4.0  # sides: what the LSTM is told of all candidates farther away than this
MOVE = 0.1  # sides: the greatest step from the candidates' mean
STAY = -18.0  # the initial bias of the last mean: g log p for a p of 1e-4


@keras.saving.register_keras_serializable("keras_attend")
class CandidateChoice(KeepsArguments, keras.layers.Layer):
    r"""Predict the location $\mu_t$ as a weighted mean of candidates, moved a little.

    The candidates $c_1 \dots c_K$ of a frame have probabilities $p_k$; $c_0$ is the
    mean of the frame before, $\mu_{t-1}$. Each is weighed by its probability, by how
    far it is from $c_0$ in sides of $c_0$, $\delta_k$, by how much larger it is,
    $\sigma_k$ (a logarithm for each side), and by what the LSTM says:

    $$e_k = W h_t + b_k + g \log p_k - \lambda \log(1 + |\delta_k|^2)
      - \kappa |\sigma_k|^2, \qquad e_0 = W h_t + b_0, \qquad
      \alpha = \mathrm{softmax}(e)$$

    An object that was lost may be found anywhere: by a square of $\delta$ the tracker
    would stay where it lost it. The mean is then moved by a step $d$ in its own sides,
    a tenth at most:

    $$\bar c = \sum_k \alpha_k c_k, \qquad
      \mu_t = (\bar c_{xy} + \bar c_{wh} \, d_{xy}, \; \bar c_{wh} \, e^{d_{wh}}),
      \qquad d = 0.1 \, \mathrm{clip}(V h_t)$$

    Before training, $\mu_t$ is near the likely candidates that are close to the last
    mean; $g$, $\lambda$ and $\kappa$ are learned as well.

    Args:
        candidates: K.

    Call arguments:
        h: $h_t$, `[B, units]`.
        i: the candidates, `[B, 6 K]`, as `MatchBoxes` returns them.
        last: $\mu_{t-1}$, `[B, 4]`: centre and sides, in widths and heights of the
            frame.

    Returns $\mu_t$ `[B, 4]`, in the same units.
    """

    def __init__(self, candidates: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        check_positive_integers(candidates=candidates)
        self.candidates = candidates
        small = keras.initializers.RandomNormal(stddev=1e-2)
        kwargs = {"kernel_initializer": small, "dtype": "float32"}
        # Not assigned in `build`: that would be lost where `fit` builds the model.
        first = keras.initializers.Constant([STAY] + [0.0] * candidates)
        self.weigh = layers.Dense(
            1 + candidates, bias_initializer=first, name="weigh", **kwargs
        )
        self.move = layers.Dense(4, name="move", **kwargs)

    def build(self, input_shape: Shape) -> None:
        """Make the weights for `h` of shape `[B, units]`."""
        self.weigh.build(input_shape)
        self.move.build(input_shape)
        # Logarithms of g / 2, lambda / 2 and kappa / 2.
        self.importance = self.add_weight(
            (3,), "zeros", dtype="float32", autocast=False, name="importance"
        )

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """The shape of the location, for `summary`."""
        return (None, 4)

    def seen(self, i: Tensor, last: Tensor) -> Tensor:
        """The candidates relative to `last`, which the LSTM takes: `[B, 6 K]`.

        Of each: its distance in x and y, in sides of `last`; the logarithms of its
        sides, in sides of `last`; its score and its probability.
        """
        c = ops.reshape(ops.cast(i, "float32"), (-1, self.candidates, NUMBERS))
        away, sides = _away(c, ops.cast(last, "float32")[:, None])
        grown = ops.log(ops.maximum(c[..., 2:4], 1e-3) / sides)
        there = ops.clip(ops.concatenate([away, grown], axis=-1), -FAR, FAR)
        there = ops.concatenate([there, c[..., 4:]], axis=-1)
        return ops.reshape(there, (-1, NUMBERS * self.candidates))

    def call(self, h: Tensor, i: Tensor, last: Tensor) -> Tensor:
        r"""The location $\mu_t$ `[B, 4]`."""
        c = ops.reshape(ops.cast(i, "float32"), (-1, self.candidates, NUMBERS))
        log_p = ops.log(ops.maximum(c[..., 5], 1e-9))  # [B, K]
        seen = ops.reshape(self.seen(i, last), (-1, self.candidates, NUMBERS))
        c_0 = ops.cast(last, "float32")[:, None]
        delta = ops.clip(_away(c, c_0)[0], -50.0, 50.0)
        far = ops.log(1 + ops.sum(ops.square(delta), axis=-1))
        sigma = ops.sum(ops.square(seen[..., 2:4]), axis=-1)
        g, lambda_, kappa = ops.unstack(2 * ops.exp(self.importance), 3)
        likely = g * log_p - lambda_ * far - kappa * sigma
        e = self.weigh(h) + ops.pad(likely, ((0, 0), (1, 0)))  # [B, 1 + K]
        alpha = ops.softmax(e, axis=-1)
        c = ops.concatenate([c_0, c[..., :4]], axis=1)
        mean = ops.sum(alpha[..., None] * c, axis=1)  # [B, 4]
        center, sides = mean[:, :2], mean[:, 2:]
        d = MOVE * ops.clip(self.move(h), -1.0, 1.0)
        return ops.concatenate(
            [center + sides * d[:, :2], sides * ops.exp(d[:, 2:])], axis=-1
        )


def _away(c: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """How far candidates are from `last` `[B, 1, 4]`, in its sides; and these sides."""
    sides = ops.maximum(last[..., 2:], 1e-3)
    return (c[..., :2] - last[..., :2]) / sides, sides
