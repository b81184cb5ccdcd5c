"""Check which classes a preset's configuration names.

Keras makes an object of every class that a configuration names. A preset may name
classes of Keras and of this package, and none that carries code, reads files or changes
settings.
"""

from pathlib import Path
from typing import Any

import keras

PACKAGE = "keras_attend"
# The names under which Keras writes plain data into configurations.
VALUES = {
    *("__tensor__", "__numpy__", "__keras_tensor__"),
    *("__bytes__", "__ellipsis__", "__slice__"),
}
# Classes of Keras that carry code, and those that carry the path of a file to read.
CARRIERS = {
    *("Lambda", "FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"),
    *("IntegerLookup", "StringLookup", "TextVectorization"),
}
# The modules of Keras that models are made of. Others read files and URLs, or change
# settings (`keras.config.enable_unsafe_deserialization`).
MODULES = {
    *("layers", "models", "losses", "metrics", "optimizers", "ops", "random"),
    *("activations", "constraints", "initializers", "quantizers", "regularizers"),
    "dtype_policies",
}
# The classes in `keras` itself that a preset may name.
ROOT = {"DTypePolicy", "DTypePolicyMap", "Variable", "Functional", "Sequential"}


def check_config(config: Any, path: Path) -> None:
    """Refuse a configuration that names a class which a preset may not name."""
    if isinstance(config, list):
        for value in config:
            check_config(value, path)
    elif isinstance(config, dict):
        if "class_name" in config:
            _check_class(config, path)
        for value in config.values():
            check_config(value, path)


def _check_class(config: dict[str, Any], path: Path) -> None:
    name = config["class_name"]
    module = str(config.get("module") or "")
    registered = config.get("registered_name")
    if isinstance(name, str) and (
        name in VALUES
        or _is_ours(name, registered)
        or (_is_keras(name, module, config) and registered in (None, name))
    ):
        return
    raise ValueError(
        f"{path} names {name!r} (module {module!r}, registered as {registered!r}). A "
        f"preset may hold classes of Keras and {PACKAGE} only, and none that "
        "carries code."
    )


def _is_ours(name: str, registered: Any) -> bool:
    if not str(registered).startswith(f"{PACKAGE}>"):
        return False
    # Keras would search other modules for a name that nobody has registered.
    return keras.saving.get_registered_object(registered) is not None


def _is_keras(name: str, module: str, config: dict[str, Any]) -> bool:
    if name in CARRIERS:
        return False
    if module == "builtins":  # so Keras writes functions of its own
        return name == "function" and str(config.get("config")).isidentifier()
    parts = module.split(".")
    if parts[0] != "keras" or any(not part.isidentifier() for part in parts):
        return False
    parts = [part for part in parts[1:] if part != "src"]
    if not parts or parts[0] == "models":  # which holds `load_model` as well
        return name in ROOT
    if parts[0] not in MODULES:
        return False
    # Base classes that are not public are refused: one of them, `IndexLookup`, reads
    # any file. Operations are not, for Keras itself writes their private modules.
    public = (getattr(keras, parts[0]), keras.optimizers.schedules)
    return parts[0] == "ops" or any(hasattr(place, name) for place in public)
