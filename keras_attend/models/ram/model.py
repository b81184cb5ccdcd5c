"""RAM, the recurrent attention model (Mnih et al. 2014, section 3)."""

from typing import Any

import keras
from keras import ops

from keras_attend.arguments import check_shape
from keras_attend.models.base import scaled_images
from keras_attend.models.ram.layers import RAMLayers
from keras_attend.policies import draw_seeds
from keras_attend.reinforce import baseline_loss, lambda_returns, reinforce_loss
from keras_attend.types import Tensor
from keras_attend.unroll import unroll

# Up to so many glimpses the steps are written out rather than looped over.
INLINE_GLIMPSES = 12

State = dict[str, Tensor]


@keras.saving.register_keras_serializable("keras_attend")
class RAM(RAMLayers):
    r"""Classify images by a few small glimpses at each (Mnih et al. 2014, section 3).

    ```python
    model = ka.models.RAM(classes=10, glimpses=6, size=8)
    model.compile("adam")
    model.fit(images, labels)  # uint8 [N, H, W, 1], integers [N]
    ```

    An episode is $T$ glimpses at one image $x$, each at a location $l_{t-1}$:

    $$\rho_t = \mathrm{Retina}(x, l_{t-1}), \quad g_t = f_g(\rho_t, l_{t-1}), \quad
      h_t = \mathrm{Rect}(\mathrm{Linear}(h_{t-1}) + \mathrm{Linear}(g_t))$$

    $$l_t \sim N(f_l(h_t), \sigma^2 I), \qquad
      p(a \mid h_T) = \mathrm{softmax}(\mathrm{Linear}(h_T))$$

    Locations are $(x, y)$ in half widths and half heights of the image, (-1, -1) its
    top left corner. The first one is drawn uniformly from the image; the others are
    clipped to the image after the draw.

    The paper's first location is random, within limits that it does not give, and its
    $f_l$ is linear; of locations outside the image it says nothing.

    Args:
        classes: number of classes.
        glimpses: $T$, the number of glimpses in an episode.
        size: side of a glimpse's patches in pixels, after pooling.
        scales: number of patches in a glimpse, each twice as wide as the last.
        channels: number of channels of the images.
        glimpse_units: number of units of the glimpse network's $h_g$ and $h_l$.
        units: number of units of $g_t$ and of $h_t$.
        std: $\sigma$, in half widths of the image.
        episodes: $M$, the number of episodes for each image, in training and in
            prediction; each has its own draws, the first location among them where
            none is given.
        location: the next location in prediction: "mean" is $f_l(h_t)$, "sample" a
            draw of the policy. Two others are there to judge a policy by: "random" is
            anywhere in the image, "first" stays at the first location. In training it
            is always a draw of the policy.
        locator: activation of $f_l$: "tanh" keeps it in the image; "linear" is the
            paper's.
        core: "rectified" is the equation above; "lstm" is an LSTM (Hochreiter and
            Schmidhuber 1997), which the paper's agent has, and which can hold on to
            what it saw.
        credit: what a location is credited with in training; see `Credit`.

    Call arguments:
        images: `[B, H, W, C]` of any size, `float32` in 0..1 or `uint8`.
        first_location: `[B, 2]`, in place of the uniform draw.

    Returns a dict; the axis `M` is absent when `episodes` is 1:
        logits: `[B, classes]`, scores whose softmax is the probability of each class;
            of several episodes, the mean of their log-probabilities.
        episode_logits: `[B, M, classes]`, the scores by each episode.
        locations: `[B, M, T, 2]`, the location of each glimpse, as above.
        glimpses: `[B, M, T, size, size, scales * C]`, the patches that it saw, of
            pixels in 0..1, the finest patch first.
        baselines: `[B, M, T - 1]`, $b_t$, the reward expected after each glimpse but
            the last; with `Credit(baseline="answer")` `[B, M, T - 1, classes]`, that
            for each label.
        log_probs: `[B, M, T - 1]`, $\log \pi(l_t)$, the log-density of each location
            drawn, before it was clipped; only where locations are draws of the policy.
    """

    # Section 3.1, the model: one glimpse.

    def see(self, images: Tensor, state: State) -> tuple[Tensor, Tensor]:
        r"""Sensor: the glimpse $\rho_t$, and its features $g_t$ `[B, units]`."""
        l = state["l"]
        rho = self.retina(images, l)  # [B, size, size, scales * C]
        return rho, self.glimpse_network(rho, l)

    def choose(self, h: Tensor, l: Tensor, draw: State, location: str) -> Tensor:
        """Actions: the next location `[B, 2]`, before it is clipped to the image."""
        if location == "random":
            return draw["anywhere"]
        if location == "first":
            return l
        # Where to look is learned by REINFORCE alone: a choice has no gradient.
        mu = ops.stop_gradient(self.mean_location(h))
        return self.policy.sample(mu, draw["seed"][0]) if location == "sample" else mu

    def mean_location(self, h: Tensor) -> Tensor:
        """$f_l(h_t)$, `[..., 2]`."""
        return ops.cast(self.locator(h), "float32")

    def step(
        self, images: Tensor, state: State, draw: State, location: str
    ) -> tuple[State, State]:
        """One glimpse: what it was, and the state of the next one."""
        l = state["l"]
        rho, g = self.see(images, state)
        memory = self.remember(g, state)
        h = memory["h"]
        choice = self.choose(h, l, draw, location)
        outputs = {"locations": l, "glimpses": rho, "features": g}
        outputs |= {"hidden": h, "choices": choice}
        return outputs, {**memory, "l": ops.clip(choice, -1.0, 1.0)}

    def remember(self, g: Tensor, state: State) -> State:
        """Internal state: $h_t$ `[B, units]`, and the cell state of an LSTM."""
        if self.core is None:
            h = ops.relu(self.core_input(g) + self.core_recurrent(state["h"]))
            return {"h": h}
        _, (h, c) = self.core(g, [state["h"], state["c"]])
        return {"h": h, "c": c}

    # Section 3.1, the model: an episode.

    def initial_state(self, images: Tensor, first_location: Tensor | None) -> State:
        """$h_0$ and $l_0$."""
        batch = ops.shape(images)[0]
        if first_location is None:
            first_location = self._anywhere(batch, 2)
        # All have the same h_0: where the steps are written out, one row will do.
        rows = 1 if self.glimpses <= INLINE_GLIMPSES else batch
        zero = ops.zeros((rows, self.units), self.compute_dtype)
        memory = {"h": zero} if self.core is None else {"h": zero, "c": zero}
        return {**memory, "l": ops.cast(first_location, "float32")}

    def draw(self, batch: Any, location: str) -> State:
        """The random numbers of all steps, drawn before the loop."""
        draws = {"seed": draw_seeds(self.glimpses, self.seed_generator)}
        if location == "random":
            draws["anywhere"] = self._anywhere(batch, self.glimpses, 2)
        return draws

    def episode(
        self, images: Tensor, first_location: Tensor | None, location: str
    ) -> dict[str, Tensor]:
        """One episode for each of the scaled images `[B, H, W, C]`.

        It returns the class's outputs but `logits`, without the axis `M`, and of each
        step `features` ($g_t$) and `hidden` ($h_t$) `[B, T, units]` and `choices`
        `[B, T, 2]`, the next location before it was clipped.
        """
        steps, _ = unroll(
            lambda draw, state: self.step(images, state, draw, location),
            self.initial_state(images, first_location),
            self.draw(ops.shape(images)[0], location),
            inline=self.glimpses <= INLINE_GLIMPSES,
        )
        h_t = steps["hidden"]  # [B, T, units]
        steps["episode_logits"] = self.answer(h_t[:, -1])
        # The location that is chosen after the last glimpse changes nothing.
        h_t, l_t = self.policy_input(h_t[:, :-1]), steps["choices"][:, :-1]
        steps["baselines"] = self.expected_reward(h_t)
        if location == "sample":
            steps["log_probs"] = self.policy.log_prob(self.mean_location(h_t), l_t)
        return steps

    def answer(self, h: Tensor) -> Tensor:
        """Actions: the scores of the classes, `[B, classes]`."""
        return ops.cast(self.classifier(h), "float32")

    def policy_input(self, h_t: Tensor) -> Tensor:
        """$h_t$, whose gradient the core gets where `Credit` says so."""
        return h_t if self.credit.policy_trains_core else ops.stop_gradient(h_t)

    def expected_reward(self, h_t: Tensor) -> Tensor:
        """$b_t$, `[B, T - 1]` or `[B, T - 1, classes]`."""
        b_t = ops.cast(self.baseline(h_t), "float32")
        return b_t[..., 0] if self.credit.baseline == "state" else b_t

    def call(
        self,
        images: Tensor,
        training: bool | None = None,
        first_location: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """All episodes of each image; see the class."""
        images = self.scaled(images)
        if first_location is not None:
            check_shape("first_location", first_location.shape, "batch, 2")
        M = self.episodes
        if M > 1:
            images = ops.repeat(images, M, axis=0)  # [B M, H, W, C]
            if first_location is not None:
                first_location = ops.repeat(first_location, M, axis=0)
        location = "sample" if training else self.location
        found = self.episode(images, first_location, location)
        for name in ("features", "hidden", "choices"):
            del found[name]
        if M == 1:
            return {"logits": found["episode_logits"], **found}
        # Not -1: of a single glimpse there are no baselines to count.
        B = ops.shape(images)[0] // M
        for name, x in found.items():  # (tfp forgets that an axis has length 1)
            found[name] = ops.reshape(x, (B, M, *ops.shape(x)[1:]))
        log_p = ops.log_softmax(found["episode_logits"])  # [B, M, classes]
        return {"logits": ops.mean(log_p, axis=1), **found}

    def scaled(self, images: Tensor) -> Tensor:
        """Images in 0..1."""
        return scaled_images(images, self.channels, self.compute_dtype)

    def _anywhere(self, *shape: Any) -> Tensor:
        """Locations that are uniform in the image."""
        return keras.random.uniform(
            shape, -1.0, 1.0, dtype="float32", seed=self.seed_generator
        )

    # Section 3.2: training, by a hybrid supervised loss.

    def sample_losses(self, x: Any, y: Tensor, y_pred: dict[str, Tensor]) -> Tensor:
        r"""The classification loss, the baseline's and the policy's, which is eq. 2.

        $$-\log p(y) + \mathrm{mean}_t (b_t - R)^2 - w \sum_t \log\pi(l_t)(G_t - b_t)$$

        $R$, $G_t$ and $w$ are what `Credit` says; the policy has a loss only where
        locations are its draws.
        """
        target = self.one_hot(y)
        if self.episodes > 1:
            target = target[:, None]  # the same for each episode
        log_p = ops.log_softmax(y_pred["episode_logits"])  # [B, (M,) classes]
        log_p = ops.sum(target * log_p, axis=-1)  # of the label, [B, (M)]
        loss = -log_p
        R, b_t = self.rewards(target, log_p, y_pred)
        loss = loss + self.choice_losses(R, b_t, y_pred.get("log_probs"))
        return ops.mean(loss, axis=1) if self.episodes > 1 else loss

    def choice_losses(self, R: Tensor, b_t: Tensor, log_probs: Any) -> Any:
        """The baseline's loss, and the policy's where locations are its draws.

        Of $R$ `[B, (M,) 1]`, $b_t$ `[B, (M,) T - 1]` and the choices' log-probabilities
        `[B, (M,) T - 1]`, or None. It is 0 where nothing was chosen.
        """
        if b_t.shape[-1] == 0:
            return 0.0
        loss = baseline_loss(b_t, R)
        if log_probs is None:
            return loss
        G_t = lambda_returns(R, b_t, self.credit.trace)
        policy_loss = reinforce_loss(log_probs, G_t, b_t)
        return loss + self.credit.policy_weight * policy_loss

    def rewards(
        self, target: Tensor, log_p: Tensor, y_pred: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        r"""Reward: $R$ `[B, (M,) 1]`, and what was expected, $b_t$ `[B, (M,) T - 1]`.

        Of the labels as `target` `[B, (1,) classes]`, with $\log p(y)$ `[B, (M)]`.
        """
        answers = ops.argmax(y_pred["episode_logits"], axis=-1)
        R = ops.cast(answers == ops.argmax(target, axis=-1), "float32")
        R = log_p if self.credit.reward == "log_prob" else R
        return R[..., None], self.expected_of(target, y_pred)

    def expected_of(self, target: Tensor, y_pred: dict[str, Tensor]) -> Tensor:
        """$b_t$ `[B, (M,) T - 1]`, of the label where there is one for each."""
        b_t = y_pred["baselines"]
        if self.credit.baseline == "state":
            return b_t
        return ops.sum(b_t * target[..., None, :], axis=-1)
