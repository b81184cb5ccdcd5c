import keras
import numpy as np
import pytest
from keras import ops
from layer_check import compiled

import keras_attend as ka
from keras_attend.layers.recurrent_tracker import RecurrentTrackerCell
from keras_attend.models import RecurrentTracker
from keras_attend.unroll import unroll


def numpy(x):
    return ops.convert_to_numpy(x)


@keras.saving.register_keras_serializable("tests")
class Drift(RecurrentTrackerCell):
    """Moves the box by what a small network makes of the frame's mean colour."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.core = keras.layers.GRUCell(units, name="core")
        self.delta = keras.layers.Dense(4, name="delta")

    @property
    def state_spec(self):
        return {"box": 4, "core": [self.units]}

    def build(self, frame_shape):
        self.core.build((None, frame_shape[-1]))
        self.delta.build((None, self.units))

    def initial_state(self, frame, box):
        h = ops.zeros((ops.shape(frame)[0], self.units))
        return {"box": ops.cast(box, "float32"), "core": [h]}

    def step(self, frame, state):
        y, core = self.core(ops.mean(frame, axis=(1, 2)), state["core"])
        box = state["box"] + self.delta(y)
        return {"box": box, "hidden": y}, {"box": box, "core": core}

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("tests")
class DriftModel(keras.Model):
    def __init__(self, cell=None, **kwargs):
        super().__init__(**kwargs)
        self.cell = cell or Drift()
        self.rnn = keras.layers.RNN(self.cell, return_sequences=True)

    def build(self, input_shape):
        self.rnn.build(input_shape["frames"])

    def call(self, inputs):
        frames, box = inputs["frames"], inputs["box"]
        state = self.cell.initial_state(frames[:, 0], box)
        return self.rnn(frames, initial_state=self.cell.flatten_state(state))


def clip(batch, seed=0):
    rng = np.random.default_rng(seed)
    frames = rng.uniform(size=(batch, 5, 8, 6, 3)).astype("float32")
    return frames, rng.uniform(1, 5, (batch, 4)).astype("float32")


def test_rnn_unroll_and_single_steps_agree():
    batch = 1
    frames, box = clip(batch)
    cell = Drift()
    assert cell.state_size == [4, 3] and cell.output_size == 4
    rnn = keras.layers.RNN(cell, return_sequences=True)
    state = cell.initial_state(frames[:, 0], box)
    found = numpy(rnn(frames, initial_state=cell.flatten_state(state)))
    assert found.shape == (batch, 5, 4)
    outputs, _ = unroll(cell.step, state, ops.convert_to_tensor(frames))
    np.testing.assert_allclose(numpy(outputs["box"]), found, atol=1e-5)
    step = compiled(cell.step)
    for t in range(5):
        outputs, state = step(ops.convert_to_tensor(frames[:, t]), state)
        np.testing.assert_allclose(numpy(outputs["box"]), found[:, t], atol=1e-5)
        assert outputs["hidden"].shape == (batch, 3)


@pytest.mark.long
def test_fit_under_xla_saves_and_loads(tmp_path):
    keras.utils.set_random_seed(0)
    frames, box = clip(4)
    x = {"frames": frames, "box": box}
    y = np.repeat(box[:, None], 5, axis=1)
    model = DriftModel()
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=True)
    losses = model.fit(x, y, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(numpy(loaded(x)), numpy(model(x)), atol=1e-6)


def test_state_goes_flat_and_back():
    cell = Drift()
    state = {"core": [np.ones((2, 3))], "box": np.zeros((2, 4))}
    flat = cell.flatten_state(state)
    assert [x.shape for x in flat] == [(2, 4), (2, 3)]
    back = cell.unflatten_state(flat)
    assert back["box"].shape == (2, 4) and back["core"][0].shape == (2, 3)
    with pytest.raises(ValueError, match=r"nested like its `state_spec`, \{'box': 4"):
        cell.flatten_state({"box": np.zeros((2, 4))})
    with pytest.raises(ValueError, match="has 2 tensors"):
        cell.unflatten_state(flat[:1])


class NoBox(Drift):
    def step(self, frame, state):
        outputs, state = super().step(frame, state)
        return {"boxes": outputs["box"]}, state


class WideBox(Drift):
    def step(self, frame, state):
        outputs, state = super().step(frame, state)
        return {"box": ops.concatenate([outputs["box"]] * 2, axis=-1)}, state


class BareBox(Drift):
    def step(self, frame, state):
        outputs, state = super().step(frame, state)
        return outputs["box"], state


@pytest.mark.parametrize(
    "cls, message",
    [
        (NoBox, r"NoBox\.step must return a dict .*'box'.*Received.*\['boxes'\]"),
        (BareBox, r"BareBox\.step must return a dict"),
        (WideBox, r"must be \[B, 4\]\. Received: shape=\(2, 8\)"),
    ],
)
def test_a_step_without_a_box_is_told_so(cls, message):
    frames, box = clip(2)
    cell = cls()
    states = cell.flatten_state(cell.initial_state(frames[:, 0], box))
    with pytest.raises(ValueError, match=message):
        cell(frames[:, 0], states)


def test_a_tracker_does_not_start_from_zeros():
    with pytest.raises(ValueError, match="starts from a frame and a box"):
        keras.layers.RNN(Drift())(clip(2)[0])


@pytest.mark.parametrize(
    "call",
    [
        lambda cell: cell.state_spec,
        lambda cell: cell.initial_state(None, None),
        lambda cell: cell.step(None, None),
    ],
)
def test_what_a_subclass_must_define(call):
    with pytest.raises(NotImplementedError, match="RecurrentTrackerCell must define"):
        call(RecurrentTrackerCell())


class Probe(keras.layers.Layer):
    """Adds 1 in training."""

    def call(self, x, training=False):
        return x + 1 if training else x


class Probing(Drift):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.probe = Probe()

    def step(self, frame, state):
        outputs, state = super().step(frame, state)
        return {"box": self.probe(outputs["box"])}, state


def test_layers_inside_know_that_they_train():
    frames, box = clip(2)
    cell = Probing()
    rnn = keras.layers.RNN(cell)
    states = cell.flatten_state(cell.initial_state(frames[:, 0], box))
    idle = rnn(frames, initial_state=states, training=False)
    busy = rnn(frames, initial_state=states, training=True)
    np.testing.assert_allclose(numpy(busy) - numpy(idle), 1, atol=1e-5)


@keras.saving.register_keras_serializable("tests")
class Noisy(Drift):
    """Adds one random number a step to the box, and the first step's as well."""

    channels = 3

    def draw_noise(self, batch_size, steps):
        return {
            "step": ops.ones((batch_size, 1, 1)) * ops.arange(1.0, steps + 1)[:, None]
        }

    def initial_state(self, frame, box, noise=None):
        shift = 0.0 if noise is None else 100 * noise["step"][:, :1]
        return super().initial_state(frame, box + shift)

    def step(self, frame, state, noise=None):
        outputs, state = super().step(frame, state)
        shift = 0.0 if noise is None else noise["step"][:, :1]
        return {"box": outputs["box"] + shift}, state


@keras.saving.register_keras_serializable("tests")
class NoisyTracker(RecurrentTracker):
    compile_arguments = ("price",)
    price = 0.0

    def compile(self, optimizer="adam", *, price=0.0, **kwargs):
        super().compile(optimizer, **kwargs)
        self.price = price

    def sample_losses(self, x, y, y_pred):
        return self.price * ops.mean(y_pred["boxes"], axis=(1, 2))


def test_noise_is_for_training_alone_and_the_first_is_the_initial_state_s():
    frames, box = clip(2)
    model = NoisyTracker(Noisy())
    x = {"frames": frames, "box": box}
    idle, busy = (numpy(model(x, training=t)["boxes"]) for t in (False, True))
    expected = 100 * 1 + np.arange(2, 7)[:, None]  # drawn for steps 1 to 6
    np.testing.assert_allclose(busy - idle, np.tile(expected, (2, 1, 4)), atol=1e-3)
    plain = NoisyTracker(Plain())
    found = [numpy(plain(x, training=t)["boxes"]) for t in (False, True)]
    np.testing.assert_array_equal(*found)


class Plain(Drift):
    channels = 3


def test_a_tracker_s_configuration_holds_its_cell_s(tmp_path):
    model = NoisyTracker(Noisy(units=5))
    config = model.get_config()
    assert config["cell"]["config"]["units"] == 5
    again = NoisyTracker.from_config(config)
    assert again.get_config() == config and again.cell.units == 5
    assert not again.cell.built
    model.compile("sgd", price=2.0)
    frames, box = clip(2)
    model.evaluate(
        {"frames": frames, "box": box},
        {"boxes": np.repeat(box[:, None], 5, axis=1)},
        verbose=0,
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.price == 2.0 and loaded.get_config() == model.get_config()
    assert NoisyTracker(Noisy()).get_compile_config() == {}


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="it exports")
def test_export_says_which_backend_it_wants(tmp_path):
    with pytest.raises(ValueError, match=r"KERAS_BACKEND=tensorflow.*Received: .*jax"):
        ka.export(None, tmp_path / "x.onnx", "onnx")
