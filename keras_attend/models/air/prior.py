r"""What AIR expects of a picture before it has seen it: $p(n)\, p(z)$ (section 2).

The number of objects $n$ has a truncated geometric prior, and each object has a place
$z_{where}$ and an appearance $z_{what}$ with standard normal priors.
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attend.arguments import KeepsArguments, check_not_negative, check_positive
from keras_attend.compat import tfp_distributions
from keras_attend.types import Tensor

FREE = 0.5  # the prior of a further object with which an annealed training begins


@keras.saving.register_keras_serializable("keras_attend")
@dataclass(frozen=True)
class ObjectPrior(KeepsArguments):
    r"""What `AIR` expects of the objects in a picture.

    $$p(n) \propto \rho^n, \quad n = 0 \dots N, \qquad
      \text{side} = s \exp(\sigma_s z_1), \qquad
      \text{center} = \sigma_c \, (z_2, z_3), \qquad z_{where} \sim N(0, I)$$

    Args:
        presence: $\rho$, how probable a further object is. A small one makes the model
            explain a picture by few objects.
        side: $s$, the median side of an object's window, in pixels.
        side_std: $\sigma_s$, the standard deviation of the side's logarithm.
        center_std: $\sigma_c$, that of the window's centre, in half heights and half
            widths of the picture. 0 is its middle.
    """

    presence: float = 0.01
    side: float = 17.0
    side_std: float = 0.08
    center_std: float = 0.35

    def __post_init__(self) -> None:
        if not 0 < self.presence < 1:
            raise ValueError(
                "`presence` must lie between 0 and 1. "
                f"Received: presence={self.presence}"
            )
        check_positive(side=self.side, center_std=self.center_std)
        check_not_negative(side_std=self.side_std)

    @classmethod
    def of(cls, given: Any) -> "ObjectPrior":
        """The prior that a constructor was given; the default one of None."""
        given = cls() if given is None else given
        if not isinstance(given, cls):
            raise ValueError(
                f"`prior` must be an ObjectPrior. Received: prior={given!r}"
            )
        return given

    def log_count_probs(self, steps: int, free: Any = 0.0) -> Tensor:
        r"""$\log p(n)$, `[steps + 1]`.

        Args:
            steps: N, the greatest number of objects.
            free: how far $\rho$ is still from its own value: at 1 it is `FREE`, at 0
                it is `presence`, and between them its logarithm is.
        """
        log_rho = free * np.log(FREE) + (1.0 - free) * np.log(self.presence)
        n = ops.arange(steps + 1, dtype="float32")
        return ops.log_softmax(n * ops.cast(log_rho, "float32"))

    def middle(self, where: Tensor, size: tuple[int, int]) -> Tensor:
        """Middles `[..., 2]` of windows, x and y in pixels, of $z_{where}$ `[..., 3]`.

        A pixel's own middle is at its number and a half.
        """
        half = ops.convert_to_tensor(np.array(size[::-1], "float32") / 2)
        return half * (1 + self.center_std * where[..., 1:])

    def window(self, where: Tensor, size: tuple[int, int], points: int) -> Tensor:
        """Windows `[B, 6]` of places $z_{where}$ `[B, 3]`.

        Args:
            where: the side's number, then the centre's x and y.
            size: of the picture in pixels.
            points: of the window, along each side.
        """
        where = ops.cast(where, "float32")
        # A window is at most twice as large as the picture, and at least a pixel: no
        # number overflows.
        least, most = -np.log(self.side), np.log(2 * max(size) / self.side)
        side = self.side * ops.exp(ops.clip(self.side_std * where[:, :1], least, most))
        center = self.middle(where, size)[:, ::-1] - 0.5  # [B, 2] y, x
        stride = side / points
        return ops.concatenate([center, stride, stride, stride, stride], axis=-1)


def divergence(loc: Tensor, scale: Tensor, mean: Any = 0.0, std: Any = 1.0) -> Tensor:
    r"""$KL(N(loc, scale^2) \,\|\, N(mean, std^2))$, summed over the last axis."""
    tfd = tfp_distributions()
    kl = tfd.kl_divergence(tfd.Normal(loc, scale), tfd.Normal(mean, std))
    return ops.sum(kl, axis=-1)


def log_ratio(z: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    r"""$\log p(z) - \log q(z)$ of a draw, summed over the last axis, `[...]`.

    Its mean over draws from q is minus the `divergence`.
    """
    tfd = tfp_distributions()
    p, q = tfd.Normal(0.0, 1.0), tfd.Normal(loc, scale)
    return ops.sum(p.log_prob(z) - q.log_prob(z), axis=-1)
