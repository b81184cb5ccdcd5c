"""A RAM whose first look is a coarse one at the whole image (Ba et al. 2015)."""

from typing import Any

import keras
from keras import ops
from keras.layers import Dense

from keras_attend.arguments import check_positive_integers
from keras_attend.models.base import fitted_images
from keras_attend.models.ram.model import RAM, State
from keras_attend.policies import draw_seeds
from keras_attend.types import Shape, Tensor


@keras.saving.register_keras_serializable("keras_attend")
class ContextRAM(RAM):
    r"""A RAM that sees the whole image once, coarsely, and then chooses where to begin.

    ```python
    model = ka.models.ContextRAM(glimpses=8, size=12, scales=3, context=12)
    model.compile("adam")
    model.fit(images, labels)  # uint8 [N, H, W, 1], integers [N]
    ```

    RAM's first location is random, and that of a person who is shown a picture is not.
    The context network of the "deep recurrent attention model" (Ba et al. 2015,
    "Multiple Object Recognition with Visual Attention", section 3) sees the image $x$
    in a few pixels and gives the core its first state; the first location is then
    chosen, and learned, as all others are:

    $$h_0 = \tanh(\mathrm{Linear}(\mathrm{Rect}(\mathrm{Linear}(\mathrm{coarse}(x))))),
      \qquad l_0 \sim N(f_l(h_0), \sigma^2 I)$$

    Ba et al. have convolutions in its place, and do not let it reach the answer, lest
    the network classify what it sees coarsely; here it may.

    Args:
        context: side of the coarse image in pixels. The other arguments are those of
            `RAM`.

    Returns a dict: what `RAM` returns, with $T$ in place of $T - 1$: the first of the
    `baselines` and of the `log_probs` are of the choice of the first location. Where
    that is given the first log-probability is its density.
    """

    def __init__(self, *args: Any, context: int = 12, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        check_positive_integers(context=context)
        self.context = context
        dtype, units = self.dtype_policy, self.units
        self.context_hidden = Dense(units, "relu", dtype=dtype, name="context_hidden")
        self.context_out = Dense(units, "tanh", dtype=dtype, name="context_out")

    def build(self, input_shape: Shape) -> None:
        """Make the weights."""
        super().build(input_shape)
        self.context_hidden.build((None, self.context**2 * self.channels))
        self.context_out.build((None, self.units))

    def first_state(self, images: Tensor) -> Tensor:
        """$h_0$, `[B, units]`."""
        coarse = fitted_images(images, (self.context, self.context))
        coarse = ops.reshape(coarse, (-1, self.context**2 * self.channels))
        return self.context_out(self.context_hidden(coarse))

    def initial_state(self, images: Tensor, first_location: Tensor | None) -> State:
        """$h_0$ and $l_0$."""
        state = super().initial_state(images, first_location)
        h_0 = self.first_state(images)
        return state | {name: h_0 for name in ("h", "c") if name in state}

    def episode(
        self, images: Tensor, first_location: Tensor | None, location: str
    ) -> dict[str, Tensor]:
        """RAM's episode, before which the first location is chosen."""
        h_0 = self.first_state(images)
        choice = first_location
        if choice is None:
            draw = {"seed": draw_seeds(1, self.seed_generator)[0]}
            draw["anywhere"] = self._anywhere(ops.shape(images)[0], 2)
            choice = self.choose(h_0, ops.zeros_like(draw["anywhere"]), draw, location)
        choice = ops.cast(choice, "float32")  # [B, 2]
        first_location = ops.clip(choice, -1.0, 1.0)
        steps = super().episode(images, first_location, location)
        h_0 = self.policy_input(h_0)[:, None]  # [B, 1, units]
        found = {"baselines": self.expected_reward(h_0)}
        if location == "sample":
            mu = self.mean_location(h_0)
            found["log_probs"] = self.policy.log_prob(mu, choice[:, None])
        for name, first in found.items():
            steps[name] = ops.concatenate([first, steps[name]], axis=1)
        return steps
