"""Keras 3 layers, models and trained weights for recurrent visual attention.

    import keras_attend as ka

    model = ka.zoo.load("ram_mnist")

Importing the package does not import Keras. Once both are imported, in whichever order,
the classes are registered, so that `keras.saving.load_model` finds them.

Environment variables, besides Keras's own (KERAS_BACKEND: tensorflow or jax):

* KERAS_ATTEND_VERBOSE=1 shows what TensorFlow prints about processors and GPUs. It is
  left out otherwise, and TF_CPP_MIN_LOG_LEVEL is set to 3 unless it is set.
* KERAS_ATTEND_CACHE names the folder of what is fetched or compiled; the default is
  ~/.cache/keras_attend. JAX keeps its programs there, and TensorFlow the graphs of
  trackers, unless KERAS_ATTEND_KEEP=0. (JAX_COMPILATION_CACHE_DIR names another folder
  for JAX, and JAX_ENABLE_COMPILATION_CACHE=0 keeps nothing of it.)
* KERAS_ATTEND_DATA names the folder of data: `mnist.npz`, and the videos of recipes.
* KERAS_ATTEND_ZOO names a folder or a file server of further presets.
* KERAS_ATTEND_NANOTRACK names the folder of TrackerNano's two ONNX files, for tables in
  which it is compared with.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from keras_attend import startup

if TYPE_CHECKING:
    from keras_attend import (
        boxes,
        callbacks,
        datasets,
        evaluation,
        layers,
        losses,
        metrics,
        models,
        optimizers,
        plots,
        policies,
        reinforce,
        training,
        video,
        zoo,
    )
    from keras_attend.exporters.export import export
    from keras_attend.tracking import Tracker
    from keras_attend.training import finetune
    from keras_attend.unroll import unroll

__version__ = "0.1.0"

__all__ = [
    "Tracker",
    "boxes",
    "callbacks",
    "datasets",
    "evaluation",
    "export",
    "finetune",
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
OBJECTS = {
    "Tracker": "tracking",
    "export": "exporters",
    "finetune": "training",
    "unroll": "unroll",
}


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
    module = importlib.import_module(f"keras_attend.{OBJECTS.get(name, name)}")
    found = getattr(module, name) if name in OBJECTS else module
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List the public names."""
    return [*__all__, "__version__"]


startup.begin()
