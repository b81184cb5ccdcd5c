"""Each non-public name that the package uses still does what it is used for."""

import keras
import numpy as np
import pytest

from keras_attend import compat

TENSORFLOW = keras.backend.backend() == "tensorflow"


def test_rnn_asks_dropout_cells_for_masks():
    class Cell(keras.layers.Layer, compat.DropoutRNNCell):
        state_size = output_size = 2
        dropout = recurrent_dropout = 0.5
        asked = 0

        def get_dropout_mask(self, step_input):
            Cell.asked += 1

        def get_recurrent_dropout_mask(self, step_input):
            Cell.asked += 1

        def call(self, x, states, training=None):
            return x, states

    keras.layers.RNN(Cell())(np.zeros((1, 3, 2), "float32"), training=True)
    assert Cell.asked == 2


def test_tfp_imports_and_draws():
    normal = compat.tfp_distributions().Normal(0.0, 1.0)
    value = keras.ops.convert_to_numpy(normal.log_prob(0.0))
    np.testing.assert_allclose(value, -0.5 * np.log(2 * np.pi), rtol=1e-6)


def test_pending_variables_get_another_initializer():
    with keras.StatelessScope():
        layer = keras.layers.Dense(2)
        layer.build((None, 3))
        assert {id(v) for v in compat.pending_variables()} >= {
            id(v) for v in layer.variables
        }
        for variable in layer.variables:
            compat.replace_initializer(
                variable, lambda shape, dtype: np.full(shape, 7, dtype)
            )
    assert all((keras.ops.convert_to_numpy(v) == 7).all() for v in layer.variables)


def test_a_variable_with_a_value_keeps_it():
    variable = keras.Variable(np.ones(2, "float32"))
    compat.replace_initializer(variable, lambda shape, dtype: np.zeros(shape, dtype))
    assert (keras.ops.convert_to_numpy(variable) == 1).all()


def test_keras_finds_public_names_and_those_of_private_modules():
    assert compat.keras_symbol("keras.layers", "Dense") is keras.layers.Dense
    add = compat.keras_symbol("keras.src.ops.numpy", "Add")
    assert issubclass(add, keras.Operation)
    assert compat.keras_symbol("keras.layers", "absent") is None
    assert compat.keras_symbol("absent", "Dense") is None


def test_safe_mode_holds_against_the_program():
    layer = keras.layers.Lambda(lambda x: x)
    config = keras.saving.serialize_keras_object(layer)
    keras.config.enable_unsafe_deserialization()
    try:
        with compat.safe_mode(), pytest.raises(ValueError, match="unsafe"):
            keras.saving.deserialize_keras_object(config)
        keras.saving.deserialize_keras_object(config)
    finally:
        compat.safe_mode().__class__(None).__enter__()


@pytest.mark.skipif(not TENSORFLOW, reason="TensorFlow's names")
def test_names_of_keras_under_tf_distribute():
    optimizer = keras.optimizers.SGD(clipnorm=1.0)
    assert callable(optimizer._clip_gradients)
    assert callable(optimizer._all_reduce_sum_gradients)
    assert callable(keras.Sequential()._maybe_symbolic_build)
    compat.clip_summed_gradients(optimizer)
    clip = optimizer._clip_gradients
    compat.clip_summed_gradients(optimizer)  # a second time changes nothing
    assert optimizer._clip_gradients is clip


@pytest.mark.skipif(not TENSORFLOW, reason="TensorFlow's names")
def test_gradients_are_summed_and_then_clipped(monkeypatch):
    import tensorflow as tf

    class TwoReplicas:
        def all_reduce(self, operation, gradients):
            assert operation == tf.distribute.ReduceOp.SUM
            return [2 * g for g in gradients]

    optimizer = keras.optimizers.SGD(1.0, clipnorm=1.0)
    compat.clip_summed_gradients(optimizer)
    monkeypatch.setattr(tf.distribute, "get_replica_context", TwoReplicas)
    # Clipped before the sum, the second would come to (1.2, 1.6).
    for gradient, step in (((0.3, 0.0), (0.6, 0.0)), ((3.0, 4.0), (0.6, 0.8))):
        (found,) = optimizer._clip_gradients([tf.constant(gradient)])
        np.testing.assert_allclose(found, step, rtol=1e-6)
    monkeypatch.undo()
    variable = keras.Variable([0.0, 0.0])
    optimizer.build([variable])
    optimizer.apply([tf.constant([3.0, 4.0])])  # Keras calls what was replaced
    np.testing.assert_allclose(variable.numpy(), [-0.6, -0.8], rtol=1e-6)


@pytest.mark.skipif(not TENSORFLOW, reason="TensorFlow's names")
def test_fit_asks_for_a_symbolic_build_unless_it_is_skipped(monkeypatch):
    asked = []
    name = "_maybe_symbolic_build"
    monkeypatch.setattr(keras.Sequential, name, lambda self, **_: asked.append(self))
    models = [
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]) for _ in range(2)
    ]
    compat.skip_symbolic_build(models[0])
    for model in models:
        model.compile("sgd", "mse")
        model.fit(np.zeros((4, 2)), np.zeros((4, 1)), verbose=0)
    assert asked == [models[1]]


@pytest.mark.skipif(not TENSORFLOW, reason="TensorFlow's names")
def test_flat_call_runs_a_concrete_function():
    import tensorflow as tf

    weight = tf.Variable(3.0)
    function = tf.function(lambda xs: [xs[0] * weight, xs[1] + 1.0])
    xs = [tf.constant(2.0), tf.constant(5.0)]
    run = compat.flat_call(function.get_concrete_function(xs))
    assert [float(y) for y in run(xs)] == [6.0, 6.0]


@pytest.mark.skipif(not TENSORFLOW, reason="tf2onnx needs TensorFlow")
def test_names_of_tf2onnx():
    pytest.importorskip("tf2onnx")
    compat.patch_tf2onnx()
    assert {"fold_constants", "remove_identity"} <= compat.tf2onnx_optimizers().keys()


def test_keras_alone_does_not_know_a_models_own_metric():
    """If it learns to, `infer_directions` can go."""
    metric = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    stops = [
        keras.callbacks.EarlyStopping(monitor=f"{v}accuracy") for v in ("val_", "")
    ]
    given = keras.callbacks.EarlyStopping(monitor="accuracy", mode="min")
    other = keras.callbacks.EarlyStopping(monitor="loss")
    compat.infer_directions([*stops, given, other, keras.callbacks.History()], [metric])
    assert [c.mode for c in (*stops, given, other)] == ["max", "max", "min", "auto"]
    compat.infer_directions(None, [metric])
    compat.infer_directions(
        alone := keras.callbacks.EarlyStopping("accuracy"), [metric]
    )
    assert alone.mode == "max"

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.accuracy = metric

    callback = keras.callbacks.EarlyStopping(monitor="accuracy")
    callback.set_model(Own())
    with pytest.raises(ValueError, match="automatically determine"):
        callback.on_epoch_end(0, {"accuracy": 1.0})


def test_layers_are_expandable_for_as_long_as_a_summary_takes():
    class Pair(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.one, self.two = keras.layers.Dense(1), keras.layers.Dense(1)

    class Outer(keras.Model):
        def __init__(self):
            super().__init__()
            self.pair = Pair()

    model = Outer()
    with compat.expandable(model):
        assert model.pair.layers == [model.pair.one, model.pair.two]
        assert not hasattr(model.pair.one, "layers")
    assert not hasattr(model.pair, "layers")


def test_batches_of_a_dataset_are_drawn_without_tuning():
    """All batches, an epoch's end included, as Keras's own adapter draws them."""

    class Data(keras.utils.PyDataset):
        epochs = 0

        def __len__(self):
            return 3

        def __getitem__(self, index):
            x = np.full((2, 1), 3 * self.epochs + index, "float32")
            return x, x

        def on_epoch_end(self):
            self.epochs += 1

    found = compat.untuned(Data(), False)
    if not TENSORFLOW:
        assert isinstance(found, Data)
        return
    assert compat.untuned(np.ones(2)).shape == (2,)
    dataset = found.get_tf_dataset()
    assert dataset.options().autotune.enabled is False
    assert [int(x[0, 0]) for x, _ in dataset] == [0, 1, 2]
    weighed = compat.untuned(Data(), False, {0: 2.0, 1: 3.0, 2: 5.0})
    weights = [w for _, _, w in weighed.get_tf_dataset()]
    assert [float(w[0]) for w in weights] == [2, 3, 5]

    class Model(keras.Model):
        def call(self, x):
            return x

        def train_step(self, data):
            seen.append(float(data[0][0, 0]))
            return {"loss": 0.0}

    def drawn(data):
        seen.clear()
        model = Model()
        model.compile(run_eagerly=True)
        model.fit(data, epochs=2, shuffle=False, verbose=0)
        return list(seen)

    seen = []
    assert len(drawn(Data())) == 6
    assert drawn(compat.untuned(Data(), False)) == drawn(Data())


def test_freeze():
    """Where the layer's own flag is False already, its parts are reached too."""

    class Outer(keras.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.part = keras.layers.Dense(2)

        def build(self, input_shape):
            self.part.build(input_shape)

    outer = Outer(trainable=False)
    outer.build((None, 3))
    assert all(weight.trainable for weight in outer.part.weights)
    compat.freeze(outer)
    assert not any(weight.trainable for weight in outer.part.weights)
    assert not outer.trainable and not outer.part.trainable
