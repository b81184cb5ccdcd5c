"""What importing the package does, in fresh interpreters."""

import os
import subprocess
import sys

import pytest

import keras_attend

pytestmark = pytest.mark.packaging
LONG = pytest.mark.long

HEAVY = ("keras", "tensorflow", "tensorflow_probability", "jax", "matplotlib", "av")
# What the environment of these tests has and a user's has not.
OWN = ("KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL", "KERAS_ATTEND_VERBOSE")


def started(code, backend=None, **environment):
    plain = {k: v for k, v in os.environ.items() if k not in OWN}
    chosen = {"KERAS_BACKEND": backend} if backend else {}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=plain | chosen | environment,
    )


def run(code, backend=None, **environment):
    found = started(code, backend, **environment)
    assert found.returncode == 0, found.stderr
    return found.stdout.split()


def test_importing_the_package_imports_no_backend():
    names = (*HEAVY, "numpy")
    code = f"import sys, keras_attend\nprint(*({{*{names}}} & {{*sys.modules}}))"
    assert run(code) == []


@pytest.mark.parametrize("arguments", [["--help"], ["track", "--help"], ["list"]])
def test_commands_import_what_they_need(arguments):
    code = f"""
import sys
from keras_attend.commands.main import main
try:
    main({arguments})
except SystemExit:
    pass
print()
print("imported", *({{*{HEAVY}}} & {{*sys.modules}}))
"""
    assert run(code)[-1] == "imported"


def test_presets_are_described_without_keras():
    code = f"""
import sys, keras_attend as ka
print(ka.zoo.info(ka.zoo.list_models()[0]).name)
print(*({{*{HEAVY}}} & {{*sys.modules}}))
"""
    assert run(code) == [keras_attend.zoo.list_models()[0]]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model in Keras's own format."""
    path = tmp_path_factory.mktemp("saved") / "ram.keras"
    model = keras_attend.models.RAM(glimpses=2, size=4)
    model.build((None, 12, 12, 1))
    model.save(path)
    return path


@pytest.mark.parametrize(
    ("first", "backend"),
    [
        ("import keras, keras_attend", "tensorflow"),
        pytest.param("import keras_attend, keras", "tensorflow", marks=LONG),
        ("import keras, keras_attend", "jax"),
        pytest.param("import keras_attend, keras", "jax", marks=LONG),
        pytest.param("import keras_attend.unroll, keras", "jax", marks=LONG),
    ],
)
def test_keras_finds_the_classes(first, backend, saved):
    """In both orders of import, and after that of a single module."""
    code = f"""
{first}
model = keras.models.load_model({str(saved)!r})
print(type(model).__module__, type(model).__name__)
"""
    assert run(code, backend) == ["keras_attend.models.ram.model", "RAM"]


def test_all_public_names_are_found_in_a_fresh_process():
    code = """
import keras_attend as ka
from keras_attend import models
print(*(name for name in ka.__all__ if name not in dir(ka)))
print(callable(ka.unroll), callable(ka.export), callable(ka.Tracker), models.RAM)
"""
    found = run(code, "jax")
    assert found[:3] == ["True"] * 3


@pytest.mark.parametrize("name", keras_attend.__all__)
def test_every_public_name_is_found(name):
    assert getattr(keras_attend, name) is getattr(keras_attend, name)
    assert name in dir(keras_attend)


@pytest.mark.long
def test_unroll_is_a_function_whatever_was_imported_before():
    for first in ("keras_attend.models", "keras_attend.unroll"):
        code = f"import {first}\nprint(type(keras_attend.unroll).__name__)"
        assert run(code) == ["function"]


def test_other_names_are_refused():
    with pytest.raises(AttributeError, match="has no attribute 'recipes'"):
        keras_attend.recipes  # noqa: B018
    with pytest.raises(AttributeError, match="has no attribute 'models'"):
        keras_attend.zoo.models  # noqa: B018


# Backends.


def test_other_backends_are_refused_when_the_package_is_imported():
    found = started("import keras_attend", "torch")
    assert found.returncode == 1
    last = found.stderr.splitlines()[-1]
    assert last.startswith("ImportError: ") and "Received: 'torch'" in last
    assert "TensorFlow and JAX" in last and "KERAS_BACKEND" in last


def test_other_backends_are_refused_when_keras_uses_them_already():
    code = """
import sys, types
keras = types.ModuleType("keras")
keras.backend = types.SimpleNamespace(backend=lambda: "torch")
sys.modules["keras"] = keras
import keras_attend
"""
    assert "Received: 'torch'" in started(code, "jax").stderr.splitlines()[-1]


def test_the_command_refuses_other_backends_in_one_line():
    command = [sys.executable, "-m", "keras_attend", "list"]
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    found = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert found.returncode == 1 and found.stdout == ""
    assert found.stderr.count("\n") == 1
    assert found.stderr.startswith("keras-attend: ") and "JAX" in found.stderr


# Noise.

TRACK = """
import numpy as np
import keras_attend as ka
frames = np.random.default_rng(0).integers(0, 255, (3, 60, 60, 3), dtype="uint8")
tracker = ka.Tracker("hart_kitti")
tracker.init(frames[0], (10, 10, 20, 20))
print(*(tracker.update(frame)[1].shape for frame in frames[1:]))
"""


@pytest.mark.parametrize("backend", ["tensorflow", pytest.param("jax", marks=LONG)])
def test_tracking_prints_nothing_but_our_own_lines(backend):
    found = started(TRACK, backend, CUDA_VISIBLE_DEVICES="")
    assert found.stdout.split() == ["(4,)", "(4,)"], found.stderr
    lines = found.stderr.splitlines()
    ours = ("keras_attend: compiling ", "keras_attend: preparing ")  # on a busy machine
    assert [x for x in lines if not x.startswith(ours)] == []


def test_messages_are_shown_on_request():
    code = "import keras_attend.boxes"
    shown = started(code, "tensorflow", KERAS_ATTEND_VERBOSE="1")
    assert "oneDNN" in shown.stderr or "GPU" in shown.stderr
