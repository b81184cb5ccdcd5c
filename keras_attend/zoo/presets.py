"""Preset folders: where they are and what they say of themselves.

A preset is a folder in Keras's own directory format (`config.json`, `metadata.json`,
`model.weights.h5`), so that `keras.saving.load_model(folder)` works too, with
`preset.json` (what `info` shows, and the sha256 of what is loaded), `recipe.py` (which
trained it), `results.json` (what it scored) and `README.md` (the card).
"""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_attend.zoo.checks.files import (
    DESCRIPTIONS,
    MANIFEST,
    check_manifest,
    is_snapshot,
    read_limited,
    regular_file,
)
from keras_attend.zoo.hub import own_zoo
from keras_attend.zoo.hub.names import HUB, is_hub_name, parse_hub_name
from keras_attend.zoo.results import Result, read_results

SOURCES = (None, "package", "zoo")


@dataclass(frozen=True)
class ModelInfo:
    """What there is to know about a preset before loading it.

    Attributes:
        name: what `load` calls it.
        description: one sentence.
        paper: whose model it is.
        task: what it does.
        input: what it takes.
        licence: of the weights.
        model: its class.
        parameters: number of its weights' entries.
        size_bytes: of the weights' file.
        sha256: of each file that is loaded, by name.
        metrics: what it scored.
        folder: where it is.
        notes: what to know before it is used.
    """

    name: str
    description: str
    paper: str
    task: str
    input: str
    licence: str
    model: str
    parameters: int
    size_bytes: int
    sha256: dict[str, str]
    metrics: tuple[Result, ...]
    folder: Path
    notes: tuple[str, ...] = ()


def presets_folder() -> Path:
    """Where the presets are: in the package, or beside it in a source checkout."""
    package = Path(__file__).parents[1]
    packaged = package / "presets"
    return packaged if packaged.is_dir() else package.parent / "zoo"


def list_models(folder: str | Path | None = None) -> list[str]:
    """Names of presets, each of which `load` takes.

    Args:
        folder: of presets; None for those that ship with the package and those of
            the folder that the environment variable KERAS_ATTEND_ZOO names;
            `"hf://org"` for the presets of a user or an organization on the
            Hugging Face Hub.
    """
    if str(folder).startswith(HUB):
        from keras_attend.zoo.hub import client  # which takes half a second

        return client.list_presets(str(folder).removeprefix(HUB))
    folders = [Path(folder)] if folder else [presets_folder(), *own_zoo.folders()]
    return sorted(
        {path.parent.name for each in folders for path in each.glob(f"*/{MANIFEST}")}
    )


def info(name: str | Path) -> ModelInfo:
    """What a preset says of itself; no model is built.

    Args:
        name: of a preset (see `load`), or a preset's folder.
    """
    folder = find(name, everything=True)
    manifest = read_manifest(folder)
    results = read_results(folder)
    return ModelInfo(
        name=str(name) if is_snapshot(folder) else folder.resolve().name,
        **{key: manifest[key] for key in (*DESCRIPTIONS, "model", "parameters")},
        size_bytes=manifest["size_bytes"],
        sha256=manifest["sha256"],
        metrics=results.results if results else (),
        folder=folder,
        notes=tuple(manifest.get("notes", ())),
    )


def find(
    name: str | Path,
    source: str | None = None,
    token: str | bool | None = None,
    everything: bool = False,
    force: bool = False,
) -> Path:
    """The folder of a preset, by name or by path; it is fetched if need be.

    Args:
        name: see `load`.
        source: see `load`.
        token: see `load`.
        everything: the card, the results and the recipe too, not only what is loaded.
        force: fetch again what is cached.
    """
    if source not in SOURCES:
        raise ValueError(
            f"`source` must be one of {SOURCES}. Received: source={source!r}"
        )
    text = str(name)
    if is_hub_name(text):
        if source is not None:
            raise ValueError(
                f"{text!r} is on the Hugging Face Hub. Received: source={source!r}"
            )
        from keras_attend.zoo.hub import client  # which takes half a second

        repo, revision = parse_hub_name(text)
        return client.fetch(
            repo, revision, token=token, everything=everything, force=force
        )
    if source in (None, "package") and (presets_folder() / text / MANIFEST).is_file():
        return presets_folder() / text
    if source in (None, "zoo"):
        folder = own_zoo.find(text, force)
        if folder is not None:
            return folder
    folder = Path(name)
    if source is None and folder.is_dir():
        if not (folder / MANIFEST).is_file():
            raise ValueError(
                f"{folder} is not a preset: it holds no {MANIFEST}. "
                "`keras_attend.zoo.save_preset` makes presets; "
                "`keras.saving.load_model` loads other models."
            )
        return folder
    raise ValueError(_unknown(text, source))


def _unknown(name: str, source: str | None) -> str:
    where = {None: "", "package": " in the package"}
    names = list_models()
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
    place = where.get(source, f" in KERAS_ATTEND_ZOO ({own_zoo.place()})")
    return (
        f"There is no preset and no folder {name!r}{place}. {hint}"
        f"The presets are: {', '.join(names) or 'none'}. "
        "Those on the Hugging Face Hub are called hf://org/name."
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """The content of `preset.json`."""
    path = regular_file(folder, MANIFEST)
    return check_manifest(path, read_limited(path))
