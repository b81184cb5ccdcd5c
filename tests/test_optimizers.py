import keras
import numpy as np
from keras import ops

from keras_attend.optimizers import TF1RMSprop


def numpy(x):
    return ops.convert_to_numpy(x)


def test_tf1_rmsprop_by_hand():
    w, g = keras.Variable([1.0, -2.0]), np.array([3.0, -0.5])
    optimizer = TF1RMSprop(0.1)
    s, m, expected = np.ones(2), np.zeros(2), np.array([1.0, -2.0])
    for _ in range(3):
        optimizer.apply([ops.convert_to_tensor(g, "float32")], [w])
        s = 0.9 * s + 0.1 * g**2
        m = 0.9 * m + 0.1 * g / np.sqrt(s + 1e-10)
        expected = expected - m
    np.testing.assert_allclose(numpy(w), expected, rtol=1e-5)
    again = TF1RMSprop.from_config(optimizer.get_config())
    assert again.get_config() == optimizer.get_config()
