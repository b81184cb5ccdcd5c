"""Which classes a preset's configuration may name.

Keras makes what a configuration names. A stranger's may name Keras's own classes and
ours, and none that carries code, reads files or changes settings.
"""

from pathlib import Path
from typing import Any

import keras

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
# Keras's own classes that carry code, or the path of a file that they read.
CARRIERS = {
    "FlaxLayer",
    "IntegerLookup",
    "JaxLayer",
    "Lambda",
    "StringLookup",
    "TFSMLayer",
    "TextVectorization",
    "TorchModuleWrapper",
}
# Keras's modules that models are made of. Others read files and URLs, or change
# settings (`keras.config.enable_unsafe_deserialization`).
MODULES = {
    "activations",
    "constraints",
    "dtype_policies",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "quantizers",
    "random",
    "regularizers",
}
# Beside these, in `keras` itself.
ROOT = {"DTypePolicy", "DTypePolicyMap", "Variable", "Functional", "Sequential"}


def check_config(config: Any, path: Path) -> None:
    """Refuse a configuration that names other classes than Keras's and ours."""
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
    # Keras would look elsewhere for a name that nobody has registered.
    return keras.saving.get_registered_object(registered) is not None


def _is_keras(name: str, module: str, config: dict[str, Any]) -> bool:
    if name in CARRIERS:
        return False
    if module == "builtins":  # a function of Keras that is known by its name
        return name == "function" and str(config.get("config")).isidentifier()
    parts = module.split(".")
    if parts[0] != "keras" or any(not part.isidentifier() for part in parts):
        return False
    parts = [part for part in parts[1:] if part != "src"]
    if not parts or parts[0] == "models":  # where `load_model` is too
        return name in ROOT
    if parts[0] not in MODULES:
        return False
    # What others inherit from is not public, and no preset needs it: `IndexLookup`
    # reads any file. Of operations Keras itself writes the private place.
    public = (getattr(keras, parts[0]), keras.optimizers.schedules)
    return parts[0] == "ops" or any(hasattr(place, name) for place in public)
