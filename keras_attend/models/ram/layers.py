"""RAM's layers, with the sizes of the paper's section 4, and their weights."""

from functools import partial
from typing import Any, ClassVar

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

    kept_as: ClassVar[dict[str, str]] = {
        "locator": "locator_activation",
        "core": "core_kind",
    }
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
        episodes: int = 1,
        std: float = 0.11,
        location: str = "mean",
        locator: str = "tanh",
        core: str = "rectified",
        credit: Credit | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice("location", location, ("mean", "sample", "random", "first"))
        check_choice("locator", locator, ("tanh", "linear"))
        check_choice("core", core, ("rectified", "lstm"))
        self.credit = Credit.of(credit)
        self.classes, self.channels = classes, channels
        self.glimpses, self.size, self.scales = glimpses, size, scales
        self.glimpse_units, self.units = glimpse_units, units
        self.episodes, self.std = episodes, std
        names = ("classes", "glimpses", "size", "scales", "channels", "glimpse_units")
        for name in (*names, "units", "episodes"):
            check_positive_integers(**{name: getattr(self, name)})
        self.location, self.locator_activation = location, locator
        self.core_kind = core
        self.serving_shape = (None, None, None, channels)

        dtype = self.dtype_policy
        self.retina: Any = Retina(size, scales, dtype=dtype, name="retina")
        self.glimpse_network = GlimpseNetwork(
            glimpse_units, units, dtype=dtype, name="glimpse"
        )
        dense = partial(Dense, dtype=dtype)
        self.core: Any = None
        if core == "lstm":
            self.core = keras.layers.LSTMCell(units, dtype=dtype, name="core")
        else:
            self.core_input = dense(units, name="core_input")
            # Rectified units keep what they hold if they begin as a copy (Le et al.
            # 2015).
            copy = keras.initializers.Identity(0.5)
            self.core_recurrent = dense(
                units, kernel_initializer=copy, name="core_recurrent"
            )
        self.classifier = dense(classes, name="action")
        self.locator = dense(2, locator, name="location")
        rewards = 1 if self.credit.baseline == "state" else classes
        self.baseline = dense(rewards, name="baseline")
        self.policy = GaussianPolicy(std)
        self.seed_generator = keras.random.SeedGenerator()

    @property
    def heads(self) -> list[keras.layers.Layer]:
        """The classifier, and the baseline if it is one for each answer."""
        by_answer = self.credit.baseline == "answer"
        return [self.classifier, self.baseline] if by_answer else [self.classifier]

    def build(self, input_shape: Shape) -> None:
        """Make the weights; none depends on the image's size."""
        patches = (None, self.size, self.size, self.scales * self.channels)
        self.retina.build((None, None, None, self.channels), (None, 2))
        self.glimpse_network.build(patches, (None, self.place))
        core = (self.core,) if self.core else (self.core_input, self.core_recurrent)
        for layer in (*core, self.classifier, self.locator, self.baseline):
            layer.build((None, self.units))
