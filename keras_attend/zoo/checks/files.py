"""Check a preset's files before their content is used.

A preset is data from strangers. Its files must be plain files of known names, no larger
than the manifest says; the configuration must be short and shallow (`classes.py` says
which classes it may name); the weights must be arrays of numbers, as many as the
manifest says. Each error names the file, what it must hold and what it holds.
"""

import hashlib
import io
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from keras_attend import disk

if TYPE_CHECKING:
    import h5py

CONFIG = "config.json"
METADATA = "metadata.json"
WEIGHTS = "model.weights.h5"
MANIFEST = "preset.json"
# The files that `load` and Keras's `load_model` read, the manifest first.
LOADED = (MANIFEST, CONFIG, METADATA, WEIGHTS)
# Files that may lie beside them and are published too. No other file of a folder is
# published: it may be private.
CARD = "README.md"
RECIPE = "recipe.py"
EXTRA = ("results.json", RECIPE, "picture.gif", "picture.jpg", "picture.png")
DESCRIPTIONS = ("description", "paper", "task", "input", "licence")
# What a preset may say as well: for what it is, and when another one is better.
ADVICE = ("use", "instead")
NUMBERS = ("parameters", "size_bytes")

MAX_JSON_BYTES = 2**20  # the longest that ships has 3 kB
MAX_DEPTH = 64  # presets that ship nest 6 deep, a Functional model 12
MAX_TEXT = 2000  # characters of a description
MAX_NOTES = 20
MAX_WEIGHTS_BYTES = 2**32
MAX_OTHER_BYTES = 2**25  # of a card, a recipe, a picture
# A weights file is at most so much larger than its numbers, of up to eight bytes each.
MAX_OVERHEAD = 2**24
CHUNK = 2**20
MAX_OBJECTS = 10_000  # groups and arrays in a weights file


def regular_file(folder: Path, file: str) -> Path:
    """Return the path of a preset's file, or raise if it is no file of the folder.

    A symbolic link may lead to another file of the folder or, in the Hub's cache, to
    the cache's own store; nowhere else.
    """
    path = folder / file
    if not path.is_file():
        raise FileNotFoundError(f"The preset {folder} is incomplete: it lacks {file}.")
    real = path.resolve()
    inside = [folder.resolve()]
    if is_snapshot(folder):
        inside.append(folder.resolve().parents[1] / "blobs")
    if not any(real.is_relative_to(place) for place in inside):
        raise ValueError(
            f"{path} must be a file of its folder. Received: a symbolic link out of it"
        )
    return path


def is_snapshot(folder: Path) -> bool:
    """Return whether a folder is a revision in the Hub's cache."""
    folder = folder.resolve()
    return folder.parent.name == "snapshots" and is_revision(folder.name)


def is_revision(text: str) -> bool:
    """Return whether a text is the full hash of a commit."""
    return re.fullmatch("[0-9a-f]{40}", text) is not None


def read_json(path: Path, content: bytes) -> dict[str, Any]:
    """Return the JSON object in a file's content, unless it is too long or too deep."""
    too_deep = f"{path} must nest at most {MAX_DEPTH} deep. Received: deeper"
    if len(content) > MAX_JSON_BYTES:
        raise ValueError(
            f"{path} must have at most {MAX_JSON_BYTES} bytes. "
            f"Received: {len(content)} bytes"
        )
    try:
        data = json.loads(content)
    except RecursionError as error:
        raise ValueError(too_deep) from error
    except ValueError as error:  # UnicodeDecodeError too
        raise ValueError(f"{path} is damaged. Received: {error}") from error
    if not isinstance(data, dict):
        raise ValueError(
            f"{path} is damaged: it must hold an object. "
            f"Received: {type(data).__name__}"
        )
    # Level by level, so that a deep object does not exhaust the stack here either.
    level: list[Any] = [data]
    for _ in range(MAX_DEPTH):
        level = [value for item in level for value in _children(item)]
        if not level:
            return data
    raise ValueError(too_deep)


def _children(item: Any) -> Iterator[Any]:
    values = item.values() if isinstance(item, dict) else item
    return (value for value in values if isinstance(value, (dict, list)))


def limit_of(file: str, manifest: dict[str, Any]) -> int:
    """Return how many bytes a file that is loaded may have."""
    limit: int = manifest["size_bytes"] if file == WEIGHTS else MAX_JSON_BYTES
    return limit


def read_limited(path: Path, limit: int = MAX_JSON_BYTES) -> bytes:
    """Return a regular file's bytes, unless there are more than `limit`."""
    return disk.read(path, limit)


def check_sum(
    folder: Path,
    file: str,
    sha256: str,
    limit: int = MAX_WEIGHTS_BYTES,
    copy: BinaryIO | None = None,
) -> None:
    """Refuse a preset's file whose sha256 is wrong; it is never in memory as a whole.

    `copy` is a file that takes the content. It may be used only if nothing is raised.
    """
    path = regular_file(folder, file)
    found, size = hashlib.sha256(), 0
    with disk.opened(path, limit) as source:
        while (chunk := source.read(CHUNK)) and size <= limit:
            size += len(chunk)
            found.update(chunk)
            if copy is not None:
                copy.write(chunk)
    if found.hexdigest() != sha256:
        raise ValueError(
            f"{path} is damaged or was changed: its sha256 must be {sha256}. "
            f"Received: {found.hexdigest()} ({size} bytes). Install or fetch it again."
        )


def read_listed(folder: Path, file: str, manifest: dict[str, Any]) -> bytes:
    """Return the bytes of a file whose size and sha256 are as the manifest lists."""
    content = io.BytesIO()
    copy_listed(folder, file, manifest, content)
    return content.getvalue()


def copy_listed(
    folder: Path, file: str, manifest: dict[str, Any], copy: BinaryIO | None = None
) -> None:
    """Check a file's size and sha256 as the manifest lists them; see `check_sum`."""
    check_sum(folder, file, manifest["sha256"][file], limit_of(file, manifest), copy)


def check_manifest(path: Path, content: bytes) -> dict[str, Any]:
    """Return the content of a `preset.json`, if every entry is there and valid."""
    manifest = read_json(path, content)
    try:
        absent = {*DESCRIPTIONS, *NUMBERS, "model", "sha256"} - manifest.keys()
        if absent:
            raise ValueError(f"it lacks {', '.join(sorted(absent))}")
        for key in (*DESCRIPTIONS, "model"):
            _check_text(key, manifest[key])
        for key in ADVICE:
            _check_text(key, manifest.get(key, ""))
        notes = manifest.get("notes", [])
        if not isinstance(notes, list) or len(notes) > MAX_NOTES:
            raise ValueError(f"`notes` must be a list of up to {MAX_NOTES} texts")
        for note in notes:
            _check_text("notes", note)
        for key in NUMBERS:
            number = manifest[key]
            if type(number) is not int or not 0 <= number <= MAX_WEIGHTS_BYTES:
                raise ValueError(
                    f"`{key}` must be a number up to {MAX_WEIGHTS_BYTES}, not {number}"
                )
        if manifest["parameters"] > manifest["size_bytes"]:
            raise ValueError("`size_bytes` is too small for so many `parameters`")
        if manifest["size_bytes"] > 8 * manifest["parameters"] + MAX_OVERHEAD:
            raise ValueError("`size_bytes` is too large for so few `parameters`")
        _check_sums(manifest["sha256"])
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged or was changed. Received: {error}"
        ) from error
    return manifest


def _check_text(key: str, text: Any) -> None:
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise ValueError(f"`{key}` must be a text of up to {MAX_TEXT} characters")
    # A terminal would obey escape sequences that it is asked to print.
    if not text.isprintable():
        raise ValueError(f"`{key}` holds control characters: {text!r}")


def _check_sums(sums: Any) -> None:
    if not isinstance(sums, dict) or not {CONFIG, WEIGHTS} <= sums.keys():
        raise ValueError(f"`sha256` must name {CONFIG} and {WEIGHTS}")
    for file, sha256 in sums.items():
        if not re.fullmatch(r"[\w-][\w.-]*", file):
            raise ValueError(f"`sha256` must name plain files, not {file!r}")
        if not re.fullmatch("[0-9a-f]{64}", str(sha256)):
            raise ValueError(f"the sha256 of {file} must be 64 digits, not {sha256!r}")


def check_keras_version(path: Path) -> None:
    """Refuse a preset that another major version of Keras has saved."""
    if not path.exists():
        return
    regular_file(path.parent, path.name)
    received = read_json(path, read_limited(path)).get("keras_version")
    import keras

    ours = keras.__version__
    if not isinstance(received, str) or not received.isprintable():
        raise ValueError(
            f"{path} must name the version of Keras that saved the preset. "
            f"Received: keras_version={received!r}"
        )
    if received.split(".")[0] != ours.split(".")[0]:
        raise ValueError(
            f"{path} must name a version of Keras that is close to {ours}, which is "
            f"installed. Received: keras_version={received[:40]!r}. Install that one."
        )


def check_weights(path: Path, parameters: int, name: Path) -> None:
    """Refuse an HDF5 file that does not hold just arrays, of `parameters` numbers.

    Errors call it `name`, the file that it is a copy of.
    """
    import h5py  # here, as Keras above: presets are listed without them

    try:
        with h5py.File(path, "r") as file:
            sizes = list(_sizes(file, set()))
    # A name may have bytes that are no text: a ValueError.
    except (OSError, RuntimeError, KeyError, ValueError, RecursionError) as error:
        raise ValueError(f"{name} is damaged. Received: {error}") from error
    if sum(sizes) != parameters:
        raise ValueError(
            f"{name} must hold the preset's {parameters} parameters. "
            f"Received: {sum(sizes)}"
        )


def _sizes(group: "h5py.Group", seen: set[int]) -> Iterator[int]:
    """Yield the sizes of a group's arrays; raise at any other content."""
    import h5py

    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise OSError(f"{name!r} is a link to elsewhere")
        item = group[name]
        address = h5py.h5o.get_info(item.id).addr
        if address in seen:  # groups can hold each other
            raise OSError(f"{name!r} is there twice")
        seen.add(address)
        if len(seen) > MAX_OBJECTS:
            raise OSError(f"more than {MAX_OBJECTS} arrays")
        if isinstance(item, h5py.Group):
            yield from _sizes(item, seen)
        elif not isinstance(item, h5py.Dataset):
            raise OSError(f"{name!r} is no array")
        elif item.external or item.is_virtual:
            raise OSError(f"the numbers of {name!r} are in another file")
        elif item.dtype.kind not in "fiub" or item.shape is None:
            raise OSError(f"{name!r} holds {item.dtype}, not numbers")
        elif item.chunks or item.id.get_storage_size() != item.nbytes:
            # A few bytes can be compressed, or never written, numbers by the billion.
            raise OSError(f"the file does not hold all numbers of {name!r} as they are")
        else:
            yield math.prod(item.shape)
