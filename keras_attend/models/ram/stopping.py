"""A RAM that stops when it has seen enough (Mnih et al. 2014, section 5)."""

from typing import Any

import keras
from keras import ops
from keras.layers import Dense

from keras_attend.arguments import check_not_negative
from keras_attend.models.ram.model import RAM
from keras_attend.policies import CategoricalPolicy, draw_seeds
from keras_attend.types import Shape, Tensor


@keras.saving.register_keras_serializable("keras_attend")
class StoppingRAM(RAM):
    r"""Classify an image by no more glimpses than it needs, up to $T$.

    ```python
    model = ka.models.StoppingRAM(glimpses=8, price=0.1)
    model.compile("adam")
    model.fit(images, labels)  # uint8 [N, H, W, 1], integers [N]
    ```

    After each glimpse but the last the network stops or goes on, by a policy that is
    learned as that of the locations is, and answers from the state $h_n$ in which it
    stopped. The paper proposes this and says no more; the price is ours:

    $$s_t \sim \mathrm{Cat}(\mathrm{softmax}(\mathrm{Linear}(h_t))), \qquad
      R' = R - \mathrm{price} \cdot n$$

    Args:
        price: what a glimpse costs, in units of the reward $R$. The other arguments are
            those of `RAM`.

    Returns a dict: what `RAM` returns, and
        glimpses_taken: `[B, M]`, int32 in 1..T, $n$, the number of glimpses until it
            stopped. What the other outputs say of later glimpses has no effect, and
            `log_probs` is 0 there; up to $n$ it holds $\log \pi(s_t)$ as well.
    """

    def __init__(self, *args: Any, price: float = 0.1, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        check_not_negative(price=price)
        self.price = price
        # Scores of going on and of stopping: before it has learned it mostly goes on.
        bias = {"bias_initializer": keras.initializers.Constant([1.0, -1.0])}
        self.stopper = Dense(2, dtype=self.dtype_policy, name="stop", **bias)
        self.stop_policy = CategoricalPolicy()
        self.mean_taken = keras.metrics.Mean(name="glimpses_taken")

    def build(self, input_shape: Shape) -> None:
        """Make the weights."""
        super().build(input_shape)
        self.stopper.build((None, self.core_input.units))

    def episode(
        self, images: Tensor, first_location: Tensor | None, location: str
    ) -> dict[str, Tensor]:
        """RAM's episode. All glimpses are taken, and the stop is decided after them."""
        steps = super().episode(images, first_location, location)
        h_t = steps["hidden"]  # [B, T, units]
        taken, log_pi_s = self.stop(self.policy_input(h_t[:, :-1]), location)
        last = ops.one_hot(taken - 1, self.glimpses, dtype=h_t.dtype)  # [B, T]
        steps["episode_logits"] = self.answer(ops.sum(last[..., None] * h_t, axis=1))
        steps["glimpses_taken"] = taken
        if location == "sample":
            # A location that is chosen as it stops, or later, changes nothing.
            steps["log_probs"] = self._up_to(taken - 1) * steps["log_probs"] + log_pi_s
        return steps

    def stop(self, h_t: Tensor, location: str) -> tuple[Tensor, Tensor]:
        r"""$n$ `[B]`, int32, and $\log \pi(s_t)$ up to the stop, then 0; `[B, T - 1]`.

        Of the states $h_t$ in which it may stop, `[B, T - 1, units]`. Where `location`
        is "sample", $s_t$ is drawn; else it is the likelier one.
        """
        scores = ops.cast(self.stopper(h_t), "float32")  # [B, T - 1, 2]
        if location == "sample":
            seed = draw_seeds(1, self.seed_generator)[0, 0]
            s_t = self.stop_policy.sample(ops.stop_gradient(scores), seed)
        else:
            s_t = ops.argmax(scores, axis=-1)
        s_t = ops.cast(s_t, "int32")
        taken = 1 + ops.sum(ops.cumprod(1 - s_t, axis=1), axis=1)
        return taken, self._up_to(taken) * self.stop_policy.log_prob(scores, s_t)

    def _up_to(self, count: Tensor) -> Tensor:
        """1 at the first `count` `[...]` of the choices, then 0; `[..., T - 1]`."""
        choices = ops.arange(self.glimpses - 1, dtype="int32")
        return ops.cast(choices < count[..., None], "float32")

    def rewards(
        self, target: Tensor, log_p: Tensor, y_pred: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """RAM's reward less the price; after the stop nothing else is expected."""
        R, b_t = super().rewards(target, log_p, y_pred)
        taken = y_pred["glimpses_taken"]  # [B, (M)]
        R = R - self.price * ops.cast(taken, "float32")[..., None]
        return R, ops.where(self._up_to(taken) > 0, b_t, R)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Tensor]:
        """Loss, accuracy, and the mean number of glimpses until it stopped."""
        self.mean_taken.update_state(y_pred["glimpses_taken"])
        return super().compute_metrics(x, y, y_pred, sample_weight)
