"""No class of a preset's choice is made, whatever names its entry gives itself."""

import json

import keras
import pytest
from zoo_case import ABOUT, edit, small_model, vouch

from keras_attend import zoo
from keras_attend.zoo.checks.classes import check_config
from keras_attend.zoo.verify import verify


def code():
    """The configuration of a function that a preset would have run."""
    layer = keras.layers.Lambda(lambda x: (__import__("test_classes_ran"), x)[1])
    return keras.saving.serialize_keras_object(layer)["config"]


OURS = "keras_attend>RAM"
ATTACKS = {
    "Lambda": lambda: {"class_name": "Lambda", "config": code()},
    "__lambda__": lambda: code()["function"],
    "StringLookup": lambda: {
        "class_name": "StringLookup",
        "config": {"vocabulary": "/etc/passwd"},
    },
    "Dense": lambda: {"class_name": "Dense", "config": {"units": 10**9}},
    "function": lambda: {"class_name": "function", "config": "get_file"},
    "typespec": lambda: {"class_name": "__typespec__", "config": [], "spec_name": "x"},
}


@pytest.fixture
def unsafe():
    """The program has told Keras to run code, for models of its own."""
    with keras.src.saving.serialization_lib.SafeModeScope(None):
        keras.config.enable_unsafe_deserialization()
        yield


@pytest.mark.parametrize("module", [None, "keras.layers", "builtins"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_class_behind_a_registered_name_of_ours(attack, module, folder, unsafe):
    entry = ATTACKS[attack]() | {"registered_name": OURS}
    if module:
        entry["module"] = module
    config = json.loads((folder / "config.json").read_text())
    config["config"]["layers"].append(entry)
    (folder / "config.json").write_text(json.dumps(config))
    vouch(folder)
    with pytest.raises(ValueError, match="none that carries code") as caught:
        zoo.load(folder)
    assert "config.json" in str(caught.value)
    checks, model = verify(folder)
    assert model is None
    assert "classes" in {check.name for check in checks if not check.ok}


@pytest.mark.parametrize(
    "entry",
    [
        {"module": "keras.layers", "class_name": "deserialize"},
        {"module": "keras.losses", "class_name": "get"},
        {"module": "builtins", "class_name": "function", "config": "deserialize"},
        {"module": "keras.src.layers", "class_name": "Lambda"},
        {"module": "keras.src.layers.core.lambda_layer", "class_name": "Lambda"},
        {"module": "keras.ops", "class_name": "Lambda"},
        {"module": "keras.layers", "class_name": "Dense", "registered_name": OURS},
        {"module": "", "class_name": "RAMCell", "registered_name": OURS},
        {"module": "x", "class_name": "__numpy__", "registered_name": OURS},
        {"module": "keras.layers.", "class_name": "Dense"},
        {"module": ["keras"], "class_name": "Dense"},
        {"module": "keras.layers", "class_name": "Dense", "registered_name": ["x"]},
    ],
    ids=str,
)
def test_entries_that_are_not_what_they_say(entry, tmp_path):
    config = {"config": {}, "registered_name": None} | entry
    with pytest.raises(ValueError, match="none that carries code"):
        check_config({"layer": config}, tmp_path / "config.json")


@pytest.mark.parametrize("name", ["Dense", "relu", "other>Thing"])
def test_what_a_program_has_registered_is_not_for_presets(name, folder):
    def thing(*args, **kwargs):
        raise AssertionError("the program's own function was called")

    with keras.saving.custom_object_scope({name: thing}):
        config = json.loads((folder / "config.json").read_text())
        config["config"]["layers"][1]["config"]["activation"] = name
        (folder / "config.json").write_text(json.dumps(config))
        vouch(folder)
        with pytest.raises(ValueError, match=f"'{name}'"):
            zoo.load(folder)


def test_nothing_is_unsafe_afterwards_or_before(folder, unsafe):
    zoo.load(folder)
    assert keras.src.saving.serialization_lib.in_safe_mode() is False


def test_a_saved_model_says_what_it_is(tmp_path):
    """What `save_preset` writes, `load` takes."""
    model = small_model()
    zoo.save_preset(model, tmp_path / "m", **ABOUT)
    edit(tmp_path / "m" / "preset.json", notes=["x"])
    assert zoo.load(tmp_path / "m").count_params() == model.count_params()
