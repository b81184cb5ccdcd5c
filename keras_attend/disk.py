"""Read and write files so that neither a hostile file nor a full disk does harm.

What is read may be a pipe, a device, a link to elsewhere or larger than all memory.
What is written replaces an older file only when it is whole.
"""

import contextlib
import errno
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows, where nothing is locked
    fcntl = None  # type: ignore[assignment]

CACHE = "KERAS_ATTEND_CACHE"
MAX_TEXT_BYTES = 2**26  # of a file of boxes or labels; the longest known has 2 MB
PREFIX = ".keras_attend_"  # of what is being written
STALE = 24 * 3600.0  # seconds after which what was being written is abandoned
KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
}
# How a full disk, a quota and a limit of a file's size call themselves.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def opened(path: Path, limit: int, inside: Path | None = None) -> Iterator[BinaryIO]:
    """Open a file for reading, if it is a plain one.

    Args:
        path: the file, which must be regular: a pipe would block, a device never end.
        limit: the greatest number of bytes that it may have.
        inside: a folder that a symbolic link must not lead out of; None follows all.
    """
    real = path.resolve()
    if inside is not None and not real.is_relative_to(inside.resolve()):
        raise ValueError(
            f"{path} must be a file of its folder. Received: a symbolic link out of it"
        )
    _check_kind(path, os.stat(real))
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(real, flags | getattr(os, "O_BINARY", 0)), "rb") as file:
        found = os.fstat(file.fileno())  # another file may be there by now
        _check_kind(path, found)
        if found.st_size > limit:
            raise ValueError(
                f"{path} must have at most {limit} bytes. "
                f"Received: {found.st_size} bytes"
            )
        yield file


def _check_kind(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise ValueError(f"{path} must be a regular file. Received: {kind}")


def read(path: Path, limit: int, inside: Path | None = None) -> bytes:
    """Return the bytes of a plain file; see `opened`."""
    with opened(path, limit, inside) as file:
        content = file.read(limit + 1)
    if len(content) > limit:  # it grows
        raise ValueError(f"{path} must have at most {limit} bytes. Received: more")
    return content


def read_text(path: Path, errors: str = "strict") -> str:
    """Return the text of a file of a data folder, which is in UTF-8."""
    content = read(path, MAX_TEXT_BYTES, inside=path.parent)
    try:
        return content.decode("utf-8-sig", errors)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"Line {line} of {path} must be text in UTF-8. "
            f"Received: the byte {content[error.start]:#04x}"
        ) from error


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Give a path of the same name on the same disk, to write what becomes `path`.

    Its folder is removed afterwards, and so is one that a killed process has left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path.parent)
    with (
        explained(path, "What was there is as it was"),
        tempfile.TemporaryDirectory(dir=path.parent, prefix=PREFIX) as folder,
    ):
        yield Path(folder) / path.name


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give a temporary folder, or say what to do where none can be made."""
    try:
        folder = tempfile.TemporaryDirectory(prefix=PREFIX)
    except OSError as error:
        raise OSError(
            error.errno,
            f"No temporary folder can be made ({error.strerror or error}). Free some "
            "space, or set TMPDIR to a folder on another disk",
        ) from error
    with folder:
        yield Path(folder.name)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write a file to, which replaces `path` once it is whole.

    After an error or a kill `path` is what it was before.
    """
    with beside(path) as new:
        yield new
        flush(new)
        os.replace(new, path)


def write(path: Path, content: bytes | str) -> None:
    """Write a file as `replacing` does; texts are in UTF-8."""
    data = content.encode() if isinstance(content, str) else content
    with replacing(path) as new:
        new.write_bytes(data)


def locked(path: Path) -> BinaryIO:
    """Hold a lock on `path` until the file that is returned is closed, or a kill.

    Another process that holds it is an error.
    """
    lock = path.with_name(f".{path.name}.lock")
    file = lock.open("ab")
    if fcntl is not None:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise
            raise ValueError(
                f"{path} must be written by one process at a time. Received: another "
                f"one that holds {lock}. Wait for its end, or use another path"
            ) from error
    return file


@contextmanager
def explained(
    path: Path, kept: str = "What was written before can be read"
) -> Iterator[None]:
    """Say of an error of a full disk which file it was, and what to do."""
    free = ""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        with contextlib.suppress(OSError):
            free = f"; {shutil.disk_usage(path.parent).free} bytes are free there"
        raise OSError(
            error.errno,
            f"{path} could not be written ({error.strerror}{free}). {kept}. Free some "
            "space and try again",
        ) from error


def flush(path: Path) -> None:
    """Have a file's content on the disk before its name is."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def cache_folder() -> Path:
    """Return the folder of what can be fetched or made again.

    It is the one that the environment variable KERAS_ATTEND_CACHE names, or
    `keras_attend` in the user's folder of caches.
    """
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get(CACHE) or Path(home) / "keras_attend").expanduser()


def _remove_abandoned(folder: Path) -> None:
    """Remove what processes that were killed have left half written."""
    for path in folder.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            newest = max(p.stat().st_mtime for p in [path, *path.rglob("*")])
            if time.time() - newest > STALE:
                shutil.rmtree(path, ignore_errors=True)
