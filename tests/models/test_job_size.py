"""XLA for large jobs alone, and few compilations of `predict`."""

import math

import keras
import numpy as np
import pytest

import keras_attend as ka
from keras_attend.layers.recurrent_tracker import RecurrentTrackerCell
from keras_attend.models import job_size
from keras_attend.models.tracker import padded_length

ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
needs_tensorflow = pytest.mark.skipif(
    not ON_TENSORFLOW, reason="JAX has nothing but XLA"
)


@pytest.mark.parametrize(
    ("batch_size", "steps", "epochs", "wanted"),
    [(None, None, 1, 2), (8, None, 3, 21), (8, 4, 2, 8), (50, None, 1, 1)],
)
def test_batches_of_arrays(batch_size, steps, epochs, wanted):
    x = {"frames": np.zeros((50, 2)), "box": np.zeros((50, 4))}
    assert job_size.count_batches(x, batch_size, steps, epochs) == wanted


def test_batches_of_other_data():
    balls = ka.datasets.BouncingBalls(batch_size=2, batches=7)
    assert job_size.count_batches(balls, None, None, 2) == 14
    assert job_size.count_batches(iter([]), None, None) == math.inf


@needs_tensorflow
def test_batches_of_tensorflows_data():
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices(np.zeros((12, 3))).batch(4)
    assert job_size.count_batches(data, None, None, 2) == 6
    endless = data.repeat()
    assert job_size.count_batches(endless, None, None) == math.inf


@pytest.fixture
def job(monkeypatch):
    """A model, and data of which ten batches are a large job."""
    monkeypatch.setattr(job_size, "XLA_PAYS_FROM", 10)
    x, y = np.zeros((8, 12, 12, 1), "float32"), np.zeros(8, "int32")
    return ka.models.RAM(glimpses=2, size=4), x, y


@pytest.mark.long
@needs_tensorflow
def test_xla_compiles_large_jobs_alone(job):
    model, x, y = job
    model.compile("sgd")
    model.fit(x, y, batch_size=8, verbose=0)
    small = model.train_function
    assert not model.jit_compile
    model.fit(x, y, batch_size=8, verbose=0)
    assert model.train_function is small  # not compiled again
    model.fit(x, y, batch_size=8, epochs=10, verbose=0)
    assert model.jit_compile and model.train_function is not small
    model.predict(x, verbose=0)
    assert not model.jit_compile


@pytest.mark.long
@needs_tensorflow
@pytest.mark.parametrize("chosen", [True, False])
def test_what_the_user_chose_stays(chosen, job):
    model, x, y = job
    model.compile("sgd", jit_compile=chosen)
    for epochs in (1, 10):
        model.fit(x, y, batch_size=8, epochs=epochs, verbose=0)
        assert model.jit_compile == chosen


@needs_tensorflow
def test_what_was_set_by_hand_stays(job):
    """As on several devices, for which XLA has no step."""
    model, x, y = job
    model.compile("sgd")
    model.jit_compile = False
    model.fit(x, y, batch_size=8, epochs=10, verbose=0)
    assert not model.jit_compile


@pytest.mark.long
@needs_tensorflow
def test_a_saved_model_chooses_again(job, tmp_path):
    model, x, y = job
    model.compile("sgd")
    model.fit(x, y, batch_size=8, verbose=0)
    model.save(tmp_path / "ram.keras")
    again = keras.models.load_model(tmp_path / "ram.keras")
    again.fit(x, y, batch_size=8, verbose=0)
    assert not again.jit_compile
    again.fit(x, y, batch_size=8, epochs=10, verbose=0)
    assert again.jit_compile


def test_a_preset_chooses_by_the_job(monkeypatch):
    monkeypatch.setattr(job_size, "XLA_PAYS_FROM", 10)
    model = ka.zoo.load("ram_mnist")
    images, _ = ka.datasets.sample_digits()
    model.predict(images, verbose=0)
    assert model.jit_compile != ON_TENSORFLOW


# `predict` of clips of any length.


def test_lengths_are_padded_to_few():
    lengths = [padded_length(n) for n in range(1, 200)]
    assert all(a >= n for n, a in enumerate(lengths, start=1))
    assert sorted(set(lengths)) == [8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256]


class Counted(RecurrentTrackerCell):
    """Adds what it sees to the box, and counts how often it is traced."""

    channels = 1
    traced = 0

    @property
    def state_spec(self):
        return {"box": 4}

    def build(self, frame_shape):
        self.speed = self.add_weight(shape=(4,), name="speed")

    def initial_state(self, frame, box, noise=None):
        return {"box": box}

    def step(self, frame, state, noise=None):
        Counted.traced += 1
        mean = keras.ops.mean(keras.ops.cast(frame, "float32"), axis=(1, 2))  # [B, 1]
        box = state["box"] + mean * self.speed
        return {"box": box, "mean": mean[:, 0]}, {"box": box}


class Model(ka.models.RecurrentTracker):
    def sample_losses(self, x, y, y_pred):
        return keras.ops.mean(y_pred["boxes"], axis=(1, 2))


def clips(length):
    frames = np.random.default_rng(0).random((2, 40, 6, 6, 1), "float32")
    return {"frames": frames[:, :length], "box": np.ones((2, 4), "float32")}


def test_predict_of_other_lengths():
    """Exactly what the frames alone give."""
    model = Model(Counted())
    model.compile("sgd")
    for length in (5, 9, 12, 17):
        found = model.predict(clips(length), verbose=0)
        alone = keras.Model.predict(model, clips(length), verbose=0)
        assert found["boxes"].shape == (2, length, 4)
        assert found["mean"].shape == (2, length)
        for key in found:
            np.testing.assert_array_equal(found[key], alone[key])


def test_predict_is_not_compiled_for_each_length():
    model = Model(Counted())
    model.compile("sgd", jit_compile=not ON_TENSORFLOW)
    counts = [traced_by(model, length) for length in (9, 10, 11, 12)]
    assert counts[0] > 0 and counts[2:] == [0, 0]  # TensorFlow does twice
    if not ON_TENSORFLOW:
        assert counts[1] == 0


def traced_by(model, length):
    before = Counted.traced
    model.predict(clips(length), verbose=0)
    return Counted.traced - before
