"""`export` touches nothing that it did not write, and leaves no half of a file."""

import errno
import importlib

import keras
import pytest

import keras_attend as ka
from keras_attend.exporters import tensorflow

exporting = importlib.import_module("keras_attend.exporters.export")
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="export needs TensorFlow"
)


@pytest.fixture(scope="module")
def model():
    model = ka.models.Feedforward((3,), classes=2)
    model(keras.ops.zeros((1, 6, 6, 1)))
    return model


def listing(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("beside", [["saved_model.pb", "thesis.txt"], ["thesis.txt"]])
def test_other_files_are_not_touched(beside, model, tmp_path):
    target = tmp_path / "mine"
    target.mkdir()
    for name in beside:
        (target / name).write_text("years of work")
    with pytest.raises(ValueError, match="`path` must be a new folder"):
        ka.export(model, target)
    assert listing(target) == set(beside)


def test_a_file_added_to_an_export_is_kept(model, tmp_path):
    target = ka.export(model, tmp_path / "mine")
    ka.export(model, target)  # its own folder may be replaced
    (target / "variables" / "notes.txt").write_text("mine")
    before = listing(target)
    with pytest.raises(ValueError, match=r"variables/notes\.txt"):
        ka.export(model, target)
    assert listing(target) == before
    assert listing(tmp_path) == {"mine", *(f"mine/{name}" for name in before)}


@pytest.mark.parametrize("format", ["saved_model", "onnx", "litert"])
def test_a_full_disk_leaves_what_was_there(format, model, tmp_path, monkeypatch):
    target = tmp_path / f"x{exporting.ENDINGS[format]}"
    ka.export(model, target, format)
    read = target / "saved_model.pb" if format == "saved_model" else target
    before, names = read.read_bytes(), listing(tmp_path)

    def full(traced, path, *rest):
        if format == "saved_model":
            path.mkdir()
            path /= "saved_model.pb"
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    module = exporting.onnx if format == "onnx" else tensorflow
    name = {"saved_model": "_saved_model", "litert": "_litert"}.get(format, "")
    monkeypatch.setattr(module, f"save{name}", full)
    with pytest.raises(OSError, match=r"could not be written .*Free some space"):
        ka.export(model, target, format)
    assert read.read_bytes() == before
    assert listing(tmp_path) == names


@pytest.mark.parametrize("size", [(99999, 99999), (2**20, 1), (9000, 9000)])
def test_sizes_that_no_camera_has(size, model, tmp_path):
    ram = ka.models.RAM()
    ram(keras.ops.zeros((1, 28, 28, 1)))
    with pytest.raises(ValueError, match="`size` must be of at most"):
        ka.export(ram, tmp_path / "x.onnx", "onnx", size=size)
