"""What every layer must do, in one call: `run_layer_test`."""

import json

import keras
import numpy as np
from keras import ops


def gradients(function, *inputs):
    """d sum(function(*inputs)) / d inputs, as NumPy arrays, on any backend."""
    inputs = [ops.convert_to_tensor(x) for x in inputs]
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(inputs)
            total = ops.sum(ops.cast(function(*inputs), "float32"))
        found = tape.gradient(total, inputs, unconnected_gradients="zero")
    else:
        import jax

        def total(*args):
            return ops.sum(ops.cast(function(*args), "float32"))

        found = jax.grad(total, argnums=tuple(range(len(inputs))))(*inputs)
    return [ops.convert_to_numpy(g) for g in found]


def compiled(function):
    """`function` under XLA."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True)
    import jax

    return jax.jit(function)


def run_layer_test(
    cls,
    init_kwargs,
    inputs,
    output_shape,
    *,
    trainable_weights,
    tmp_path,
    non_trainable_weights=0,
    differentiable=True,
    tolerance=1e-5,
):
    """Check everything that the house promises of a layer.

    Args:
        cls: the layer's class.
        init_kwargs: its arguments.
        inputs: tuple of NumPy arrays, batch first; passed by position.
        output_shape: of the output for these inputs.
        trainable_weights: how many it has.
        tmp_path: a folder for the saved model.
        non_trainable_weights: how many it has, seeds not counted.
        differentiable: whether the float inputs must have a gradient.
        tolerance: between eager, compiled and reloaded outputs.
    """
    keras.utils.set_random_seed(0)
    layer = cls(**init_kwargs, name="layer_under_test")

    # Config: complete, JSON, and the same after a round trip.
    config = layer.get_config()
    for key in init_kwargs:
        assert key in config, f"get_config lacks {key}"
    again = cls.from_config(json.loads(json.dumps(config)))
    assert json.dumps(again.get_config()) == json.dumps(config)

    # Shapes: symbolic, with an unknown batch, equal the eager ones.
    symbols = [keras.Input(x.shape[1:], dtype=str(x.dtype)) for x in inputs]
    model = keras.Model(symbols, layer(*symbols))
    assert model.output.shape == (None, *output_shape[1:])
    eager = ops.convert_to_numpy(layer(*[ops.convert_to_tensor(x) for x in inputs]))
    assert eager.shape == tuple(output_shape)
    assert np.isfinite(eager).all()

    # Weights.
    assert len(layer.trainable_weights) == trainable_weights
    assert len(layer.non_trainable_weights) == non_trainable_weights

    # Gradients reach the inputs and are finite.
    floats = [x for x in inputs if x.dtype == np.float32]
    if differentiable and len(floats) == len(inputs):
        for gradient in gradients(layer, *inputs):
            assert np.isfinite(gradient).all()

    # XLA gives the same numbers.
    jitted = compiled(lambda *args: layer(*args))
    jitted = ops.convert_to_numpy(jitted(*[ops.convert_to_tensor(x) for x in inputs]))
    np.testing.assert_allclose(jitted, eager, atol=tolerance)

    # A saved model comes back equal.
    model.save(tmp_path / "layer.keras")
    loaded = keras.saving.load_model(tmp_path / "layer.keras")
    np.testing.assert_allclose(
        loaded.predict(list(inputs), verbose=0), eager, atol=tolerance
    )

    # Half precision: computed in float16, finite, close to float32.
    half = cls(**init_kwargs, dtype="mixed_float16")
    y = half(*[ops.convert_to_tensor(x) for x in inputs])
    assert keras.backend.standardize_dtype(y.dtype) == "float16"
    if layer.weights:
        half.set_weights(layer.get_weights())
        y = half(*[ops.convert_to_tensor(x) for x in inputs])
    scale = 1 + np.abs(eager).max()
    np.testing.assert_allclose(
        ops.convert_to_numpy(y).astype("float32"), eager, atol=2e-2 * scale
    )
    return layer
