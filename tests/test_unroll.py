import keras
import numpy as np
import pytest
from keras import ops
from layer_check import compiled, gradients

from keras_attend.unroll import unroll


def step(x, state):
    """A nested step: a leaky sum and a product that depends on both inputs."""
    s, n = state["sum"], state["count"]
    s = 0.5 * s + x["a"] * ops.tanh(x["b"])
    return {"sum": s, "pair": (2 * s, n)}, {"sum": s, "count": n + 1}


def numpy_unroll(a, b, s):
    sums = []
    for t in range(a.shape[1]):
        s = 0.5 * s + a[:, t] * np.tanh(b[:, t])
        sums.append(s)
    return np.stack(sums, 1)


def inputs(random, steps=5):
    a = random.normal(size=(3, steps, 2)).astype("float32")
    b = random.normal(size=(1, steps, 2)).astype("float32")  # shared by all samples
    return a, b


def run(a, b, remat=False, inline=False):
    rows = 1 if inline else 3  # a row for all samples will do
    state = {"sum": ops.ones((rows, 2)), "count": ops.zeros((1,), "int32")}
    return unroll(step, state, {"a": a, "b": b}, remat=remat, inline=inline)


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize("remat", [False, True])
@pytest.mark.parametrize("mode", ["eager", "compiled", "graph"])
def test_equals_numpy(random, mode, remat, inline):
    a, b = inputs(random)
    function = lambda a, b: run(a, b, remat, inline)  # noqa: E731
    if mode == "compiled":
        function = compiled(function)
    elif mode == "graph":
        if keras.backend.backend() != "tensorflow":
            pytest.skip("a TensorFlow mode")
        import tensorflow as tf

        function = tf.function(function)
    outputs, state = function(ops.convert_to_tensor(a), ops.convert_to_tensor(b))
    expected = numpy_unroll(a, b, np.ones((3, 2)))
    np.testing.assert_allclose(outputs["sum"], expected, atol=1e-6)
    np.testing.assert_allclose(outputs["pair"][0], 2 * expected, atol=1e-6)
    np.testing.assert_array_equal(outputs["pair"][1], [[0, 1, 2, 3, 4]])
    np.testing.assert_allclose(state["sum"], expected[:, -1], atol=1e-6)
    assert int(state["count"][0]) == 5


@pytest.mark.parametrize(
    ("remat", "inline"), [(False, False), (True, False), (False, True)]
)
def test_gradients(random, remat, inline):
    a, b = inputs(random)
    total = lambda a, b: ops.sum(run(a, b, remat, inline)[0]["sum"] ** 2)  # noqa: E731
    h = 1e-3
    for jit in (False, True):
        function = total
        if jit and keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            # The gradient itself inside XLA: the loop's backward pass too.
            @tf.function(jit_compile=True)
            def both(a, b):
                with tf.GradientTape() as tape:
                    tape.watch([a, b])
                    y = total(a, b)
                return tape.gradient(y, [a, b])

            found = both(tf.constant(a), tf.constant(b))
        else:
            found = gradients(compiled(function) if jit else function, a, b)
        for i, (which, index) in enumerate([(0, (1, 2, 0)), (1, (0, 3, 1))]):
            up, down = [a.copy(), b.copy()], [a.copy(), b.copy()]
            up[which][index] += h
            down[which][index] -= h
            ones = np.ones((3, 2))
            expected = numpy_unroll(*up, ones) ** 2 - numpy_unroll(*down, ones) ** 2
            expected = expected.sum() / (2 * h)
            np.testing.assert_allclose(found[i][index], expected, rtol=2e-3)


def test_single_step(random):
    a, b = inputs(random, steps=1)
    run_compiled = compiled(run)
    outputs, _ = run_compiled(ops.convert_to_tensor(a), ops.convert_to_tensor(b))
    expected = numpy_unroll(a, b, np.ones((3, 2)))  # [3, 1, 2]
    np.testing.assert_allclose(outputs["sum"], expected, atol=1e-6)


@pytest.mark.parametrize("remat", [False, True])
def test_remat_computes_each_step_again(random, remat):
    """Counted while the gradient is taken step by step, uncompiled."""
    calls = []

    def counted(x, state):
        calls.append(x)
        return step(x, state)

    def total(a):
        state = {"sum": ops.ones((3, 2)), "count": ops.zeros((1,), "int32")}
        ys, _ = unroll(counted, state, {"a": a, "b": a}, remat=remat)
        return ops.sum(ys["sum"])

    a = ops.convert_to_tensor(inputs(random)[0])
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(a)
            y = total(a)
        forward = len(calls)
        tape.gradient(y, a)
        assert len(calls) - forward == (5 if remat else 0)
    else:
        import jax

        found = str(jax.make_jaxpr(jax.grad(total))(a))
        assert ("remat" in found or "checkpoint" in found) is remat


@pytest.mark.parametrize(
    "options",
    [
        {},
        pytest.param({"remat": True}, marks=pytest.mark.long),
        pytest.param({"inline": True}, marks=pytest.mark.long),
    ],
)
def test_trains_in_fit_under_xla(options, random):
    """A layer around `unroll`, trained by `fit` with `jit_compile=True`."""

    class Sum(keras.layers.Layer):
        def __init__(self, **options):
            super().__init__()
            self.options = options
            self.dense = keras.layers.Dense(4, activation="tanh")

        def build(self, shape):
            self.dense.build((None, shape[-1] + 4))

        def call(self, x):
            def step(x_t, h):
                h = self.dense(ops.concatenate([x_t, h], -1))
                return h, h

            return unroll(step, ops.zeros((ops.shape(x)[0], 4)), x, **self.options)[1]

        def compute_output_shape(self, shape):
            return (shape[0], 4)

    x = random.normal(size=(64, 6, 2)).astype("float32")
    y = x.sum((1, 2))[:, None]
    keras.utils.set_random_seed(0)
    model = keras.Sequential([Sum(**options), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.02), "mse", jit_compile=True)
    losses = model.fit(x, y, batch_size=32, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"a": np.zeros(3, "float32")},
        {"a": np.zeros((3, 0), "float32")},
        {"a": np.zeros((3, 2), "float32"), "b": np.zeros((3, 4), "float32")},
    ],
)
def test_bad_inputs(bad):
    with pytest.raises(ValueError, match="`inputs` must"):
        unroll(lambda x, s: (x, s), ops.zeros(()), bad)
