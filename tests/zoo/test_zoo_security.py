"""A preset is data from strangers.

Each test attacks; each attack ends in an error that names the file.
"""

import json
import os
import shutil
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from hub_server import Fault, HubServer
from zoo_case import ABOUT, edit, predict, small_model, vouch

from keras_attend import disk, zoo
from keras_attend.zoo.checks import files as checks
from keras_attend.zoo.hub import card as hub_card
from keras_attend.zoo.hub import user_zoo as shared

REPO = "org/small"
CONFIG, WEIGHTS, MANIFEST = "config.json", "model.weights.h5", "preset.json"


def refused(folder, message, file=None, error=ValueError):
    """`load` raises, and its message names the file."""
    with pytest.raises(error, match=message) as caught:
        zoo.load(folder)
    assert file is None or file in str(caught.value)


# Code in a configuration.


class Evil(keras.layers.Layer):
    """Not registered: the preset would have to import it."""

    built_by_attack = False

    def __init__(self, **kwargs):
        Evil.built_by_attack = True
        super().__init__(**kwargs)


@pytest.mark.parametrize(
    "attack",
    [
        {"class_name": "__lambda__", "config": {"value": "4wEAAAA="}},
        {"module": "keras.layers", "class_name": "Lambda", "config": {}},
        {"module": "test_zoo_security", "class_name": "Evil", "config": {}},
        {"module": "os", "class_name": "system", "config": {}},
        # Registered by nobody, so that Keras would look in `module`.
        {
            "module": "os",
            "class_name": "system",
            "config": {},
            "registered_name": "keras_attend>system",
        },
        {"module": "keras.utils", "class_name": "function", "config": "get_file"},
        {
            "module": "keras.config",
            "class_name": "function",
            "config": "enable_unsafe_deserialization",
        },
        {"module": "keras.saving", "class_name": "load_model", "config": {}},
        {"module": "keras.models", "class_name": "function", "config": "load_model"},
        {"module": "builtins", "class_name": "function", "config": "os.system"},
        # Reads any file as a vocabulary.
        {
            "module": "keras.layers",
            "class_name": "StringLookup",
            "config": {"vocabulary": "/etc/passwd"},
        },
        # What it inherits from, which is not public, does too.
        {
            "module": "keras.src.layers.preprocessing.index_lookup",
            "class_name": "IndexLookup",
            "config": {"vocabulary": "/etc/passwd"},
        },
        {"module": "tensorflow", "class_name": "__typespec__", "config": []},
        {"module": "x", "class_name": ["__reduce__"], "config": "cos\nsystem\n"},
    ],
    ids=lambda attack: str(attack["class_name"]),
)
def test_code_in_a_configuration(attack, folder):
    edit(folder / CONFIG, build_config={"input_shape": attack})
    vouch(folder)
    refused(folder, "names .*none that carries code", CONFIG)
    assert not Evil.built_by_attack


def test_what_is_keras_own_may_be_named(tmp_path):
    """From all over Keras, as it writes them."""
    inputs = keras.Input((4,))
    x = keras.layers.Dense(
        3,
        activation=keras.ops.relu,
        kernel_initializer=keras.initializers.Orthogonal(seed=1),
        kernel_regularizer=keras.regularizers.L2(1e-3),
        kernel_constraint=keras.constraints.MaxNorm(2.0),
        dtype=keras.DTypePolicy("mixed_bfloat16"),
    )(inputs)
    x = keras.ops.concatenate([x + 1.0, keras.ops.tanh(x)])
    model = keras.Model(inputs, keras.layers.Dropout(0.1, seed=3)(x))
    rate = keras.optimizers.schedules.CosineDecay(1e-3, 10)
    model.compile(
        keras.optimizers.AdamW(rate),
        loss=keras.losses.mean_squared_error,
        metrics=[keras.metrics.MeanSquaredError(), "mae"],
    )
    zoo.save_preset(model, tmp_path / "mixed", **ABOUT)
    loaded = zoo.load(tmp_path / "mixed")
    np.testing.assert_array_equal(predict(loaded), predict(model))
    assert isinstance(loaded.optimizer._learning_rate, type(rate))


def test_a_pickle_for_weights(folder):
    (folder / WEIGHTS).write_bytes(b"cos\nsystem\n(S'touch /tmp/evil'\ntR.")
    vouch(folder)
    edit(folder / MANIFEST, parameters=1)
    refused(folder, "is damaged", WEIGHTS)


# Out of the folder.


@pytest.mark.parametrize("file", [CONFIG, WEIGHTS, MANIFEST, "metadata.json"])
def test_a_link_out_of_the_folder(file, folder, tmp_path):
    secret = shutil.move(folder / file, tmp_path / "secret")
    (folder / file).symlink_to(secret)
    refused(folder, "a symbolic link out of it", file)


def test_a_link_is_not_published(folder, tmp_path, hub):
    (tmp_path / "id_rsa").write_text("secret")
    (folder / "recipe.py").unlink()
    (folder / "recipe.py").symlink_to(tmp_path / "id_rsa")
    with pytest.raises(ValueError, match=r"recipe\.py must be a file of its folder"):
        zoo.publish(folder, REPO, token=hub.token)
    assert hub.requests == []
    with pytest.raises(ValueError, match=r"recipe\.py must be a file of its folder"):
        zoo.download(folder, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_links_within_the_folder_are_fine(folder):
    (folder / WEIGHTS).rename(folder / "weights")
    (folder / WEIGHTS).symlink_to("weights")
    zoo.load(folder)


def test_a_pipe_does_not_block(folder):
    (folder / CONFIG).unlink()
    os.mkfifo(folder / CONFIG)
    refused(folder, "it lacks config.json", error=FileNotFoundError)


@pytest.mark.parametrize("file", ["../evil", "/etc/passwd", "a/b", "..", ""])
def test_sums_of_files_elsewhere(file, folder):
    sums = json.loads((folder / MANIFEST).read_text())["sha256"]
    edit(folder / MANIFEST, sha256=sums | {file: "0" * 64})
    refused(folder, "must name plain files", MANIFEST)


@pytest.mark.parametrize(
    "name",
    [
        "hf://../evil",
        "hf://org/..",
        "hf://org/a/b",
        "hf:///etc/passwd",
        "hf://org/small@../../../evil",
        "hf://org/small@/etc/evil",
        "hf://org/small@a..b",
        "hf://org/small@",
        "hf://org/small@main\n",
    ],
)
def test_names_that_are_paths(name, hub, tmp_path):
    with pytest.raises(ValueError, match=r"hf://org/name|`revision` must be"):
        zoo.load(name)
    assert hub.requests == []
    assert [path.name for path in tmp_path.iterdir()] in ([], ["hf"])


@pytest.mark.parametrize("name", ["../small", "/etc", "a/b", "%2e%2e/small", "."])
def test_names_that_are_paths_on_a_file_server(name, hub, folder, monkeypatch):
    hub.folder = folder.parent
    monkeypatch.setenv(shared.VARIABLE, f"{hub.url}/zoo")
    assert shared.find(name) is None
    assert hub.requests == []


# Weights.


def test_truncated_weights(folder):
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[: len(content) // 2])
    refused(folder, "its sha256 must be", WEIGHTS)
    vouch(folder)
    refused(folder, "is damaged", WEIGHTS)


def test_a_flipped_bit(folder):
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[-5] ^= 1
    (folder / WEIGHTS).write_bytes(content)
    refused(folder, "its sha256 must be", WEIGHTS)


def test_swapped_weights(folder, tmp_path):
    zoo.save_preset(small_model(units=7), tmp_path / "other", **ABOUT)
    shutil.copy(tmp_path / "other" / WEIGHTS, folder)
    refused(folder, "must have at most|its sha256 must be", WEIGHTS)
    vouch(folder)
    refused(folder, r"must hold the preset's \d+ parameters. Received: 51", WEIGHTS)


def test_mismatched_shapes(folder):
    with h5py.File(folder / WEIGHTS, "r+") as file:
        group = file["layers/dense/vars"]
        kernel = group["0"][()]
        del group["0"]
        group["0"] = np.ascontiguousarray(kernel.T)
    vouch(folder)
    refused(folder, "must hold the weights of the model in config.json", WEIGHTS)


def test_oversized_weights_are_not_read(folder, monkeypatch):
    with (folder / WEIGHTS).open("ab") as file:
        file.truncate(2**40)  # takes no space, and would take all memory
    refused(folder, r"must have at most \d+ bytes. Received: 1099511627776", WEIGHTS)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (2, "the preset has 23 parameters, the model 400000000015"),
        (1, "incompatible with the layer"),  # and so the making is broken off
    ],
    ids=["sound", "unsound"],
)
def test_a_model_of_far_too_many_parameters_takes_no_memory(layer, message, folder):
    config = json.loads((folder / CONFIG).read_text())
    config["config"]["layers"][layer]["config"]["units"] = 10**11
    (folder / CONFIG).write_text(json.dumps(config))
    vouch(folder)
    refused(folder, message)
    assert predict(small_model()).shape == (3, 2)  # nothing is left to be made later


@pytest.mark.parametrize(
    "attack", ["external file", "external link", "soft link", "cycle", "text"]
)
def test_weights_that_are_no_numbers(attack, folder, tmp_path):
    (tmp_path / "secret").write_bytes(b"0123456789abcdef")
    with h5py.File(folder / WEIGHTS, "r+") as file:
        del file["layers/dense_1/vars/1"]
        group = file["layers/dense_1/vars"]
        if attack == "external file":
            raw = [(str(tmp_path / "secret"), 0, 8)]
            group.create_dataset("1", (2,), "float32", external=raw)
        elif attack == "external link":
            group["1"] = h5py.ExternalLink("other.h5", "/x")
        elif attack == "soft link":
            group["1"] = h5py.SoftLink("/layers/dense/vars/1")
        elif attack == "cycle":
            group["1"] = file["layers"]
        else:
            group["1"] = np.array([b"a", b"b"])
    vouch(folder)
    refused(folder, r"is damaged\. Received: .*('1'|'layers')", WEIGHTS)


# Bombs.


@pytest.mark.parametrize("depth", [70, 100_000])
def test_a_deep_configuration(depth, folder):
    text = '{"a":' * depth + "1" + "}" * depth
    (folder / CONFIG).write_text(text)
    vouch(folder)
    refused(folder, "must nest at most 64 deep", CONFIG)
    (folder / MANIFEST).write_text(text)
    refused(folder, "must nest at most 64 deep", MANIFEST)


@pytest.mark.parametrize("file", [CONFIG, MANIFEST])
def test_a_long_configuration(file, folder):
    with (folder / file).open("ab") as opened:
        opened.write(b" " * checks.MAX_JSON_BYTES)
    vouch(folder) if file == CONFIG else None
    refused(folder, "must have at most 1048576 bytes", file)


@pytest.mark.parametrize(
    "changes",
    [
        {"parameters": -1},
        {"parameters": True},
        {"parameters": 10**30},
        {"parameters": "23"},
        {"size_bytes": 1},
        {"model": 3},
        {"description": "x" * 3000},
        {"description": "\x1b[2Jcleared"},
        {"licence": "mit\n---\nevil: 1"},
        {"sha256": {CONFIG: "0", WEIGHTS: "0"}},
        {"sha256": [CONFIG, WEIGHTS]},
    ],
    ids=str,
)
def test_a_manifest_that_lies(changes, folder):
    edit(folder / MANIFEST, **changes)
    refused(folder, r"preset\.json is damaged")
    with pytest.raises(ValueError, match=r"preset\.json is damaged"):
        zoo.info(folder)


@pytest.mark.parametrize("version", ["2.15.0", "99.1.0", None, 3])
def test_a_wrong_keras_version(version, folder):
    edit(folder / "metadata.json", keras_version=version)
    refused(folder, r"metadata\.json must name (a|the) version of Keras")


def test_a_configuration_that_makes_no_sense(folder):
    config = json.loads((folder / CONFIG).read_text())
    config["config"]["layers"][1]["config"]["invented_later"] = 1
    (folder / CONFIG).write_text(json.dumps(config))
    vouch(folder)
    refused(folder, "a model that this version can make", CONFIG)


# Cards.


@pytest.mark.parametrize(
    "head",
    [
        "a: !!python/object/apply:os.system ['touch /tmp/evil']",
        "a: !local 1",
        "a: &x [1]\nb: [*x, *x]",
        "a: [" * 5000,
        "- a list",
        "a: " + "x" * 70_000,
        "a: 'open",
    ],
    ids=lambda head: head[:12],
)
def test_a_card_with_hostile_yaml(head, hub, folder):
    with pytest.raises(ValueError, match=r"README\.md must begin with plain YAML"):
        zoo.publish(folder, REPO, token=hub.token, card=f"---\n{head}\n---\n# x\n")
    assert hub.requests == []


def test_descriptions_cannot_add_to_the_front_matter(folder):
    import yaml

    attack = 'x"]\u0085--- !!python/name:os.system [&a {*a: "'
    edit(folder / MANIFEST, licence="MIT: [*x", task='a"} # tracking')
    info = zoo.info(folder)
    head = hub_card.front_matter(info, None)
    assert hub_card.check_front_matter(head)
    assert yaml.safe_load(head.split("---")[1])["license"] == "mit: [*x"
    assert yaml.safe_load(hub_card._yaml([attack, "\x7f"])) == [attack, "\x7f"]
    with pytest.raises(ValueError, match="control characters"):
        edit(folder / MANIFEST, description=attack)
        zoo.info(folder)


# Results.


@pytest.mark.parametrize(
    "changes",
    [
        {"value": "0.8", "min": "0.7", "max": "0.9"},
        {"max": float("inf")},
        {"max": 10**400},
        {"value": True, "min": True, "max": True},
        {"n": 2.5},
        {"n": 10**30},
        {"paper": ""},
        {"paper": [1]},
        {"baselines": {"chance": None}},
        {"baselines": {"chance": float("nan")}},
        {"baselines": {"\x1b[2Jchance": 90.0}},
        {"baselines": {"a | b": 90.0}},
        {"baselines": ["chance"]},
        {"protocol": "<script>"},
        {"protocol": "\u202etest"},
        {"protocol": "x" * 1000},
        {"metric": ["error_percent"]},
        {"setting": ["paper"]},
        {"differences": "words"},
        {"differences": ["\x1b[2Jwords"]},
        {"differences": ["<script>"]},
        {"differences": ["words"] * 1000},
        {"trained_on": "a | b"},
        {"chosen_on": None},
    ],
    ids=str,
)
def test_results_of_hostile_types(changes, folder):
    path = folder / "results.json"
    content = json.loads(path.read_text())
    content["results"][0] |= changes
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"results\.json is not a table of results"):
        zoo.info(folder)
    zoo.load(folder)  # which has nothing to do with them


@pytest.mark.parametrize(
    "changes",
    [
        {"training_seconds": -1},
        {"training_seconds": "60"},
        {"training_seconds": float("nan")},
        {"device": 3},
        {"commit": "a`b"},
        {"results": {"metric": "mean_iou"}},
    ],
    ids=str,
)
def test_results_about_nothing(changes, folder):
    edit(folder / "results.json", **changes)
    with pytest.raises(ValueError, match=r"results\.json is not a table of results"):
        zoo.info(folder)


def test_a_thousand_pictures_are_not_fetched(folder, hub):
    hub.put(REPO, folder, picture__png=b"drawn", **{"picture__1": b"x", "readme": b"x"})
    fetched = zoo.download(f"hf://{REPO}")
    names = {path.name for path in fetched.iterdir()}
    assert names == {path.name for path in folder.iterdir()} | {"picture.png"}


# Servers.


@pytest.fixture
def other():
    """A server that somebody has redirected to."""
    server = HubServer()
    yield server
    server.shutdown()
    server.server_close()


def test_a_token_does_not_follow_a_redirect(folder, hub, other):
    hub.put(REPO, folder)
    other.put(REPO, folder)
    away = {"Location": f"{other.url}/{REPO}/resolve/main/{WEIGHTS}"}
    hub.faults = [Fault(f"GET .*{WEIGHTS}", 302, headers=away)]
    zoo.load(f"hf://{REPO}", token=hub.token)
    assert hub.secrets and other.requests
    assert other.secrets == []


def test_a_password_does_not_follow_a_redirect(
    folder, hub, other, monkeypatch, tmp_path
):
    hub.folder = other.folder = folder.parent
    monkeypatch.setenv(disk.CACHE, str(tmp_path / "cache"))
    url = hub.url.replace("//", "//me:hunter2@")
    monkeypatch.setenv(shared.VARIABLE, f"{url}/zoo")
    hub.faults = [
        Fault(WEIGHTS, 302, headers={"Location": f"{other.url}/zoo/small/{WEIGHTS}"})
    ]
    zoo.load("small", source="zoo")
    assert hub.secrets and other.requests
    assert other.secrets == []


@pytest.mark.parametrize("to", ["ftp://127.0.0.1:9/x", "file:///etc/passwd", "//["])
def test_a_file_server_leads_to_its_kind_only(to, folder, hub, monkeypatch, tmp_path):
    hub.folder = folder.parent
    monkeypatch.setenv(disk.CACHE, str(tmp_path / "cache"))
    monkeypatch.setenv(shared.VARIABLE, f"{hub.url}/zoo")
    hub.faults = [Fault(MANIFEST, 302, headers={"Location": to})]
    with pytest.raises(OSError, match=r"small/preset\.json"):
        zoo.load("small", source="zoo")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("length", ["\u00b2", "-1", "9" * 5000, "0x10"])
def test_a_file_server_that_counts_oddly(length, folder, hub, monkeypatch, tmp_path):
    hub.folder = folder.parent
    monkeypatch.setenv(disk.CACHE, str(tmp_path / "cache"))
    monkeypatch.setenv(shared.VARIABLE, f"{hub.url}/zoo")
    hub.faults = [Fault(CONFIG, also={"Content-Length": length})]
    try:
        zoo.load("small", source="zoo")
    except OSError as error:
        assert CONFIG in str(error)
        assert not list((tmp_path / "cache").rglob(MANIFEST))


@pytest.mark.parametrize(
    "headers",
    [
        {"ETag": '"../../../../evil"', "X-Linked-Etag": '"../../../../evil"'},
        {"ETag": '"/tmp/evil_preset"', "X-Linked-Etag": '"/tmp/evil_preset"'},
        {"X-Repo-Commit": "../../../../evil"},
        {"X-Repo-Commit": "/tmp/evil_preset"},
    ],
    ids=str,
)
def test_a_hub_that_names_files_elsewhere(headers, folder, hub, tmp_path):
    hub.put(REPO, folder)
    hub.faults = [Fault("resolve", also=headers)]
    with pytest.raises(ValueError, match=r"hf://org/small: the .* Nothing was fetched"):
        zoo.load(f"hf://{REPO}")
    assert [path.name for path in tmp_path.rglob("*evil*")] == []
    assert not Path("/tmp/evil_preset").exists()
