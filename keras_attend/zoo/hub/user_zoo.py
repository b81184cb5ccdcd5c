"""Find presets in the user's own zoo, a folder or a file server.

The variable `KERAS_ATTEND_ZOO` names it. `KERAS_ATTEND_ZOO=/folder` is a folder of
preset folders. `KERAS_ATTEND_ZOO=https://...` is the same folder behind a file server:
`name/preset.json` is fetched, and then the files that it lists, into a cache
(`KERAS_ATTEND_CACHE`, or ~/.cache/keras_attend). One rename puts a finished preset into
the cache, so that a download that is interrupted leaves the cache as it was, and two
processes do not disturb each other.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
from pathlib import Path

from keras_attend import disk
from keras_attend.zoo.checks import files
from keras_attend.zoo.checks.files import MANIFEST
from keras_attend.zoo.hub import file_server
from keras_attend.zoo.results import read_results

VARIABLE = "KERAS_ATTEND_ZOO"
RESULTS = "results.json"


def place() -> str:
    """Return the value of KERAS_ATTEND_ZOO without its secrets, for messages."""
    return file_server.without_secrets(os.environ.get(VARIABLE, "")) or "not set"


def folders() -> list[Path]:
    """Return the folder that KERAS_ATTEND_ZOO names, if it names one."""
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


def is_name(name: str) -> bool:
    """Return whether a text can be a preset's name, and no path."""
    return re.fullmatch(r"[A-Za-z0-9][\w.-]*", name, re.ASCII) is not None


def find(name: str, force: bool = False) -> Path | None:
    """Return the folder of a preset of the user's zoo; None if it has none.

    With `force` a file server's preset is fetched again if it is in the cache.
    """
    if not is_name(name):
        return None  # it could be a path
    zoo = os.environ.get(VARIABLE, "")
    if file_server.is_url(zoo):
        return _fetch(zoo, name, force)
    found = [folder / name for folder in folders()]
    return next((path for path in found if (path / MANIFEST).is_file()), None)


def _fetch(url: str, name: str, force: bool) -> Path | None:
    """Return the cache's folder of a preset, as the file server has it now.

    Where the server cannot be reached it is the version that was fetched last.
    """
    plain = file_server.without_secrets(url)
    kept = disk.cache_folder() / hashlib.sha256(plain.encode()).hexdigest()[:16] / name
    latest = kept / "latest"  # a file that holds the name of the last version's folder
    address = f"{url.rstrip('/')}/{name}"
    try:
        content = file_server.read(f"{address}/{MANIFEST}", files.MAX_JSON_BYTES)
    except FileNotFoundError:
        return None
    except ConnectionError:
        if not latest.is_file():
            raise
        return kept / latest.read_text(encoding="ascii") / name
    # It is checked before it decides what is fetched.
    files.check_manifest(Path(plain) / name / MANIFEST, content)
    version = hashlib.sha256(content).hexdigest()
    folder = kept / version / name
    if force or not _is_whole(folder):
        try:
            _download(address, content, folder)
        except PermissionError as error:
            if error.errno is None:  # the server's refusal
                raise
            raise PermissionError(
                error.errno,
                f"{kept} cannot be written ({error.strerror}). Set {disk.CACHE} to a "
                "folder that can",
            ) from error
    with contextlib.suppress(OSError):  # a cache may be read-only
        disk.write(latest, version)  # at once, so that nobody reads half of it
    return folder


def _is_whole(folder: Path) -> bool:
    try:
        content = files.read_limited(files.regular_file(folder, MANIFEST))
        manifest = files.check_manifest(folder / MANIFEST, content)
        for file in (files.CONFIG, files.WEIGHTS):
            files.copy_listed(folder, file, manifest)
        _check_unlisted(folder)
    except (OSError, ValueError):
        return False
    return True


def _check_unlisted(folder: Path) -> None:
    """Check the files whose sha256 is not known: a proxy may have sent its own page."""
    files.check_keras_version(folder / files.METADATA)
    read_results(folder)


def _download(address: str, content: bytes, folder: Path) -> None:
    """Fetch the files of a preset, check them, and move them to `folder`."""
    manifest = files.check_manifest(folder / MANIFEST, content)
    with disk.beside(folder.parent) as new:
        new = new / folder.name
        new.mkdir(parents=True)
        (new / MANIFEST).write_bytes(content)
        for file in files.LOADED[1:]:
            limit, sha256 = files.limit_of(file, manifest), manifest["sha256"].get(file)
            file_server.save(f"{address}/{file}", new / file, limit, sha256)
        with contextlib.suppress(FileNotFoundError):  # a preset may have no results
            limit = files.MAX_JSON_BYTES
            file_server.save(f"{address}/{RESULTS}", new / RESULTS, limit)
        _check_unlisted(new)
        folder.parent.mkdir(exist_ok=True)
        try:
            new.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
            # Another process may have put its own there meanwhile; or there is a
            # damaged one, which makes way.
            if not _is_whole(folder):
                folder.rename(new.parent / ".damaged")
                new.rename(folder)


def copy(folder: Path, target: Path) -> None:
    """Copy all of a preset's files to a new folder, or none of them."""
    if target.exists():
        raise FileExistsError(
            f"`folder` must not exist yet. Received: folder={str(target)!r}"
        )
    with disk.beside(target) as new:
        new.mkdir()
        for path in sorted(folder.iterdir()):
            if path.is_file():
                # The Hub's cache holds links to its store: contents are copied.
                source = files.regular_file(folder, path.name)
                with (
                    disk.opened(source, files.MAX_WEIGHTS_BYTES) as content,
                    (new / path.name).open("xb") as file,
                ):
                    shutil.copyfileobj(content, file)
        results = new / RESULTS
        if results.is_file():  # it names the preset, whose name is the folder's
            table = files.read_json(folder / RESULTS, files.read_limited(results))
            table["preset"] = target.name
            results.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
        new.rename(target)  # this fails if there is a folder by now
