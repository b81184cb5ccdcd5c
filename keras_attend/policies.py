"""Stochastic policies: how an action is drawn, and how likely it was."""

from typing import Any

import keras
from keras import ops

from keras_attend.arguments import check_positive
from keras_attend.compat import tfp_distributions
from keras_attend.types import Tensor


def _key(seed: Tensor) -> Tensor:
    """An integer seed `[2]` in the type that tfp wants on this backend."""
    wanted = "uint32" if keras.backend.backend() == "jax" else "int32"
    return ops.cast(seed, wanted)


def draw_seeds(steps: int, generator: keras.random.SeedGenerator) -> Tensor:
    """Seeds `[1, steps, 2]`, one for each step of a time loop."""
    # JAX draws int32 alone; the positive half of them are seeds enough.
    return keras.random.randint(
        (1, steps, 2), 0, 2**31 - 1, dtype="int32", seed=generator
    )


class GaussianPolicy:
    r"""$a \sim N(\mu, \sigma^2 I)$ with a given $\mu$ and a fixed $\sigma$.

    The location policy of RAM (Mnih et al. 2014, section 3) and DRLT.

    Args:
        std: $\sigma$, in the unit of the action.
    """

    def __init__(self, std: float) -> None:
        check_positive(std=std)
        self.std = std

    def distribution(self, mean: Tensor) -> Any:
        """tfp's distribution over actions `[..., D]`."""
        return tfp_distributions().MultivariateNormalDiag(
            mean, ops.full_like(mean, self.std)
        )

    def sample(self, mean: Tensor, seed: Tensor) -> Tensor:
        """An action `[..., D]`, through which no gradient flows to the mean."""
        return ops.stop_gradient(self.distribution(mean).sample(seed=_key(seed)))

    def log_prob(self, mean: Tensor, action: Tensor) -> Tensor:
        r"""$\log \pi(a)$, `[...]`; its gradient reaches $\mu$ alone."""
        return self.distribution(mean).log_prob(ops.stop_gradient(action))


class CategoricalPolicy:
    r"""$a \sim \mathrm{Cat}(\mathrm{softmax}(z))$: an action by its scores $z$.

    The actions of `models.RAMAgent`, the stops of `models.StoppingRAM`.
    """

    def distribution(self, logits: Tensor) -> Any:
        """tfp's distribution over actions `[...]` for `logits` `[..., n]`."""
        return tfp_distributions().Categorical(logits=logits)

    def sample(self, logits: Tensor, seed: Tensor) -> Tensor:
        """An action `[...]`, an integer in 0..n - 1."""
        return self.distribution(logits).sample(seed=_key(seed))

    def log_prob(self, logits: Tensor, action: Tensor) -> Tensor:
        r"""$\log \pi(a)$, `[...]`."""
        return self.distribution(logits).log_prob(action)
