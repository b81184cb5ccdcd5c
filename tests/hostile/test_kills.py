"""A training that is killed at any moment goes on to the weights it would have had."""

import argparse
import functools
import json
import multiprocessing
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import kills
import numpy as np
import pytest
from checkpoint_numbers import batches, difference

from keras_attend import disk
from keras_attend.callbacks import Checkpoint
from keras_attend.datasets import Digits
from keras_attend.training import stages


class Killed(BaseException):
    """What ends a training in the middle of anything."""


def make(steps=0, **options):
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Flatten(), keras.layers.Dropout(0.3), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((8, 8, 1)), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01, **options), loss, jit_compile=False)
    return model


def data():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (80, 8, 8, 1)).astype("uint8")
    return Digits(images, random.integers(0, 2, 80), batch_size=16, shift=1.0)


def train(path, steps, epochs=4, kill=None, batches=None, make=make):
    """Train as recipes do, and go on after each kill; the weights, the iterations."""
    args = argparse.Namespace(
        steps=steps, epochs=epochs, resume=True, checkpoint_every=0.0
    )
    for _ in range(30):
        try:
            callbacks = (kill,) if kill else ()
            model = stages.fit(make, batches or data(), path, args, callbacks)
            return model.get_weights(), int(model.optimizer.iterations)
        except Killed:
            pass
    raise AssertionError("it never ended")


class AtBatches(keras.callbacks.Callback):
    """Kills the training at these batches, counted over all its lives."""

    def __init__(self, *batches):
        super().__init__()
        self.batches, self.count = set(batches), 0

    def on_train_batch_end(self, batch, logs=None):
        self.count += 1
        if self.count in self.batches:
            raise Killed


@pytest.mark.parametrize("steps", [2, pytest.param(None, marks=pytest.mark.hostile)])
def test_kills_between_batches(steps, tmp_path):
    whole, count = train(tmp_path / "a" / "m.keras", steps)
    killed, again = train(
        tmp_path / "b" / "m.keras", steps, kill=AtBatches(1, 4, 6, 8, 13)
    )
    assert count == again == 4 * (steps or 5)
    for one, other in zip(whole, killed, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


class AfterEpoch(AtBatches):
    """Kills the training when this epoch's checkpoint is made."""

    def on_train_batch_end(self, batch, logs=None):
        pass

    def on_epoch_end(self, epoch, logs=None):
        super().on_train_batch_end(0)


def test_a_kill_after_the_last_epoch_keeps_the_averaged_weights(tmp_path):
    """They take the weights' place only when the training ends."""
    averaged = functools.partial(make, use_ema=True, ema_momentum=0.8)
    whole, count = train(tmp_path / "a" / "m.keras", 2, make=averaged)
    kill = AfterEpoch(2, 4)  # the latter is the last one of the second life
    killed, again = train(tmp_path / "b" / "m.keras", 2, kill=kill, make=averaged)
    assert count == again == 8
    for one, other in zip(whole, killed, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize(
    "moment",
    [
        *("writestr", "before replace"),
        *(pytest.param(m, marks=pytest.mark.hostile) for m in ("save", "seconds")),
        pytest.param("flush", marks=pytest.mark.hostile),
    ],
)
def test_kills_while_a_checkpoint_is_written(moment, tmp_path, monkeypatch):
    whole, count = train(tmp_path / "a" / "m.keras", 2)
    calls = []

    def killing(function, before=True):
        def call(*args, **kwargs):
            calls.append(1)
            found = None if before else function(*args, **kwargs)
            if len(calls) in (2, 3, 5):
                raise Killed
            return function(*args, **kwargs) if before else found

        return call

    path = tmp_path / "b" / "m.keras"
    owner, name, before = {
        "save": (keras.Sequential, "save", True),
        "seconds": (keras.Sequential, "save", False),
        "writestr": (zipfile.ZipFile, "writestr", False),
        "flush": (disk, "flush", True),
        "before replace": (os, "replace", True),
    }[moment]
    monkeypatch.setattr(owner, name, killing(getattr(owner, name), before))
    killed, again = train(path, 2)
    assert count == again
    for one, other in zip(whole, killed, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert {p.name for p in path.parent.iterdir()} == {"m.keras", ".m.keras.lock"}


def test_a_file_that_is_no_checkpoint(tmp_path):
    path = tmp_path / "m.keras"
    make().save(path)
    with pytest.raises(ValueError, match="that `Checkpoint` has written"):
        Checkpoint.resume(path)
    path.write_bytes(b"half of it")
    with pytest.raises(ValueError, match="that `Checkpoint` has written"):
        Checkpoint.seconds_spent(path)


def hold(path, ready, end):
    lock = disk.locked(path)
    ready.set()
    end.wait(60)
    lock.close()


def test_a_second_training_on_a_checkpoint_is_refused(tmp_path):
    path = tmp_path / "m.keras"
    context = multiprocessing.get_context("spawn")
    ready, end = context.Event(), context.Event()
    other = context.Process(target=hold, args=(path, ready, end))
    other.start()
    try:
        assert ready.wait(60)
        with pytest.raises(ValueError, match="must be written by one process"):
            train(path, 2, epochs=1)
        assert not path.exists()
    finally:
        end.set()
        other.join()
    train(path, 2, epochs=1)  # its end frees the path


@pytest.mark.hostile
@pytest.mark.packaging
@pytest.mark.usefixtures("mnist_file")
@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_ten_random_kills_of_a_recipe(backend, tmp_path):
    """`make test-kills` does the same with each recipe."""
    command = [sys.executable, str(Path(__file__).parent / "kills.py"), "ram_mnist"]
    found = subprocess.run(
        [*command, "--by", "steps", "--runs", str(tmp_path)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout + found.stderr[-2000:]
    assert f"ram_mnist, steps, {backend} | 36 | 12 | 10 | " in found.stdout


def test_what_is_recorded_of_killed_recipes():
    """kills.json: `kills.py --record` wrote it, after hours of `make test-kills`."""
    known = json.loads(kills.RECORD.read_text("utf-8"))
    assert known
    for name, found in known.items():
        recipe, by, backend = name.rsplit("_", 2)
        assert recipe in kills.RECIPES and by in ("steps", "epochs"), name
        assert found["kills"] == 10, name
        assert 0 <= found["difference"] <= kills.TOLERANCE[backend], name


def test_a_difference_between_checkpoints_is_seen(tmp_path):
    paths = [tmp_path / name / "m.keras" for name in "ab"]
    for path in paths:
        train(path, 2, epochs=1)
    one, other = (path.parent for path in paths)
    assert difference(one, other) == 0 and batches(one) == 2
    train(paths[1], 2, epochs=2)
    assert difference(one, other) > 0
    paths[1].unlink()
    assert difference(one, other) == float("inf")


def test_notes_are_in_the_checkpoint(tmp_path):
    path = tmp_path / "m.keras"
    train(path, 2, epochs=1)
    with zipfile.ZipFile(path) as archive:
        notes = json.loads(archive.read("keras_attend.json"))
    assert notes["seconds"] == Checkpoint.seconds_spent(path) and notes["seeds"]
