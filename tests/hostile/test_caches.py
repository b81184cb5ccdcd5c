"""A proxy's page, a damaged neighbour, a full or read-only disk: what then is told."""

import errno
import json
import os
import tempfile
import time

import pytest
from hub_server import Fault

from keras_attend import disk, zoo
from keras_attend.commands.main import main
from keras_attend.zoo.hub import user_zoo

PAGE = b"<html>Please log in</html>"
REPO = "org/small"


@pytest.fixture
def server_zoo(hub, folder, tmp_path, monkeypatch):
    """KERAS_ATTEND_ZOO is a file server with the preset `small`."""
    hub.folder = folder.parent
    monkeypatch.setenv(disk.CACHE, str(tmp_path / "cache"))
    monkeypatch.setenv(user_zoo.VARIABLE, f"{hub.url}/zoo")
    return folder


@pytest.mark.parametrize("file", ["metadata.json", "results.json"])
def test_a_page_in_place_of_a_file_is_not_kept(file, server_zoo):
    sound = (server_zoo / file).read_bytes()
    (server_zoo / file).write_bytes(PAGE)
    with pytest.raises(ValueError, match=file.replace(".", r"\.")):
        zoo.load("small", source="zoo")
    (server_zoo / file).write_bytes(sound)
    zoo.load("small", source="zoo")
    assert zoo.info("small").metrics


@pytest.mark.parametrize("file", ["metadata.json", "results.json"])
def test_a_page_in_the_cache_is_replaced(file, server_zoo, tmp_path):
    zoo.load("small", source="zoo")
    (cached,) = (tmp_path / "cache").rglob(file)
    cached.write_bytes(PAGE)
    zoo.load("small", source="zoo")
    assert zoo.info("small").metrics


@pytest.mark.parametrize("file", ["metadata.json", "results.json", "preset.json"])
def test_a_page_from_the_hub_is_not_kept(file, hub, folder):
    hub.put(REPO, folder, **{file.replace(".", "__"): PAGE})
    with pytest.raises(ValueError, match=file.replace(".", r"\.")):
        zoo.info(f"hf://{REPO}")
    hub.put(REPO, folder)
    assert zoo.info(f"hf://{REPO}").metrics


def test_a_read_only_cache_that_holds_the_preset(server_zoo, monkeypatch):
    zoo.load("small", source="zoo")

    def refused(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(disk, "write", refused)
    monkeypatch.setattr(disk, "beside", refused)
    zoo.load("small", source="zoo")


def test_a_cache_that_cannot_be_written(server_zoo, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(disk, "beside", refused)
    with pytest.raises(PermissionError, match="Set KERAS_ATTEND_CACHE to a folder"):
        zoo.load("small", source="zoo")


def test_without_a_temporary_folder(folder, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/absent")
    with pytest.raises(OSError, match="set TMPDIR to a folder on another disk"):
        zoo.load(folder)


def test_what_a_killed_download_left_is_removed(server_zoo, tmp_path):
    zoo.load("small", source="zoo")
    (preset,) = (tmp_path / "cache").glob("*/small")
    for name, age in (("old", 10 * disk.STALE), ("new", 0)):
        left = preset / f"{disk.PREFIX}{name}" / "small"
        left.mkdir(parents=True)
        (left / "model.weights.h5").write_bytes(b"half")
        for path in (left / "model.weights.h5", left, left.parent):
            os.utime(path, (time.time() - age,) * 2)
    zoo.load("small", source="zoo")
    assert not (preset / f"{disk.PREFIX}old").exists()
    assert (preset / f"{disk.PREFIX}new").exists()  # another process may write it


# Lists.


@pytest.mark.parametrize("file", ["preset.json", "results.json"])
def test_one_damaged_preset_hides_no_other(file, folder, monkeypatch, capsys):
    monkeypatch.setenv(user_zoo.VARIABLE, str(folder.parent))
    (folder / file).write_bytes(PAGE)
    assert main(["list"]) == 0
    printed = capsys.readouterr()
    assert "ram_mnist" in printed.out and "small is left out" in printed.err
    assert main(["list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows if "error" in row] == ["small"]


def test_names_that_a_terminal_would_obey(folder, monkeypatch, capsys):
    monkeypatch.setenv(user_zoo.VARIABLE, str(folder.parent))
    folder.rename(folder.with_name("small\x1b[2J"))
    assert main(["list"]) == 0
    assert main(["info", "absent"]) == 1
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err


@pytest.mark.parametrize("status", [403, 502])
def test_an_error_page_with_its_status(status, server_zoo, hub):
    hub.faults = [Fault("results", status)]
    with pytest.raises(OSError, match=r"results\.json"):
        zoo.load("small", source="zoo")
    hub.faults = []
    assert zoo.load("small", source="zoo") and zoo.info("small").metrics


# Full disks.


def test_results_survive_a_full_disk(folder, monkeypatch):
    before = (folder / "results.json").read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(disk, "flush", full)
    about = {"device": "x", "training_seconds": 1, "commit": "c"}
    with pytest.raises(
        OSError, match=r"results\.json could not be written .*as it was"
    ):
        zoo.write_results(folder, [], **about)
    assert (folder / "results.json").read_bytes() == before
    assert not list(folder.glob(".*"))
