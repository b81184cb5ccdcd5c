"""RATM's feature network: what is in a glimpse."""

from typing import Any

import keras
from keras import ops
from keras.layers import Dense, MaxPooling2D

from keras_attend.layers.patch_conv import PatchConv2D
from keras_attend.types import Tensor


@keras.saving.register_keras_serializable("keras_attend")
class GlimpseCNN(keras.layers.Layer):
    """A small convolutional classifier, taken apart (Kahou et al. 2015, section 4.2).

    Convolution, pooling, rectifier, twice; then a hidden layer, then the classes.
    The defaults are the published network for people: RATM reads the convolutions'
    output and compares hidden layers.

    Call arguments:
        glimpses: `[B, rows, cols, C]` in 0..1.

    Returns the features `[B, F]`: the second pooling, flattened. `embed(features)`
    gives the hidden layer `[B, units]`, `classify(embeddings)` the logits
    `[B, classes]`.

    Args:
        filters: of the two convolutions.
        kernels: their sides.
        units: of the hidden layer.
        classes: how many.
        gain: the glimpse is multiplied by it: published weights want 0..255.
    """

    def __init__(
        self,
        filters: tuple[int, int] = (128, 64),
        kernels: tuple[int, int] = (5, 3),
        units: int = 256,
        classes: int = 2,
        gain: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters, self.kernels = tuple(filters), tuple(kernels)
        self.units, self.classes, self.gain = units, classes, gain
        dtype = self.dtype_policy
        pairs = zip(self.filters, self.kernels, strict=True)
        self.convolutions = [
            PatchConv2D(n, k, dtype=dtype, name=f"convolution_{i}")
            for i, (n, k) in enumerate(pairs)
        ]
        self.pool = MaxPooling2D(2, dtype=dtype)
        self.hidden = Dense(units, activation="relu", dtype=dtype, name="hidden")
        self.scores = Dense(classes, dtype=dtype, name="scores")

    def build(self, input_shape: Any) -> None:
        """Make the weights for glimpses `[B, rows, cols, C]`."""
        _, rows, cols, channels = input_shape
        for convolution in self.convolutions:
            convolution.build((None, rows, cols, channels))
            rows, cols, channels = rows // 2, cols // 2, convolution.filters
        self.feature_size = rows * cols * channels
        self.hidden.build((None, self.feature_size))
        self.scores.build((None, self.units))

    def call(self, glimpses: Tensor) -> Tensor:
        """Features `[B, F]`."""
        x = glimpses * self.gain
        for convolution in self.convolutions:
            x = ops.relu(self.pool(convolution(x)))
        return ops.reshape(x, (-1, self.feature_size))

    def embed(self, features: Tensor) -> Tensor:
        """The hidden layer `[B, units]`."""
        return self.hidden(features)

    def classify(self, embeddings: Tensor) -> Tensor:
        """Logits `[B, classes]`."""
        return ops.cast(self.scores(embeddings), "float32")

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        """`[B, F]`."""
        rows, cols = (n // 4 for n in input_shape[1:3])
        return (input_shape[0], rows * cols * self.filters[-1])

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernels": self.kernels,
            "units": self.units,
            "classes": self.classes,
            "gain": self.gain,
        }
