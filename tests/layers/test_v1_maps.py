"""`V1Maps` puts features of three resolutions on one grid."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attend.layers import EfficientV1, V1Maps
from keras_attend.layers.v1_maps import doubled


@keras.saving.register_keras_serializable("tests")
class Pyramid(keras.layers.Layer):
    """Means of squares of 4, 8 and 16 pixels, for a V1."""

    def call(self, images):
        return [ops.average_pool(images, n, n) for n in (4, 8, 16)]

    def compute_output_shape(self, input_shape):
        batch, rows, cols, channels = input_shape
        return [(batch, rows // n, cols // n, channels) for n in (4, 8, 16)]


@pytest.mark.parametrize("sides", [(4, 4), (2, 5)])
def test_doubled(sides) -> None:
    x = np.random.default_rng(0).random((1, *sides, 3), "float32")
    want = keras.layers.UpSampling2D(2, interpolation="bilinear")(x)
    found = ops.convert_to_numpy(doubled(ops.convert_to_tensor(x)))
    np.testing.assert_allclose(found, want, atol=1e-5)


def test_one_grid(random) -> None:
    images = random.random((2, 32, 48, 3)).astype("float32")
    maps = V1Maps(Pyramid())
    found = ops.convert_to_numpy(maps(images))  # [2, 4, 6, 18]
    assert found.shape == (2, *maps.compute_output_shape(images.shape)[1:])
    four = images.reshape(2, 8, 4, 12, 4, 3).mean((2, 4))
    eight = images.reshape(2, 4, 8, 6, 8, 3).mean((2, 4))
    # Of place (1, 2): its four neighbours of the finer grid, row by row.
    fine = [four[:, 2 + i, 4 + j] for i in (0, 1) for j in (0, 1)]
    np.testing.assert_allclose(found[:, 1, 2, :12], np.concatenate(fine, -1), atol=1e-5)
    np.testing.assert_allclose(found[..., 12:15], eight, atol=1e-5)
    np.testing.assert_allclose(  # the mean of interpolated places is that of all
        found[..., 15:].mean((1, 2)), images.mean((1, 2)), atol=1e-2
    )


def test_statistics(random) -> None:
    """Every channel is normalised by what `adapt` was given, and only then."""
    images = random.random((2, 32, 48, 3)).astype("float32")
    maps = V1Maps(Pyramid())
    maps.build(images.shape)
    maps.adapt(images)
    found = ops.convert_to_numpy(maps(images))
    np.testing.assert_allclose(found.mean((0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(found.std((0, 1, 2)), 1, atol=0.1)
    assert not maps.trainable_variables
    again = V1Maps.from_config(maps.get_config())
    assert isinstance(again.v1, Pyramid)
    assert V1Maps(EfficientV1((2, 4, 10))).channels == 4 * 24 + 40 + 112
