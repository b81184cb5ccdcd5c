"""Run a function step by step over time: the loop of every model in this package."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops, tree

from keras_attend.types import Nested

Step = Callable[[Nested, Nested], tuple[Nested, Nested]]


def unroll(
    step: Step,
    state: Nested,
    inputs: Nested,
    *,
    remat: bool = False,
    inline: bool = False,
) -> tuple[Nested, Nested]:
    r"""Call `step` for each time step of `inputs`, handing its state on.

    $$y_t, s_t = \mathrm{step}(x_t, s_{t-1}), \qquad t = 0 \dots T-1$$

    Compiled, this is one loop on every backend, and XLA can train it. $x$, $y$ and $s$
    may be tensors, or lists, tuples and dicts of tensors. Random numbers (noise, seeds,
    dropout masks) must be drawn before the loop and enter it in `inputs`: what a seed
    generator changes inside a compiled loop cannot leave it.

    Args:
        step: a function `(x_t, state) -> (outputs, state)`. It must return a state of
            the same structure, shapes and types as it was given.
        state: $s_{-1}$.
        inputs: $x$, of tensors `[B, T, ...]` with one $T$, or `[1, T, ...]` for what is
            the same for all samples.
        remat: compute each step again in the backward pass instead of storing what it
            computed, so that only the states of all steps are stored.
        inline: compile the steps one after the other instead of a loop: a few cheap
            ones are then faster (RAM's by a fifth), many take long to compile. Here the
            state that is passed in may be one row for the whole batch.

    Returns:
        $y$, `[B, T, ...]`, in the structure of the outputs of `step`, and $s_{T-1}$.
    """
    shapes = [tuple(x.shape) for x in tree.flatten(inputs)]
    lengths = {shape[1:2] for shape in shapes}  # () of a tensor without a time axis
    if len(lengths) != 1 or lengths & {(), (0,)}:
        raise ValueError(
            "`inputs` must be tensors [batch, time, ...] of one number of steps, at "
            f"least 1. Received shapes: {shapes}"
        )
    loops = {"jax": _unroll_jax, "tensorflow": _unroll_tensorflow}
    backend = keras.backend.backend()
    if backend not in loops:
        raise ValueError(
            f"`unroll` needs the backend 'tensorflow' or 'jax'. Received: {backend!r}"
        )
    if remat:
        step = _rematerialised(step)
    loop = _unroll_inline if inline else loops[backend]
    ys, state = loop(step, state, tree.map_structure(_swap, inputs))  # [T, B, ...]
    return tree.map_structure(_swap, ys), state


def _swap(x: Any) -> Any:
    """`[B, T, ...]` as `[T, B, ...]`, and back."""
    return ops.swapaxes(x, 0, 1)


class _VariableReads(keras.StatelessScope):
    """A scope that records in `variables` which variables are read inside it."""

    def __init__(self) -> None:
        super().__init__()
        self.variables: dict[int, Any] = {}

    def get_current_value(self, variable: Any) -> Any:
        self.variables[id(variable)] = variable
        return super().get_current_value(variable)


def _rematerialised(step: Step) -> Step:
    """Make a step that the backward pass computes again."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.checkpoint(step)
    import tensorflow as tf

    # `tf.recompute_grad` accepts, in a loop's body, neither variables nor integers:
    # variables' values are passed as arguments, integers enter by the closure, and
    # those that `step` returns come from a call of its own.
    def rematerialised(x_t: Nested, state: Nested) -> tuple[Nested, Nested]:
        with _VariableReads() as reads:
            # Only its structure and integers are used, so that only these are computed.
            structure = step(x_t, state)
        variables = list(reads.variables.values())
        weights = [ops.convert_to_tensor(v) for v in variables]
        flat = tree.flatten((x_t, state))
        is_float = [x.dtype.is_floating for x in flat]

        def floats_only(weights: list[Any], *floats: Any) -> list[Any]:
            given = iter(floats)
            mixed = [
                next(given) if f else x for f, x in zip(is_float, flat, strict=True)
            ]
            with keras.StatelessScope(zip(variables, weights, strict=True)):
                result = step(*tree.pack_sequence_as((x_t, state), mixed))
            return [y for y in tree.flatten(result) if y.dtype.is_floating]

        floats = [x for f, x in zip(is_float, flat, strict=True) if f]
        found = iter(tf.recompute_grad(floats_only)(weights, *floats))
        return tree.map_structure(
            lambda y: next(found) if y.dtype.is_floating else y, structure
        )

    return rematerialised


def _unroll_inline(step: Step, state: Nested, xs: Nested) -> tuple[Nested, Nested]:
    length = tree.flatten(xs)[0].shape[0]
    if length is None:
        raise ValueError("`inline` needs `inputs` of a known number of steps.")
    rows = []
    for t in range(length):
        y_t, state = step(tree.map_structure(lambda x, t=t: x[t], xs), state)
        rows.append(y_t)
    return tree.map_structure(lambda *y: ops.stack(y), *rows), state


def _unroll_jax(step: Step, state: Nested, xs: Nested) -> tuple[Nested, Nested]:
    import jax

    def body(carry: Nested, x_t: Nested) -> tuple[Nested, Nested]:
        y_t, carry = step(x_t, carry)
        return carry, y_t

    state, ys = jax.lax.scan(body, state, xs)
    return ys, state


def _unroll_tensorflow(step: Step, state: Nested, xs: Nested) -> tuple[Nested, Nested]:
    import tensorflow as tf

    flat_xs = tree.flatten(xs)
    length = flat_xs[0].shape[0]
    if tf.executing_eagerly():
        return _unroll_inline(step, state, xs)

    steps = tf.shape(flat_xs[0])[0] if length is None else length
    # This step is traced for the structure of its outputs alone. Nothing uses their
    # values, so that the graph does not compute them.
    example, _ = step(tree.map_structure(lambda x: x[0], xs), state)
    arrays = [
        tf.TensorArray(y.dtype, size=steps, element_shape=y.shape)
        for y in tree.flatten(example)
    ]

    def body(t: Any, carry: Nested, arrays: list[Any]) -> tuple[Any, Nested, list[Any]]:
        y_t, carry = step(tree.map_structure(lambda x: x[t], xs), carry)
        flat = tree.flatten(y_t)
        return t + 1, carry, [a.write(t, y) for a, y in zip(arrays, flat, strict=True)]

    _, state, arrays = tf.while_loop(
        lambda t, *_: t < steps,
        body,
        (tf.constant(0), state, arrays),
        maximum_iterations=steps,  # XLA cannot train a loop without a bound
    )
    ys = tree.pack_sequence_as(example, [a.stack() for a in arrays])
    return ys, state
