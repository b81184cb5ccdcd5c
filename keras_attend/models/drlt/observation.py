"""What DRLT observes digits by: networks from images to what is told of them."""

import keras
from keras import layers

from keras_attend.layers.spatial_softmax import SpatialSoftmax

SAME = {"padding": "same", "activation": "relu"}


def digit_cnn(units: int = 256) -> keras.Sequential:
    """Version 1's observation network: two convolutions with pooling, and a layer.

    (Paper: 5x5 filters, 16 of them; it does not say how borders are padded. Here they
    are, so that 100x100 pixels become 25x25x16 numbers.)
    """
    return keras.Sequential(
        [
            layers.Conv2D(16, 5, **SAME),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 5, **SAME),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(units, activation="relu"),
        ],
        name="digit_cnn",
    )


def point_cnn(filters: int = 24, layers_above: int = 2) -> keras.Sequential:
    """An observation network that says where things are: key points of its maps.

    What a place looks like it learns once for all places, and it says where to a
    fraction of a pixel: a few hundred videos are enough. Ours.

    Args:
        filters: of each convolution, and key points.
        layers_above: convolutions of 3x3 places above the first one, whose places are
            4 pixels apart.
    """
    above = [layers.Conv2D(filters, 3, **SAME) for _ in range(layers_above)]
    return keras.Sequential(
        [
            layers.Conv2D(filters, 8, 4, **SAME),
            *above,
            layers.Conv2D(filters, 1),
            SpatialSoftmax(),
        ],
        name="point_cnn",
    )
