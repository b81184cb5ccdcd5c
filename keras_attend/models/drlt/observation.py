"""DRLT's observation networks for digits (section 3.1): from an image to numbers."""

import keras
from keras import layers

from keras_attend.layers.spatial_softmax import SpatialSoftmax

SAME = {"padding": "same", "activation": "relu"}


def digit_cnn(units: int = 256, filters: tuple[int, int] = (8, 16)) -> keras.Sequential:
    """Version 1's observation network: two convolutions with pooling, a dense layer.

    The convolutions have 8 and 16 filters of 5x5 pixels. The paper does not say how
    borders are padded; here they are, so that 100x100 pixels become 25x25x16 numbers.

    Args:
        units: of the dense layer, the network's output.
        filters: of the two convolutions.
    """
    return keras.Sequential(
        [
            layers.Conv2D(filters[0], 5, **SAME),
            layers.MaxPooling2D(),
            layers.Conv2D(filters[1], 5, **SAME),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(units, activation="relu"),
        ],
        name="digit_cnn",
    )


def point_cnn(filters: int = 24, layers_above: int = 2) -> keras.Sequential:
    """An observation network that returns key points: where its maps are high. Ours.

    Its filters are the same everywhere, and a key point is exact to a fraction of a
    pixel, so that a few hundred videos are enough to train it.

    Args:
        filters: how many each convolution has, and how many key points there are.
        layers_above: how many 3x3 convolutions follow the lowest one, whose outputs are
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
