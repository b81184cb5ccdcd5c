"""Save a trained model as a preset."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from keras_attend import disk
from keras_attend.models.base import OPTIMIZER_BUILT
from keras_attend.types import Array
from keras_attend.zoo.card import write_card
from keras_attend.zoo.checks import files
from keras_attend.zoo.checks.classes import check_config
from keras_attend.zoo.checks.files import CONFIG, MANIFEST, METADATA, WEIGHTS
from keras_attend.zoo.presets import read_manifest


def save_preset(
    model: keras.Model,
    folder: str | Path,
    *,
    description: str,
    paper: str,
    task: str,
    input: str,
    licence: str = "Apache-2.0",
    half: bool = False,
    notes: Sequence[str] = (),
    use: str | None = None,
    instead: str | None = None,
) -> None:
    """Write the files that `load` reads, and the card.

    The arguments that the model was compiled with are kept, the optimizer's state is
    not. The folder's recipe stays. Its `results.json` is removed when the weights
    change, for it is about the old ones. `preset.json` is written last, so that a
    folder whose writing was interrupted fails its sha256 check.

    Args:
        model: a built model, best a compiled one.
        folder: the preset's folder; its name is the preset's name.
        description: one sentence about the preset.
        paper: the paper whose model it is.
        task: what the model does.
        input: what the model takes.
        licence: the licence of the weights.
        half: whether to store float32 weights as float16. Check that the score stays.
        notes: sentences about what the model cannot do, which the card shows.
        use: for what it is, in a few words; None keeps what the folder's preset says.
        instead: when another preset or method is the better choice; None as of `use`.
    """
    folder = Path(folder)
    if not model.built:
        raise ValueError(
            "`model` must be built before it is saved: call it on some data. "
            f"Received: {model.name} without weights"
        )
    config = keras.saving.serialize_keras_object(model)
    check_config(config, folder / CONFIG)
    folder.mkdir(parents=True, exist_ok=True)
    with disk.beside(folder / MANIFEST) as manifest_path:
        written = manifest_path.parent
        # A copy that was never compiled has neither optimizer nor metrics to save.
        compile_config = config.pop("compile_config", None)
        if compile_config:  # no optimizer's state is in the folder
            compile_config.pop(OPTIMIZER_BUILT, None)
        copy = keras.saving.deserialize_keras_object(_never_compiled(config))
        copy.set_weights(model.get_weights())
        keras.saving.save_model(copy, written, zipped=False)
        config = json.loads((written / CONFIG).read_text(encoding="utf-8"))
        _write_json(written / CONFIG, config | {"compile_config": compile_config})
        if half:
            _halve(written / WEIGHTS)
        manifest = {
            "description": description,
            "paper": paper,
            "task": task,
            "input": input,
            "licence": licence,
            "model": type(model).__name__,
            "parameters": model.count_params(),
            "size_bytes": (written / WEIGHTS).stat().st_size,
            "sha256": {
                file: hashlib.sha256((written / file).read_bytes()).hexdigest()
                for file in (CONFIG, WEIGHTS)
            },
        }
        if notes:
            manifest["notes"] = list(notes)
        manifest |= _advice(folder / MANIFEST, use=use, instead=instead)
        # What `load` would refuse, such as a description of two lines, is not written.
        files.check_manifest(folder / MANIFEST, json.dumps(manifest).encode())
        _write_json(written / MANIFEST, manifest)
        for file in (METADATA, CONFIG, WEIGHTS, MANIFEST):
            disk.flush(written / file)
        old, new = folder / WEIGHTS, written / WEIGHTS
        if not (old.is_file() and old.read_bytes() == new.read_bytes()):
            (folder / "results.json").unlink(missing_ok=True)
        for file in (METADATA, CONFIG, WEIGHTS, MANIFEST):
            os.replace(written / file, folder / file)
    write_card(folder)


def _never_compiled(config: Any) -> Any:
    """A configuration whose inner models have no optimizers, as a trained one has."""
    if isinstance(config, dict):
        kept = {k: v for k, v in config.items() if k != "compile_config"}
        return {key: _never_compiled(value) for key, value in kept.items()}
    if isinstance(config, list):
        return [_never_compiled(value) for value in config]
    return config


def _advice(path: Path, **given: str | None) -> dict[str, str]:
    """Return what is given, and else what a manifest that is there says."""
    known = read_manifest(path.parent) if path.is_file() else {}
    found = {k: known.get(k) if text is None else text for k, text in given.items()}
    return {key: text for key, text in found.items() if text}


def describe_preset(
    folder: str | Path, *, description: str, paper: str, notes: Sequence[str] = ()
) -> None:
    """Replace what a preset's `preset.json` says of it; no other file changes.

    The arguments are those of `save_preset`.
    """
    path = Path(folder) / MANIFEST
    manifest = read_manifest(path.parent) | {"description": description, "paper": paper}
    manifest.pop("notes", None)
    if notes:
        manifest["notes"] = list(notes)
    files.check_manifest(path, json.dumps(manifest).encode())
    _write_json(path, manifest)


def _write_json(path: Path, content: object) -> None:
    disk.write(path, json.dumps(content, indent=2) + "\n")


def halved(values: Array) -> Array:
    """Values as float16, if they are float32 and none is too large for it."""
    if values.dtype != "float32":
        return values
    with np.errstate(over="ignore"):
        small = values.astype("float16")
    return values if np.isinf(small).any() else small


def _halve(path: Path) -> None:
    """Rewrite a weights file with float16 in place of float32."""
    full = path.with_suffix(".full")
    shutil.move(path, full)
    with h5py.File(full) as source, h5py.File(path, "w") as target:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                new = target.require_group(name)
            else:
                new = target.create_dataset(name, data=halved(item[()]))
            new.attrs.update(item.attrs)

        source.visititems(copy)
