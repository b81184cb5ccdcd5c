"""Load a compiled model from a preset's folder."""

import inspect
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_attend.compat import pending_variables, replace_initializer, safe_mode
from keras_attend.disk import explained, temporary_folder
from keras_attend.zoo.checks import files
from keras_attend.zoo.checks.budget import check_budget
from keras_attend.zoo.checks.classes import check_config
from keras_attend.zoo.presets import find, read_manifest


def load(
    name: str | Path,
    *,
    weights: bool = True,
    dtype: str | keras.DTypePolicy | None = None,
    source: str | None = None,
    token: str | bool | None = None,
    **overrides: Any,
) -> keras.Model:
    """Return a preset's model, compiled as it was for training.

    The sha256 of every file is checked before its content is used; a preset can
    name Keras's and this package's classes only, and cannot run code.

    Args:
        name: a preset that ships with the package (see `list_models`), or one in
            KERAS_ATTEND_ZOO, a folder or a file server of presets; or
            `"hf://org/name"` or `"hf://org/name@revision"` on the Hugging Face Hub;
            or a preset's folder.
        weights: whether to load the weights; False gives fresh random ones.
        dtype: the dtype policy to compute in, such as "mixed_float16". None takes the
            global policy (`keras.config.set_dtype_policy`) if that is not Keras's
            "float32", else the preset's own. The variables of "mixed_float16" are
            float32, as the preset's are.
        source: where to search for a plain name: in `"package"` or in `"zoo"`
            (KERAS_ATTEND_ZOO); None searches both in this order.
        token: a token of the Hub, for a private preset; None takes the one that
            `hf auth login` has stored.
        **overrides: constructor arguments of the model or of its cell that replace
            the preset's, such as `episodes=10` for `ram_mnist`. With another number
            of `classes` the layers that depend on it (`Classifier.heads`) begin anew,
            which a line on stderr says; all other weights are the preset's.
    """
    folder = find(name, source, token)
    return load_folder(folder, weights=weights, dtype=dtype, **overrides)


def load_folder(
    folder: Path, *, weights: bool = True, dtype: Any = None, **overrides: Any
) -> keras.Model:
    """Return the model of the preset in a folder; see `load`."""
    manifest = read_manifest(folder)
    files.check_keras_version(folder / files.METADATA)
    path = folder / files.CONFIG
    config = files.read_json(path, files.read_listed(folder, files.CONFIG, manifest))
    check_config(config, path)
    check_budget(config, path)
    with safe_mode():
        return _loaded(folder, config, manifest, weights, dtype, overrides)


def _loaded(
    folder: Path,
    config: dict[str, Any],
    manifest: dict[str, Any],
    weights: bool,
    dtype: Any,
    overrides: dict[str, Any],
) -> keras.Model:
    """Return the compiled model of a configuration that was checked."""
    path = folder / files.CONFIG
    compile_config = config.pop("compile_config", None)
    _check_entry(config, compile_config, path)
    classes = config["config"].get("classes")
    override(config, overrides)
    with _policy(config, dtype):
        if weights:
            anew = config["config"].get("classes") != classes
            model = _with_weights(folder, config, manifest, overrides, anew)
        else:
            model = _made(path, lambda: _model(config), overrides)
    if compile_config:
        arguments = _made(path, lambda: _deserialize(compile_config), overrides)
        if arguments.get("jit_compile") is True:  # which is the models' own choice
            del arguments["jit_compile"]
        _made(path, lambda: model.compile(**arguments), {})
    return model


def _check_entry(config: dict[str, Any], compile_config: Any, path: Path) -> None:
    """Refuse a configuration that is not laid out as a model's is."""
    keys = {"class_name", "config", "registered_name"}
    if not (config.keys() >= keys and isinstance(config["config"], dict)):
        raise ValueError(
            f"{path} must hold {', '.join(sorted(keys))}, and in `config` the "
            f"arguments of a model. Received: {', '.join(sorted(config))[:200]}"
        )
    if compile_config is not None and not isinstance(compile_config, dict):
        raise ValueError(
            f"`compile_config` of {path} must be a table of arguments. "
            f"Received: {str(compile_config)[:80]!r}"
        )


def _model(config: dict[str, Any]) -> keras.Model:
    found = _deserialize(config)
    if not isinstance(found, keras.Model):
        raise ValueError(f"a {type(found).__name__}, which is no model")
    return found


def _deserialize(config: dict[str, Any]) -> Any:
    return keras.saving.deserialize_keras_object(config, safe_mode=True)


def _made(path: Path, make: Callable[[], Any], overrides: dict[str, Any]) -> Any:
    """Call `make`, and raise a `ValueError` that names the file if it fails."""
    try:
        return make()
    except Exception as error:
        if overrides:  # one of them is most likely wrong, as the model's error says
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
    owners = {name: c for c in reversed(places) for name in _arguments(c)}
    unknown = sorted(overrides.keys() - owners.keys())
    if unknown:
        raise ValueError(
            f"{config['class_name']} has no argument {', '.join(map(repr, unknown))}. "
            f"It accepts: {', '.join(sorted(owners))}."
        )
    for name, value in overrides.items():
        owners[name]["config"][name] = value


def _arguments(config: dict[str, Any]) -> set[str]:
    """Return the arguments that the constructor of a configuration's class takes."""
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
    manifest: dict[str, Any],
    overrides: dict[str, Any],
    anew: bool,
) -> keras.Model:
    """Return a model with the weights of the folder, whose sha256 is checked.

    They are copied before there is a model, and the copy is what is checked and read.
    Where `anew`, the model's heads are left out: they begin with random weights.
    """
    parameters = manifest["parameters"]
    with temporary_folder() as temporary:
        path = temporary / files.WEIGHTS
        with explained(path), path.open("xb") as copy:
            files.copy_listed(folder, files.WEIGHTS, manifest, copy)
        files.check_weights(path, parameters, folder / files.WEIGHTS)
        model, count, heads = _made(
            folder / files.CONFIG, lambda: _empty(config, parameters, anew), overrides
        )
        try:
            if count != parameters and not heads:
                raise ValueError(
                    f"the preset has {parameters} parameters, the model {count}"
                )
            model.load_weights(path, **({"objects_to_skip": heads} if heads else {}))
        except (ValueError, TypeError, KeyError, OSError) as error:
            if not overrides:
                raise ValueError(
                    f"{folder / files.WEIGHTS} must hold the weights of the model in "
                    f"{files.CONFIG}. Received: {str(error)[:500]}"
                ) from error
            given = ", ".join(f"{k}={v!r}" for k, v in overrides.items())
            raise ValueError(
                f"The preset's weights do not fit a model with {given}. Pass "
                "`weights=False` for such a model with fresh weights. "
                f"({error})"
            ) from error
    if heads:
        names = " and ".join(repr(layer.name) for layer in heads)
        print(
            f"keras_attend: {folder.name} has other classes. {names} of this model "
            "will have to be trained; all its other weights are the preset's.",
            file=sys.stderr,
        )
    return model


def _empty(
    config: dict[str, Any], parameters: int, anew: bool
) -> tuple[keras.Model, int, list[keras.layers.Layer]]:
    """Return a model of zeros, how many numbers it has, and its heads if `anew`.

    Variables that are made in a stateless scope get their values at its end. Until
    then they take no memory, so that a configuration of far too many parameters is
    found without filling it. Zeros, because to draw random weights JAX compiles for
    seconds, and the file's weights replace them anyway.
    """
    with keras.StatelessScope():
        try:
            model = _model(config)
        except BaseException:
            # At its end the scope gives values to the variables made so far.
            for variable in pending_variables():
                replace_initializer(variable, _nothing)
            raise
        heads = list(getattr(model, "heads", ())) if anew else []
        random = {id(weight) for layer in heads for weight in layer.weights}
        kept = [weight for weight in model.weights if id(weight) not in random]
        count = sum(math.prod(weight.shape) for weight in kept)
        # With other heads there may be fewer of the preset's weights, never more.
        fits = count < parameters if heads else count == parameters
        for weight in kept:
            replace_initializer(weight, _zeros if fits else _nothing)
    return model, count, heads


@contextmanager
def _policy(config: dict[str, Any], dtype: Any) -> Iterator[None]:
    """Make what a configuration describes compute in a dtype; see `load`.

    Layers that were given no dtype take the global policy, so that it is this one for
    as long as the model is made. What was given a dtype other than the model's keeps
    it.
    """
    given = keras.config.dtype_policy()
    own = config["config"].get("dtype")
    if dtype is None:
        dtype = own if given.name == "float32" and own else given
    try:
        policy = keras.dtype_policies.get(dtype)
        if policy != keras.dtype_policies.get(own):
            new = keras.dtype_policies.serialize(policy)
            _replace_dtype(config["config"], own, new)
            config["config"]["dtype"] = new
        keras.config.set_dtype_policy(policy)
        yield
    finally:
        keras.config.set_dtype_policy(given)


def _replace_dtype(config: Any, old: Any, new: Any) -> None:
    """Replace a dtype policy wherever a nested configuration has it."""
    for value in config.values() if isinstance(config, dict) else config:
        if isinstance(value, dict | list):
            _replace_dtype(value, old, new)
    if (
        isinstance(config, dict)
        and isinstance(old, dict)
        and config.get("dtype") == old
    ):
        config["dtype"] = new


def _zeros(shape: tuple[int, ...], dtype: str) -> NDArray[Any] | Any:
    if dtype in ("float32", "float16", "float64", "int32", "int8", "bool"):
        return np.zeros(shape, dtype)
    return keras.ops.zeros(shape, dtype)


def _nothing(shape: tuple[int, ...], dtype: str) -> Any:
    return _zeros((), dtype)
