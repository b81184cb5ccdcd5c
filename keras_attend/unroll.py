"""The one time loop of the house."""

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
    r"""Run `step` over the time axis of `inputs`.

    $$y_t, s_t = \mathrm{step}(x_t, s_{t-1}), \qquad t = 0 \dots T-1$$

    One compiled loop on every backend, trainable under XLA. Nested structures may
    stand for $x$, $y$ and $s$. Random numbers (noise, seeds, dropout masks) are
    drawn before the loop and enter it in `inputs`: a seed generator that advances
    inside a compiled loop leaks its state.

    Args:
        step: `(x_t, state) -> (outputs, state)`, the state keeping its structure,
            shapes and types.
        state: $s_{-1}$.
        inputs: tensors `[B, T, ...]`, or nested ones with the same $T$; `[1, T, ...]`
            for what all samples share.
        remat: compute a step again in the backward pass rather than keep what it
            made: memory that grows with the state alone.
        inline: write the steps out one after the other instead of looping. A few
            cheap steps run faster so (by a fifth in RAM), many take long to
            compile. The first state may then be of another shape than the next
            ones, such as one row for the whole batch.

    Returns:
        The outputs `[B, T, ...]` in the structure of `step`'s, and the last state.
    """
    lengths = {x.shape[1] for x in tree.flatten(inputs) if len(x.shape) > 1}
    if not lengths or any(len(x.shape) < 2 for x in tree.flatten(inputs)):
        raise ValueError(
            "`inputs` must hold tensors of shape [batch, time, ...]. Received shapes: "
            f"{[tuple(x.shape) for x in tree.flatten(inputs)]}"
        )
    if len(lengths) > 1 or lengths == {0}:
        raise ValueError(
            "`inputs` must share one time axis of at least one step. Received shapes: "
            f"{[tuple(x.shape) for x in tree.flatten(inputs)]}"
        )
    if remat:
        step = _rematerialised(step)
    xs = tree.map_structure(_swap, inputs)  # [T, B, ...]
    if inline:
        ys, state = _unroll_inline(step, state, xs)
    elif keras.backend.backend() == "jax":
        ys, state = _unroll_jax(step, state, xs)
    elif keras.backend.backend() == "tensorflow":
        ys, state = _unroll_tensorflow(step, state, xs)
    else:
        raise ValueError(
            "`unroll` knows the backends 'tensorflow' and 'jax'. "
            f"Received: {keras.backend.backend()!r}"
        )
    return tree.map_structure(_swap, ys), state


def _swap(x: Any) -> Any:
    return ops.swapaxes(x, 0, 1)


def _rematerialised(step: Step) -> Step:
    if keras.backend.backend() == "jax":
        import jax

        return jax.checkpoint(step)
    return _rematerialised_tensorflow(step)


class _Reads(keras.StatelessScope):
    """Notes which variables are read inside it."""

    def __init__(self) -> None:
        super().__init__()
        self.variables: dict[int, Any] = {}

    def get_current_value(self, variable: Any) -> Any:
        self.variables[id(variable)] = variable
        return super().get_current_value(variable)


def _rematerialised_tensorflow(step: Step) -> Step:
    """`tf.recompute_grad(step)`, made fit for the body of a loop.

    There `recompute_grad` can neither capture a variable nor pass an integer on. So
    variables are read outside it and put in their places inside, and integers enter
    by closure and leave beside it.
    """
    import tensorflow as tf

    def rematerialised(x_t: Nested, state: Nested) -> tuple[Nested, Nested]:
        with _Reads() as reads:
            structure = step(x_t, state)  # traced for its structure; nothing runs it
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
    # Traced once outside the loop for the structure of the outputs; nothing reads
    # its values, so that the graph drops it.
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
        maximum_iterations=steps,  # XLA trains a loop only with a known bound
    )
    ys = tree.pack_sequence_as(example, [a.stack() for a in arrays])
    return ys, state
