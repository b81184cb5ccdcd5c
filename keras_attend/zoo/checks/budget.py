"""Check what making a configuration's model would take, before it is made.

Weights take nothing until they are counted (see `loading`). What else a configuration
can make Keras compute or store at once is limited here: arrays, operations on numbers
that the configuration holds, sizes, and the number of layers.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from keras_attend.compat import keras_symbol

MAX_LAYERS = 512  # layers and operations of a model
# Keras builds a Sequential model anew with each layer: 100 take 3 s, 400 take 40 s.
MAX_SEQUENCE = 128
MAX_NUMBER = 2**24  # the largest size of a configuration that ships is 3 * 10^5
# These size weights alone, which `loading` counts before there are any; or nothing.
FREE = {"units", "filters", "input_dim", "output_dim", "seed"}
NUMBERS = {
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"),
    *("float16", "float32", "float64", "bfloat16"),
}


def check_budget(config: dict[str, Any], path: Path) -> None:
    """Refuse the configuration of a model that would take too much to make.

    `check_config` has checked which classes it names.
    """
    try:
        layers = sum(_checked(config, ""))
        if layers > MAX_LAYERS:
            raise ValueError(f"{layers} layers, more than {MAX_LAYERS}")
    except ValueError as error:
        raise ValueError(
            f"{path} must be of a model that can be made in little time and memory. "
            f"Received: {error}"
        ) from error


def _checked(value: Any, key: str) -> Iterator[int]:
    """Yield 1 for each layer in a value; raise where it takes too much."""
    if isinstance(value, list):
        if key not in FREE:
            _check_size(value, key)
        for item in value:
            yield from _checked(item, key)
    elif isinstance(value, dict):
        if "class_name" in value:
            yield from _entry(value)
        for name, item in value.items():
            if name != "compile_config":  # its numbers are no sizes
                yield from _checked(item, name)
    elif key not in FREE:
        _check_size([value], key)


def _check_size(value: list[Any], key: str) -> None:
    # The first number of a shape is the batch's, which nothing is made of.
    sizes = value[1:] if len(value) > 2 or "shape" in key else value
    whole = [n for n in sizes if isinstance(n, int) and not isinstance(n, bool)]
    if math.prod(max(abs(n), 1) for n in whole) > MAX_NUMBER:
        raise ValueError(f"`{key}` of {str(value)[:80]}, larger than {MAX_NUMBER}")


def _entry(entry: dict[str, Any]) -> Iterator[int]:
    name, config = entry["class_name"], entry.get("config")
    if name in ("__numpy__", "__tensor__"):
        dtype = config.get("dtype") if isinstance(config, dict) else None
        if not (isinstance(dtype, str) and dtype in NUMBERS):
            raise ValueError(f"an array of {str(dtype)[:80]}, not of numbers")
    found = keras.saving.get_registered_object(entry.get("registered_name"))
    found = found or keras_symbol(str(entry.get("module")), str(name))
    if not isinstance(found, type) or not issubclass(found, keras.Operation):
        return
    yield 1
    for node in entry.get("inbound_nodes") or []:
        # Without a tensor among its arguments Keras computes an operation at once.
        if not issubclass(found, keras.layers.InputLayer) and not _has_tensor(node):
            raise ValueError(f"{name!r} of numbers, which takes no layer's output")
    if not isinstance(config, dict):
        return
    if issubclass(found, keras.Sequential):
        layers = config.get("layers")
        if isinstance(layers, list) and len(layers) > MAX_SEQUENCE:
            raise ValueError(f"{len(layers)} layers in a row, over {MAX_SEQUENCE}")
    if issubclass(found, keras.layers.Normalization):
        _check_normalization(config)


def _has_tensor(node: Any) -> bool:
    if isinstance(node, dict):
        if node.get("class_name") == "__keras_tensor__":
            return True
        node = list(node.values())
    return isinstance(node, list) and any(map(_has_tensor, node))


def _check_normalization(config: dict[str, Any]) -> None:
    """Refuse a mean or variance that Keras would repeat, to any length."""
    axis = config.get("axis")
    for key in ("mean", "variance"):
        given = config.get(key)
        if axis in (None, []) or given is None:  # it is one number for all
            continue
        if isinstance(given, dict) and isinstance(given.get("config"), dict):
            given = given["config"].get("value")  # of an array
        one = isinstance(axis, int) or (isinstance(axis, list) and len(axis) == 1)
        while isinstance(given, list) and len(given) == 1:
            given = given[0]
        if not (one and isinstance(given, list)):
            raise ValueError(
                f"Normalization's `{key}` must be numbers along one axis, or its "
                "`axis` None"
            )
