"""`Checkpoint`, and a recipe that is killed and goes on."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_attend.callbacks import Checkpoint, LengthCurriculum
from keras_attend.datasets import BouncingBalls, Digits
from keras_attend.layers import GlimpseCNN
from keras_attend.models import RAM, RATM, RATMCell

RECIPES = Path(__file__).parents[1] / "zoo"


def make():
    keras.utils.set_random_seed(1)
    model = RAM(classes=2, glimpses=2, size=4, glimpse_units=4, units=8)
    schedule = keras.optimizers.schedules.CosineDecay(0.01, 12)
    model.compile(keras.optimizers.Adam(schedule))
    return model


def data():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (48, 8, 8, 1)).astype("uint8")
    return Digits(images, random.integers(0, 2, 48), batch_size=16, shift=1.0)


@pytest.mark.slow
def test_goes_on_as_if_never_stopped(tmp_path, quick):
    path = tmp_path / "run" / "model.keras"
    straight, batches = make(), data()
    straight.fit(batches, epochs=4, shuffle=False, verbose=0)

    assert Checkpoint.resume(path) is None
    stopped, batches = make(), data()
    checkpoint = Checkpoint(path)
    stopped.fit(batches, epochs=2, shuffle=False, verbose=0, callbacks=[checkpoint])
    assert Checkpoint.seconds_spent(path) > 0

    resumed, batches = Checkpoint.resume(path), data()
    batches.epoch = int(resumed.optimizer.iterations) // len(batches)
    assert batches.epoch == 2
    resumed.fit(batches, epochs=4, initial_epoch=2, shuffle=False, verbose=0)
    pairs = zip(straight.variables, resumed.variables, strict=True)
    for a, b in pairs:  # weights and the state of the random numbers
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), atol=1e-6)


def test_saves_at_times(tmp_path):
    path = tmp_path / "model.keras"
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    saves = []
    checkpoint = Checkpoint(path, every=0.0)
    checkpoint._save = lambda: saves.append(int(model.optimizer.iterations))
    x, y = np.zeros((48, 2)), np.zeros((48, 1))
    model.fit(x, y, batch_size=16, epochs=2, verbose=0, callbacks=[checkpoint])
    assert saves == [3, 6]  # each epoch but the last, and the end


def test_length_curriculum(quick):
    """Two frames, then three, then the four that there are; `fit` sees them."""
    data = BouncingBalls(batch_size=2, batches=2, frames=4)
    seen = []

    class Spy(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((data.judged, data[0][1]["present"].sum()))

    model = RATM(RATMCell(5, 4))
    model.compile()
    curriculum = LengthCurriculum(data, first=2, every=2)
    assert data.judged == 2
    model.fit(data, epochs=7, verbose=0, callbacks=[curriculum, Spy()])
    assert seen == [(n, 2 * n) for n in (2, 2, 3, 3, 4, 4, 4)]
    with pytest.raises(ValueError, match="at most the length"):
        LengthCurriculum(data, first=5)


def test_bad_path():
    with pytest.raises(ValueError, match=r"`path` must end in \.keras"):
        Checkpoint("model.h5")


@pytest.mark.long
@pytest.mark.packaging
@pytest.mark.usefixtures("mnist_file")
def test_recipe_resumes_after_kill(tmp_path):
    """`zoo/ram_mnist/recipe.py`, killed between two epochs, ends its training."""
    command = [sys.executable, str(RECIPES / "ram_mnist" / "recipe.py")]
    command += ["--seed", "0", "--steps", "4", "--epochs", "400"]
    command += ["--runs", str(tmp_path), "--checkpoint-every", "0"]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    log = tmp_path / "log"
    with log.open("w") as stream:
        process = subprocess.Popen(command, stdout=stream, env=environment)
        checkpoint = tmp_path / "seed_0.keras"
        deadline = time.monotonic() + 200
        while not checkpoint.exists() and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = int(Checkpoint.resume(checkpoint).optimizer.iterations) // 4
    assert 1 <= done < 400

    command[command.index("400")] = str(done + 2)
    found = subprocess.run(
        [*command, "--resume"], env=environment, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    epochs = re.findall(r"Epoch (\d+)/", found.stdout)
    assert epochs == [str(done + 1), str(done + 2)]
    model = Checkpoint.resume(checkpoint)
    assert int(model.optimizer.iterations) == 4 * (done + 2)


@keras.saving.register_keras_serializable("tests")
class Wrapped(keras.layers.Layer):
    """A layer that forgets that its part is not trained."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.part = keras.layers.Dense(2)

    def build(self, shape):
        self.part.build(shape)

    def call(self, x):
        return self.part(x)


@pytest.mark.parametrize("kept", [True, False])
def test_goes_on_with_a_frozen_part_or_not_at_all(kept, tmp_path):
    """Without an optimizer's state a training would begin anew, unnoticed."""
    part = GlimpseCNN((2, 2), (3, 3), units=4) if kept else Wrapped()
    part.trainable = False
    image = keras.Input((8, 8, 1))
    features = keras.layers.Flatten()(part(image))
    model = keras.Model(image, keras.layers.Dense(1)(features))
    model.compile("adam", "mse")
    path = tmp_path / "model.keras"
    x, y = np.zeros((4, 8, 8, 1)), np.zeros((4, 1))
    model.fit(x, y, epochs=3, verbose=0, callbacks=[Checkpoint(path)])
    if not kept:
        with pytest.raises(ValueError, match="Skipping variable loading"):
            Checkpoint.resume(path)
        return
    found = Checkpoint.resume(path)
    assert int(found.optimizer.iterations) == 3
    assert len(found.trainable_variables) == 2
