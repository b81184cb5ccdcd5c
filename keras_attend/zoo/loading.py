"""`load`: a compiled model from a preset's folder."""

import inspect
import math
import tempfile
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_attend.compat import pending_variables, replace_initializer
from keras_attend.zoo.checks.classes import check_config
from keras_attend.zoo.checks.files import (
    CONFIG,
    METADATA,
    WEIGHTS,
    check_keras_version,
    check_weights,
    limit_of,
    read_checked,
    read_json,
)
from keras_attend.zoo.presets import find, read_manifest


def load(
    name: str | Path,
    *,
    weights: bool = True,
    source: str | None = None,
    token: str | bool | None = None,
    **overrides: Any,
) -> keras.Model:
    """A preset's model, compiled as it was for training.

    Args:
        name: of a preset that ships with the package (see `list_models`), or of one
            in KERAS_ATTEND_ZOO, a folder or a file server of presets; or
            `"hf://org/name"` or `"hf://org/name@revision"` on the Hugging Face Hub;
            or a preset's folder.
        weights: False gives fresh random weights.
        source: where to look for a plain name: `"package"` or `"zoo"`
            (KERAS_ATTEND_ZOO); None looks there in this order.
        token: of the Hub, for what is private; None takes the one that
            `hf auth login` has stored.
        **overrides: constructor arguments in place of the preset's, such as
            `episodes=10` for `ram_mnist`, of the model or of its cell.

    The sha256 of every file is checked before anything is made of it; a preset can
    name Keras's and this package's classes only, and cannot run code.
    """
    return load_folder(find(name, source, token), weights=weights, **overrides)


def load_folder(folder: Path, *, weights: bool = True, **overrides: Any) -> keras.Model:
    """A model from a preset's folder; see `load`."""
    manifest = read_manifest(folder)
    check_keras_version(folder / METADATA)
    sha256, path = manifest["sha256"], folder / CONFIG
    content = read_checked(folder, CONFIG, sha256[CONFIG], limit_of(CONFIG, manifest))
    config = read_json(path, content)
    check_config(config, path)
    compile_config = config.pop("compile_config", None)
    override(config, overrides)
    if weights:
        # Before there is a model: its numbers take memory.
        limit = limit_of(WEIGHTS, manifest)
        content = read_checked(folder, WEIGHTS, sha256[WEIGHTS], limit)
        model = _with_weights(folder, config, content, manifest, overrides)
    else:
        model = _made(path, lambda: _deserialize(config), overrides)
    if compile_config:
        arguments = _made(path, lambda: _deserialize(compile_config), overrides)
        model.compile(**arguments)
    return model


def _deserialize(config: dict[str, Any]) -> Any:
    return keras.saving.deserialize_keras_object(config, safe_mode=True)


def _made(path: Path, make: Callable[[], Any], overrides: dict[str, Any]) -> Any:
    """Make a model of a configuration, or raise a `ValueError` that names the file."""
    try:
        return make()
    except Exception as error:
        if overrides:  # most likely one of these, and the model's own error is clear
            raise
        raise ValueError(
            f"{path} must be the configuration of a model that this version can make. "
            f"Received: {type(error).__name__}: {str(error)[:500]}"
        ) from error


def override(config: dict[str, Any], overrides: dict[str, Any]) -> None:
    """Replace constructor arguments in a model's configuration.

    An argument that the model's class does not take is looked for among those of its
    cell, whose configuration lies within.
    """
    places = [config]
    if isinstance(cell := config["config"].get("cell"), dict):
        places.append(cell)
    accepted = {id(place): _arguments(place) for place in places}
    unknown = sorted(overrides.keys() - set().union(*accepted.values()))
    if unknown:
        raise ValueError(
            f"{config['class_name']} has no argument {', '.join(map(repr, unknown))}. "
            f"It accepts: {', '.join(sorted(set().union(*accepted.values())))}."
        )
    for name, value in overrides.items():
        place = next(place for place in places if name in accepted[id(place)])
        place["config"][name] = value


def _arguments(config: dict[str, Any]) -> set[str]:
    """What the constructor of a configuration's class takes."""
    cls = keras.saving.get_registered_object(config["registered_name"])
    if cls is None:  # a Sequential or Functional model: its configuration lists layers
        return {"name"}
    # A subclass hands its `**kwargs` on to the class that it extends.
    ours = takewhile(lambda c: not c.__module__.startswith("keras."), cls.__mro__)
    signatures = [inspect.signature(c.__init__).parameters for c in list(ours) or [cls]]
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    accepted = {k for s in signatures for k, v in s.items() if v.kind not in variable}
    return (accepted - {"self"}) | {"name", "dtype", "trainable"}


def _with_weights(
    folder: Path,
    config: dict[str, Any],
    content: bytes,
    manifest: dict[str, Any],
    overrides: dict[str, Any],
) -> keras.Model:
    """A model with the very weights whose sha256 was checked."""
    parameters = manifest["parameters"]
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / WEIGHTS
        path.write_bytes(content)
        try:
            check_weights(path, parameters)
        except ValueError as error:
            raise ValueError(f"{folder}: {error}") from error
        model, count = _made(
            folder / CONFIG, lambda: _empty(config, parameters), overrides
        )
        try:
            if count != parameters:
                raise ValueError(
                    f"the preset has {parameters} parameters, the model {count}"
                )
            model.load_weights(path)
        except (ValueError, TypeError, KeyError, OSError) as error:
            if not overrides:
                raise ValueError(
                    f"{folder / WEIGHTS} must hold the weights of the model in "
                    f"{CONFIG}. Received: {str(error)[:500]}"
                ) from error
            given = ", ".join(f"{k}={v!r}" for k, v in overrides.items())
            raise ValueError(
                f"The preset's weights do not fit a model with {given}. Pass "
                "`weights=False` for such a model with fresh weights. "
                f"({error})"
            ) from error
    return model


def _empty(config: dict[str, Any], parameters: int) -> tuple[keras.Model, int]:
    """A model whose weights are zero, for others to be put there; and their number.

    Variables that are made in a stateless scope get their values at its end. Until
    then they take no memory, so that a configuration of far too many is found out;
    and drawing random numbers takes JAX seconds of compilation.
    """
    with keras.StatelessScope():
        try:
            model = _deserialize(config)
        except BaseException:
            # The end of the scope would make what was begun.
            for variable in pending_variables():
                replace_initializer(variable, _nothing)
            raise
        count = sum(math.prod(weight.shape) for weight in model.weights)
        fill = _zeros if count == parameters else _nothing
        for weight in model.weights:
            replace_initializer(weight, fill)
    return model, count


def _zeros(shape: tuple[int, ...], dtype: str) -> NDArray[Any] | Any:
    if dtype in ("float32", "float16", "float64", "int32", "int8", "bool"):
        return np.zeros(shape, dtype)
    return keras.ops.zeros(shape, dtype)


def _nothing(shape: tuple[int, ...], dtype: str) -> Any:
    return _zeros((), dtype)
