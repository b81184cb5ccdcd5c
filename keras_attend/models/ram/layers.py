"""RAM's layers, with the sizes of the paper's section 4, and their weights."""

from typing import Any

import keras
from keras.layers import Dense

from keras_attend.arguments import check_choice, check_positive_integers
from keras_attend.layers.glimpse_network import GlimpseNetwork
from keras_attend.layers.retina import Retina
from keras_attend.models.base import Classifier
from keras_attend.models.ram.credit import Credit
from keras_attend.policies import GaussianPolicy
from keras_attend.types import Shape


class RAMLayers(Classifier):
    """The layers of `RAM`, which documents the arguments."""

    # How many numbers tell the glimpse network where a glimpse is.
    place = 2

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
        credit: Credit | None = None,
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
        self.credit = Credit.of(credit)
        self._config = {**counts, "std": std, "location": location, "locator": locator}
        self.classes, self.channels = classes, channels
        self.glimpses, self.size, self.scales = glimpses, size, scales
        self.episodes, self.location = episodes, location
        self.serving_shape = (None, None, None, channels)

        dtype = self.dtype_policy
        self.retina: Any = Retina(size, scales, dtype=dtype, name="retina")
        self.glimpse_network = GlimpseNetwork(
            glimpse_units, units, dtype=dtype, name="glimpse"
        )
        self.core_input = Dense(units, dtype=dtype, name="core_input")
        # Rectified units keep what they hold if they begin as a copy (Le et al. 2015).
        self.core_recurrent = Dense(
            units,
            kernel_initializer=keras.initializers.Identity(0.5),
            dtype=dtype,
            name="core_recurrent",
        )
        self.classifier = Dense(classes, dtype=dtype, name="action")
        activation = "tanh" if locator == "tanh" else None
        self.locator = Dense(2, activation=activation, dtype=dtype, name="location")
        rewards = 1 if self.credit.baseline == "state" else classes
        self.baseline = Dense(rewards, dtype=dtype, name="baseline")
        self.policy = GaussianPolicy(std)
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape: Shape) -> None:
        """Make the weights; none depends on the image's size."""
        patches = (None, self.size, self.size, self.scales * self.channels)
        self.glimpse_network.build(patches, (None, self.place))
        core = (self.core_input, self.core_recurrent)
        for dense in (*core, self.classifier, self.locator, self.baseline):
            dense.build((None, self.core_input.units))

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        credit = keras.saving.serialize_keras_object(self.credit)
        return {**super().get_config(), **self._config, "credit": credit}
