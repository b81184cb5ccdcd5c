"""Check whether the folder of a preset is intact, harmless and complete."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras

from keras_attend.zoo.checks import files
from keras_attend.zoo.checks.budget import check_budget
from keras_attend.zoo.checks.classes import check_config
from keras_attend.zoo.loading import load
from keras_attend.zoo.presets import read_manifest
from keras_attend.zoo.results import read_results


@dataclass(frozen=True)
class Check:
    """One check of a preset: its name, whether it passed, and what it found."""

    name: str
    ok: bool
    detail: str


def verify(folder: Path) -> tuple[list[Check], keras.Model | None]:
    """Check the folder of a preset, and return the checks and the model, if it loads.

    No code of the preset is run, and nothing is loaded after a check has failed.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    manifest: dict[str, Any] = {}
    model = None

    def check_manifest() -> str:
        manifest.update(read_manifest(folder))
        return f"{files.MANIFEST}: {manifest['model']}"

    def load_model() -> str:
        nonlocal model
        model = load(folder)
        return f"on {keras.backend.backend()}"

    checks = [checked("manifest", check_manifest)]
    if manifest:
        for file, sha256 in manifest["sha256"].items():
            checks.append(checked("sha256", partial(_file, folder, file, sha256)))
        checks.append(checked("size", lambda: _size(folder, manifest["size_bytes"])))
        checks.append(checked("classes", lambda: _classes(folder / files.CONFIG)))
        if all(check.ok for check in checks):
            checks.append(checked("loads", load_model))
        else:
            checks.append(Check("loads", False, "not tried: a check before it fails"))
        if model is not None:
            checks.append(checked("parameters", lambda: _parameters(model, manifest)))
    checks.append(checked("card", lambda: _card(folder)))
    checks.append(checked("results", lambda: _results(folder)))
    return checks, model


def checked(name: str, look: Callable[[], str]) -> Check:
    """Call a function that returns what it found, or raises what is wrong."""
    try:
        return Check(name, True, look())
    except Exception as error:  # a stranger's file may raise anything
        detail = " ".join(str(error).split()) or type(error).__name__
        return Check(name, False, detail)


def _file(folder: Path, file: str, sha256: str) -> str:
    limit = files.MAX_WEIGHTS_BYTES if file == files.WEIGHTS else files.MAX_OTHER_BYTES
    files.check_sum(folder, file, sha256, limit)
    return file


def _size(folder: Path, expected: int) -> str:
    path = files.regular_file(folder, files.WEIGHTS)
    size = path.stat().st_size
    if size != expected:
        raise ValueError(f"{path} must have {expected} bytes. Received: {size}")
    return f"{size:,} bytes"


def _classes(path: Path) -> str:
    files.regular_file(path.parent, path.name)
    config = files.read_json(path, files.read_limited(path))
    check_config(config, path)
    check_budget(config, path)
    return "of Keras and keras_attend only, and no code"


def _parameters(model: Any, manifest: dict[str, Any]) -> str:
    found = f"{type(model).__name__} of {model.count_params():,}"
    said = f"{manifest['model']} of {manifest['parameters']:,}"
    if found != said:
        raise ValueError(f"{files.MANIFEST} says {said}. Received: {found}")
    return found


def _card(folder: Path) -> str:
    path = files.regular_file(folder, files.CARD)
    text = files.read_limited(path, files.MAX_OTHER_BYTES).decode()
    if not text.startswith("---\n"):
        raise ValueError(
            f"{path} must begin with the card's facts, between two lines of '---'. "
            f"Received: {text[:20]!r}"
        )
    return files.CARD


def _results(folder: Path) -> str:
    results = read_results(folder)
    if results is None or not results.results:
        return "none: it was not evaluated"
    silent = [r.protocol for r in results.results if not r.is_explained]
    if silent:
        raise ValueError(
            "A row with a number of the paper must say in `differences` what differs "
            f"from the paper, or be of its setting. Received: none for {silent[0]}"
        )
    return f"{len(results.results)} of {results.device}, commit {results.commit}"
