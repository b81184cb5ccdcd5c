"""What the tests of the zoo share: a preset so small that a test costs nothing."""

import hashlib
import json
import shutil

import keras
import numpy as np
import pytest
from hub_server import HubServer

from keras_attend import zoo

ABOUT = {
    "description": "Two dense layers.",
    "paper": "Nobody 2026",
    "task": "classification",
    "input": "numbers [B, 4]",
}
X = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)
RESULT = zoo.Result(
    "error_percent",
    "mnist_test/single",
    0.8,
    0.75,
    0.85,
    5,
    1.29,
    differences=("another network",),
)


def small_model(units=3):
    keras.utils.set_random_seed(1)
    layers = [keras.Input((4,)), keras.layers.Dense(units, "relu", name="first")]
    model = keras.Sequential([*layers, keras.layers.Dense(2, name="last")], name="m")
    model.compile("sgd", "mse")
    return model


def predict(model):
    return keras.ops.convert_to_numpy(model(X))


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def vouch(folder):
    """Make the manifest say of the files what they now are, as an attacker would."""
    weights = folder / "model.weights.h5"
    sha256 = {
        file: hashlib.sha256((folder / file).read_bytes()).hexdigest()
        for file in ("config.json", weights.name)
    }
    edit(folder / "preset.json", sha256=sha256, size_bytes=weights.stat().st_size)


@pytest.fixture(scope="session")
def small_preset(tmp_path_factory):
    """A preset with results and a recipe; not to be changed."""
    folder = tmp_path_factory.mktemp("zoo") / "small"
    zoo.save_preset(small_model(), folder, **ABOUT)
    about = {"device": "a CPU", "training_seconds": 60, "commit": "abc"}
    zoo.write_results(folder, [RESULT], **about)
    (folder / "recipe.py").write_text('"""small: trained on nothing."""\n')
    return folder


@pytest.fixture
def folder(small_preset, tmp_path):
    """A copy of it that a test may damage."""
    return shutil.copytree(small_preset, tmp_path / "small")


@pytest.fixture(scope="session")
def server():
    server = HubServer()
    yield server
    server.shutdown()


class Hasty:
    """The `time` module for a client that would wait before it tries again."""

    def __getattr__(self, name):
        import time

        return (lambda seconds: None) if name == "sleep" else getattr(time, name)


@pytest.fixture
def hub(server, monkeypatch, tmp_path):
    """The Hub: the real client sends its requests to a loopback server."""
    from huggingface_hub import constants, file_download
    from huggingface_hub.utils import _http, close_session

    server.reset()
    for name, value in {
        "ENDPOINT": server.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": server.url
        + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_CACHE": str(tmp_path / "hf" / "hub"),
        "HF_TOKEN_PATH": str(tmp_path / "hf" / "token"),
        "AGENT_HARNESSES_PATH": str(tmp_path / "hf" / "harnesses"),
        "HF_HUB_DISABLE_XET": True,
        "HF_HUB_DISABLE_TELEMETRY": True,
        "HF_HUB_OFFLINE": False,
    }.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(_http, "time", Hasty())
    monkeypatch.setattr(file_download, "time", Hasty())
    close_session()
    yield server
    close_session()


def offline(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
