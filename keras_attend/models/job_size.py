"""How large a call of `fit`, `evaluate` or `predict` is, and whether XLA pays there.

To compile a model's training step with XLA takes TensorFlow 10 to 60 seconds, once for
each shape of a batch. Its graph without XLA is ready in one or two, and takes about
twice as long for a batch.
"""

import math
from collections.abc import Mapping
from typing import Any

import keras
from keras import tree

from keras_attend.compiling import first_call_announced

XLA_PAYS_FROM = 200  # batches, of all epochs
# What Keras's functions are, in words.
STEPS = {
    "train": "the training step",
    "test": "the evaluation step",
    "predict": "the prediction step",
}


def count_batches(x: Any, given: Mapping[str, Any]) -> float:
    """Return the number of batches of a call; infinity if it is not known.

    Args:
        x: the data.
        given: the arguments of `fit`, `evaluate` or `predict`, by their names.
    """
    steps = given.get("steps_per_epoch") or given.get("steps")
    if steps is None:
        steps = _batches_of(x, given.get("batch_size") or 32)
    return math.inf if steps is None else steps * given.get("epochs", 1)


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


class SuitsXLA:
    """A Keras model that XLA compiles where that pays, and that says when it does.

    It stands before `keras.Model` among a class's bases.
    """

    jit_compile: Any
    _xla_by_size = False
    _suited: Any = None  # what was chosen last

    def let_size_decide(self, by_size: bool) -> None:
        """Have each job's size decide from now on, or not; after `compile`."""
        self._xla_by_size, self._suited = by_size, self.jit_compile
        for kind in STEPS:  # whether the function that was made is compiled by XLA
            setattr(self, f"_{kind}_xla", None)

    def suit_xla(self, kind: str, size: float) -> None:
        """Choose for a call of so many batches, unless the user has chosen.

        Args:
            kind: "train", "test" or "predict".
            size: the number of batches.
        """
        changed = self.jit_compile != self._suited  # by hand, after `compile`
        if changed or not (self._xla_by_size and compiles_slowly()):
            return
        xla = size >= XLA_PAYS_FROM
        if getattr(self, f"_{kind}_xla") not in (None, xla):
            setattr(self, f"{kind}_function", None)  # Keras makes it again
        setattr(self, f"_{kind}_xla", xla)
        self.jit_compile = self._suited = xla

    def make_train_function(self, force: bool = False) -> Any:
        """Keras's, which says so if its first call, the compilation, takes long."""
        parent: Any = super()
        return self._announce("train", parent.make_train_function, force)

    def make_test_function(self, force: bool = False) -> Any:
        """Keras's, which says so if its first call, the compilation, takes long."""
        parent: Any = super()
        return self._announce("test", parent.make_test_function, force)

    def make_predict_function(self, force: bool = False) -> Any:
        """Keras's, which says so if its first call, the compilation, takes long."""
        parent: Any = super()
        return self._announce("predict", parent.make_predict_function, force)

    def _announce(self, kind: str, make: Any, force: bool) -> Any:
        name, what = f"{kind}_function", STEPS[kind]
        if force or getattr(self, name) is None:
            make(force)
            if (made := getattr(self, name)) is not None:
                setattr(self, name, first_call_announced(made, what))
        return getattr(self, name)
