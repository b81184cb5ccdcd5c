"""Trained models: `load` one, `list_models`, read about one with `info`.

`publish` puts one on the Hugging Face Hub, `download` fetches one from there.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_attend.zoo.loading import load
    from keras_attend.zoo.presets import ModelInfo, info, list_models
    from keras_attend.zoo.publishing import download, publish
    from keras_attend.zoo.results import Result, write_results
    from keras_attend.zoo.saving import save_preset

__all__ = [
    "ModelInfo",
    "Result",
    "download",
    "info",
    "list_models",
    "load",
    "publish",
    "save_preset",
    "write_results",
]
# The module of each name. Those that list presets and describe them need no Keras.
MODULES = {
    "ModelInfo": "presets",
    "Result": "results",
    "download": "publishing",
    "info": "presets",
    "list_models": "presets",
    "load": "loading",
    "publish": "publishing",
    "save_preset": "saving",
    "write_results": "results",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List the public names."""
    return list(__all__)
