"""A zoo of one's own: a folder or a file server that KERAS_ATTEND_ZOO names.

`KERAS_ATTEND_ZOO=/folder` is a folder of preset folders. `KERAS_ATTEND_ZOO=https://...`
is the same folder behind any file server: `name/preset.json` is fetched first, then
what it vouches for, into a cache (`KERAS_ATTEND_CACHE`, or ~/.cache/keras_attend). A
preset enters the cache whole, in one rename, or not at all: whatever cuts a download
short leaves the cache as it was, and two processes do not meet.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
from pathlib import Path

from keras_attend.zoo.checks.files import (
    CONFIG,
    LOADED,
    MANIFEST,
    MAX_JSON_BYTES,
    WEIGHTS,
    check_manifest,
    limit_of,
    read_checked,
    read_json,
    read_limited,
    regular_file,
)
from keras_attend.zoo.hub import file_server

VARIABLE = "KERAS_ATTEND_ZOO"
CACHE = "KERAS_ATTEND_CACHE"
RESULTS = "results.json"


def place() -> str:
    """What KERAS_ATTEND_ZOO names, fit to be shown."""
    return file_server.shown(os.environ.get(VARIABLE, "")) or "not set"


def folders() -> list[Path]:
    """The folder that KERAS_ATTEND_ZOO names, if it names one."""
    zoo = os.environ.get(VARIABLE, "")
    if not zoo or file_server.is_url(zoo):
        return []
    folder = Path(zoo).expanduser()
    if not folder.is_dir():
        raise ValueError(
            f"{VARIABLE} must be a folder of presets, or the http(s) URL of one. "
            f"Received: {zoo!r}"
        )
    return [folder]


def find(name: str, force: bool = False) -> Path | None:
    """The folder of a preset of that zoo, fetched if need be; None if it has none.

    Args:
        name: of the preset.
        force: fetch it again if it is cached.
    """
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name, re.ASCII):
        return None  # a path
    zoo = os.environ.get(VARIABLE, "")
    if file_server.is_url(zoo):
        return fetch(zoo, name, force)
    for folder in folders():
        if (folder / name / MANIFEST).is_file():
            return folder / name
    return None


def cache_folder() -> Path:
    """Where presets of file servers are kept."""
    if chosen := os.environ.get(CACHE):
        return Path(chosen).expanduser()
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "keras_attend"


def fetch(url: str, name: str, force: bool = False) -> Path | None:
    """The folder in the cache of a file server's preset, as the server has it now.

    Args:
        url: of the folder of presets.
        name: of the preset.
        force: fetch it again if it is cached.

    Where the server cannot be reached, the one that was fetched last.
    """
    key = hashlib.sha256(file_server.shown(url).encode()).hexdigest()[:16]
    kept = cache_folder() / key / name
    address = f"{url.rstrip('/')}/{name}"
    try:
        content = file_server.read(f"{address}/{MANIFEST}", MAX_JSON_BYTES)
    except FileNotFoundError:
        return None
    except ConnectionError:
        latest = kept / "latest"
        if not latest.is_file():
            raise
        return kept / latest.read_text(encoding="ascii") / name
    # Checked before it decides what is fetched.
    check_manifest(Path(file_server.shown(address)) / MANIFEST, content)
    version = hashlib.sha256(content).hexdigest()
    folder = kept / version / name
    if force or not _is_whole(folder):
        _download(address, content, folder)
    replace_text(kept / "latest", version)
    return folder


def _is_whole(folder: Path) -> bool:
    try:
        content = (folder / MANIFEST).read_bytes()
        manifest = check_manifest(folder / MANIFEST, content)
        for file in (CONFIG, WEIGHTS):
            sha256 = manifest["sha256"][file]
            read_checked(folder, file, sha256, limit_of(file, manifest))
    except (OSError, ValueError):
        return False
    return True


def _download(address: str, content: bytes, folder: Path) -> None:
    """Fetch a preset's files beside where they go, check them, and move them there."""
    manifest = check_manifest(folder / MANIFEST, content)
    folder.parents[1].mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parents[1], prefix=".") as temporary:
        new = Path(temporary) / folder.name
        new.mkdir()
        (new / MANIFEST).write_bytes(content)
        for file in LOADED[1:]:
            limit = limit_of(file, manifest)
            sha256 = manifest["sha256"].get(file)
            file_server.save(f"{address}/{file}", new / file, limit, sha256)
        with contextlib.suppress(FileNotFoundError):  # if it was not evaluated
            file_server.save(f"{address}/{RESULTS}", new / RESULTS, MAX_JSON_BYTES)
        replace_folder(new, folder)


def replace_folder(new: Path, folder: Path) -> None:
    """Move a finished folder to its place, on the same disk.

    Another process may have put its own there by now, or a damaged one may be there.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        new.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        if _is_whole(folder):
            return
        with tempfile.TemporaryDirectory(dir=new.parent) as temporary:
            folder.rename(Path(temporary) / "damaged")
            new.rename(folder)


def replace_text(path: Path, text: str) -> None:
    """Write a file at once, so that nobody reads half of it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def copy(folder: Path, target: Path) -> None:
    """Copy a preset's files to a folder that is not there yet, all or none."""
    if target.exists():
        raise FileExistsError(
            f"`folder` must not exist yet. Received: folder={str(target)!r}"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as temporary:
        new = Path(temporary) / target.name
        new.mkdir()
        for path in sorted(folder.iterdir()):
            if path.is_file():
                # The Hub's cache holds links to its store: contents are copied.
                shutil.copyfile(regular_file(folder, path.name), new / path.name)
        if (new / RESULTS).is_file():
            # They are about the folder that they lie in.
            content = read_json(folder / RESULTS, read_limited(new / RESULTS))
            content["preset"] = target.name
            text = json.dumps(content, indent=2) + "\n"
            (new / RESULTS).write_text(text, encoding="utf-8")
        new.rename(target)  # which fails where somebody has put a folder meanwhile
