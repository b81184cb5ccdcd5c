"""Check which classes a preset's configuration names.

Keras makes an object of every class that a configuration names. A preset may name
classes of Keras and of this package, and none that carries code, reads files or changes
settings. What counts is the object that Keras would find for an entry, not the names
that the entry gives itself.
"""

from pathlib import Path
from types import FunctionType
from typing import Any

import keras

from keras_attend.compat import keras_symbol

PACKAGE = "keras_attend"
# The names under which Keras writes plain data into configurations.
VALUES = {
    *("__tensor__", "__numpy__", "__keras_tensor__"),
    *("__bytes__", "__ellipsis__", "__slice__"),
}
# What an entry of Keras's present format holds at least. Keras reads entries of older
# formats in other ways, by which another class could be found.
KEYS = {"module", "class_name", "config", "registered_name"}
# Classes of Keras that carry code, and those that carry the path of a file to read.
CARRIERS = tuple(
    getattr(keras.layers, name)
    for name in (
        *("Lambda", "FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"),
        *("IntegerLookup", "StringLookup", "TextVectorization"),
    )
    if hasattr(keras.layers, name)
)
# The modules of Keras that models are made of. Others read files and URLs, or change
# settings (`keras.config.enable_unsafe_deserialization`).
MODULES = {
    *("layers", "models", "losses", "metrics", "optimizers", "ops", "random"),
    *("activations", "constraints", "initializers", "quantizers", "regularizers"),
    "dtype_policies",
}
# The classes in `keras` itself that a preset may name.
ROOT = {"DTypePolicy", "DTypePolicyMap", "Variable", "Functional", "Sequential"}
# Where Keras searches for a function that is written as one of "builtins".
BUILTINS = (
    *("activations", "constraints", "initializers", "losses", "metrics"),
    *("optimizers", "regularizers"),
)
# Functions of these modules that make objects of whatever they are given.
MAKERS = {"get", "serialize", "deserialize"}


def check_config(config: Any, path: Path) -> None:
    """Refuse a configuration that names a class which a preset may not name."""
    if isinstance(config, list):
        for value in config:
            check_config(value, path)
    elif isinstance(config, dict):
        if "class_name" in config:
            _check_class(config, path)
        for key, value in config.items():
            if key != "name":  # a layer may be called what it likes
                check_config(value, path)
    elif isinstance(config, str) and _registered(config) not in (None, PACKAGE):
        # Keras takes the name of a registered object for the object.
        _refuse(path, f"{config!r}, which the program has registered")


def _check_class(config: dict[str, Any], path: Path) -> None:
    name, module = config["class_name"], config.get("module")
    registered = config.get("registered_name")
    if isinstance(name, str):
        if name in VALUES:
            allowed = config.keys() <= {"class_name", "config"}
        else:
            texts = isinstance(module, str) and isinstance(registered, str | None)
            allowed = texts and config.keys() >= KEYS and _is_allowed(config)
        if allowed:
            return
    _refuse(path, f"{name!r} (module {module!r}, registered as {registered!r})")


def _refuse(path: Path, what: str) -> None:
    raise ValueError(
        f"{path} names {what}. A preset may hold classes of Keras and {PACKAGE} only, "
        "as Keras writes them, and none that carries code."
    )


def _registered(name: str) -> str | None:
    """Return the package of the class that is registered under a name, if one is."""
    if keras.saving.get_registered_object(name) is None:
        return None
    return name.partition(">")[0]


def _is_allowed(config: dict[str, Any]) -> bool:
    """Return whether the object that Keras finds for an entry may be in a preset."""
    name, module = config["class_name"], config["module"]
    registered, content = config["registered_name"], config["config"]
    if name == "function":
        plain = isinstance(content, str) and registered in (None, name, content)
        return plain and _is_function(module, content)
    if registered is not None and _registered(registered):
        found = keras.saving.get_registered_object(registered)
        # `class_name` counts where Keras reads an entry as one of an older format.
        same = isinstance(found, type) and found.__name__ == name
        return same and registered.startswith(f"{PACKAGE}>")
    # A program can register a class of its own under a name of Keras's.
    if registered not in (None, name) or _registered(name):
        return False
    found, part = _found(module, name), _part(module)
    if not isinstance(found, type) or issubclass(found, CARRIERS):
        return False
    # Base classes that are not public are refused: one of them, `IndexLookup`, reads
    # any file. Operations are not, for Keras itself writes their private modules.
    places = (getattr(keras, part or "", keras), keras.optimizers.schedules)
    public = any(getattr(place, name, None) is found for place in places)
    return public or not part or (part == "ops" and issubclass(found, keras.Operation))


def _is_function(module: str, name: str) -> bool:
    if name in MAKERS or _registered(name):  # Keras prefers what is registered
        return False
    modules = [f"keras.{part}" for part in BUILTINS]
    if module != "builtins":
        modules = [module] if _part(module) in (*BUILTINS, "ops") else []
    found = [f for module in modules if (f := _found(module, name)) is not None]
    return bool(found) and all(isinstance(f, FunctionType) for f in found)


def _found(module: str, name: str) -> Any:
    """Return what Keras finds under a name in one of `MODULES`, or None."""
    part = _part(module)
    allowed = name in ROOT if part == "" else part in MODULES
    return keras_symbol(module, name) if allowed else None


def _part(module: str) -> str | None:
    """Return the module of Keras that a name leads to; "" for `keras` itself."""
    parts = module.split(".")
    if parts[0] != "keras" or not all(part.isidentifier() for part in parts):
        return None
    parts = [part for part in parts[1:] if part != "src"]
    # `models` holds `load_model` as well, and is treated as `keras` itself.
    return "" if not parts or parts[0] == "models" else parts[0]
