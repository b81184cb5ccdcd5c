import keras
import numpy as np
import pytest
from keras import ops
from layer_check import run_layer_test

from keras_attend.layers import PatchConv2D


def numpy(x):
    return ops.convert_to_numpy(x)


def test_patch_conv_is_conv2d(random, tmp_path):
    x = random.normal(size=(2, 9, 8, 4)).astype("float32")
    kwargs = {"filters": 6, "kernel_size": (5, 2), "strides": (2, 3)}
    layer = run_layer_test(
        PatchConv2D, kwargs, (x,), (2, 5, 3, 6), trainable_weights=2, tmp_path=tmp_path
    )
    plain = keras.layers.Conv2D(**kwargs, padding="same")
    plain.build(x.shape)
    plain.set_weights(layer.get_weights())
    np.testing.assert_allclose(numpy(layer(x)), numpy(plain(x)), atol=1e-5)
    grouped = PatchConv2D(6, 3, groups=2)
    halves = [keras.layers.Conv2D(3, 3, padding="same") for _ in range(2)]
    y = numpy(grouped(x))
    for i, half in enumerate(halves):
        half.build((2, 9, 8, 2))
        half.kernel.assign(grouped.kernel[..., 3 * i : 3 * i + 3])
        found = numpy(half(x[..., 2 * i : 2 * i + 2]))
        np.testing.assert_allclose(y[..., 3 * i : 3 * i + 3], found, atol=1e-5)
    with pytest.raises(ValueError, match="dilation_rate"):
        PatchConv2D(6, 3, dilation_rate=2)
