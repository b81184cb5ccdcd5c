"""Which candidate the tracker believes: a head for DRLT that sees `MatchBoxes`."""

import keras
from keras import layers, ops

from keras_attend.arguments import check_positive_integers
from keras_attend.models.match_boxes import NUMBERS
from keras_attend.types import Shape, Tensor

FAR = 4.0  # sides away, from where on it is all the same
STAY = -18.0  # for the last mean, before anything is learned: g log 1e-4


@keras.saving.register_keras_serializable("keras_attend")
class CandidateChoice(keras.layers.Layer):
    r"""$\mu_t$ as one of the candidates, or the last one, moved a little.

    The candidates $c_1 \dots c_K$ of a frame, of probabilities $p_k$, and the last
    mean $c_0 = \mu_{t-1}$ are weighed by how likely they are, how far from the last
    mean in its sides, $\delta_k$, how much larger, $\sigma_k$ (a logarithm for each
    side), and what the LSTM says; and so is a step in sides of the result:

    $$e_k = W h_t + b_k + g \log p_k - \lambda |\delta_k|^2 - \kappa |\sigma_k|^2,
      \qquad e_0 = W h_t + b_0, \qquad \alpha = \mathrm{softmax}(e)$$

    $$\bar c = \sum_k \alpha_k c_k, \qquad
      \mu_t = (\bar c_{xy} + \bar c_{wh} \, d_{xy}, \; \bar c_{wh} \, e^{d_{wh}}),
      \qquad d = V h_t$$

    It begins with the likely candidates nearby, and learns $g$, $\lambda$ and $\kappa$
    as well. (Paper: the LSTM's last four units are $\mu_t$ and so come back to it. So
    does this, and so can it see what is near to where the object was.)

    Args:
        candidates: K.

    Call arguments:
        h: $h_t$, `[B, units]`.
        i: $c_k$ with score and probability, `[B, 6 K]`.
        last: $\mu_{t-1}$, `[B, 4]`.

    Returns $\mu_t$ `[B, 4]`.
    """

    def __init__(self, candidates: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        check_positive_integers(candidates=candidates)
        self.candidates = candidates
        small = keras.initializers.RandomNormal(stddev=1e-2)
        self.weigh = layers.Dense(
            1 + candidates, kernel_initializer=small, dtype="float32", name="weigh"
        )
        self.move = layers.Dense(
            4, kernel_initializer=small, dtype="float32", name="move"
        )

    def build(self, input_shape: Shape) -> None:
        """Make the weights for $h$ `[B, units]`."""
        self.weigh.build(input_shape)
        self.move.build(input_shape)
        self.weigh.bias.assign([STAY] + [0.0] * self.candidates)
        self.importance = self.add_weight(
            (3,), "zeros", name="importance", dtype="float32"
        )  # logarithms of g / 2, lambda / 2, kappa / 2

    def seen(self, i: Tensor, last: Tensor) -> Tensor:
        """The candidates as seen from `last`, for the LSTM: `[B, 6 K]`."""
        c = ops.reshape(ops.cast(i, "float32"), (-1, self.candidates, NUMBERS))
        last = ops.cast(last, "float32")[:, None]
        sides = ops.maximum(last[..., 2:], 1e-3)
        away = (c[..., :2] - last[..., :2]) / sides
        grown = ops.log(ops.maximum(c[..., 2:4], 1e-3) / sides)
        there = ops.clip(ops.concatenate([away, grown], axis=-1), -FAR, FAR)
        there = ops.concatenate([there, c[..., 4:]], axis=-1)
        return ops.reshape(there, (-1, NUMBERS * self.candidates))

    def call(self, h: Tensor, i: Tensor, last: Tensor) -> Tensor:
        r"""$\mu_t$."""
        c = ops.reshape(ops.cast(i, "float32"), (-1, self.candidates, NUMBERS))
        log_p = ops.log(ops.maximum(c[..., 5], 1e-9))  # [B, K]
        seen = ops.reshape(self.seen(i, last), (-1, self.candidates, NUMBERS))
        delta, sigma = (
            ops.sum(ops.square(n), axis=-1) for n in (seen[..., :2], seen[..., 2:4])
        )
        g, lambda_, kappa = ops.unstack(2 * ops.exp(self.importance), 3)
        likely = g * log_p - lambda_ * delta - kappa * sigma
        e = self.weigh(h) + ops.pad(likely, ((0, 0), (1, 0)))  # [B, 1 + K]
        alpha = ops.softmax(e, axis=-1)
        c = ops.concatenate([ops.cast(last, "float32")[:, None], c[..., :4]], axis=1)
        mean = ops.sum(alpha[..., None] * c, axis=1)  # [B, 4]
        center, sides = mean[:, :2], mean[:, 2:]
        d = ops.clip(self.move(h), -1.0, 1.0)
        return ops.concatenate(
            [center + sides * d[:, :2], sides * ops.exp(d[:, 2:])], axis=-1
        )

    def get_config(self) -> dict[str, object]:
        """Constructor arguments."""
        return {**super().get_config(), "candidates": self.candidates}
