"""Is a preset's folder intact, harmless and complete? One check after the other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras

from keras_attend.zoo.checks.classes import check_config
from keras_attend.zoo.checks.files import (
    CARD,
    CONFIG,
    MANIFEST,
    WEIGHTS,
    read_checked,
    read_json,
    read_limited,
)
from keras_attend.zoo.loading import load
from keras_attend.zoo.presets import read_manifest
from keras_attend.zoo.results import read_results


@dataclass(frozen=True)
class Check:
    """What was looked at, whether it is right, and what was found."""

    name: str
    ok: bool
    detail: str


def verify(folder: Path) -> tuple[list[Check], keras.Model | None]:
    """All checks of a preset's folder, and the model, if it loads.

    Nothing of the preset is run, and what does not match its sha256 is not loaded.

    Args:
        folder: the preset's.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    checks, manifest = [], {}
    try:
        manifest = read_manifest(folder)
        checks.append(Check("manifest", True, f"{MANIFEST}: {manifest['model']}"))
    except (OSError, ValueError) as error:
        checks.append(Check("manifest", False, _line(error)))
    model = None
    if manifest:
        checks.extend(_files(folder, manifest))
        checks.append(checked("classes", lambda: _classes(folder)))
        try:
            model = load(folder)
            checks.append(Check("loads", True, f"on {keras.backend.backend()}"))
            checks.append(checked("parameters", lambda: _parameters(model, manifest)))
        # A stranger's file can make anything of what reads it.
        except Exception as error:
            checks.append(Check("loads", False, _line(error)))
    checks.append(checked("card", lambda: _card(folder)))
    checks.append(checked("results", lambda: _results(folder)))
    return checks, model


def checked(name: str, look: Callable[[], str]) -> Check:
    """Run a check that returns what it found, or raises what is wrong."""
    try:
        return Check(name, True, look())
    except Exception as error:
        return Check(name, False, _line(error))


def _line(error: Exception) -> str:
    """A message of one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _files(folder: Path, manifest: dict[str, Any]) -> Iterator[Check]:
    """The sha256 of each file that the manifest lists."""
    for file, sha256 in manifest["sha256"].items():
        yield checked("sha256", partial(_file, folder, file, sha256))
    size = manifest["size_bytes"]
    yield checked("size", lambda: _size(folder / WEIGHTS, size))


def _file(folder: Path, file: str, sha256: str) -> str:
    read_checked(folder, file, sha256)
    return file


def _size(path: Path, expected: int) -> str:
    size = path.stat().st_size
    if size != expected:
        raise ValueError(f"{path} must have {expected} bytes. Received: {size}")
    return f"{size:,} bytes"


def _classes(folder: Path) -> str:
    path = folder / CONFIG
    check_config(read_json(path, read_limited(path)), path)
    return "of Keras and keras_attend only, and no code"


def _parameters(model: Any, manifest: dict[str, Any]) -> str:
    found = f"{type(model).__name__} of {model.count_params():,}"
    said = f"{manifest['model']} of {manifest['parameters']:,}"
    if found != said:
        raise ValueError(f"{MANIFEST} says {said}. Received: {found}")
    return found


def _card(folder: Path) -> str:
    text = (folder / CARD).read_text(encoding="utf-8")
    if not text.startswith("---\n"):
        raise ValueError(
            f"{folder / CARD} must begin with the card's facts, between two lines of "
            f"'---'. Received: {text[:20]!r}"
        )
    return CARD


def _results(folder: Path) -> str:
    results = read_results(folder)
    if results is None or not results.results:
        return "none: it was not evaluated"
    return f"{len(results.results)} of {results.device}, commit {results.commit}"
