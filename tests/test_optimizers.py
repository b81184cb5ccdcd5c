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


def test_golden_trace_of_tf1_rmsprop(golden):
    """Six steps of TensorFlow 1, with each number of a gradient clipped to 0.3.

    The trace has no gradients, but three are known: those of the losses' scales a and
    b, and of all but two numbers of w1, are far outside of the clip and keep their
    signs. That of w2 is 0.2 b^2 / 3 times its sign.
    """
    prefix = "adaptive_rmsprop/soft0/p:toy/"
    trace = {k[len(prefix) :]: v for k, v in golden("hart_ops").items() if prefix in k}
    a, b, w1, w2 = (trace[name] for name in ("weight/a", "weight/b", "w1", "w2"))
    known = np.ones(w1.shape[1:], bool)
    known[2:, 0] = False
    signs = np.sign(w1[0] - w1[1])[known]
    weights = [keras.Variable(x[0]) for x in (a, b, w1[:, known], w2)]
    optimizer = TF1RMSprop(0.01, clipvalue=0.3)
    for t in range(6):
        gradients = [9.0, -9.0, 9 * signs, 0.2 / 3 * b[t] ** 2 * np.sign(w2[0])]
        gradients = [ops.convert_to_tensor(g, "float32") for g in gradients]
        optimizer.apply(gradients, weights)
        expected = (a[t + 1], b[t + 1], w1[t + 1][known], w2[t + 1])
        for weight, value in zip(weights, expected, strict=True):
            np.testing.assert_allclose(numpy(weight), value, rtol=1e-6, atol=1e-6)


def test_clipping_by_the_root_mean_square():
    """As the class says, `global_clipnorm` does it."""
    g = np.array([3.0, -0.5, 1.0, 0.1])
    w = keras.Variable(np.zeros(4))
    TF1RMSprop(0.1, global_clipnorm=0.3 * np.sqrt(4)).apply([g], [w])
    clipped = 0.3 * g / np.sqrt(np.mean(g**2))
    expected = -0.1 * clipped / np.sqrt(0.9 + 0.1 * clipped**2)
    np.testing.assert_allclose(numpy(w), expected, rtol=1e-5)
