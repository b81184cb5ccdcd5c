"""Trained models: `load` one, `list_models`, read about one with `info`."""

from keras_attend.zoo.loading import load
from keras_attend.zoo.presets import ModelInfo, info, list_models
from keras_attend.zoo.results import Result, write_results
from keras_attend.zoo.saving import save_preset

__all__ = [
    "ModelInfo",
    "Result",
    "info",
    "list_models",
    "load",
    "save_preset",
    "write_results",
]
