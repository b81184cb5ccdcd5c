"""RATM's feature network: it describes what is in a glimpse."""

from typing import Any

import keras
from keras import ops
from keras.layers import Dense, MaxPooling2D

from keras_attend.arguments import KeepsArguments
from keras_attend.compat import freeze
from keras_attend.layers.patch_conv import PatchConv2D
from keras_attend.types import Tensor


@keras.saving.register_keras_serializable("keras_attend")
class GlimpseCNN(KeepsArguments, keras.layers.Layer):
    """Describe a glimpse by a convolutional classifier (Kahou et al. 2015, section 4).

    ```python
    network = GlimpseCNN(classes=10)
    features = network(glimpses)  # [B, F]
    logits = network.classify(network.embed(features))  # [B, 10]
    ```

    It convolves, pools and rectifies twice; a hidden layer and the classes follow. The
    default sizes are those of the authors' network that tells people from background.

    Call arguments:
        glimpses: `[B, rows, cols, C]` in 0..1.

    Returns the features `[B, F]`: the second pooling's output, flattened.

    Args:
        filters: of the two convolutions.
        kernels: their sides in pixels.
        units: of the hidden layer.
        classes: how many there are.
        gain: a factor of the glimpse; the authors' weights are for 0..255.
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
        if not self.trainable:  # as it was saved, which Keras does not tell the parts
            for layer in (*self.convolutions, self.hidden, self.scores):
                freeze(layer)

    def call(self, glimpses: Tensor) -> Tensor:
        """The features `[B, F]` of glimpses."""
        x = glimpses * self.gain
        for convolution in self.convolutions:
            x = ops.relu(self.pool(convolution(x)))
        return ops.reshape(x, (-1, self.feature_size))

    def embed(self, features: Tensor) -> Tensor:
        """The hidden layer `[B, units]` of features `[B, F]`."""
        return self.hidden(features)

    def classify(self, embeddings: Tensor) -> Tensor:
        """The logits `[B, classes]` of hidden layers `[B, units]`."""
        return ops.cast(self.scores(embeddings), "float32")

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        """`[B, F]`."""
        rows, cols = (n // 4 for n in input_shape[1:3])
        return (input_shape[0], rows * cols * self.filters[-1])
