"""How a model is compiled for a test that trains it for a few batches."""

from typing import Any

import keras

# TensorFlow would trace a small model for ten seconds and more before the first of
# them. What of a model must hold when it is traced, other tests see to.
FEW_BATCHES: dict[str, Any] = {}
if keras.backend.backend() == "tensorflow":
    FEW_BATCHES = {"jit_compile": False, "run_eagerly": True}
