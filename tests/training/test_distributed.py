"""Several devices, several workers: the same training as on one device.

Virtual devices have to be there before anything is computed: the trainings run in
programs of their own, `distributed_case.py`. In small form here, in full behind `slow`:

    python -m pytest tests/training/test_distributed.py -m slow
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_attend import distributed
from keras_attend.callbacks import Checkpoint
from keras_attend.datasets import Digits
from keras_attend.distributed import Cluster
from keras_attend.training import cluster, workers
from keras_attend.training.cluster import CONFIG, SharedBatches

pytestmark = pytest.mark.packaging

CASE = Path(__file__).parents[1] / "distributed_case.py"
BACKENDS = ("tensorflow", "jax")


def run(backend, runs, *flags):
    """The case's trainings; what they wrote, by file name."""
    # Its draws are the same on one device and on two only where they are of one kind:
    # on TensorFlow each replica draws for itself.
    draws = "own" if backend == "jax" else "fixed"
    environment = {k: v for k, v in os.environ.items() if k != CONFIG}
    environment |= {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    found = subprocess.run(
        [sys.executable, str(CASE), "--runs", str(runs), "--draws", draws, *flags],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr[-3000:]
    return {path.stem: dict(np.load(path)) for path in runs.glob("*.npz")}, found


def same(alone, together):
    """Weights to 1e-4, and what each epoch's log says."""
    assert alone.keys() <= together.keys()
    for name, value in alone.items():
        if name.startswith("log"):  # those since a restart
            value = value[-len(together[name]) :]
        np.testing.assert_allclose(together[name], value, atol=1e-4, err_msg=name)
    weights = [n for n, w in alone.items() if n.startswith("weight") and w.ndim]
    moved = [np.abs(together[f"start_{n}"] - alone[n]).max() for n in weights]
    assert max(moved) > 5e-3  # it did learn, fifty times what may differ


@pytest.mark.long
@pytest.mark.parametrize("backend", BACKENDS)
def test_two_devices_equal_one(backend, tmp_path):
    """Two epochs; clipped far below the gradients' norms, with logs of all samples."""
    flags = ("--models", "ram", "--devices", "2", "--epochs", "2", "--beside")
    found, _ = run(backend, tmp_path, *flags)
    same(found["ram_alone"], found["ram"])
    seeds = found["ram"]["seeds"]  # replica, numbers
    if backend == "tensorflow":
        assert seeds[0, 0] != seeds[1, 0]  # they draw different numbers,
        assert seeds[0, 1] == seeds[1, 1]  # as many
    else:
        assert len(seeds) == 1  # all draws are made at once


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_each_model_on_two_devices(backend, tmp_path):
    """20 batches. (On TensorFlow some models' draws are their replicas' own.)"""
    names = ["ram", "ratm", "hart", "drlt"]
    if backend == "jax":
        names += ["agent", "air", "follower"]
    found, _ = run(backend, tmp_path, "--models", *names, "--devices", "2", "--beside")
    for name in names:
        same(found[f"{name}_alone"], found[name])


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_two_workers_of_which_one_is_killed(backend, tmp_path):
    """Both are started again, and end as one device does that never stopped."""
    alone, _ = run(backend, tmp_path / "one", "--models", "ram")
    flags = ("--models", "ram", "--workers", "2", "--die", "2")
    together, found = run(backend, tmp_path / "two", *flags)
    assert "A worker ended with status -9." in found.stderr
    same(alone["ram"], together["ram"])
    path = tmp_path / "two" / "ram.keras"
    assert Checkpoint.seconds_spent(path) > 0  # and only one has written
    assert not list((tmp_path / "two").glob(".*partial*"))
    assert together["ram"]["batches"] == 20


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_draws_go_on_after_a_restart(backend, tmp_path):
    """Stopped between two epochs, replicas go on with numbers of their own."""
    flags = ("--models", "ram", "--devices", "2", "--draws", "own")
    straight, _ = run(backend, tmp_path / "straight", *flags)
    run(backend, tmp_path / "stopped", *flags, "--epochs", "2")
    again, _ = run(backend, tmp_path / "stopped", *flags, "--resume")
    for name, value in straight["ram"].items():
        if name.startswith(("weight", "seeds")):
            np.testing.assert_allclose(again["ram"][name], value, atol=1e-5)


def digits(count=20, batch_size=8):
    numbers = np.arange(count)
    images = np.zeros((count, 4, 4, 1), "uint8") + numbers[:, None, None, None]
    return Digits(images.astype("uint8"), numbers, batch_size=batch_size, seed=1)


def test_workers_share_batches_without_repeats():
    """As on JAX; on TensorFlow `tf.distribute` does it."""
    whole = digits(24)
    parts = [SharedBatches(whole, Cluster(2, 2, index)) for index in (0, 1)]
    for part in parts:
        part.split = True
    for epoch in (0, 1):
        assert whole.epoch == epoch
        for index in range(len(whole)):
            both = [part[index] for part in parts]
            for i, wanted in enumerate(whole[index]):
                np.testing.assert_array_equal(
                    np.concatenate([b[i] for b in both]), wanted
                )
        parts[0].on_epoch_end()


def test_a_last_batch_is_cut_to_a_multiple():
    shared = SharedBatches(digits(23), Cluster(devices=4))
    assert [len(shared[index][1]) for index in range(len(shared))] == [8, 8, 4]
    with pytest.raises(ValueError, match=r"multiple of 3 samples.*batches of 8"):
        SharedBatches(digits(), Cluster(devices=3))
    with pytest.raises(ValueError, match=r"multiple of 8 samples.*last of 4"):
        SharedBatches(digits(), Cluster(devices=8))


def test_start_says_what_is_wrong(monkeypatch):
    with pytest.raises(ValueError, match="`devices` must be a positive integer"):
        cluster.start(devices=0)
    monkeypatch.delenv(CONFIG, raising=False)
    with pytest.raises(ValueError, match="TF_CONFIG must list as many workers"):
        cluster.start(workers=2)
    assert cluster.start() == Cluster()  # one device changes nothing
    assert distributed.replicas() == 1


PROGRAM = """
import json, os, sys, time
task = json.loads(os.environ["TF_CONFIG"])
index, log = task["task"]["index"], sys.argv[1]
assert len(set(task["cluster"]["worker"])) == 3
with open(log, "a") as file:
    print(index, "--resume" in sys.argv, file=file, flush=True)
if index == 1 and "--resume" not in sys.argv:
    sys.exit(7)
if "--resume" not in sys.argv:
    time.sleep(60)  # as a worker does that waits for another one
"""


def test_launch_starts_all_again(tmp_path, monkeypatch, capfd):
    program, log = tmp_path / "program.py", tmp_path / "log"
    program.write_text(PROGRAM)
    monkeypatch.setattr(sys, "argv", [str(program), str(log)])
    start = time.monotonic()
    assert workers.launch(3, restarts=0) == 7
    assert workers.launch(3) == 0
    assert time.monotonic() - start < 50  # none was waited for
    lines = log.read_text().split("\n")
    assert sorted(lines[-4:-1]) == ["0 True", "1 True", "2 True"]
    assert "A worker ended with status 7." in capfd.readouterr().err


def test_other_workers_write_elsewhere(tmp_path, monkeypatch):
    """Of two workers that have trained, one leaves a checkpoint."""
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.zeros((8, 2)), np.zeros((8, 1))
    for index in (1, 0):
        monkeypatch.setattr(distributed, "_cluster", Cluster(1, 2, index))
        path = tmp_path / "model.keras"
        callback = Checkpoint(path, every=1000)
        model.fit(x, y, epochs=1, verbose=0, callbacks=[callback])
        names = {p.name for p in tmp_path.iterdir()}
        assert names == (set() if index else {"model.keras", ".model.keras.lock"})
