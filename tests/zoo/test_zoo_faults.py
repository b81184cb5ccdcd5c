"""Networks, servers and disks fail, and presets are shared without the Hub.

Each fault ends in an error that says what to do, and leaves nothing half-written.
"""

import io
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hub_server import Fault
from zoo_case import offline, predict

from keras_attend import disk, zoo
from keras_attend.zoo.hub import file_server
from keras_attend.zoo.hub import user_zoo as shared

REPO = "org/small"
NAME = f"hf://{REPO}"
CONFIG, WEIGHTS, MANIFEST = "config.json", "model.weights.h5", "preset.json"


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
    monkeypatch.setenv(disk.CACHE, str(tmp_path / "cache"))
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
    monkeypatch.setenv(disk.CACHE, str(tmp_path / "cache"))
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


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("switch", ["0", "1"])
def test_a_file_server_has_progress_bars(switch, shop, folder, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv(file_server.NO_BARS, switch)
    zoo.download("small")
    if switch == "1":
        assert terminal.getvalue() == ""
        return
    size = (folder / WEIGHTS).stat().st_size / 1000
    whole = rf"{WEIGHTS}: 100%.* {size:.1f}k/{size:.1f}k "
    assert re.search(whole, terminal.getvalue())
    assert shop.url not in terminal.getvalue()


def test_no_bars_in_a_log(shop, capfd):
    zoo.download("small")
    assert "100%" not in "".join(capfd.readouterr())


# Two at once, and no space.


FETCH = """
from keras_attend import zoo
from keras_attend.zoo.hub import client as hub
print("ready", flush=True)
input()
zoo.download("small")
zoo.download("hf://org/small")
"""


@pytest.mark.long
def test_two_interpreters_at_once(shop, folder, tmp_path):
    """Fresh ones. The server keeps each waiting for the other to ask for the same."""
    shop.put(REPO, folder)
    asked = (f"GET /zoo/small/{WEIGHTS}", f"HEAD .*resolve/main/{MANIFEST}")
    shop.faults = [Fault(a, together=threading.Barrier(2), times=2) for a in asked]
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(zoo.__file__).parents[2]),
        "HF_ENDPOINT": shop.url,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_ETAG_TIMEOUT": "60",
    }
    command = [sys.executable, "-c", FETCH]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    processes = [
        subprocess.Popen(command, env=environment, text=True, **pipes) for _ in range(2)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert [fault.times for fault in shop.faults] == [0, 0]
    assert [path.name for path in left(tmp_path)] == ["latest"]
    shop.faults = [Fault(".", 500)]
    for name in ("small", NAME):
        np.testing.assert_array_equal(
            predict(zoo.load(name)), predict(zoo.load(folder))
        )


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
    monkeypatch.setenv(disk.CACHE, str(small_disk / "cache"))
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
