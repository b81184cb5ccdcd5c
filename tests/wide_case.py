"""A `WideHART` with a V1 of three small convolutions."""

import keras

from keras_attend.models import WideHARTCell


@keras.saving.register_keras_serializable("tests")
class SmallV1(keras.layers.Layer):
    """Features of strides 4, 8 and 16."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.parts = [
            keras.layers.Conv2D(n, s, s, name=f"part_{n}")
            for n, s in ((4, 4), (6, 2), (8, 2))
        ]

    def build(self, input_shape):
        for part, channels in zip(self.parts, (3, 4, 6), strict=True):
            part.build((None, None, None, channels))

    def call(self, x):
        found = []
        for part in self.parts:
            x = part(x)
            found.append(x)
        return found

    def compute_output_shape(self, shape):
        return [
            (shape[0], shape[1] // s, shape[2] // s, n)
            for s, n in ((4, 4), (8, 6), (16, 8))
        ]


def small_cell(**kwargs) -> WideHARTCell:
    sizes = {"size": 64, "part": 4, "units": 8, "keys": 8, "values": 4, "width": 16}
    return WideHARTCell(**{**sizes, "depth": 1, "v1": SmallV1(), **kwargs})
