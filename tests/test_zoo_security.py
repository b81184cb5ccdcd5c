"""A preset is data from strangers, and networks and disks fail.

Each test attacks or breaks something; each ends in an error that names the file or the
place, and leaves nothing half-written.
"""

import json
import logging
import os
import shutil
import subprocess
import threading
from multiprocessing import get_context
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from hub_server import Fault
from zoo_case import ABOUT, edit, offline, predict, small_model, vouch

from keras_attend import zoo
from keras_attend.zoo import checks, file_server, hub_card, shared

REPO = "org/small"
NAME = f"hf://{REPO}"
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


# What the Hub answers.


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ({"status": 401}, PermissionError, r"refuses hf://.*\(401\).*`hf auth login`"),
        ({"status": 403}, PermissionError, r"refuses hf://.*\(403\).*`token`"),
        (
            {"status": 403, "headers": {"X-Error-Code": "GatedRepo"}},
            PermissionError,
            r"is gated \(403\): ask for access",
        ),
        ({"status": 429}, ConnectionError, r"too many requests \(429\).*Wait"),
        ({"status": 500}, ConnectionError, r"has failed \(500\).*Try again later"),
        ({"cut": 0}, ConnectionError, "cannot be reached.*Check the network"),
    ],
)
def test_a_hub_that_refuses(fault, error, message, hub, folder):
    hub.put(REPO, folder)
    # A cut answer to HEAD has no body to cut: it is the files' own that are.
    hub.faults = [Fault("resolve" if "status" in fault else "GET .*resolve", **fault)]
    with pytest.raises(error, match=message) as caught:
        zoo.load(NAME)
    assert NAME in str(caught.value)
    hub.faults = []
    zoo.load(NAME)  # the cache is usable


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_a_hub_that_refuses_to_be_written(status, hub, folder):
    hub.faults = [Fault("POST /api/(repos|models/org/small/commit)", status)]
    with pytest.raises(OSError, match=rf"\({status}\)"):
        zoo.publish(folder, REPO, token=hub.token)


def test_what_is_not_on_the_hub(hub, folder):
    with pytest.raises(FileNotFoundError, match="There is no hf://org/nothing"):
        zoo.load("hf://org/nothing")
    hub.put(REPO, folder)
    with pytest.raises(FileNotFoundError, match=r"no revision 'v9' \(404\)"):
        zoo.load(f"{NAME}@v9")
    hub.put("org/bare", folder, metadata__json=None)
    with pytest.raises(FileNotFoundError, match=r"lacks metadata\.json"):
        zoo.load("hf://org/bare")


def test_no_hub_at_all(hub, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(
        hub.url, constants.ENDPOINT
    )
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    with pytest.raises(ConnectionError, match=r"cannot be reached.*HF_ENDPOINT"):
        zoo.load(NAME)


@pytest.mark.parametrize("file", [CONFIG, WEIGHTS, MANIFEST])
def test_oversized_files_are_not_fetched(file, hub, folder):
    changes = {file.replace(".", "__"): b" " * (2**20 + 1)}
    hub.put(REPO, folder, **changes)
    with pytest.raises(ValueError, match=f"{file} must have at most .*Nothing was fe"):
        zoo.load(NAME)
    assert not any(line.startswith("GET") and file in line for line in hub.requests)


def test_tampered_weights_are_not_kept(hub, folder, tmp_path):
    content = (folder / WEIGHTS).read_bytes()
    commit = hub.put(REPO, folder, model__weights__h5=content[:-1] + b"\xff")
    for name in (NAME, f"{NAME}@{commit}"):
        with pytest.raises(ValueError, match=f"{WEIGHTS} is damaged or was changed"):
            zoo.load(name)
    assert not list((tmp_path / "hf").rglob(WEIGHTS))


def test_a_download_that_is_cut_resumes(hub, folder):
    hub.put(REPO, folder)
    hub.faults = [Fault(f"GET .*{WEIGHTS}", cut=1000, times=2)]
    np.testing.assert_allclose(
        predict(zoo.load(NAME)), predict(zoo.load(folder)), atol=1e-6
    )
    assert sum(r.startswith("GET") and WEIGHTS in r for r in hub.requests) == 3


def test_a_download_that_stays_cut_is_thrown_away(hub, folder, tmp_path):
    hub.put(REPO, folder)
    hub.faults = [Fault(f"GET .*{WEIGHTS}", cut=0)]
    with pytest.raises(ConnectionError, match="Nothing half-fetched was kept"):
        zoo.load(NAME)
    assert not list((tmp_path / "hf").rglob("*incomplete"))
    hub.faults = []
    zoo.load(NAME)


# Secrets.


def test_a_token_is_in_no_message_and_no_log(hub, folder, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    for status in (400, 401, 403, 429, 500):
        echo = f"your token {hub.token} is bad"
        hub.faults = [Fault(".", status, message=echo)]
        for call in (zoo.publish, lambda *_, token: zoo.load(NAME, token=token)):
            with pytest.raises((OSError, ValueError)) as caught:
                call(folder, REPO, token=hub.token)
            assert hub.token not in str(caught.value)
            assert caught.value.__suppress_context__ or not caught.value.__context__
    written = "".join(capfd.readouterr()) + caplog.text
    assert hub.token not in written


def test_a_password_is_in_no_message(hub, folder, monkeypatch, tmp_path):
    hub.folder = folder.parent
    monkeypatch.setenv(shared.CACHE, str(tmp_path / "cache"))
    url = hub.url.replace("//", "//me:hunter2@") + "/zoo"
    monkeypatch.setenv(shared.VARIABLE, url)
    zoo.load("small", source="zoo")
    hub.faults = [Fault(".", 403)]
    with pytest.raises(PermissionError, match="may not be read") as caught:
        zoo.load("small")
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in shared.place()


# A file server.


@pytest.fixture
def shop(hub, folder, monkeypatch, tmp_path):
    """A file server of presets, and where what is fetched goes."""
    hub.folder = folder.parent
    monkeypatch.setenv(shared.VARIABLE, f"{hub.url}/zoo/")
    monkeypatch.setenv(shared.CACHE, str(tmp_path / "cache"))
    monkeypatch.setattr(file_server, "TIMEOUT", 5.0)
    return hub


def left(tmp_path):
    """What is in the cache, whole presets aside."""
    found = (tmp_path / "cache").rglob("*")
    return [p for p in found if p.is_file() and len(p.parents[1].name) != 64]


def test_a_folder_is_a_zoo(folder, monkeypatch):
    monkeypatch.setenv(shared.VARIABLE, str(folder.parent))
    assert "small" in zoo.list_models() and "ram_mnist" in zoo.list_models()
    zoo.load("small")
    with pytest.raises(ValueError, match="Did you mean 'small'"):
        zoo.load("smal")
    monkeypatch.setenv(shared.VARIABLE, "/nowhere")
    with pytest.raises(ValueError, match="KERAS_ATTEND_ZOO must be a folder"):
        zoo.load("small")


def test_a_file_server_is_a_zoo(shop, folder, monkeypatch):
    expected = predict(zoo.load(folder))
    np.testing.assert_allclose(predict(zoo.load("small")), expected, atol=1e-6)
    shop.requests.clear()
    assert len(zoo.info("small").metrics) == 1
    assert shop.requests == ["GET /zoo/small/preset.json"]
    shop.faults = [Fault(".", 500)]
    zoo.load("small")
    with pytest.raises(ConnectionError, match=r"the server has failed \(500\)"):
        zoo.load("other")
    shop.faults = []
    with pytest.raises(ValueError, match="There is no preset"):
        zoo.load("other")
    monkeypatch.setenv(shared.VARIABLE, "http://127.0.0.1:9/zoo")
    with pytest.raises(ConnectionError, match=r"cannot be reached.*Check the address"):
        zoo.load("small")


@pytest.mark.parametrize("file", [MANIFEST, CONFIG, WEIGHTS])
def test_a_file_server_that_cuts(file, shop, tmp_path):
    shop.faults = [Fault(file, cut=100)]
    with pytest.raises(ConnectionError, match=f"{file} must have .*Received: 100,"):
        zoo.load("small")
    assert left(tmp_path) == []
    assert not list((tmp_path / "cache").rglob(MANIFEST))
    shop.faults = []
    zoo.load("small")


@pytest.mark.parametrize("attack", ["flipped", "longer", "missing"])
def test_a_file_server_that_lies(attack, shop, folder, tmp_path):
    content = (folder / WEIGHTS).read_bytes()
    if attack == "missing":
        (folder / WEIGHTS).unlink()
    else:
        end = b"\xff" if attack == "flipped" else content
        (folder / WEIGHTS).write_bytes(content[:-1] + end)
    with pytest.raises((ValueError, OSError), match=WEIGHTS):
        zoo.load("small")
    assert not list((tmp_path / "cache").rglob(WEIGHTS))


def test_a_damaged_cache_of_a_file_server_heals(shop):
    cached = zoo.info("small").folder / WEIGHTS
    cached.write_bytes(b"damaged")
    zoo.load("small")
    assert cached.stat().st_size > 1000


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_a_file_server_that_refuses(status, shop):
    shop.faults = [Fault(".", status)]
    with pytest.raises(OSError, match=rf"small/preset.json.*\({status}\)"):
        zoo.load("small")


# Two at once, and no space.


def fetch_both(barrier, failures):
    try:
        barrier.wait(30)
        zoo.info("small")
        zoo.info(NAME)
    except BaseException as error:
        failures.put(repr(error))


@pytest.mark.filterwarnings("ignore:.*fork.*")
def test_two_processes_at_once(shop, folder, tmp_path):
    shop.put(REPO, folder)
    context = get_context("fork")  # a new interpreter takes long to import Keras
    barrier, failures = context.Barrier(3), context.Queue()
    processes = [
        context.Process(target=fetch_both, args=(barrier, failures)) for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert failures.empty(), failures.get()
    assert [path.name for path in left(tmp_path)] == ["latest"]
    zoo.load("small"), zoo.load(NAME)


def test_two_threads_at_once(shop, folder, tmp_path):
    shop.put(REPO, folder)
    errors = []

    def fetch():
        try:
            zoo.download("small")
            zoo.download(NAME)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [path.name for path in left(tmp_path)] == ["latest"]


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 kB, where the system lets one be made."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.filterwarnings("ignore:Not enough free disk space")
def test_a_full_disk(small_disk, shop, folder, monkeypatch):
    from huggingface_hub import constants

    shop.put(REPO, folder)
    big = small_disk / "big"
    big.write_bytes(bytes(40 * 1024))
    monkeypatch.setenv(shared.CACHE, str(small_disk / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(small_disk / "hub"))
    for name in ("small", NAME):
        with pytest.raises(OSError, match=r"could not be written.*[Ff]ree") as caught:
            zoo.load(name)
        assert caught.value.errno == 28
        assert not list(small_disk.rglob(WEIGHTS))
        assert not list(small_disk.rglob("*.incomplete"))
        shutil.rmtree(small_disk / "cache", ignore_errors=True)
    big.unlink()
    for name in ("small", NAME):
        zoo.load(name)
        shutil.rmtree(small_disk / "cache", ignore_errors=True)


def test_offline_what_is_shipped_loads(hub, monkeypatch):
    offline(monkeypatch)
    zoo.load("ram_mnist")
    assert hub.requests == []
    assert Path(zoo.info("ram_mnist").folder).is_dir()
