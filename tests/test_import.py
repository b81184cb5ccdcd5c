"""What importing the package does, in fresh interpreters."""

import subprocess
import sys

import pytest

import keras_attend

pytestmark = pytest.mark.packaging


def run(code):
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    return found.stdout.split()


def test_importing_the_package_imports_no_backend():
    backends = ("keras", "tensorflow", "jax", "numpy")
    code = f"import sys, keras_attend\nprint(*({{*{backends}}} & {{*sys.modules}}))"
    assert run(code) == []


def test_importing_the_models_registers_their_classes():
    """So that Keras itself loads a preset."""
    code = (
        "import keras, keras_attend.models\n"
        "from keras_attend.zoo.presets import presets_folder\n"
        "model = keras.saving.load_model(presets_folder() / 'ram_mnist')\n"
        "print(type(model).__name__, model.count_params())"
    )
    assert run(code) == ["RAM", "209677"]


@pytest.mark.parametrize("name", keras_attend.__all__)
def test_every_public_name_is_found(name):
    assert getattr(keras_attend, name) is getattr(keras_attend, name)
    assert name in dir(keras_attend)


def test_unroll_is_a_function_whatever_was_imported_before():
    for first in ("keras_attend.models", "keras_attend.unroll"):
        code = f"import {first}\nprint(type(keras_attend.unroll).__name__)"
        assert run(code) == ["function"]


def test_other_names_are_refused():
    with pytest.raises(AttributeError, match="has no attribute 'recipes'"):
        keras_attend.recipes  # noqa: B018
