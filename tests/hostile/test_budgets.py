"""A few bytes of a preset do not become gigabytes, nor minutes."""

import json
import os
import resource

import h5py
import keras
import numpy as np
import pytest
from zoo_case import ABOUT, edit, predict, vouch

from keras_attend import zoo
from keras_attend.zoo.checks.budget import check_budget
from keras_attend.zoo.verify import verify

TENSOR = {
    "class_name": "__keras_tensor__",
    "config": {"shape": [None, 4], "dtype": "float32", "keras_history": ["i", 0, 0]},
}


def entry(cls, module="keras.layers", inbound=(), **config):
    """An entry of a layer or an operation, as Keras writes it."""
    nodes = [{"args": list(args), "kwargs": {}} for args in inbound]
    return {
        "module": module,
        "class_name": cls,
        "config": config,
        "registered_name": None,
        "name": config.get("name", ""),
        "inbound_nodes": nodes,
    }


def functional(*layers, width=4):
    given = {"batch_shape": [None, width], "dtype": "float32", "sparse": False}
    layers = [entry("InputLayer", **given, name="i"), *layers]
    ends = {"input_layers": [["i", 0, 0]], "output_layers": [["i", 0, 0]]}
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": {"name": "f", "trainable": True, "layers": layers, **ends},
        "registered_name": "Functional",
    }


def array(value, dtype):
    return {"class_name": "__numpy__", "config": {"value": value, "dtype": dtype}}


def constant(value):
    constant = entry("Constant", "keras.initializers", value=value)
    return entry("Dense", units=2, kernel_initializer=constant, inbound=[[TENSOR]])


OPS = "keras.src.ops.numpy"
CONFIGURATIONS = {
    "repeat": functional(entry("Repeat", OPS, [[[1.0, 2.0]]], repeats=10**6, name="r")),
    "tile": functional(entry("Tile", OPS, [[[1.0]]], repeats=[10**6], name="t")),
    "add": functional(entry("Add", OPS, [[array([1.0], "float32"), 1]], name="a")),
    "wide input": functional(width=5 * 10**8),
    "wide shape": functional(entry("Reshape", target_shape=[1, 10**5, 10**5])),
    "scalar mean": functional(
        entry("Dense", units=5 * 10**8, inbound=[[TENSOR]]),
        entry("Normalization", axis=-1, mean=1.0, variance=1.0),
    ),
    "mean of one": functional(
        entry("Normalization", axis=-1, mean=array([[1.0]], "float32"), variance=[1.0])
    ),
    "two axes": functional(entry("Normalization", axis=[1, 2], mean=[1.0, 2.0])),
    "long texts": functional(constant(array(["a"] * 20, "S100000000"))),
    "records": functional(constant(array([1], [["x", "f4", [10**9]]]))),
    "objects": functional(constant(array([1], "O"))),
    "a dtype": functional(constant({"class_name": "__tensor__", "config": "f"})),
    "padding": functional(entry("ZeroPadding1D", padding=10**9)),
    "1000 layers": functional(
        *(entry("Activation", activation="relu") for _ in range(1000))
    ),
    "a long sequence": {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"layers": [entry("Dense", units=2) for _ in range(200)]},
        "registered_name": None,
    },
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_configuration_that_takes_too_much(name, folder):
    (folder / "config.json").write_text(json.dumps(CONFIGURATIONS[name]))
    vouch(folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match="little time and memory") as caught:
        zoo.load(folder)
    assert "config.json" in str(caught.value)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 300_000  # kB


def test_what_models_do_with_numbers_stays_allowed(tmp_path):
    inputs = keras.Input((4,))
    x = keras.layers.Normalization(mean=[1.0, 2, 3, 4], variance=[1.0] * 4)(inputs)
    x = keras.ops.concatenate([x * 2.0, 1.0 - x, x + np.float32(3)])
    x = keras.layers.Normalization(axis=None, mean=0.5, variance=0.25)(x)
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    zoo.save_preset(model, tmp_path / "m", **ABOUT)
    np.testing.assert_array_equal(predict(zoo.load(tmp_path / "m")), predict(model))


def test_all_presets_are_within_the_budget():
    for name in zoo.list_models(zoo.presets.presets_folder()):
        path = zoo.presets.presets_folder() / name / "config.json"
        check_budget(json.loads(path.read_text()), path)


@pytest.mark.parametrize("attack", ["unwritten", "gzip", "never allocated"])
def test_weights_out_of_nothing(attack, folder):
    side, config = 4000, json.loads((folder / "config.json").read_text())
    config["config"]["layers"][1]["config"]["units"] = side
    config["config"]["layers"][0]["config"]["batch_shape"] = [None, side]
    config.pop("build_config", None)
    (folder / "config.json").write_text(json.dumps(config))
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        group = file["layers/dense/vars"]
        del group["0"]
        if attack == "never allocated":
            group.create_dataset("0", (side, side), "float32")
        else:
            chunks = {"chunks": (1000, 1000)}
            if attack == "gzip":
                chunks |= {"compression": "gzip", "data": np.zeros((side, side), "f4")}
            group.create_dataset("0", (side, side), "float32", **chunks)
    vouch(folder)
    edit(folder / "preset.json", parameters=side * side + 11, size_bytes=64 * 10**6)
    with pytest.raises(ValueError, match="does not hold all numbers of '0'"):
        zoo.load(folder)


def test_thousands_of_empty_arrays(folder):
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        for i in range(11_000):
            file["layers"].create_dataset(f"x{i}", (0,), "float32")
    vouch(folder)
    with pytest.raises(ValueError, match="more than 10000 arrays"):
        zoo.load(folder)


def test_a_large_size_of_few_parameters(folder):
    edit(folder / "preset.json", size_bytes=2**31)
    with pytest.raises(ValueError, match="too large for so few"):
        zoo.info(folder)


def test_nothing_is_loaded_after_a_check_has_failed(folder, monkeypatch):
    (folder / "config.json").write_text(json.dumps(CONFIGURATIONS["repeat"]))
    vouch(folder)
    monkeypatch.setattr("keras_attend.zoo.verify.load", lambda _: pytest.fail("loaded"))
    checks, model = verify(folder)
    failed = {check.name for check in checks if not check.ok}
    assert model is None and failed == {"classes", "loads"}


# Files that are no plain files.

FILES = ["config.json", "metadata.json", "README.md", "results.json", "recipe.py"]


def replaced(path, attack):
    path.unlink(missing_ok=True)
    if attack == "pipe":
        os.mkfifo(path)
    elif attack == "device":
        path.symlink_to("/dev/zero")
    elif attack == "sparse":
        with path.open("wb") as file:
            file.truncate(2**32)
    else:
        path.symlink_to("/etc/passwd")


@pytest.mark.parametrize("attack", ["pipe", "device", "sparse", "link"])
@pytest.mark.parametrize("file", FILES)
def test_verify_reads_plain_files_alone(file, attack, folder):
    sums = json.loads((folder / "preset.json").read_text())["sha256"]
    edit(folder / "preset.json", sha256=sums | {file: "0" * 64})
    replaced(folder / file, attack)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    checks, _ = verify(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
    wrong = [check.detail for check in checks if not check.ok]
    assert any(file in detail for detail in wrong)
    assert not any("root:" in detail for detail in wrong)  # of /etc/passwd
