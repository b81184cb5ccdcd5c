"""Keras 3 layers, models and trained weights for recurrent visual attention.

    import keras_attend as ka

    model = ka.zoo.load("ram_mnist")

Importing the package does not import a backend. The first use of any of its names
imports the models and layers, whose classes are then registered, so that Keras finds
them when it loads a saved model.
"""

import importlib
import sys
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

__all__ = [
    "Tracker",
    "boxes",
    "callbacks",
    "datasets",
    "evaluation",
    "export",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "plots",
    "policies",
    "reinforce",
    "training",
    "unroll",
    "video",
    "zoo",
]
# The public names that are not modules, each with the module that defines it.
OBJECTS = {"Tracker": "tracking", "export": "exporters", "unroll": "unroll"}


class _Package(ModuleType):
    """This package, in which `unroll` stays a function.

    Python sets a package's attribute to each module that is imported from it, and the
    module of `unroll` has the function's name.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name in OBJECTS and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    importlib.import_module("keras_attend.models")  # registers all classes
    module = importlib.import_module(f"keras_attend.{OBJECTS.get(name, name)}")
    found = getattr(module, name) if name in OBJECTS else module
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List the public names."""
    return [*__all__, "__version__"]
