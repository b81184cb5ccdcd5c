"""Fixtures that several test files share."""

import os
from pathlib import Path

# The tests compile much and compute little: XLA's optimisation passes take a third of
# the time and are not what is tested. (Read once, when the backend starts.)
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
# Nothing that is tested comes from an earlier run.
os.environ.setdefault("KERAS_ATTEND_KEEP", "0")

import golden_files
import keras
import numpy as np
import pytest
from zoo_case import folder, hub, server, small_preset  # noqa: F401 (fixtures)

SEED = 0
DATA = Path(__file__).parents[2] / "shared" / "data"
if "KERAS_ATTEND_DATA" not in os.environ and (DATA / "mnist.npz").exists():
    os.environ["KERAS_ATTEND_DATA"] = str(DATA)


@pytest.fixture(scope="session")
def golden():
    """`golden("name")` gives the arrays of a file of the original code's outputs.

    All its cases where they are beside the checkout, a few of them elsewhere; a file
    of which there are no small cases, or of which all are needed (`whole=True`), skips
    the test.
    """

    def read(name, whole=False):
        arrays = golden_files.read(name, golden_files.FULL if whole else None)
        if arrays is None:
            pytest.skip(f"{name}.npz is not beside this checkout")
        return arrays

    return read


@pytest.fixture(scope="session")
def golden_path():
    """`golden_path("file or folder")` is its path, with all cases or with a few."""

    def path(name):
        return golden_files.find(name) or pytest.skip(
            f"{name} is not beside this checkout"
        )

    return path


@pytest.fixture(scope="session")
def data_path():
    """`data_path("mnist.npz")` is its path in the folder of the test data."""
    data = Path(os.environ.get("KERAS_ATTEND_DATA", "absent"))

    def path(name=""):
        if not (data / name).exists():
            pytest.skip(
                f"KERAS_ATTEND_DATA names no folder that holds {name or 'data'}"
            )
        return data / name

    return path


@pytest.fixture
def mnist_file(data_path):
    """The path of MNIST; a test that needs it is skipped where it is not."""
    return data_path("mnist.npz")


@pytest.fixture(autouse=True)
def seeded():
    """Every test draws the same numbers, in whatever order the tests are run."""
    keras.utils.set_random_seed(SEED)


@pytest.fixture(autouse=True)
def as_in_large_jobs(monkeypatch):
    """Models whose size of job decides are compiled by XLA, as in long trainings."""
    monkeypatch.setattr("keras_attend.models.job_size.XLA_PAYS_FROM", 0)


@pytest.fixture
def random():
    return np.random.default_rng(SEED)


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
