"""`load`: a compiled model from a preset's folder."""

import inspect
import json
import tempfile
from pathlib import Path
from typing import Any

import keras

from keras_attend.zoo.presets import (
    CONFIG,
    WEIGHTS,
    find,
    read_checked,
    read_manifest,
)

PACKAGE = "keras_attend"
# Data, in Keras's way of writing configurations.
VALUES = {
    "__tensor__",
    "__numpy__",
    "__bytes__",
    "__ellipsis__",
    "__slice__",
    "__keras_tensor__",
}
# Keras's own classes that carry code, or a path to some.
CARRIERS = {"Lambda", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer"}


def load(name: str | Path, *, weights: bool = True, **overrides: Any) -> keras.Model:
    """A preset's model, compiled as it was for training.

    Args:
        name: of a preset that ships with the package (see `list_models`), or a
            preset's folder.
        weights: False gives fresh random weights.
        **overrides: constructor arguments in place of the preset's, such as
            `episodes=10` for `ram_mnist`.

    The sha256 of every file is checked before anything is made of it; a preset can
    name Keras's and this package's classes only, and cannot run code.
    """
    folder = find(name)
    manifest = read_manifest(folder)
    content = read_checked(folder, CONFIG, manifest["sha256"][CONFIG])
    config = json.loads(content)
    check_config(config, folder / CONFIG)
    compile_config = config.pop("compile_config", None)
    _override(config, overrides)
    model = keras.saving.deserialize_keras_object(config, safe_mode=True)
    if weights:
        content = read_checked(folder, WEIGHTS, manifest["sha256"][WEIGHTS])
        _load_weights(model, content, manifest["parameters"], overrides)
    if compile_config:
        arguments = keras.saving.deserialize_keras_object(
            compile_config, safe_mode=True
        )
        model.compile(**arguments)
    return model


def check_config(config: Any, path: Path) -> None:
    """Refuse a configuration that names other classes than Keras's and ours."""
    if isinstance(config, list):
        for value in config:
            check_config(value, path)
    elif isinstance(config, dict):
        if "class_name" in config and "config" in config:
            _check_class(config, path)
        for value in config.values():
            check_config(value, path)


def _check_class(config: dict[str, Any], path: Path) -> None:
    name = config["class_name"]
    module = str(config.get("module") or "")
    registered = config.get("registered_name")
    of_keras = module == "keras" or module.startswith("keras.")
    built_in = name == "function" and module == "builtins"
    if name in VALUES:
        return
    if str(registered).startswith(f"{PACKAGE}>"):
        return
    if (of_keras or built_in) and name not in CARRIERS and registered in (None, name):
        return
    raise ValueError(
        f"{path} names {name!r} (module {module!r}, registered as {registered!r}). A "
        f"preset may hold classes of Keras and {PACKAGE} only, and none that "
        "carries code."
    )


def _override(config: dict[str, Any], overrides: dict[str, Any]) -> None:
    """Replace constructor arguments in a model's configuration."""
    if not overrides:
        return
    cls = keras.saving.get_registered_object(config["registered_name"])
    if cls is None:  # a Sequential or Functional model: its config lists layers
        accepted = {"name"}
    else:
        signature = inspect.signature(cls.__init__).parameters
        variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        accepted = {k for k, v in signature.items() if v.kind not in variable}
        accepted = (accepted - {"self"}) | {"name", "dtype", "trainable"}
    unknown = sorted(overrides.keys() - accepted)
    if unknown:
        raise ValueError(
            f"{config['class_name']} has no argument {', '.join(map(repr, unknown))}. "
            f"It accepts: {', '.join(sorted(accepted))}."
        )
    config["config"].update(overrides)


def _load_weights(
    model: keras.Model, content: bytes, parameters: int, overrides: dict[str, Any]
) -> None:
    """Load the very bytes whose sha256 was checked."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / WEIGHTS
        path.write_bytes(content)
        try:
            if model.count_params() != parameters:
                raise ValueError(
                    f"the preset has {parameters} parameters, "
                    f"the model {model.count_params()}"
                )
            model.load_weights(path)
        except ValueError as error:
            if not overrides:
                raise
            given = ", ".join(f"{k}={v!r}" for k, v in overrides.items())
            raise ValueError(
                f"The preset's weights do not fit a model with {given}. Pass "
                "`weights=False` for such a model with fresh weights. "
                f"({error})"
            ) from error
