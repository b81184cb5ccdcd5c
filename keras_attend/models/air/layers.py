"""AIR's layers and arguments."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_attend.arguments import (
    check_choice,
    check_positive,
    check_positive_integers,
)
from keras_attend.compat import set_direction
from keras_attend.layers.crop import parse_size
from keras_attend.models.air.background import (
    Background,
    MeanBackground,
    NoBackground,
    VAEBackground,
)
from keras_attend.models.air.baseline import Baseline
from keras_attend.models.air.cell import AIRCell
from keras_attend.models.air.elbo import LIKELIHOODS
from keras_attend.models.air.grid_background import GridBackground
from keras_attend.models.air.prior import ObjectPrior
from keras_attend.models.air.vivid import NUMBERS
from keras_attend.models.base import AttentionModel
from keras_attend.types import Shape

INFERENCE = ("enumerate", "reinforce")
BACKGROUNDS: dict[str, type[Background]] = {
    "none": NoBackground,
    "mean": MeanBackground,
    "vae": VAEBackground,
    "grid": GridBackground,
}
SEARCH = ("lstm", "map")
COUNTING = ("logits", "bound")
PAINT = ("ink", "flat", "vivid", "pixels")


class AIRLayers(AttentionModel):
    """The layers of `AIR`, which documents the arguments."""

    def __init__(
        self,
        size: int | Sequence[int] = 50,
        channels: int = 1,
        steps: int = 3,
        *,
        window: int = 20,
        what: int = 50,
        units: int = 256,
        inference: str = "enumerate",
        residual: bool | None = None,
        background: str | Background = "none",
        paint: str = "ink",
        search: str = "lstm",
        blend: bool = True,
        counting: str = "logits",
        likelihood: str = "normal",
        sigma: float = 0.3,
        prior: ObjectPrior | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.size = height, width = parse_size(size, "size")
        counts = {"channels": channels, "steps": steps, "window": window}
        check_positive_integers(**counts, what=what, units=units)
        check_choice("inference", inference, INFERENCE)
        check_choice("paint", paint, PAINT)
        check_choice("likelihood", likelihood, LIKELIHOODS)
        check_positive(sigma=sigma)
        if min(height, width) < window:
            raise ValueError(
                "`size` must be at least `window`: a picture cannot be smaller than "
                f"the window. Received: size={(height, width)}, window={window}"
            )
        self.channels, self.steps = channels, steps
        self.window, self.what, self.units = window, what, units
        self.inference = inference
        self.residual = inference == "enumerate" if residual is None else bool(residual)
        self.paint, self.likelihood, self.sigma = paint, likelihood, float(sigma)
        check_choice("search", search, SEARCH)
        check_choice("counting", counting, COUNTING)
        self.search, self.blend, self.counting = search, bool(blend), counting
        self.prior = ObjectPrior.of(prior)
        if self.prior.side > 2 * max(height, width):
            raise ValueError(
                "A window may be at most twice as large as the picture. Received: "
                f"prior={self.prior} for pictures of {(height, width)}"
            )
        self.check_colors()
        self.serving_shape = (None, height, width, channels)
        if isinstance(background, str):
            check_choice("background", background, tuple(BACKGROUNDS))
            background = BACKGROUNDS[background](
                self.size, channels, dtype=self.dtype_policy, name="background"
            )
        self.background: Any = background
        if (background.size, background.channels) != (self.size, channels):
            raise ValueError(
                "`background` must have the pictures' size and channels, "
                f"{self.size} and {channels}. Received: {background.size} and "
                f"{background.channels}"
            )
        if not blend:
            self.check_crisp("blend=False")

        self.cell = AIRCell(
            self.size,
            channels,
            window,
            what,
            units,
            residual=self.residual,
            search=search,
            paint=paint,
            over=self.over,
            prior=self.prior,
            dtype=self.dtype_policy,
            name="cell",
        )
        self.baseline: Any = None
        if inference == "reinforce":
            self.baseline = Baseline(dtype=self.dtype_policy, name="baseline")
        self.seed_generator = keras.random.SeedGenerator()
        self.elbo_mean = keras.metrics.Mean(name="elbo")
        self.count_accuracy = keras.metrics.Mean(name="count_accuracy")
        for metric in (self.elbo_mean, self.count_accuracy):
            set_direction(metric, "up")

    @property
    def over(self) -> bool:
        """Whether objects hide what is behind them."""
        return not isinstance(self.background, NoBackground)

    @property
    def can_be_crisp(self) -> bool:
        """Whether an object has one colour and hides what is behind it."""
        return self.over and self.paint != "pixels"

    def check_colors(self) -> None:
        """Refuse colours that pictures of this size cannot have."""
        if self.paint == "vivid" and (self.channels != 3 or self.what <= NUMBERS):
            raise ValueError(
                'With `paint="vivid"`, `channels` must be 3, and `what` more than '
                f"{NUMBERS}, which are the colour's. Received: "
                f"channels={self.channels}, what={self.what}"
            )

    def check_crisp(self, given: str) -> None:
        """Refuse objects of which a pixel cannot show one alone."""
        if not self.can_be_crisp:
            raise ValueError(
                f"With `{given}`, objects must have one colour each and hide what is "
                'behind them: use another `paint` than "pixels" and another '
                f'`background` than "none". Received: paint={self.paint!r}, '
                f"background={type(self.background).__name__}"
            )

    def check_dreams(self, given: dict[str, Any]) -> list[Any]:
        """Return two kinds of pictures, if the model can dream of them."""
        if set(given) != {"images", "plain"}:
            raise ValueError(
                "Pictures must be one array, or two in a dict, `images` and `plain`, "
                f"the latter of objects on black. Received: {sorted(given)}"
            )
        if self.search != "map" or self.blend:
            raise ValueError(
                "To learn from black pictures where objects are in others, the model "
                'needs `search="map"` and `blend=False`. Received: '
                f"search={self.search!r}, blend={self.blend}"
            )
        if not self.built:
            self.build(self.serving_shape)
        return list(given.values())

    def build(self, input_shape: Shape) -> None:
        """Make the weights."""
        height, width = self.size
        length = -(-height // 2) * -(-width // 2) * self.channels
        self.cell.build((None, length))
        if not self.background.built:  # as one is that was loaded
            self.background.build((None, length), (None, self.background.latents))
        # How many batches the model was trained on, for the annealed prior.
        self.batches = self.add_weight(
            shape=(),
            initializer="zeros",
            trainable=False,
            name="batches",
            aggregation="mean",
        )
        if self.baseline is not None:
            self.baseline.build((None, self.steps, self.units))
