"""Use those names of Keras, TensorFlow, JAX and tf2onnx that are not public.

No other file of the package does. Each name stands here with the reason for it, and
`tests/test_compat.py` checks that it still does what it is used for: when a release
moves one, a test of its own fails, and only this file has to change.
"""

import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras

# `keras.layers.RNN` has cells of this class, which Keras does not export, make their
# dropout masks before its time loop.
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell as DropoutRNNCell


@functools.cache
def tfp_distributions() -> Any:
    """Import and return `tfp.distributions` for the active backend.

    tfp 0.25 reads a name that JAX 0.5 has moved, so that it is put back before. The
    import takes seconds, and waits for the first call.
    """
    if keras.backend.backend() == "jax":
        import jax

        if not hasattr(jax.interpreters.xla, "pytype_aval_mappings"):
            jax.interpreters.xla.pytype_aval_mappings = (
                jax._src.core.pytype_aval_mappings
            )
        from tensorflow_probability.substrates import jax as tfp
    else:
        import tensorflow_probability as tfp
    return tfp.distributions


def pending_variables() -> list[Any]:
    """Return the variables that a `keras.StatelessScope` will initialise at its end.

    They are what is left of a model whose building failed half way.
    """
    from keras.src.backend.common.global_state import get_global_attribute

    return list(get_global_attribute("uninitialized_variables", []))


def replace_initializer(variable: Any, initializer: Callable[..., Any]) -> None:
    """Replace the initializer of a variable that has no value yet.

    Keras cannot be told that a model's weights will be read from a file, and would draw
    random ones before, for which JAX compiles for seconds.
    """
    if getattr(variable, "_initializer", None) is not None:
        variable._initializer = initializer


def keras_symbol(module: str, name: str) -> Any:
    """Return what Keras would make for a module and a name of its own, or None.

    Keras finds its public names in a table and others in the module itself. No module
    is imported here.
    """
    from keras.src.api_export import get_symbol_from_name

    found = get_symbol_from_name(f"{module}.{name}")
    if found is None:
        found = getattr(sys.modules.get(module), "__dict__", {}).get(name)
    return found


def safe_mode() -> Any:
    """Return a context in which Keras runs no code of a configuration.

    `safe_mode=True` has no effect after `keras.config.enable_unsafe_deserialization()`.
    """
    from keras.src.saving.serialization_lib import SafeModeScope

    return SafeModeScope(True)


def set_direction(metric: Any, direction: str) -> None:
    """Say whether a metric is better when it goes "up" or "down".

    Keras's callbacks know it of Keras's own metrics alone, by this attribute.
    """
    metric._direction = direction


def infer_directions(callbacks: Any, metrics: Iterable[Any]) -> None:
    """Tell callbacks whether a metric that a model computes itself goes up or down.

    `EarlyStopping`, `ModelCheckpoint` and `ReduceLROnPlateau` find that out for the
    metrics of `compile(metrics=...)` alone, and raise for others. Those whose `mode` is
    "auto" get the mode of the metric that they monitor.

    Args:
        callbacks: as of `fit`: one, a list of them, a `CallbackList` or None.
        metrics: those of the model.
    """
    found = getattr(callbacks, "callbacks", callbacks) or ()
    modes = {"up": "max", "down": "min"}
    known = {m.name: modes.get(getattr(m, "_direction", "")) for m in metrics}
    for callback in found if isinstance(found, list | tuple) else (found,):
        monitor = str(getattr(callback, "monitor", "")).removeprefix("val_")
        mode = known.get(monitor)
        if mode and getattr(callback, "mode", None) == "auto":
            callback.mode = mode


def untuned(x: Any, shuffle: bool = True, class_weight: Any = None) -> Any:
    """Return what `fit` takes in place of a `PyDataset` on TensorFlow; all else as is.

    `fit` begins each epoch with the end of the last one's `tf.data` iterator, which
    waits for the thread that tunes it. That thread sleeps up to a minute, and is not
    always woken (TensorFlow 2.21): 40 s of an epoch of 200 s were spent so. There is
    nothing to tune in one generator, and with `workers` Keras tunes nothing either.
    """
    if keras.backend.backend() != "tensorflow" or not isinstance(
        x, keras.utils.PyDataset
    ):
        return x
    import tensorflow as tf
    from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

    class Untuned(PyDatasetAdapter):
        def get_tf_dataset(self) -> Any:
            options = tf.data.Options()
            options.autotune.enabled = False
            return super().get_tf_dataset().with_options(options)

    return Untuned(x, class_weight=class_weight, shuffle=shuffle)


@contextmanager
def expandable(model: Any) -> Iterator[None]:
    """Let `summary(expand_nested=True)` expand layers of layers in a context.

    It expands what has an attribute `layers`, which Keras gives to models alone. Saving
    walks through attributes, so that this one must not stay.
    """
    expanded = []
    for layer in model._flatten_layers(include_self=False):
        inside = list(layer._flatten_layers(include_self=False, recursive=False))
        if inside and not hasattr(layer, "layers"):
            object.__setattr__(layer, "layers", inside)  # Keras's would track it
            expanded.append(layer)
    try:
        yield
    finally:
        for layer in expanded:
            object.__delattr__(layer, "layers")


def freeze(layer: Any) -> None:
    """Let a layer and all its parts keep their weights.

    On TensorFlow `layer.trainable = False` does nothing, and tells the parts nothing,
    where it is False already: in a layer that was loaded, or made with `trainable`.
    """
    for part in layer._flatten_layers():
        part.trainable = True
        part.trainable = False


def skip_symbolic_build(model: Any) -> None:
    """Keep `fit` from building a model that is built already.

    Under `tf.distribute` Keras 3.15 would do so with a batch summed over the workers,
    which fails.
    """
    model._maybe_symbolic_build = lambda **_: None


def clip_summed_gradients(optimizer: Any) -> None:
    """Make an optimizer clip the gradient of a whole batch under `tf.distribute`.

    Keras 3.15 clips the part of each replica before it adds the parts up, so that
    training takes other steps than with the same batch on one device.
    """
    import tensorflow as tf

    if "_all_reduce_sum_gradients" in vars(optimizer):  # replaced by an earlier call
        return
    clip = optimizer._clip_gradients

    def clipped(gradients: list[Any]) -> Any:
        context = tf.distribute.get_replica_context()
        return clip(context.all_reduce(tf.distribute.ReduceOp.SUM, gradients))

    optimizer._clip_gradients = clipped
    optimizer._all_reduce_sum_gradients = lambda pairs: pairs


def flat_call(concrete: Any) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """Return a function that runs a concrete `tf.function` on a flat list of tensors.

    It does not check them. TensorFlow's own call does, which takes three times as long
    as running a small tracker's step.
    """
    call, captured = concrete.inference_fn.call_flat, concrete.captured_inputs
    return lambda inputs: call(*inputs, *captured)


def patch_tf2onnx() -> None:
    """Give tf2onnx the NumPy names that NumPy 2 has removed, as Keras's export does."""
    from keras.src.export.tf2onnx_lib import patch_tf2onnx as patch

    patch()


def tf2onnx_optimizers() -> dict[str, Any]:
    """Return tf2onnx's graph optimizers by name; its public function runs them all."""
    from tf2onnx import optimizer

    return dict(optimizer._get_optimizers())
