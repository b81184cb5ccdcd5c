"""Preset folders: where they are, what they say of themselves, whether intact.

A preset is a folder in Keras's own directory format (`config.json`, `metadata.json`,
`model.weights.h5`), so that `keras.saving.load_model(folder)` works too, with
`preset.json` (what `info` shows, and the sha256 of what is loaded), `recipe.py` (which
trained it), `results.json` (what it scored) and `README.md` (the card).
"""

import difflib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_attend.zoo.results import Result, read_results

CONFIG = "config.json"
WEIGHTS = "model.weights.h5"
MANIFEST = "preset.json"
DESCRIPTIONS = ("description", "paper", "task", "input", "licence")


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


def presets_folder() -> Path:
    """Where the presets are: in the package, or beside it in a source checkout."""
    package = Path(__file__).parents[1]
    packaged = package / "presets"
    return packaged if packaged.is_dir() else package.parent / "zoo"


def list_models(folder: Path | None = None) -> list[str]:
    """Names of the presets that ship with the package, or of those in a folder."""
    folder = folder or presets_folder()
    return sorted(path.parent.name for path in folder.glob(f"*/{MANIFEST}"))


def info(name: str | Path) -> ModelInfo:
    """What a preset says of itself; no model is built.

    Args:
        name: of a preset that ships with the package, or a preset's folder.
    """
    folder = find(name)
    manifest = read_manifest(folder)
    results = read_results(folder)
    return ModelInfo(
        name=folder.resolve().name,
        **{key: manifest[key] for key in (*DESCRIPTIONS, "model", "parameters")},
        size_bytes=manifest["size_bytes"],
        sha256=manifest["sha256"],
        metrics=results.results if results else (),
        folder=folder,
    )


def find(name: str | Path) -> Path:
    """The folder of a preset, by name or by path."""
    names = list_models()
    if name in names:
        return presets_folder() / name
    if str(name).startswith("hf://"):
        raise ValueError(
            "Presets on the Hugging Face Hub are not supported by this version. "
            f"Download the folder and pass its path. Received: {str(name)!r}"
        )
    folder = Path(name)
    if folder.is_dir():
        if not (folder / MANIFEST).is_file():
            raise ValueError(
                f"{folder} is not a preset: it holds no {MANIFEST}. "
                "`keras_attend.zoo.save_preset` makes presets; "
                "`keras.saving.load_model` loads other models."
            )
        return folder
    near = difflib.get_close_matches(str(name), names, n=3, cutoff=0.4)
    hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
    raise ValueError(
        f"There is no preset and no folder {str(name)!r}. {hint}"
        f"The presets are: {', '.join(names) or 'none'}."
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """The content of `preset.json`."""
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        absent = {*DESCRIPTIONS, "model", "parameters", "size_bytes", "sha256"}
        absent -= manifest.keys()
        if absent:
            raise ValueError(f"it lacks {', '.join(sorted(absent))}")
        if not {CONFIG, WEIGHTS} <= manifest["sha256"].keys():
            raise ValueError(f"`sha256` must name {CONFIG} and {WEIGHTS}")
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{path} is damaged. Received: {error}") from error
    return manifest


def read_checked(folder: Path, file: str, sha256: str) -> bytes:
    """A preset's file, once its sha256 is found to be right."""
    path = folder / file
    if not path.is_file():
        raise FileNotFoundError(f"The preset {folder} is incomplete: it lacks {file}.")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(
            f"{path} is damaged or was changed: its sha256 must be {sha256}. "
            f"Received: {found} ({len(content)} bytes). Install or fetch it again."
        )
    return content
