"""Find the folders of presets, and read what a preset says of itself.

A preset is a folder in Keras's own directory format (`config.json`, `metadata.json`,
`model.weights.h5`), so that `keras.saving.load_model(folder)` works too. Beside these
files it holds `preset.json` (what `info` shows, and the sha256 of the files that are
loaded), `recipe.py` (which trained it), `results.json` (what it scored) and
`README.md` (the card).
"""

import difflib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_attend.arguments import check_choice
from keras_attend.zoo.checks import files
from keras_attend.zoo.checks.files import MANIFEST
from keras_attend.zoo.hub import user_zoo
from keras_attend.zoo.hub.names import HUB, is_hub_name, parse_hub_name
from keras_attend.zoo.results import Result, read_results


@dataclass(frozen=True)
class ModelInfo:
    """The description of a preset, which is read without building its model.

    Attributes:
        name: the name that `load` takes.
        description, paper, task, input, licence, notes, use, instead: see
            `save_preset`.
        model: the name of the model's class.
        parameters: how many numbers the weights hold.
        size_bytes: the size of the weights' file.
        sha256: the sha256 of each file that is loaded, by the file's name.
        metrics: what the preset scored.
        folder: the folder that holds it.
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
    use: str = ""
    instead: str = ""

    def __repr__(self) -> str:
        """Return one line; `info.description` and the other fields say more."""
        return (
            f"ModelInfo({self.name!r}, {self.task}, {self.model}, "
            f"{self.parameters:,} parameters, {len(self.metrics)} results)"
        )


def presets_folder() -> Path:
    """Return the folder of presets in the package or, in a checkout, beside it."""
    package = Path(__file__).parents[1]
    packaged = package / "presets"
    return packaged if packaged.is_dir() else package.parent / "zoo"


def list_models(
    folder: str | Path | None = None, *, task: str | None = None
) -> list[str]:
    """Return the names of presets, each of which `load` takes.

    Args:
        folder: a folder of presets; None for those that ship with the package and
            those of the folder that the environment variable KERAS_ATTEND_ZOO names;
            `"hf://org"` for the presets of a user or an organization on the
            Hugging Face Hub.
        task: only those whose `info(name).task` is this, such as "tracking".
    """
    if str(folder).startswith(HUB):
        from keras_attend.zoo.hub import client  # its import takes half a second

        names = client.list_presets(str(folder).removeprefix(HUB))
        return names if task is None else _with_task(task, {n: n for n in names})
    folders = [Path(folder)] if folder else [presets_folder(), *user_zoo.folders()]
    found: dict[str, str | Path] = {
        path.parent.name: path.parent
        for each in reversed(folders)
        for path in each.glob(f"*/{MANIFEST}")
        # Others are of folders that no name can load, and a terminal might obey them.
        if user_zoo.is_name(path.parent.name)
    }
    return sorted(found) if task is None else _with_task(task, found)


def _with_task(task: str, found: Mapping[str, str | Path]) -> list[str]:
    """Return the names of those presets that have a task; no other task is an error."""
    tasks = {}
    for name, place in found.items():
        with suppress(OSError, ValueError):  # a damaged preset has no task
            folder = place if isinstance(place, Path) else find(place)
            tasks[name] = read_manifest(folder)["task"]
    if tasks and task not in tasks.values():
        check_choice("task", task, tuple(sorted(set(tasks.values()))))
    return sorted(name for name, its in tasks.items() if its == task)


def info(name: str | Path) -> ModelInfo:
    """Return what a preset, by its name or folder, says of itself.

    No model is built. See `load` for the names.
    """
    folder = find(name, everything=True)
    manifest = read_manifest(folder)
    results = read_results(folder)
    return ModelInfo(
        name=str(name) if files.is_snapshot(folder) else folder.resolve().name,
        **{key: manifest[key] for key in (*files.DESCRIPTIONS, *files.NUMBERS)},
        model=manifest["model"],
        sha256=manifest["sha256"],
        metrics=results.results if results else (),
        folder=folder,
        notes=tuple(manifest.get("notes", ())),
        **{key: manifest.get(key, "") for key in files.ADVICE},
    )


def find(
    name: str | Path,
    source: str | None = None,
    token: str | bool | None = None,
    everything: bool = False,
    force: bool = False,
) -> Path:
    """Return the folder of a preset, which is fetched where that is needed.

    Args:
        name: see `load`; `source` and `token` too.
        everything: whether to fetch the card, the results and the recipe too.
        force: whether to fetch files again that are in the cache.
    """
    if source is not None:
        check_choice("source", source, ("package", "zoo"))
    text = str(name)
    if is_hub_name(text):
        if source is not None:
            raise ValueError(
                f"{text!r} is on the Hugging Face Hub. Received: source={source!r}"
            )
        from keras_attend.zoo.hub import client

        repo, revision = parse_hub_name(text)
        return client.fetch(repo, revision, token, everything, force)
    if source != "zoo" and (presets_folder() / text / MANIFEST).is_file():
        return presets_folder() / text
    if source != "package" and (found := user_zoo.find(text, force)):
        return found
    folder = Path(name)
    if source is None and folder.is_dir():
        if not (folder / MANIFEST).is_file():
            raise ValueError(
                f"{folder} is not a preset: it holds no {MANIFEST}. "
                "`keras_attend.zoo.save_preset` makes presets; "
                "`keras.saving.load_model` loads other models."
            )
        return folder
    places = {None: "", "package": " in the package"}
    place = places.get(source, f" in KERAS_ATTEND_ZOO ({user_zoo.place()})")
    names = list_models()
    near = difflib.get_close_matches(text, names, n=3, cutoff=0.4)
    hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
    raise ValueError(
        f"There is no preset and no folder {text!r}{place}. {hint}"
        f"The presets are: {', '.join(names) or 'none'}. "
        "Those on the Hugging Face Hub have names like hf://org/name."
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the content of a folder's `preset.json`, which is checked."""
    path = files.regular_file(folder, MANIFEST)
    return files.check_manifest(path, files.read_limited(path))
