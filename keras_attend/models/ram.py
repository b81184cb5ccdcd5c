"""RAM, the recurrent attention model (Mnih et al. 2014), in the paper's order.

Section 3.1: the glimpse sensor (`layers.Retina`), the glimpse network
(`layers.GlimpseNetwork`), the core and the two actions. Section 3.2: the hybrid loss
that trains them.
"""

from typing import Any

import keras
from keras import ops

from keras_attend.models.base import scaled_images
from keras_attend.models.ram_layers import RAMLayers
from keras_attend.policies import draw_seeds
from keras_attend.reinforce import baseline_loss, lambda_returns, reinforce_loss
from keras_attend.types import Tensor
from keras_attend.unroll import unroll

# Mean and deviation of MNIST's pixels, which the published code normalises by.
MNIST_MEAN, MNIST_STD = 0.1307, 0.3081
# Up to so many glimpses the steps are written out rather than looped over.
INLINE_GLIMPSES = 12


@keras.saving.register_keras_serializable("keras_attend")
class RAM(RAMLayers):
    r"""Classify an image by a few glimpses (Mnih et al. 2014, section 3).

    $$\rho_t = \mathrm{Retina}(x, l_{t-1}), \quad g_t = f_g(\rho_t, l_{t-1}), \quad
      h_t = \mathrm{Rect}(\mathrm{Linear}(h_{t-1}) + \mathrm{Linear}(g_t))$$

    $$l_t \sim N(f_l(h_t), \sigma^2 I), \qquad
      p(a \mid h_T) = \mathrm{softmax}(\mathrm{Linear}(h_T))$$

    The first location is uniform in the image. Locations are $(x, y)$, (-1, -1) the
    top left corner, cut to the image after the draw.

    Args:
        classes: number of classes.
        glimpses: $T$.
        size: side of a glimpse's patches in pixels, after pooling.
        scales: patches of a glimpse, each twice as wide as the last.
        channels: channels of the images.
        glimpse_units: size of the glimpse network's $h_g$ and $h_l$.
        units: size of $g_t$ and of $h_t$.
        std: $\sigma$, in half image widths.
        episodes: Monte-Carlo episodes (first location and draws) per image, in
            training and in prediction; `logits` is then the mean of their log
            probabilities.
        location: where prediction looks next: "mean" at $f_l(h_t)$, "sample" at a
            draw; "random" anywhere and "first" where it looked first, against
            which a policy is judged. Training draws.
        locator: activation of $f_l$: "tanh" keeps it in the image, "linear" is the
            paper's.
        reward: what $R$ is: "correct" is the paper's 1 or 0; "log_prob",
            $\log p(y)$ of the label, still tells good looks from bad ones when
            nearly all answers are right.
        baseline: what the expected reward $b_t$ is learned from: "state" is $h_t$, as
            in the paper; "answer" is $h_t$ and the label. The label does not depend on
            where the gaze goes, so that the gradient stays right, with less noise.
        trace: $\lambda$ of what a look is credited with: 1 is the paper's $R$, less
            mixes in what the baseline expects after the next look (see
            `reinforce.lambda_returns`), again with less noise.
        zooms: widths of a glimpse to choose from, each twice the last (section 5's
            control of the scale). The first look is the widest; a policy learned as
            $f_l$ is chooses the next ones, and the glimpse network is told.
        stop_price: what a glimpse costs in units of $R$; then the network may stop
            before $T$ (section 5's stop action), and answers from where it stopped.
            None always takes $T$ glimpses.
        policy_weight: weight of the REINFORCE loss.
        policy_trains_core: whether the losses of $f_l$ and of the baseline reach
            the core. The paper is silent; the published code says no.
        variant: "published" is the best-known public code (FIDELITY: normalised
            images, a second tanh after the draw, a rectified baseline).

    Call arguments:
        images: `[B, H, W, C]` of any size, `float32` in 0..1 or `uint8`.
        first_location: `[B, 2]`, in place of the uniform draw.

    Returns a dict; the axis `M` of episodes is absent when `episodes` is 1:
        logits: `[B, classes]`.
        locations: `[B, M, T, 2]`, where it looked.
        glimpses: `[B, M, T, size, size, scales * C]`, what it saw.
        episode_logits: `[B, M, classes]`.
        log_probs: `[B, M, T - 1]`, of what it drew; only where it draws.
        zooms: `[B, M, T]`, int32, how wide each glimpse was, 0 the finest; only with
            `zooms`.
        looks: `[B, M]`, int32, how many glimpses it took; only with `stop_price`.
        baselines: `[B, M, T - 1]`, the reward it expected when it chose them; with
            `baseline="answer"` `[B, M, T - 1, classes]`, that for each answer.
    """

    # Section 3.1: one step, and the episode.

    def step(
        self, images: Tensor, l: Tensor, h: Tensor, zoom: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        r"""One glimpse: $\rho_t$, and $g_t$ and $h_t$, both `[B, units]`."""
        where = l
        if zoom is None:
            rho = self.retina(images, l)
        else:
            rho = self.retina(images, l, zoom)
            width = ops.cast(zoom, l.dtype) / (self.zooms - 1)
            where = ops.concatenate([l, 2.0 * width[:, None] - 1.0], axis=-1)
        g = self.glimpse_network(rho, where)
        h = ops.relu(self.core_input(g) + self.core_recurrent(h))
        return rho, g, h

    def look(
        self,
        images: Tensor,
        first_location: Tensor | None = None,
        location: str = "mean",
    ) -> dict[str, Tensor]:
        """One episode for each image, every quantity of every step.

        Args:
            images: `[B, H, W, C]`, scaled.
            first_location: `[B, 2]`; uniform when absent.
            location: as the constructor's.

        Returns:
            `locations` `[B, T, 2]`, `glimpses`, `features` and `hidden`
            `[B, T, units]`, the `means` and the `choices` (before the cut) of the
            next locations `[B, T, 2]`, the `baselines` `[B, T]`, where locations
            are drawn the `log_probs` `[B, T]` of all choices, `zooms` `[B, T]` and
            `looks` `[B]` where there are any, and `logits` `[B, classes]`.
        """
        batch = ops.shape(images)[0]
        l_0 = first_location
        if l_0 is None:
            l_0 = uniform((batch, 2), self.seed_generator)
        inline = self.glimpses <= INLINE_GLIMPSES
        # All start alike: where the steps are written out, one row does.
        rows = 1 if inline else batch
        h_0 = ops.zeros((rows, self.core_input.units), self.compute_dtype)
        state = {"h": h_0, "l": ops.cast(l_0, "float32")}
        # Random numbers are drawn before the loop.
        draws = {"location": draw_seeds(self.glimpses, self.seed_generator)}
        if location == "random":
            shape = (batch, self.glimpses, 2)
            draws["anywhere"] = uniform(shape, self.seed_generator)
        if self.zooms > 1:
            state["zoom"] = ops.full((batch,), self.zooms - 1, dtype="int32")
            draws["zoom"] = draw_seeds(self.glimpses, self.seed_generator)

        def step(draw: dict[str, Tensor], state: dict[str, Tensor]) -> tuple[Any, Any]:
            l, zoom = state["l"], state.get("zoom")
            rho, g, h = self.step(images, l, state["h"], zoom)
            # Where to look is learned by REINFORCE alone: the draw is a constant.
            mu = ops.stop_gradient(self._mean(h))
            choice = mu
            if location == "sample":
                choice = self.policy.sample(mu, draw["location"][0])
            elif location == "random":
                choice = draw["anywhere"]
            elif location == "first":
                choice = l
            if self.published:
                choice = ops.tanh(choice)
            outputs = {
                "locations": l,
                "glimpses": rho,
                "features": g,
                "hidden": h,
                "choices": choice,
            }
            state = {"h": h, "l": ops.clip(choice, -1.0, 1.0)}
            if zoom is not None:
                scores = ops.stop_gradient(ops.cast(self.zoomer(h), "float32"))
                state["zoom"] = self._choose(scores, draw["zoom"][0], location)
                outputs |= {"zooms": zoom, "next_zooms": state["zoom"]}
            return outputs, state

        steps, _ = unroll(step, state, draws, inline=inline)
        h_t = steps["hidden"]  # [B, T, units]
        h_n = h_t[:, -1]
        if self.stop_price is not None:
            steps["looks"], log_pi_stop = self._stop(h_t, location)
            last = ops.one_hot(steps["looks"] - 1, self.glimpses, dtype=h_t.dtype)
            h_n = ops.sum(last[..., None] * h_t, axis=1)
        if not self.policy_trains_core:
            h_t = ops.stop_gradient(h_t)
        mu_t = self._mean(h_t)  # [B, T, 2]
        steps["means"] = mu_t
        if location == "sample":  # (a published draw is scored after its tanh)
            log_probs = self.policy.log_prob(mu_t, steps["choices"])
            if self.zooms > 1:
                scores = ops.cast(self.zoomer(h_t), "float32")
                log_probs += self.choice_policy.log_prob(scores, steps["next_zooms"])
            if self.stop_price is not None:
                # What would have been chosen after the stop changes nothing.
                going_on = self._before(steps["looks"] - 1)
                log_probs = going_on * log_probs + log_pi_stop
            steps["log_probs"] = log_probs
        b_t = ops.cast(self.baseline(h_t), "float32")  # [B, T, 1 or classes]
        steps["baselines"] = b_t[..., 0] if b_t.shape[-1] == 1 else b_t
        steps["logits"] = ops.cast(self.classifier(h_n), "float32")
        return steps

    def _choose(self, scores: Tensor, seed: Tensor, location: str) -> Tensor:
        """One of several, `[...]` int32: a draw where locations are drawn."""
        if location == "sample":
            return ops.cast(self.choice_policy.sample(scores, seed), "int32")
        return ops.cast(ops.argmax(scores, axis=-1), "int32")

    def _before(self, count: Tensor) -> Tensor:
        """1 at the first `count` `[B]` steps, then 0; `[B, T]`."""
        steps = ops.arange(self.glimpses, dtype="int32")
        return ops.cast(steps < count[..., None], "float32")

    def _stop(self, h_t: Tensor, location: str) -> tuple[Tensor, Tensor]:
        """How many glimpses are taken `[B]`, and how likely that was `[B, T]`.

        Nothing in a glimpse depends on whether it is the last, so that this is
        decided after all of them.
        """
        if not self.policy_trains_core:
            h_t = ops.stop_gradient(h_t)
        scores = ops.cast(self.stopper(h_t), "float32")  # [B, T, 2]
        seed = draw_seeds(1, self.seed_generator)[0, 0]
        stop = self._choose(ops.stop_gradient(scores), seed, location)  # [B, T]
        went_on = ops.cumprod(1 - stop[:, :-1], axis=1)  # [B, T - 1]
        looks = 1 + ops.sum(went_on, axis=1)
        # The decisions up to the stop; after the last glimpse there is none.
        decided = ops.arange(self.glimpses, dtype="int32") < self.glimpses - 1
        decided = self._before(looks) * ops.cast(decided, "float32")
        return looks, decided * self.choice_policy.log_prob(scores, stop)

    def _mean(self, h: Tensor) -> Tensor:
        return ops.cast(self.locator(h), "float32")

    def call(
        self,
        images: Tensor,
        training: bool | None = None,
        first_location: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Logits, and where and what it saw; see the class."""
        images = self.scaled(images)
        if first_location is not None and len(first_location.shape) != 2:
            raise ValueError(
                "`first_location` must have shape [batch, 2]. Received: "
                f"first_location.shape={tuple(first_location.shape)}"
            )
        M = self.episodes
        if M > 1:
            images = ops.repeat(images, M, axis=0)  # [B M, H, W, C]
            if first_location is not None:
                first_location = ops.repeat(first_location, M, axis=0)
        location = "sample" if training else self.location
        steps = self.look(images, first_location, location)

        # The location chosen last is never looked at. (Published: it is scored.)
        chosen = self.glimpses if self.published else self.glimpses - 1
        logits = steps["logits"]  # [B M, classes]
        outputs = {
            "locations": steps["locations"],
            "glimpses": steps["glimpses"],
            "episode_logits": logits,
            "baselines": steps["baselines"][:, :chosen],
        }
        if "log_probs" in steps:
            outputs["log_probs"] = steps["log_probs"][:, :chosen]
        extra = ("zooms", "looks")
        outputs |= {name: steps[name] for name in extra if name in steps}
        if M > 1:
            # Not -1: of a single glimpse there are no baselines to count.
            B = ops.shape(images)[0] // M
            outputs = {
                name: ops.reshape(x, (B, M, *x.shape[1:]))
                for name, x in outputs.items()
            }
            logits = ops.mean(ops.log_softmax(outputs["episode_logits"]), axis=1)
        return {"logits": logits, **outputs}

    def scaled(self, images: Tensor) -> Tensor:
        """Images in 0..1 (published: normalised)."""
        images = scaled_images(images, self.channels, self.compute_dtype)
        return (images - MNIST_MEAN) / MNIST_STD if self.published else images

    # Section 3.2: the hybrid loss.

    def sample_losses(self, x: Any, y: Tensor, y_pred: dict[str, Tensor]) -> Tensor:
        r"""$-\log p(y) + \sum_t (b_t - R)^2 / T - w \sum_t \log\pi(l_t)(G_t - b_t)$.

        $R$ is 1 for a right answer at the last step and 0 for a wrong one (or see
        `reward`), and $G_t$ is $R$ (or see `trace`). The policy has a loss where it
        draws.
        """
        logits = y_pred["episode_logits"]  # [B, (M,) classes]
        target = self.one_hot(y)
        if self.episodes > 1:
            target = target[:, None]  # the same for each episode
        log_p = ops.sum(target * ops.log_softmax(logits), axis=-1)  # [B, (M)]
        loss = -log_p
        right = ops.argmax(logits, axis=-1) == ops.argmax(target, axis=-1)
        R = ops.cast(right, "float32")
        R = (log_p if self.reward == "log_prob" else R)[..., None]
        if self.stop_price is not None:
            looks = y_pred["looks"]  # [B, (M)]
            R = R - self.stop_price * ops.cast(looks, "float32")[..., None]
        if self.glimpses > 1 or self.published:
            b_t = y_pred["baselines"]  # [B, (M), T - 1, (classes)]
            if len(b_t.shape) > len(logits.shape):
                b_t = ops.sum(b_t * target[..., None, :], axis=-1)
            if self.stop_price is not None:  # none is expected after the stop
                b_t = ops.where(self._before(looks)[..., :-1] > 0, b_t, R)
            loss = loss + baseline_loss(b_t, R)
            if "log_probs" in y_pred:
                log_pi_t = y_pred["log_probs"]
                G_t = lambda_returns(R, b_t, self.trace)
                loss = loss + self.policy_weight * reinforce_loss(log_pi_t, G_t, b_t)
        return ops.mean(loss, axis=1) if self.episodes > 1 else loss

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Tensor]:
        """Loss and accuracy; with `stop_price` also how many glimpses it took."""
        if self.stop_price is not None:
            self.mean_looks.update_state(y_pred["looks"])
        return super().compute_metrics(x, y, y_pred, sample_weight)


def uniform(shape: Any, seed: Any) -> Tensor:
    """Locations anywhere in the image."""
    return keras.random.uniform(shape, -1.0, 1.0, dtype="float32", seed=seed)
