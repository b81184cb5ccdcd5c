"""Keras 3 layers, models and trained weights for recurrent visual attention.

Importing the package registers its classes, so that Keras finds them when it loads a
saved model.
"""

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
    recipes,
    reinforce,
    video,
    zoo,
)
from keras_attend.export import export
from keras_attend.tracking import Tracker
from keras_attend.unroll import unroll

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
    "recipes",
    "reinforce",
    "unroll",
    "video",
    "zoo",
]
