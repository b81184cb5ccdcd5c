"""The networks that RAM is compared with (Mnih et al. 2014, tables 1 and 2)."""

import math
from typing import Any

import keras
from keras import ops
from keras.layers import Conv2D, Dense

from keras_attend.arguments import (
    check_not_negative,
    check_positive_integers,
    check_shares,
)
from keras_attend.models.base import Classifier, scaled_images
from keras_attend.types import Shape, Tensor


@keras.saving.register_keras_serializable("keras_attend")
class Feedforward(Classifier):
    r"""Classify images that are seen whole (Mnih et al. 2014, tables 1 and 2).

    ```python
    model = ka.models.Feedforward((256,), filters=8)
    model.compile("adam")
    model.fit(images, labels)  # uint8 [N, H, W, 1], integers [N]
    ```

    $$h_0 = x \;\text{ or }\; \mathrm{Rect}(\mathrm{Conv}(x)), \quad
      h_i = \mathrm{Rect}(\mathrm{Linear}(h_{i-1})), \quad
      p(a) = \mathrm{softmax}(\mathrm{Linear}(h_n))$$

    The paper's "FC, 2 layers" is `units=(256, 256)` (or 64 twice); its "Convolutional,
    2 layers" is `units=(256,), filters=8` at 60x60 and `units=(86,), filters=8` at
    100x100. (The captions say 8 filters and the text 16; with 8 there are 251,442 and
    250,132 parameters, about as many as RAM's 256,524.)

    Args:
        units: number of units of each hidden layer.
        classes: number of classes.
        filters: number of filters of a convolution before them; with 0 there is none.
        kernel_size: side of the convolution's kernels, in pixels.
        strides: stride of the convolution, in pixels.
        dropout: in training, the share of each hidden layer's units that are left out
            at random; half of that share of the pixels too. The paper does not say
            what, if anything, kept its networks from learning their digits by heart.

    Call arguments:
        images: `[B, H, W, C]` of one size, `float32` in 0..1 or `uint8`.

    Returns a dict:
        logits: `[B, classes]`, scores whose softmax is the probability of each class.
    """

    def __init__(
        self,
        units: tuple[int, ...] | list[int] = (256, 256),
        classes: int = 10,
        *,
        filters: int = 0,
        kernel_size: int = 10,
        strides: int = 5,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        counts = {"classes": classes, "kernel_size": kernel_size, "strides": strides}
        check_positive_integers(
            **counts, **{f"units[{i}]": u for i, u in enumerate(units)}
        )
        check_not_negative(filters=filters)
        check_shares(dropout=dropout)
        self.classes = classes
        self.units, self.filters = tuple(units), filters
        self.kernel_size, self.strides = kernel_size, strides
        dtype, kwargs = self.dtype_policy, {"activation": "relu"}
        self.convolution = None
        if filters:
            self.convolution = Conv2D(
                filters, kernel_size, strides, dtype=dtype, name="convolution", **kwargs
            )
        self.hidden = [
            Dense(u, dtype=dtype, name=f"hidden_{i}", **kwargs)
            for i, u in enumerate(units)
        ]
        self.classifier = Dense(classes, dtype=dtype, name="action")
        self.dropout = dropout
        self.drop_pixels, self.drop_units = (
            keras.layers.Dropout(share, dtype=dtype) for share in (dropout / 2, dropout)
        )

    @property
    def heads(self) -> list[keras.layers.Layer]:
        """The classifier."""
        return [self.classifier]

    def build(self, input_shape: Shape) -> None:
        """Make the weights, for images of this size."""
        if len(input_shape) != 4 or None in input_shape[1:]:
            raise ValueError(
                "`images` must have shape [batch, height, width, channels], of a "
                f"known size. Received: input_shape={tuple(input_shape)}"
            )
        shape: Any = (None, *input_shape[1:])
        self.serving_shape = shape
        self.channels: int = shape[3]
        if self.convolution is not None:
            self.convolution.build(shape)
            shape = self.convolution.compute_output_shape(shape)
        size = shape[1] * shape[2] * shape[3]
        for dense in (*self.hidden, self.classifier):
            dense.build((None, size))
            size = dense.units

    def call(self, images: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """The logits, `[B, classes]`."""
        h = scaled_images(images, self.channels, self.compute_dtype)
        h = self.drop_pixels(h, training=training)
        if self.convolution is not None:
            h = self.convolution(h)
        h = ops.reshape(h, (-1, math.prod(h.shape[1:])))
        for dense in self.hidden:
            h = self.drop_units(dense(h), training=training)
        return {"logits": ops.cast(self.classifier(h), "float32")}

    def sample_losses(self, x: Any, y: Tensor, y_pred: dict[str, Tensor]) -> Tensor:
        r"""$-\log p(y)$."""
        return -ops.sum(self.one_hot(y) * ops.log_softmax(y_pred["logits"]), axis=-1)
