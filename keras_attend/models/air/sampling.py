"""What AIR's prior draws, and how probable it says that pictures are."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attend.arguments import check_positive_integers
from keras_attend.models.air import elbo
from keras_attend.types import Array, Tensor


def generated(model: Any, n: int, seed: int, count: int | None) -> Array:
    """Draw pictures `[n, H, W, C]` from the prior of an `AIR`; see `AIR.generate`."""
    check_positive_integers(n=n)
    steps = model.steps
    if count is not None and not (type(count) is int and 0 <= count <= steps):
        raise ValueError(
            f"`count` must be an integer in 0..{steps}. Received: count={count!r}"
        )
    if not model.built:
        model.build(model.serving_shape)
    random = np.random.default_rng(seed)

    def normal(*shape: int) -> Tensor:
        return ops.convert_to_tensor(random.normal(size=shape).astype("float32"))

    log_p = ops.convert_to_numpy(model.prior.log_count_probs(steps))
    p = np.exp(log_p.astype("float64"))
    counts = random.choice(steps + 1, size=n, p=p / p.sum())
    if count is not None:
        counts[:] = count
    cell = model.cell
    canvas = model.background.draw(normal(n, model.background.latents))
    for t in range(steps):
        window = model.prior.window(normal(n, 3), model.size, model.window)
        alpha, color = cell.appearance(normal(n, model.what))
        there = ops.convert_to_tensor((t < counts).astype("float32"))
        alpha = alpha * there[:, None, None, None]
        _, canvas = cell.draw(canvas, alpha, color, window)
    return np.clip(ops.convert_to_numpy(canvas), 0.0, 1.0)


class _Weights(keras.Model):
    """Compute the logarithm of an importance weight, of a new draw at each call."""

    def __init__(self, model: Any) -> None:
        super().__init__(name="importance_weights")
        self.model = model

    def call(self, images: Tensor) -> Tensor:
        """The log-weight of each picture, `[B]`."""
        found = self.model.explain(images, drawn=True)
        log_p = self.model.prior.log_count_probs(self.model.steps)
        return elbo.log_weight(found["L"], found["log_ratio"], log_p)


def importance_weighted(
    model: Any, images: Any, samples: int, batch_size: int
) -> Array:
    """Estimate the log-likelihood `[N]`; see `AIR.log_likelihood`."""
    check_positive_integers(samples=samples, batch_size=batch_size)
    model.check_data(images, None)
    if not model.built:
        model.build(model.serving_shape)
    weights = _Weights(model)
    weights.compile(jit_compile=True)
    draws = [
        weights.predict(images, batch_size=batch_size, verbose=0)
        for _ in range(samples)
    ]
    log_w = np.stack(draws).astype("float64")  # [k, N]
    most = log_w.max(0)
    return most + np.log(np.exp(log_w - most).mean(0))
