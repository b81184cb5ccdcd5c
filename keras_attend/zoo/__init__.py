"""Trained models: `load` one, `list_models`, read about one with `info`.

`publish` puts one on the Hugging Face Hub, `download` fetches one from there.
"""

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
