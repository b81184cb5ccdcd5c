"""A tracker's graphs are kept in a folder, and are what tracing gives."""

import gc

import keras
import numpy as np
import pytest
from tiny_tracker import TrackerModel

import keras_attend as ka
from keras_attend import compiling, disk
from keras_attend.models import WideHART, WideHARTCell
from keras_attend.tracking import kept_graphs

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="graphs are TensorFlow's"
)
FRAMES = np.random.default_rng(0).integers(0, 255, (4, 40, 50, 3), dtype="uint8")
BOX = (10, 10, 12, 14)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(compiling.KEEP, "1")
    monkeypatch.setenv(disk.CACHE, str(tmp_path))
    return tmp_path / "tensorflow-graphs"


@pytest.fixture
def steps(monkeypatch):
    """How often the cell's step has been run in Python."""
    calls, step = [], WideHARTCell.step
    monkeypatch.setattr(
        WideHARTCell, "step", lambda *args: calls.append(0) or step(*args)
    )
    return calls


@pytest.fixture(scope="module")
def model():
    v1 = ka.layers.EfficientV1(blocks=(1, 3, 5))
    cell = WideHARTCell(64, 4, 8, keys=8, values=4, width=16, depth=1, v1=v1)
    found = WideHART(cell)
    found.build()
    return found


def followed(model, box=BOX, **arguments):
    tracker = ka.Tracker(model, **arguments)
    tracker.init(FRAMES[0], box)
    boxes = [tracker.update(frame)[1] for frame in FRAMES[1:]]
    return np.array(boxes), tracker.outputs


def test_a_kept_graph_gives_the_same_without_tracing(folder, steps, model):
    boxes, outputs = followed(model)
    traced = len(steps)
    again, others = followed(model)
    assert traced > 0 and len(steps) == traced
    np.testing.assert_array_equal(boxes, again)
    assert outputs.keys() == others.keys()
    for name, value in outputs.items():
        np.testing.assert_array_equal(value, others[name])
    assert len(list(folder.iterdir())) == 2


@pytest.mark.long
def test_loops_are_kept_too(folder, steps, model):
    """Of several objects; a later process does not know the loop's body."""
    several = [BOX, (20, 8, 9, 9)]
    boxes, _ = followed(model, several)
    traced = len(steps)
    gc.collect()  # what was traced is gone, as in another process
    again, _ = followed(model, several)
    assert len(steps) == traced
    np.testing.assert_array_equal(boxes, again)


def test_boxes_are_those_of_xla(folder):
    """In their last digits they differ, in nothing else."""
    keras.utils.set_random_seed(0)
    model = ka.models.RATM(ka.models.RATMCell(8, 5, channels=3))
    model.build()
    boxes, outputs = followed(model)
    assert len(list(folder.iterdir())) == 2
    compiled, others = followed(model, jit_compile=True)
    assert len(list(folder.iterdir())) == 2  # XLA's are not kept
    np.testing.assert_allclose(boxes, compiled, atol=1e-3)
    assert outputs.keys() == others.keys()
    np.testing.assert_allclose(outputs["glimpse"], others["glimpse"], atol=1e-4)


def test_the_weights_are_not_kept(folder, model, monkeypatch):
    followed(model)
    before = [v.numpy() for v in model.trainable_variables]
    for v in model.trainable_variables:
        v.assign(v + 0.3)
    moved, _ = followed(model)
    monkeypatch.setenv(compiling.KEEP, "0")
    traced, _ = followed(model)
    for v, value in zip(model.trainable_variables, before, strict=True):
        v.assign(value)
    np.testing.assert_array_equal(moved, traced)


@pytest.mark.long
def test_other_code_and_damage_are_traced_again(folder, steps, model, monkeypatch):
    followed(model)
    count = len(steps)
    for path in folder.iterdir():
        content = bytearray(path.read_bytes())
        content[-100] ^= 1
        path.write_bytes(content)
    followed(model)
    assert len(steps) == 2 * count
    monkeypatch.setattr(kept_graphs, "_code", lambda: "other")
    followed(model)
    assert len(steps) == 3 * count and len(list(folder.iterdir())) == 4


def test_only_so_many_are_kept(folder, monkeypatch, model):
    monkeypatch.setattr(kept_graphs, "MAX_FILES", 1)
    followed(model)
    assert len(list(folder.iterdir())) == 1


def test_what_is_not_kept(folder, monkeypatch, model):
    assert kept_graphs.key(model.cell) != kept_graphs.key(model.cell, "next")
    assert kept_graphs.key(TrackerModel().cell) is None  # whose code may change
    monkeypatch.setenv(compiling.KEEP, "0")
    assert kept_graphs.key(model.cell) is None
    followed(model)
    assert not folder.exists()


def test_a_folder_that_cannot_be_written(tmp_path, folder, model):
    folder.write_text("a file where the folder should be")
    followed(model)
    assert folder.is_file()
