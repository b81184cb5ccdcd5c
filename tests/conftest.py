"""Fixtures that several test files share."""

import os
from pathlib import Path

# The tests compile much and compute little: XLA's optimisation passes take a third of
# the time and are not what is tested. (Read once, when the backend starts.)
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import keras
import numpy as np
import pytest
from zoo_case import folder, hub, server, small_preset  # noqa: F401 (fixtures)

# Inputs and outputs of the original code, kept beside a checkout, not in it.
GOLDEN = Path(__file__).parents[2] / "shared" / "golden"
DATA = Path(__file__).parents[2] / "shared" / "data"
if "KERAS_ATTEND_DATA" not in os.environ and (DATA / "mnist.npz").exists():
    os.environ["KERAS_ATTEND_DATA"] = str(DATA)


@pytest.fixture(scope="session")
def golden():
    """`golden("name")` reads a file of the original code's outputs."""

    def read(name):
        path = GOLDEN / f"{name}.npz"
        if not path.exists():
            pytest.skip(f"{name}.npz is not beside this checkout")
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}

    return read


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.fixture
def quick(monkeypatch):
    """Models compile without XLA on TensorFlow, which takes half the time to do.

    For tests of what uses a model; the models' own tests train under XLA.
    """
    if keras.backend.backend() == "tensorflow":
        from keras_attend.models.base import AttentionModel

        compile = AttentionModel.compile
        monkeypatch.setattr(
            AttentionModel,
            "compile",
            lambda self, *args, **kwargs: compile(
                self, *args, **{**kwargs, "jit_compile": False}
            ),
        )
