"""RAM, the recurrent attention model (Mnih et al. 2014), in the paper's order.

Section 3.1: the glimpse sensor (`layers.Retina`), the glimpse network
(`layers.GlimpseNetwork`), the core and the two actions. Section 3.2: the hybrid loss
that trains them.
"""

from typing import Any

import keras
import numpy as np
from keras import ops
from keras.layers import Dense

from keras_attend.arguments import check_choice, check_positive_integers
from keras_attend.layers.glimpse_network import GlimpseNetwork
from keras_attend.layers.retina import Retina
from keras_attend.models.base import AttentionModel
from keras_attend.policies import GaussianPolicy, draw_seeds
from keras_attend.reinforce import baseline_loss, reinforce_loss
from keras_attend.types import Shape, Tensor
from keras_attend.unroll import unroll

# Mean and deviation of MNIST's pixels, which the published code normalises by.
MNIST_MEAN, MNIST_STD = 0.1307, 0.3081
# Up to so many glimpses the steps are written out rather than looped over.
INLINE_GLIMPSES = 12


@keras.saving.register_keras_serializable("keras_attend")
class RAM(AttentionModel):
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
        log_probs: `[B, M, T - 1]`, of the locations it drew; only where it draws.
        baselines: `[B, M, T - 1]`, the reward it expected when it chose them.
    """

    def __init__(
        self,
        classes: int = 10,
        glimpses: int = 6,
        size: int = 8,
        scales: int = 1,
        channels: int = 1,
        *,
        glimpse_units: int = 128,
        units: int = 256,
        std: float = 0.11,
        episodes: int = 1,
        location: str = "mean",
        locator: str = "tanh",
        reward: str = "correct",
        policy_weight: float = 0.01,
        policy_trains_core: bool = False,
        variant: str = "default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        counts = {
            "classes": classes,
            "glimpses": glimpses,
            "size": size,
            "scales": scales,
            "channels": channels,
            "glimpse_units": glimpse_units,
            "units": units,
            "episodes": episodes,
        }
        check_positive_integers(**counts)
        check_choice("location", location, ("mean", "sample", "random", "first"))
        check_choice("locator", locator, ("tanh", "linear"))
        check_choice("reward", reward, ("correct", "log_prob"))
        check_choice("variant", variant, ("default", "published"))
        if not policy_weight >= 0:
            raise ValueError(
                "`policy_weight` must not be negative. "
                f"Received: policy_weight={policy_weight}"
            )
        self._config = {
            **counts,
            "std": std,
            "location": location,
            "locator": locator,
            "reward": reward,
            "policy_weight": policy_weight,
            "policy_trains_core": policy_trains_core,
            "variant": variant,
        }
        self.classes, self.channels = classes, channels
        self.glimpses, self.size, self.scales = glimpses, size, scales
        self.episodes, self.location = episodes, location
        self.reward = reward
        self.policy_weight = policy_weight
        self.policy_trains_core = policy_trains_core
        self.published = variant == "published"
        self.serving_shape = (None, None, None, channels)

        dtype = self.dtype_policy
        self.retina = Retina(size, scales, dtype=dtype, name="retina")
        self.glimpse_network = GlimpseNetwork(
            glimpse_units, units, dtype=dtype, name="glimpse"
        )
        self.core_input = Dense(units, dtype=dtype, name="core_input")
        # Rectified units remember what they start as a copy of (Le et al. 2015).
        self.core_recurrent = Dense(
            units,
            kernel_initializer=keras.initializers.Identity(0.5),
            dtype=dtype,
            name="core_recurrent",
        )
        self.classifier = Dense(classes, dtype=dtype, name="action")
        squash = "tanh" if locator == "tanh" or self.published else None
        self.locator = Dense(2, activation=squash, dtype=dtype, name="location")
        self.baseline = Dense(
            1,
            activation="relu" if self.published else None,
            dtype=dtype,
            name="baseline",
        )
        self.policy = GaussianPolicy(std)
        self.seed_generator = keras.random.SeedGenerator()
        self.accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")

    def build(self, input_shape: Shape) -> None:
        """Make the weights; none depends on the image's size."""
        units = self.core_input.units
        depth = self.scales * self.channels
        self.glimpse_network.build((None, self.size, self.size, depth), (None, 2))
        for dense in (
            self.core_input,
            self.core_recurrent,
            self.classifier,
            self.locator,
            self.baseline,
        ):
            dense.build((None, units))

    # Section 3.1: one step, and the episode.

    def step(
        self,
        rho: Tensor,
        l: Tensor,
        h: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """`g_t` and `h_t`, both `[B, units]`, of one glimpse."""
        g = self.glimpse_network(rho, l)
        return g, ops.relu(self.core_input(g) + self.core_recurrent(h))

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
            are drawn their `log_probs` `[B, T]`,
            and `logits` `[B, classes]`.
        """
        batch = ops.shape(images)[0]
        l_0 = first_location
        if l_0 is None:
            l_0 = uniform((batch, 2), self.seed_generator)
        inline = self.glimpses <= INLINE_GLIMPSES
        # All start alike: where the steps are written out, one row does.
        rows = 1 if inline else batch
        h_0 = ops.zeros((rows, self.core_input.units), self.compute_dtype)
        # Random numbers are drawn before the loop.
        draws = {"seed": draw_seeds(self.glimpses, self.seed_generator)}  # [1, T, 2]
        if location == "random":
            shape = (batch, self.glimpses, 2)
            draws["anywhere"] = uniform(shape, self.seed_generator)

        def step(
            draw: dict[str, Tensor], state: tuple[Tensor, Tensor]
        ) -> tuple[Any, Any]:
            h, l = state
            rho = self.retina(images, l)
            g, h = self.step(rho, l, h)
            # Where to look is learned by REINFORCE alone: the draw is a constant.
            mu = ops.stop_gradient(self._mean(h))
            choice = mu
            if location == "sample":
                choice = self.policy.sample(mu, draw["seed"][0])
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
            return outputs, (h, ops.clip(choice, -1.0, 1.0))

        state = (h_0, ops.cast(l_0, "float32"))
        steps, (h_T, _) = unroll(step, state, draws, inline=inline)
        h_t = steps["hidden"]  # [B, T, units]
        if not self.policy_trains_core:
            h_t = ops.stop_gradient(h_t)
        mu_t = self._mean(h_t)  # [B, T, 2]
        steps["means"] = mu_t
        if location == "sample":  # (a published draw is scored after its tanh)
            steps["log_probs"] = self.policy.log_prob(mu_t, steps["choices"])
        steps["baselines"] = ops.cast(self.baseline(h_t)[..., 0], "float32")
        steps["logits"] = ops.cast(self.classifier(h_T), "float32")
        return steps

    def _mean(self, h: Tensor) -> Tensor:
        return ops.cast(self.locator(h), "float32")

    def call(
        self,
        images: Tensor,
        training: bool | None = None,
        first_location: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Logits, and where and what it saw; see the class."""
        images = self._scaled(images)
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
        if M > 1:
            outputs = {
                name: ops.reshape(x, (-1, M, *x.shape[1:]))
                for name, x in outputs.items()
            }
            logits = ops.mean(ops.log_softmax(outputs["episode_logits"]), axis=1)
        return {"logits": logits, **outputs}

    def _scaled(self, images: Tensor) -> Tensor:
        """Images in 0..1 (published: normalised)."""
        shape = tuple(images.shape)
        if len(shape) != 4 or shape[-1] not in (None, self.channels):
            raise ValueError(
                f"`images` must have shape [batch, height, width, {self.channels}]. "
                f"Received: images.shape={shape}"
            )
        if 0 in shape[1:3]:
            raise ValueError(
                f"`images` must not be empty. Received: images.shape={shape}"
            )
        if keras.backend.is_int_dtype(images.dtype):
            images = ops.cast(images, self.compute_dtype) / 255.0
        images = ops.cast(images, self.compute_dtype)
        if self.published:
            images = (images - MNIST_MEAN) / MNIST_STD
        return images

    # Section 3.2: the hybrid loss.

    def fit(self, x: Any = None, y: Any = None, **kwargs: Any) -> Any:
        """Keras's `fit`, after a look at the labels."""
        self._check_labels(y)
        return super().fit(x, y, **kwargs)

    def evaluate(self, x: Any = None, y: Any = None, **kwargs: Any) -> Any:
        """Keras's `evaluate`, after a look at the labels."""
        self._check_labels(y)
        return super().evaluate(x, y, **kwargs)

    def _check_labels(self, y: Any) -> None:
        if y is None or not hasattr(y, "__len__") or len(y) == 0:
            return
        low, high = int(np.min(y)), int(np.max(y))
        if low < 0 or high >= self.classes:
            raise ValueError(
                f"The labels `y` must be in 0..{self.classes - 1}. "
                f"Received: labels in {low}..{high}"
            )

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        r"""$-\log p(y) + \sum_t (b_t - R)^2 / T - w \sum_t \log\pi(l_t)(R - b_t)$.

        $R$ is 1 for a right answer at the last step and 0 for a wrong one (or see
        `reward`). The policy has a loss where it draws. Labels outside
        `0..classes - 1` make the loss NaN.
        """
        logits = y_pred["episode_logits"]  # [B, (M,) classes]
        y = ops.cast(y, "int32")
        if len(y.shape) == 2:
            y = y[:, 0]
        valid = ops.logical_and(y >= 0, y < self.classes)  # [B]
        if self.episodes > 1:
            y = ops.repeat(y[:, None], self.episodes, axis=1)  # [B, M]
        target = ops.one_hot(y, self.classes, dtype="float32")
        log_p = ops.sum(target * ops.log_softmax(logits), axis=-1)  # [B, (M)]
        loss = -log_p
        R = ops.cast(ops.argmax(logits, axis=-1) == y, "float32")
        R = (log_p if self.reward == "log_prob" else R)[..., None]
        if self.glimpses > 1 or self.published:
            b_t = y_pred["baselines"]
            loss = loss + baseline_loss(b_t, R)
            if "log_probs" in y_pred:
                log_pi_t = y_pred["log_probs"]
                loss = loss + self.policy_weight * reinforce_loss(log_pi_t, R, b_t)
        if self.episodes > 1:
            loss = ops.mean(loss, axis=1)  # [B]
        loss = ops.where(valid, loss, float("nan"))
        if sample_weight is not None:
            loss = loss * ops.cast(ops.reshape(sample_weight, (-1,)), loss.dtype)
        for extra in self.losses:  # regularisers, if any layer was given one
            loss = loss + extra
        return ops.mean(loss)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Tensor]:
        """Loss and accuracy."""
        self.accuracy.update_state(y, y_pred["logits"], sample_weight)
        return self.get_metrics_result()

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), **self._config}


def uniform(shape: Any, seed: Any) -> Tensor:
    """Locations anywhere in the image."""
    return keras.random.uniform(shape, -1.0, 1.0, dtype="float32", seed=seed)
