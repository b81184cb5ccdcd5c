"""Publish, list, load and download, with the Hub's real client."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml
from hub_server import Fault
from zoo_case import ABOUT, RESULT, offline, predict, small_model

from keras_attend import zoo
from keras_attend.layers import IRNNCell

REPO = "org/small"
LOADS = """
import json, os, keras, numpy as np
import keras_attend as ka
x = np.load("x.npy")
names = json.loads(os.environ["NAMES"])
models = [ka.zoo.load(name) for name in names[:-1]]
models.append(keras.saving.load_model(names[-1]))
out = [model(x) for model in models]
np.save(os.environ["OUT"], np.stack([keras.ops.convert_to_numpy(o) for o in out]))
"""


def published(hub, source, **arguments):
    url = zoo.publish(source, REPO, token=hub.token, **arguments)
    return url.rpartition("/")[2]


def python(code, cwd, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# There and back.


@pytest.mark.long
def test_round_trip_from_training_to_another_process(hub, tmp_path):
    keras.utils.set_random_seed(1)
    layers = [keras.Input((3, 4)), keras.layers.RNN(IRNNCell(5))]
    model = keras.Sequential([*layers, keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).random((4, 3, 4), "float32")
    np.save(tmp_path / "x.npy", x)
    model.fit(x, np.ones((4, 2)), batch_size=4, verbose=0)
    expected = keras.ops.convert_to_numpy(model(x))

    commit = published(hub, model, **ABOUT)
    assert zoo.list_models("hf://org") == [f"hf://{REPO}"]
    names = [f"hf://{REPO}", f"hf://{REPO}@{commit}", f"hf://{REPO}"]
    for switched_off in ("0", "1"):
        hub.requests.clear()
        python(
            LOADS,
            tmp_path,
            NAMES=json.dumps(names),
            OUT=str(tmp_path / "out.npy"),
            HF_ENDPOINT=hub.url,
            HF_HOME=str(tmp_path / "other"),
            HF_HUB_DISABLE_XET="1",
            HF_HUB_OFFLINE=switched_off,
            PYTHONPATH=str(Path(zoo.__file__).parents[2]),
        )
        for found in np.load(tmp_path / "out.npy"):
            np.testing.assert_allclose(found, expected, atol=1e-6)
        assert bool(hub.requests) == (switched_off == "0")


def test_a_folder_is_published_in_one_commit(hub, folder):
    (folder / "secrets.txt").write_text("not to be published")
    commit = published(hub, folder)
    repository = hub.repositories[REPO]
    assert repository.refs["main"] == commit and not repository.private
    assert sorted(repository.commits[commit]) == [
        "README.md",
        "config.json",
        "metadata.json",
        "model.weights.h5",
        "preset.json",
        "recipe.py",
        "results.json",
    ]
    assert sum("/commit/" in line for line in hub.requests) == 1
    assert list(hub.blobs.values()) == [(folder / "model.weights.h5").read_bytes()]
    model = zoo.load(f"hf://{REPO}@{commit}")
    np.testing.assert_allclose(predict(model), predict(zoo.load(folder)), atol=1e-6)


def test_the_card(hub, folder):
    commit = published(hub, folder)
    card = hub.repositories[REPO].commits[commit]["README.md"].decode()
    _, head, text = card.split("---\n", 2)
    fields = yaml.safe_load(head)
    assert fields["license"] == "apache-2.0" and "keras_attend" in fields["tags"]
    (entry,) = fields["model-index"][0]["results"]
    assert entry["metrics"][0]["value"] == RESULT.value
    assert entry["dataset"]["name"] == "mnist_test"
    assert "# small\n" in text and 'ka.zoo.load("hf://org/small")' in text
    assert "## Intended use" in text and "small: trained on nothing." in text
    assert "| **0.800** (0.750 to 0.850, 5 passes) | 1.29 |" in text
    # The client's own reader accepts it.
    from huggingface_hub import ModelCard

    assert ModelCard(card).data.eval_results[0].metric_value == RESULT.value


def test_a_private_model_on_a_branch(hub):
    model = small_model()
    published(hub, model, private=True, revision="try", **ABOUT)
    assert hub.repositories[REPO].private
    with pytest.raises(FileNotFoundError, match=r"or it is private \(401\).*`token`"):
        zoo.load(f"hf://{REPO}@try")
    loaded = zoo.load(f"hf://{REPO}@try", token=hub.token)
    np.testing.assert_allclose(predict(loaded), predict(model), atol=1e-6)
    with pytest.raises(FileNotFoundError, match=r"lacks preset\.json"):
        zoo.load(f"hf://{REPO}", token=hub.token)


def test_nothing_is_overwritten_unasked(hub, folder):
    first = published(hub, folder)
    with pytest.raises(FileExistsError, match=r"it has README\.md.*overwrite=True"):
        published(hub, folder)
    assert hub.repositories[REPO].refs["main"] == first
    (folder / "results.json").unlink()
    url = zoo.publish(folder, REPO, token=hub.token, create_pr=True)
    assert url.endswith("/discussions/1")
    assert hub.repositories[REPO].refs["main"] == first
    second = published(hub, folder, overwrite=True, card="# Mine\n")
    files = hub.repositories[REPO].commits[second]
    assert "results.json" not in files  # it was about other weights
    assert files["README.md"].startswith(b"---\nlibrary_name")
    assert files["README.md"].endswith(b"# Mine\n")


def test_somebody_elses_commit_meanwhile(hub, folder):
    hub.put(REPO, folder)
    hub.faults = [Fault("POST .*/commit/", 412)]
    with pytest.raises(FileExistsError, match="changed while it was published"):
        published(hub, folder, overwrite=True)


def test_a_bad_folder_is_not_published(hub, folder):
    (folder / "model.weights.h5").write_bytes(b"x")
    with pytest.raises(ValueError, match="is damaged or was changed"):
        published(hub, folder)
    with pytest.raises(ValueError, match="says itself"):
        published(hub, folder, task="x")
    with pytest.raises(ValueError, match="is called hf://org/name"):
        zoo.publish(folder, "small")
    assert hub.requests == []


# The cache.


def test_a_pinned_cached_preset_needs_no_request(hub, folder):
    commit = hub.put(REPO, folder)
    zoo.load(f"hf://{REPO}@{commit}")
    assert hub.requests
    hub.requests.clear()
    zoo.load(f"hf://{REPO}@{commit}")
    assert hub.requests == []


def test_a_branch_moves_with_a_network_and_stays_without(
    hub,
    folder,
    tmp_path,
    monkeypatch,
):
    hub.put(REPO, folder)
    name = f"hf://{REPO}"
    old = predict(zoo.load(name))
    other = small_model()
    other.set_weights([weight + 1 for weight in other.get_weights()])
    zoo.save_preset(other, tmp_path / "other" / "small", **ABOUT)
    hub.put(REPO, tmp_path / "other" / "small")
    hub.faults = [Fault(".", 500)]
    np.testing.assert_array_equal(predict(zoo.load(name)), old)
    assert zoo.info(name).description == ABOUT["description"]
    hub.faults = []
    np.testing.assert_allclose(predict(zoo.load(name)), predict(other), atol=1e-6)
    offline(monkeypatch)
    np.testing.assert_allclose(predict(zoo.load(name)), predict(other), atol=1e-6)
    with pytest.raises(ConnectionError, match=r"HF_HUB_OFFLINE forbids.*Unset it"):
        zoo.load("hf://org/other")


def test_info_and_download(hub, folder, tmp_path):
    hub.put(REPO, folder, picture__png=b"drawn")
    info = zoo.info(f"hf://{REPO}")
    assert info.name == f"hf://{REPO}" and info.metrics == (RESULT,)
    target = tmp_path / "here" / "renamed"
    assert zoo.download(f"hf://{REPO}", target) == target
    assert zoo.info(target).metrics == (RESULT,)
    assert (target / "picture.png").read_bytes() == b"drawn"
    assert not any(path.is_symlink() for path in target.iterdir())
    assert [path.name for path in target.parent.iterdir()] == ["renamed"]
    with pytest.raises(FileExistsError, match="must not exist yet"):
        zoo.download(f"hf://{REPO}", target)
    zoo.load(target)


def test_a_damaged_cache_heals(hub, folder):
    commit = hub.put(REPO, folder)
    cached = zoo.download(f"hf://{REPO}@{commit}") / "model.weights.h5"
    content = cached.read_bytes()
    cached.resolve().chmod(0o644)
    cached.resolve().write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    zoo.load(f"hf://{REPO}@{commit}")
    assert cached.read_bytes() == content


# Where a name is looked for.


def test_sources(hub, folder, monkeypatch):
    monkeypatch.setenv("KERAS_ATTEND_ZOO", str(folder.parent))
    assert zoo.load("small", source="zoo").name == "m"
    with pytest.raises(ValueError, match=r"no preset.*'small' in the package"):
        zoo.load("small", source="package")
    with pytest.raises(ValueError, match=r"is on the Hugging Face Hub. Rec.*'package'"):
        zoo.load(f"hf://{REPO}", source="package")
    with pytest.raises(ValueError, match="`source` must be one of"):
        zoo.load("small", source="hub")
    assert hub.requests == []


# What is imported.


@pytest.mark.packaging
def test_the_hub_and_tfp_are_imported_when_first_needed():
    code = (
        "import sys, keras; before = set(sys.modules)\n"
        "import keras_attend; keras_attend.zoo.list_models()\n"
        "print(sorted(name for name in set(sys.modules) - before if name.startswith("
        "('huggingface_hub', 'tensorflow_probability', 'httpx', 'yaml'))))\n"
    )
    root = str(Path(zoo.__file__).parents[2])
    assert python(code, root, PYTHONPATH=root).strip() == "[]"
