"""The best-known public code of RAM, where it differs from `RAM`."""

from typing import Any

import keras
from keras import ops

from keras_attend.models.ram.model import RAM, State
from keras_attend.types import Tensor

# Mean and standard deviation of MNIST's pixels.
MNIST_MEAN, MNIST_STD = 0.1307, 0.3081


@keras.saving.register_keras_serializable("keras_attend")
class PublishedRAM(RAM):
    r"""RAM as in its best-known public code, kevinzakka's in PyTorch, of 2018.

    ```python
    model = ka.models.PublishedRAM(std=0.17)
    model.compile("adam")
    model.fit(images, labels)  # uint8 [N, H, W, 1], integers [N]
    ```

    With that code's trained weights it has that code's error. The paper has none of
    these four:

    1. Pixels are normalised by MNIST's mean and deviation, so that the zeros beyond
       the image's border are grey.
    2. A second tanh follows the draw: $l_t = \tanh(\tilde l_t)$,
       $\tilde l_t \sim N(\tanh(f_l(h_t)), \sigma^2 I)$; the policy's log-density is
       taken at $l_t$.
    3. The baseline is rectified: $b_t = \mathrm{Rect}(\mathrm{Linear}(h_t))$.
    4. The last location is credited as well, though nothing is seen there.

    The arguments are those of `RAM`; `locator` is "tanh". The outputs are `RAM`'s, with
    $T$ in place of $T - 1$.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "locator": "tanh"})
        self.baseline.activation = keras.activations.relu

    def scaled(self, images: Tensor) -> Tensor:
        """Images, normalised."""
        return (super().scaled(images) - MNIST_MEAN) / MNIST_STD

    def choose(self, h: Tensor, l: Tensor, draw: State, location: str) -> Tensor:
        """The next location, after the second tanh."""
        return ops.tanh(super().choose(h, l, draw, location))

    def episode(
        self, images: Tensor, first_location: Tensor | None, location: str
    ) -> dict[str, Tensor]:
        """RAM's episode, whose last choice counts."""
        steps = super().episode(images, first_location, location)
        h_t = self.policy_input(steps["hidden"])  # [B, T, units]
        steps["baselines"] = self.expected_reward(h_t)
        if location == "sample":
            mu_t = self.mean_location(h_t)
            steps["log_probs"] = self.policy.log_prob(mu_t, steps["choices"])
        return steps
