"""Every non-public name of Keras, TensorFlow, JAX and tf2onnx that the package uses.

Each stands here with its reason, and `tests/test_compat.py` checks that it still exists
and does what it is used for. A release that moves one breaks a test that names it, and
this file alone has to change.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras

# `keras.layers.RNN` asks cells of this class, which Keras does not export, for their
# dropout masks before its time loop begins.
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell as DropoutRNNCell


@functools.cache
def tfp_distributions() -> Any:
    """`tfp.distributions` of the active backend.

    tfp 0.25 reads a name of JAX that JAX 0.5 has moved. It is put back before tfp is
    imported, which takes seconds and therefore happens on first use.
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


# Keras: loading weights without drawing random ones first.


def pending_variables() -> list[Any]:
    """The variables that a `keras.StatelessScope` will initialise when it ends.

    A configuration that fails half way leaves variables behind, whose random values
    would be drawn at the end of the scope.
    """
    from keras.src.backend.common.global_state import get_global_attribute

    return list(get_global_attribute("uninitialized_variables", []))


def replace_initializer(variable: Any, initializer: Callable[..., Any]) -> None:
    """Give a variable another initial value, if it has none yet.

    Keras has no public way to say that a model's weights will be read from a file, and
    drawing them takes JAX seconds of compilation.
    """
    if getattr(variable, "_initializer", None) is not None:
        variable._initializer = initializer


# Keras 3.15 under `tf.distribute`.


def skip_symbolic_build(model: Any) -> None:
    """Keep `fit` from building a model out of a batch summed over the workers.

    The model is built already, and the sum of batches of several workers fails.
    """
    model._maybe_symbolic_build = lambda **_: None


def clip_summed_gradients(optimizer: Any) -> None:
    """Make an optimizer clip the gradient of the whole batch.

    Keras clips each replica's part before it adds them up, which is another training
    than that of the same batch on one device.
    """
    import tensorflow as tf

    if "_all_reduce_sum_gradients" in vars(optimizer):  # done before
        return
    clip = optimizer._clip_gradients

    def clipped(gradients: list[Any]) -> Any:
        context = tf.distribute.get_replica_context()
        return clip(context.all_reduce(tf.distribute.ReduceOp.SUM, gradients))

    optimizer._clip_gradients = clipped
    optimizer._all_reduce_sum_gradients = lambda pairs: pairs


# TensorFlow and tf2onnx.


def flat_call(concrete: Any) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """A concrete function that takes a flat list of tensors and checks nothing.

    `tf.function` and its concrete function look at each argument at every call, which
    takes three times as long as running a small tracker's step.
    """
    call, captured = concrete.inference_fn.call_flat, concrete.captured_inputs
    return lambda inputs: call(*inputs, *captured)


def patch_tf2onnx() -> None:
    """Give tf2onnx the names that NumPy 2 has removed, as Keras's own export does."""
    from keras.src.export.tf2onnx_lib import patch_tf2onnx as patch

    patch()


def tf2onnx_optimizers() -> dict[str, Any]:
    """tf2onnx's graph optimizers by name; its public function runs all of them."""
    from tf2onnx import optimizer

    return dict(optimizer._get_optimizers())
