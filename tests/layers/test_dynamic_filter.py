import keras
import numpy as np
import pytest
from keras import ops

from keras_attend.layers.dynamic_filter import DynamicFilter, dynamic_conv
from tests.layer_check import compiled, gradients, run_layer_test


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def reference(x, k):
    _, height, width, _ = x.shape
    kh, kw = k.shape[1:3]
    rows, columns = ((kh - 1) // 2, kh // 2), ((kw - 1) // 2, kw // 2)
    x = np.pad(x, ((0, 0), rows, columns, (0, 0)))
    return sum(
        np.einsum("bhwc,bcf->bhwf", x[:, i : i + height, j : j + width], k[:, i, j])
        for i in range(kh)
        for j in range(kw)
    )


# One shape for most tests: what a backend compiles for it, it compiles once.
X, ALPHA = normal(4, 6, 5, 3), normal(4, 8, seed=1)
KERNEL = (2, 3)


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (2, 2), (5, 1), (4, 7)])
def test_dynamic_conv_is_the_plain_loop_compiled(size):
    k = normal(4, *size, 3, 2, seed=1)
    found = compiled(dynamic_conv)(ops.convert_to_tensor(X), ops.convert_to_tensor(k))
    np.testing.assert_allclose(ops.convert_to_numpy(found), reference(X, k), atol=1e-5)


@pytest.mark.parametrize("batch", [0, 1, 4])
def test_dynamic_conv_is_the_plain_loop_eager(batch):
    x, k = X[:batch], normal(batch, *KERNEL, 3, 2, seed=1)
    found = dynamic_conv(ops.convert_to_tensor(x), ops.convert_to_tensor(k))
    np.testing.assert_allclose(ops.convert_to_numpy(found), reference(x, k), atol=1e-5)


@pytest.mark.parametrize("size", [(3, 3), (2, 4)])
def test_dynamic_conv_is_keras_conv2d_for_one_kernel(size):
    x, k = normal(2, 9, 8, 3), normal(*size, 3, 4, seed=1)
    expected = ops.conv(x, k, padding="same")
    found = dynamic_conv(x, np.stack([k, k]))
    np.testing.assert_allclose(
        ops.convert_to_numpy(found), ops.convert_to_numpy(expected), atol=1e-4
    )


def test_gradients_are_those_of_keras_conv2d():
    x, k = normal(1, 6, 5, 3), normal(3, 2, 3, 4, seed=1)

    def conv(x, k):
        return ops.square(ops.conv(x, k, padding="same"))

    def dynamic(x, k):
        return ops.square(dynamic_conv(x, k[None]))

    for found, expected in zip(
        gradients(dynamic, x, k), gradients(conv, x, k), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_layer(tmp_path):
    run_layer_test(
        DynamicFilter,
        {"filters": 2, "kernel_size": KERNEL, "units": 8, "activation": "elu"},
        (X, ALPHA),
        (4, 6, 5, 2),
        trainable_weights=7,
        tmp_path=tmp_path,
    )


def test_maps_of_unknown_size():
    layer = DynamicFilter(2, KERNEL)
    features, appearance = keras.Input((None, None, 3)), keras.Input((8,))
    model = keras.Model([features, appearance], layer(features, appearance))
    assert model.output.shape == (None, None, None, 2)
    assert layer.units is None and layer.hidden_map.units == 8
    assert model.predict([X, ALPHA], verbose=0).shape == (4, 6, 5, 2)


def test_generate_and_convolve_are_the_call():
    layer = DynamicFilter(2, KERNEL)
    y = ops.convert_to_numpy(layer(X, ALPHA))
    psi, beta = layer.generate(ALPHA)
    assert psi.shape == (4, *KERNEL, 3, 2) and beta.shape == (4, 2)
    np.testing.assert_allclose(ops.convert_to_numpy(layer.convolve(X, psi, beta)), y)
    one = layer(X[:1], ALPHA[:1])
    np.testing.assert_allclose(ops.convert_to_numpy(one), y[:1], atol=1e-5)


def test_initial_weights_are_those_of_hart():
    layer = DynamicFilter(2, KERNEL)
    layer.build((None, 6, 5, 3), (None, 8))
    for weight, limit in (
        (layer.hidden_map.kernel, np.sqrt(3 / 8)),
        (layer.hidden_map.bias, np.sqrt(3 / 8)),
        (layer.kernel_map.kernel, 0.1 * np.sqrt(3 / 8)),
        (layer.kernel_map.bias, 0.1 * np.sqrt(3)),
        (layer.bias_map.kernel, np.sqrt(2) * np.sqrt(3 / 8)),
        (layer.bias_map.bias, np.sqrt(2) * np.sqrt(3)),
        (layer.bias, np.sqrt(3 / 2)),
    ):
        largest = np.abs(ops.convert_to_numpy(weight)).max() / limit
        assert 0.1 < largest <= 1.001
        if np.prod(weight.shape) > 30:
            assert largest > 0.9


def test_quantize_and_lora():
    layer = DynamicFilter(2, KERNEL)
    inputs = [keras.Input(X.shape[1:]), keras.Input(ALPHA.shape[1:])]
    keras.Model(inputs, layer(*inputs))
    y = ops.convert_to_numpy(layer(X, ALPHA))
    layer.kernel_map.enable_lora(2)
    np.testing.assert_allclose(ops.convert_to_numpy(layer(X, ALPHA)), y, atol=1e-5)
    layer.hidden_map.quantize("int8")
    layer.bias_map.quantize("int8")
    quantized = ops.convert_to_numpy(layer(X, ALPHA))
    assert 0 < np.abs(quantized - y).max() < 0.1 * np.abs(y).max()


def test_fit_under_xla():
    inputs = [keras.Input(X.shape[1:]), keras.Input(ALPHA.shape[1:])]
    model = keras.Model(inputs, DynamicFilter(2, KERNEL)(*inputs))
    model.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=True)
    y = np.zeros((4, 6, 5, 2), "float32")
    losses = model.fit([X, ALPHA], y, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_errors():
    with pytest.raises(ValueError, match="`filters` must be positive"):
        DynamicFilter(0, 3)
    with pytest.raises(ValueError, match="`kernel_size` must be a positive integer"):
        DynamicFilter(2, (3, 0))
    with pytest.raises(ValueError, match=r"layer\(features, appearance\)"):
        DynamicFilter(2, 3)(normal(2, 8), normal(2, 6, 5, 3))
    with pytest.raises(ValueError, match="agree on the number of channels"):
        dynamic_conv(normal(1, 6, 5, 3), normal(1, 3, 3, 4, 2))
    with pytest.raises(ValueError, match=r"\[B, kh, kw, Cin, Cout\]"):
        dynamic_conv(normal(1, 6, 5, 3), normal(3, 3, 3, 2))


@pytest.mark.parametrize("name, size, c_in", [("3x3", 3, 5), ("1x1", 1, 6)])
def test_golden_conv(golden, name, size, c_in):
    golden, at = golden("hart_ops"), f"dynamic_filter_conv/{name}/"
    kernels = golden[at + "filters_flat"].reshape(-1, size, size, c_in, 5)
    found = dynamic_conv(golden[at + "x"], kernels)
    np.testing.assert_allclose(
        ops.convert_to_numpy(found), golden[at + "y"], atol=1e-5, rtol=1e-5
    )


def test_golden_model(golden):
    golden, at = golden("hart_ops"), "dynamic_filter_model/"
    var = at + "var:DynamicFilterModel/"
    x, alpha = golden[at + "x"], golden[at + "alpha"]
    layer = DynamicFilter(5, 3)
    layer.build(x.shape, alpha.shape)
    for weight, name in (
        (layer.hidden_map.kernel, "param_layer_1/W_param_layer_1"),
        (layer.hidden_map.bias, "param_layer_1/b_param_layer_1"),
        (layer.kernel_map.kernel, "dynamic_weights/W_dynamic_weights"),
        (layer.kernel_map.bias, "dynamic_weights/b_dynamic_weights"),
        (layer.bias_map.kernel, "dynamic_bias/W_dynamic_bias"),
        (layer.bias_map.bias, "dynamic_bias/b_dynamic_bias"),
        (layer.bias, "dfn_bias"),
    ):
        weight.assign(golden[var + name].reshape(weight.shape))
    psi, beta = layer.generate(alpha)
    psi = ops.convert_to_numpy(psi).reshape(len(x), -1)
    np.testing.assert_allclose(psi, golden[at + "dyn_w"], atol=1e-5)
    np.testing.assert_allclose(
        ops.convert_to_numpy(beta), golden[at + "dyn_b"], atol=1e-5
    )
    np.testing.assert_allclose(
        ops.convert_to_numpy(layer(x, alpha)), golden[at + "features"], atol=1e-5
    )
