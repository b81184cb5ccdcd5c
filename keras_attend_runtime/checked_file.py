"""Check an ONNX file before ONNX Runtime makes anything of it.

The file may be a stranger's. Its description must be one that `export` writes, its
inputs and outputs those of the description; it must hold no loop, which may never end,
and no weights that are in other files.
"""

import json
import math
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KEY = "keras_attend"
MAX_BYTES = 2**31
MAX_NUMBERS = 2**24  # of a state or an output
MAX_DEPTH = 16  # of graphs within graphs; those of `export` nest 2 deep
TYPES = {"tensor(float)": "float32", "tensor(uint8)": "uint8"}
LOOPS = {b"Loop", b"Scan", b"SequenceMap"}
# The numbers of the fields of ONNX's messages that are walked, and what each holds.
MODEL, GRAPH, FUNCTION, NODE, ATTRIBUTE, TENSOR = range(6)
FIELDS = {
    MODEL: {7: GRAPH, 25: FUNCTION},
    GRAPH: {1: NODE, 5: TENSOR},
    FUNCTION: {7: NODE},
    NODE: {5: ATTRIBUTE},
    ATTRIBUTE: {5: TENSOR, 6: GRAPH, 10: TENSOR, 11: GRAPH},
    TENSOR: {},
}
OP_TYPE, DATA_LOCATION = 4, 14


def read_model(path: Path) -> bytes:
    """Return the content of a file, if it is an ONNX model that can do no harm."""
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_BYTES:
        raise ValueError(
            f"{path} must be a regular file of at most {MAX_BYTES} bytes. "
            f"Received: {found.st_size} bytes, mode {found.st_mode:o}"
        )
    content = path.read_bytes()
    try:
        _check_message(memoryview(content), MODEL, 0)
    except (IndexError, ValueError) as error:
        raise ValueError(
            f"{path} is no ONNX file that ONNX Runtime may run; it cannot read it: "
            f"{error or 'it breaks off'}"
        ) from error
    return content


def _check_message(data: memoryview, kind: int, depth: int) -> None:
    """Raise if a message holds a loop or a reference to another file."""
    if depth > MAX_DEPTH * len(FIELDS):
        raise ValueError("its graphs are within each other too often")
    for field, value in _fields(data):
        if kind == NODE and field == OP_TYPE and bytes(value) in LOOPS:
            raise ValueError(f"it holds a {bytes(value).decode()}, which may not end")
        if kind == TENSOR and field == DATA_LOCATION and value:
            raise ValueError("its weights are in another file")
        inner = FIELDS[kind].get(field)
        if inner is not None and isinstance(value, memoryview):
            _check_message(value, inner, depth + 1)


def _fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    """Yield the fields of a message in protobuf's format: numbers, and parts."""
    at = 0
    while at < len(data):
        key, at = _number(data, at)
        field, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _number(data, at)
            yield field, value
        elif kind == 2:
            size, at = _number(data, at)
            if at + size > len(data):
                raise ValueError("it breaks off")
            yield field, data[at : at + size]
            at += size
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise ValueError("it is in another format")


def _number(data: memoryview, at: int) -> tuple[int, int]:
    """Return a number of protobuf's format, and where the next one begins."""
    number = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        number, at = number | (byte & 127) << shift, at + 1
        if byte < 128:
            return number, at
    raise ValueError("a number has too many bytes")


def description(path: Path, session: Any) -> dict[str, Any]:
    """Return the description in a tracker's file, if the file is as it says."""
    try:
        # Its texts need not be in UTF-8, which is an error only when they are read.
        found = session.get_modelmeta().custom_metadata_map.get(KEY)
        metadata = json.loads(found) if found else None
        if not isinstance(metadata, dict) or metadata.get("kind") != "tracker":
            raise ValueError("no tracker, or without a description")
        _check(metadata, session)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(
            "`model` must be a tracker that `keras_attend.export` wrote. "
            f"Received: {path} ({type(error).__name__}: {str(error)[:300]})"
        ) from error
    return metadata


def _check(metadata: dict[str, Any], session: Any) -> None:
    """Raise unless the description is complete and fits the model."""
    states, outputs, size = (metadata[key] for key in ("states", "outputs", "size"))
    whole = size is None or (len(size) == 2 and all(type(n) is int for n in size))
    many = metadata["objects"] is None
    for key, sound in {
        "channels": metadata["channels"] in (1, 3),
        "dtype": metadata["dtype"] in TYPES.values(),
        "objects": many or metadata["objects"] == 1,
        "presence": isinstance(metadata["presence"], bool),
        "size": whole,
        "states": isinstance(states, dict),
        "outputs": isinstance(outputs, list) and all(type(x) is str for x in outputs),
    }.items():
        if not sound:
            raise ValueError(f"its description's `{key}` is {metadata[key]!r}")
    given = {x.name: x for x in session.get_inputs()}
    made = {x.name: x for x in session.get_outputs()}
    wanted = {"box", *outputs, *(f"next_{name}" for name in states)}
    wanted |= {"presence"} if metadata["presence"] else set()
    if given.keys() != {"first", "frame", "first_box", *states}:
        raise ValueError(f"its inputs are {sorted(given)}")
    if made.keys() != wanted:
        raise ValueError(f"its outputs are {sorted(made)}")
    for name, x in made.items():
        shape = _of_one(x.shape, many)
        fixed = all(type(n) is int and n > 0 for n in shape)
        if not fixed or math.prod(shape) > MAX_NUMBERS or x.type not in TYPES:
            raise ValueError(f"its output {name!r} is {x.type} of shape {x.shape}")
    four = [made["box"], given["first_box"]]
    shapes = [_of_one(x.shape, many) == [1, 4] for x in four]
    if metadata["presence"]:
        shapes.append(math.prod(_of_one(made["presence"].shape, many)) == 1)
    for name in states:
        a, b = given[name], made[f"next_{name}"]
        pair = [(_of_one(x.shape, many), x.type) for x in (a, b)]
        shapes.append(pair[0] == pair[1])
    frame = given["frame"]
    rows = [None, None] if size is None else size
    fits = all(
        b is None or a == b
        for a, b in zip(frame.shape, [1, *rows, metadata["channels"]], strict=True)
    )
    if not all(shapes) or not fits or TYPES.get(frame.type) != metadata["dtype"]:
        raise ValueError("its inputs and outputs have other shapes or types")


def _of_one(shape: list[Any], many: bool) -> list[Any]:
    """Return the shape that a tensor `[N, ...]` has for one object.

    A file for many objects must leave N open; any other shape is returned as it is.
    """
    if not many:
        return shape
    if not shape or isinstance(shape[0], int):
        raise ValueError(f"it is for many objects, and a tensor of shape {shape}")
    return [1, *shape[1:]]
