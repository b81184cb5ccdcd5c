r"""What is behind the objects: nothing, a learned picture, or a picture from a VAE.

A background is a layer that is called as `background(summary, noise)`, with a summary
`[B, F]` of the picture and noise `[B, latents]`, and returns its picture
`[B, H, W, C]`, $KL(q \| p)$ and the $\log p - \log q$ of what was drawn, both `[B]`,
and how far pixels are from its picture, `[B, H, W, 1]`, or None if it does not know.
`draw(z)` makes a picture of $z$ `[B, latents]`, which has a standard normal prior.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
from keras import ops
from keras.layers import Dense

from keras_attend.arguments import KeepsArguments, check_positive_integers
from keras_attend.layers.crop import parse_size
from keras_attend.models.air.prior import divergence, log_ratio
from keras_attend.types import Shape, Tensor

DARK = -2.0  # logit of a pixel before training
UNIT = 0.5413  # softplus(0.5413) = 1: a posterior begins as wide as its prior


def positive(x: Tensor) -> Tensor:
    """A standard deviation from an activation; 1 from 0."""
    return ops.softplus(x + UNIT) + 1e-4


class Background(KeepsArguments, keras.layers.Layer):
    """Nothing: a black picture.

    Args:
        size: of the picture in pixels, an integer or `(height, width)`.
        channels: of the picture.
    """

    latents = 0

    def __init__(
        self, size: int | Sequence[int], channels: int = 1, **kwargs: Any
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.size, self.channels = parse_size(size, "size"), channels
        check_positive_integers(channels=channels)

    def build(self, summary_shape: Shape, noise_shape: Shape | None = None) -> None:
        """Make no weights."""

    def draw(self, z: Tensor) -> Tensor:
        """Pictures `[B, H, W, C]` of z `[B, latents]`."""
        return ops.zeros((ops.shape(z)[0], *self.size, self.channels))

    def call(self, summary: Tensor, noise: Tensor) -> tuple[Tensor, ...]:
        """The background of each picture."""
        nothing = ops.zeros_like(summary[:, 0])
        return self.draw(noise), nothing, nothing, None


@keras.saving.register_keras_serializable("keras_attend")
class NoBackground(Background):
    """A black background, on which the brightness of objects is added up."""


@keras.saving.register_keras_serializable("keras_attend")
class MeanBackground(Background):
    """One learned picture, the same behind all objects.

    Args:
        size, channels: as of `NoBackground`.
    """

    def build(self, summary_shape: Shape, noise_shape: Shape | None = None) -> None:
        """Make the picture's logits."""
        self.logits = self.add_weight(
            shape=(*self.size, self.channels),
            initializer=keras.initializers.Constant(DARK),
            name="logits",
        )

    def draw(self, z: Tensor) -> Tensor:
        """The same picture for each z."""
        logits = ops.cast(ops.convert_to_tensor(self.logits), "float32")
        picture = ops.sigmoid(logits)[None]
        return ops.repeat(picture, ops.shape(z)[0], axis=0)


@keras.saving.register_keras_serializable("keras_attend")
class VAEBackground(Background):
    r"""A picture that a small variational auto-encoder makes of a few numbers.

    $$q(z \mid x) = N(\mu(x), \sigma(x)^2), \qquad p(z) = N(0, I), \qquad
      \text{background} = f(z)$$

    Args:
        size, channels: as of `NoBackground`.
        latents: how many numbers there are; they must not suffice to draw an object.
        units: of the hidden layers of the encoder and of the decoder.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        channels: int = 1,
        latents: int = 4,
        units: int = 64,
        **kwargs: Any,
    ) -> None:
        super().__init__(size, channels, **kwargs)
        check_positive_integers(latents=latents, units=units)
        self.latents, self.units = latents, units
        dense = partial(Dense, dtype=self.dtype_policy)
        self.encoder = dense(units, "relu", name="encoder")
        self.posterior = dense(2 * latents, name="posterior")
        self.decoder = dense(units, "relu", name="decoder")
        height, width = self.size
        self.pixels = dense(
            height * width * channels,
            bias_initializer=keras.initializers.Constant(DARK),
            name="pixels",
        )

    def build(self, summary_shape: Shape, noise_shape: Shape | None = None) -> None:
        """Make the weights, for a summary of known length."""
        self.encoder.build(summary_shape)
        self.posterior.build((None, self.units))
        self.decoder.build((None, self.latents))
        self.pixels.build((None, self.units))

    def draw(self, z: Tensor) -> Tensor:
        """Pictures `[B, H, W, C]` of z `[B, latents]`."""
        logits = ops.cast(self.pixels(self.decoder(z)), "float32")
        return ops.reshape(ops.sigmoid(logits), (-1, *self.size, self.channels))

    def call(self, summary: Tensor, noise: Tensor) -> tuple[Tensor, ...]:
        """The background of each picture, and what its numbers cost."""
        both = ops.cast(self.posterior(self.encoder(summary)), "float32")
        loc, scale = both[:, : self.latents], positive(both[:, self.latents :])
        z = loc + scale * noise
        return self.draw(z), divergence(loc, scale), log_ratio(z, loc, scale), None
