"""How large a call of `fit`, `evaluate` or `predict` is, and whether XLA pays there.

To compile a model's training step with XLA takes TensorFlow 10 to 60 seconds, once for
each shape of a batch. Its graph without XLA is ready in one or two, and takes about
twice as long for a batch.
"""

import math
from typing import Any

import keras
from keras import tree

XLA_PAYS_FROM = 200  # batches, of all epochs


def count_batches(
    x: Any, batch_size: int | None, steps: int | None, epochs: int = 1
) -> float:
    """Return the number of batches of a call of `fit`; infinity if it is not known."""
    if steps is None:
        steps = _batches_of(x, batch_size or 32)
    return math.inf if steps is None else steps * epochs


def _batches_of(x: Any, batch_size: int) -> int | None:
    if isinstance(x, keras.utils.PyDataset):
        count = x.num_batches
    elif hasattr(x, "cardinality"):  # a `tf.data.Dataset`
        count = int(x.cardinality())
        return count if count >= 0 else None
    else:
        leaves = [leaf for leaf in tree.flatten(x) if hasattr(leaf, "shape")]
        if not leaves or not leaves[0].shape or leaves[0].shape[0] is None:
            return None
        count = math.ceil(leaves[0].shape[0] / batch_size)
    return count


def compiles_slowly() -> bool:
    """Whether XLA is a choice here: it is on TensorFlow, with a CPU alone.

    JAX has nothing else, and on a GPU XLA compiles faster and gains more.
    """
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_logical_devices("GPU")
