"""What RAM is made of: its arguments, its layers, their weights."""

from typing import Any

import keras
from keras.layers import Dense

from keras_attend.arguments import check_choice, check_positive_integers
from keras_attend.layers.glimpse_network import GlimpseNetwork
from keras_attend.layers.retina import Retina
from keras_attend.layers.zoom_retina import ZoomRetina
from keras_attend.models.base import Classifier
from keras_attend.policies import CategoricalPolicy, GaussianPolicy
from keras_attend.types import Shape


class RAMLayers(Classifier):
    """The layers of `RAM`, which uses them, and says what the arguments are."""

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
        baseline: str = "state",
        trace: float = 1.0,
        zooms: int = 1,
        stop_price: float | None = None,
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
            "zooms": zooms,
        }
        check_positive_integers(**counts)
        check_choice("location", location, ("mean", "sample", "random", "first"))
        check_choice("locator", locator, ("tanh", "linear"))
        check_choice("reward", reward, ("correct", "log_prob"))
        check_choice("baseline", baseline, ("state", "answer"))
        check_choice("variant", variant, ("default", "published"))
        if not policy_weight >= 0:
            raise ValueError(
                "`policy_weight` must not be negative. "
                f"Received: policy_weight={policy_weight}"
            )
        if not 0 <= trace <= 1:
            raise ValueError(f"`trace` must be in 0..1. Received: trace={trace}")
        if stop_price is not None and not stop_price >= 0:
            raise ValueError(
                "`stop_price` must be None or not negative. "
                f"Received: stop_price={stop_price}"
            )
        if variant == "published" and (zooms > 1 or stop_price is not None):
            raise ValueError(
                "The published variant has neither `zooms` nor `stop_price`. "
                f"Received: zooms={zooms}, stop_price={stop_price}"
            )
        self._config = {
            **counts,
            "std": std,
            "location": location,
            "locator": locator,
            "reward": reward,
            "baseline": baseline,
            "trace": trace,
            "stop_price": stop_price,
            "policy_weight": policy_weight,
            "policy_trains_core": policy_trains_core,
            "variant": variant,
        }
        self.classes, self.channels = classes, channels
        self.glimpses, self.size, self.scales = glimpses, size, scales
        self.episodes, self.location = episodes, location
        self.reward, self.trace = reward, trace
        self.zooms, self.stop_price = zooms, stop_price
        self.policy_weight = policy_weight
        self.policy_trains_core = policy_trains_core
        self.published = variant == "published"
        self.serving_shape = (None, None, None, channels)

        dtype = self.dtype_policy
        self.retina = (
            Retina(size, scales, dtype=dtype, name="retina")
            if zooms == 1
            else ZoomRetina(size, scales, zooms, dtype=dtype, name="retina")
        )
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
            1 if baseline == "state" else classes,
            activation="relu" if self.published else None,
            dtype=dtype,
            name="baseline",
        )
        self.policy = GaussianPolicy(std)
        self.choice_policy = CategoricalPolicy()
        if zooms > 1:
            self.zoomer = Dense(zooms, dtype=dtype, name="zoom")
        if stop_price is not None:
            # Scores of going on and of stopping; at first it mostly goes on.
            first = keras.initializers.Constant([1.0, -1.0])
            self.stopper = Dense(2, bias_initializer=first, dtype=dtype, name="stop")
            self.mean_looks = keras.metrics.Mean(name="looks")
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape: Shape) -> None:
        """Make the weights; none depends on the image's size."""
        units = self.core_input.units
        depth = self.scales * self.channels
        where = 2 if self.zooms == 1 else 3
        self.glimpse_network.build((None, self.size, self.size, depth), (None, where))
        parts = [
            self.core_input,
            self.core_recurrent,
            self.classifier,
            self.locator,
            self.baseline,
        ]
        if self.zooms > 1:
            parts.append(self.zoomer)
        if self.stop_price is not None:
            parts.append(self.stopper)
        for dense in parts:
            dense.build((None, units))

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), **self._config}
