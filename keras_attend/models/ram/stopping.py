"""A RAM that stops when it has seen enough (Mnih et al. 2014, section 5)."""

from typing import Any

import keras
from keras import ops
from keras.layers import Dense

from keras_attend.arguments import check_choice, check_not_negative
from keras_attend.models.ram.model import RAM
from keras_attend.policies import CategoricalPolicy, draw_seeds
from keras_attend.reinforce import baseline_loss, reinforce_loss
from keras_attend.types import Shape, Tensor


@keras.saving.register_keras_serializable("keras_attend")
class StoppingRAM(RAM):
    r"""Classify an image by no more glimpses than it needs, up to $T$.

    ```python
    model = ka.models.StoppingRAM(glimpses=8, price=0.03, decision="supervised")
    model.compile("adam")
    model.fit(images, labels)  # uint8 [N, H, W, 1], integers [N]
    ```

    After each glimpse but the last the network stops or goes on, and answers from the
    state $h_n$ in which it stopped. The paper proposes to learn that as the locations
    are learned, and says no more; the price is ours:

    $$s_t \sim \mathrm{Cat}(\mathrm{softmax}(\mathrm{Linear}(h_t))), \qquad
      R' = R - \mathrm{price} \cdot n$$

    That is `decision="drawn"`. But all answers are known in training, and so is what
    each decision would have cost. With `decision="supervised"` it is learned as a
    classification, in which a mistake weighs what it costs. Stopping after $t$ glimpses
    costs $c_t$, and going on $C_t$, if the later decisions stand:

    $$c_t = -\overline{\log p}(y \mid h_t) + \mathrm{price} \cdot t, \qquad
      A_t = C_t - c_t, \qquad
      L = -\sum_{t=1}^{T-1} |A_t| \log \pi(s_t = [A_t > 0])
      - \sum_{n=1}^{T} w_n \log p(y \mid h_n)$$

    No gradient flows through what has a bar; decisions see $h_t$ and do not change it.
    With $q(n)$ the probability of stopping after $n$ glimpses, answers are weighed by
    $w_n = (\overline{q}(n) + 1 / T) / 2$: half by how often they are given and half all
    alike. Without the second half, an answer with which it never stops would not be
    trained, and it would never pay to go on to that answer.
    A location that is chosen after glimpse $t$ learns, as much as it is probable that
    it is used, from the reward that is expected then:

    $$G_t = k_{t+1} R_{t+1} + (1 - k_{t+1})
      \left((1 - \lambda)\, b_{t+1} + \lambda G_{t+1}\right), \qquad
      k_n = q(n) \Big/ \sum_{m \ge n} q(m)$$

    Args:
        price: what a glimpse costs: drawn, in units of the reward $R$; supervised, in
            nats of the loss.
        decision: "drawn" or "supervised". The other arguments are those of `RAM`.

    Returns a dict: what `RAM` returns, and
        glimpses_taken: `[B, M]`, int32 in 1..T, $n$, the number of glimpses until it
            stopped. What the other outputs say of later glimpses has no effect; drawn,
            `log_probs` is 0 there, and up to $n$ it holds $\log \pi(s_t)$ as well.
        step_logits: `[B, M, T, classes]`, the scores by each state $h_t$.
        stop_scores: `[B, M, T - 1]`, how much better stopping is scored than going on.
        stop_log_probs: `[B, M, T]`, $\log q(n)$.
    """

    def __init__(
        self, *args: Any, price: float = 0.1, decision: str = "drawn", **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        check_not_negative(price=price)
        check_choice("decision", decision, ("drawn", "supervised"))
        self.price, self.decision = price, decision
        # Scores of going on and of stopping: before it has learned it mostly goes on.
        bias = {"bias_initializer": keras.initializers.Constant([1.0, -1.0])}
        self.stopper = Dense(2, dtype=self.dtype_policy, name="stop", **bias)
        self.stop_policy = CategoricalPolicy()
        self.mean_taken = keras.metrics.Mean(name="glimpses_taken")

    def build(self, input_shape: Shape) -> None:
        """Make the weights."""
        super().build(input_shape)
        self.stopper.build((None, self.units))

    def episode(
        self, images: Tensor, first_location: Tensor | None, location: str
    ) -> dict[str, Tensor]:
        """RAM's episode. All glimpses are taken, and the stop is decided after them."""
        steps = super().episode(images, first_location, location)
        h_t = steps["hidden"]  # [B, T, units]
        drawn = self.decision == "drawn"
        seen = (
            self.policy_input(h_t[:, :-1]) if drawn else ops.stop_gradient(h_t[:, :-1])
        )
        scores = ops.cast(self.stopper(seen), "float32")  # [B, T - 1, 2]
        taken, log_pi_s = self.stop(scores, location if drawn else "mean")
        last = ops.one_hot(taken - 1, self.glimpses)[..., None]  # [B, T, 1]
        steps["step_logits"] = self.answer(h_t)
        steps["episode_logits"] = ops.sum(last * steps["step_logits"], axis=1)
        steps["glimpses_taken"] = taken
        steps["stop_scores"] = scores[..., 1] - scores[..., 0]
        steps["stop_log_probs"] = stop_log_probs(scores)
        if location == "sample" and drawn:
            # A location that is chosen as it stops, or later, changes nothing.
            steps["log_probs"] = self._up_to(taken - 1) * steps["log_probs"] + log_pi_s
        return steps

    def stop(self, scores: Tensor, location: str) -> tuple[Tensor, Tensor]:
        r"""$n$ `[B]`, int32, and $\log \pi(s_t)$ up to the stop, then 0; `[B, T - 1]`.

        Of the scores `[B, T - 1, 2]` of going on and of stopping. Where `location` is
        "sample", $s_t$ is drawn; else it is the likelier one.
        """
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

    def sample_losses(self, x: Any, y: Tensor, y_pred: dict[str, Tensor]) -> Tensor:
        """RAM's losses; supervised, those that the class describes."""
        if self.decision == "drawn":
            return super().sample_losses(x, y, y_pred)
        target = self.one_hot(y)
        target = target[:, None] if self.episodes > 1 else target  # [B, (1,) classes]
        log_p = ops.log_softmax(y_pred["step_logits"])  # [B, (M,) T, classes]
        log_p = ops.sum(target[..., None, :] * log_p, axis=-1)  # [B, (M,) T]
        q = ops.exp(y_pred["stop_log_probs"])
        w = ops.stop_gradient(q + 1 / self.glimpses) / 2
        loss = self.location_losses(target, log_p, q, y_pred)
        loss = loss - ops.sum(w * log_p, axis=-1)
        if self.glimpses > 1:
            n = ops.arange(1, self.glimpses + 1, dtype="float32")
            c_t = self.price * n - log_p
            loss = loss + decision_loss(ops.stop_gradient(c_t), y_pred["stop_scores"])
        return ops.mean(loss, axis=1) if self.episodes > 1 else loss

    def location_losses(
        self, target: Tensor, log_p: Tensor, q: Tensor, y_pred: dict[str, Tensor]
    ) -> Any:
        """Supervised, the losses of baseline and policy, `[B, (M)]`.

        Of $\\log p(y)$ and the chance to stop in each state, `[B, (M,) T]`.
        """
        b_t = self.expected_of(target, y_pred)  # [B, (M,) T - 1]
        if self.glimpses == 1:
            return 0.0
        R_n = log_p
        if self.credit.reward == "correct":
            answers = ops.argmax(y_pred["step_logits"], axis=-1)
            right = answers == ops.argmax(target, axis=-1)[..., None]
            R_n = ops.cast(right, "float32")
        R_n, q = ops.stop_gradient(R_n), ops.stop_gradient(q)
        loss = baseline_loss(b_t, returns_of_stops(R_n, q, b_t))
        if y_pred.get("log_probs") is None:
            return loss
        G_t = returns_of_stops(R_n, q, b_t, self.credit.trace)
        used = y_pred["log_probs"] * (1.0 - ops.cumsum(q, axis=-1)[..., :-1])
        return loss + self.credit.policy_weight * reinforce_loss(used, G_t, b_t)

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


def stop_log_probs(scores: Tensor) -> Tensor:
    r"""$\log q(n)$ `[B, T]`, of scores of going on and of stopping `[B, T - 1, 2]`."""
    log_pi = ops.log_softmax(scores)
    none = ops.zeros_like(log_pi[:, :1, 0])
    went_on = ops.concatenate([none, ops.cumsum(log_pi[..., 0], axis=1)], axis=1)
    return went_on + ops.concatenate([log_pi[..., 1], none], axis=1)


def decision_loss(c_t: Tensor, scores: Tensor) -> Tensor:
    r"""$-\sum_t |A_t| \log \pi(s_t = [A_t > 0])$; see `StoppingRAM`.

    Args:
        c_t: what stopping costs, `[..., T]`; no gradient flows into it.
        scores: how much better stopping is scored, `[..., T - 1]`.
    """
    C = c_t[..., -1]  # after the last decision comes the last glimpse
    A = [C - c_t[..., -2]]
    for t in reversed(range(c_t.shape[-1] - 2)):
        C = ops.where(scores[..., t + 1] > 0, c_t[..., t + 1], C)
        A.append(C - c_t[..., t])
    A_t = ops.stack(A[::-1], axis=-1)  # [..., T - 1]
    wrong = ops.where(A_t > 0, -scores, scores)
    return ops.sum(ops.abs(A_t) * ops.softplus(wrong), axis=-1)


def returns_of_stops(R_n: Tensor, q: Tensor, b_t: Tensor, trace: float = 1.0) -> Tensor:
    r"""$G_t$ `[..., T - 1]`, what is expected once it has gone on; see `StoppingRAM`.

    Args:
        R_n: the reward of each answer, `[..., T]`.
        q: the chance to stop there, `[..., T]`.
        b_t: baselines, `[..., T - 1]`; no gradient flows into them.
        trace: $\lambda$.
    """
    b_t = ops.stop_gradient(b_t)
    left = ops.flip(ops.cumsum(ops.flip(q, -1), axis=-1), -1)
    k = q / ops.maximum(left, 1e-20)
    G = R_n[..., -1]  # the last glimpse is followed by an answer
    found = [G]
    for n in reversed(range(1, R_n.shape[-1] - 1)):
        ahead = (1.0 - trace) * b_t[..., n] + trace * G
        G = k[..., n] * R_n[..., n] + (1.0 - k[..., n]) * ahead
        found.append(G)
    return ops.stack(found[::-1], axis=-1)
