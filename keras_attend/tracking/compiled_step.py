"""Compile a tracker's step for one frame, and call it with little overhead.

It calls the backend itself, because Keras's `predict` takes a hundred times as long for
a frame as the model does.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import keras
import numpy as np
from keras import ops, tree
from numpy.typing import NDArray

from keras_attend import compiling
from keras_attend.compat import flat_call
from keras_attend.layers.tracing import uncompiled
from keras_attend.tracking import kept_graphs
from keras_attend.types import Nested, Tensor
from keras_attend_runtime.frames import is_in_frame, with_channels

Flat = Callable[[Sequence[Tensor]], Sequence[Tensor]]


class CompiledStep:
    """A cell's `initial_state` and `step`, compiled for frames of one shape.

    The state is kept as a flat list of tensors, which is the fastest to pass.

    Args:
        cell: a `layers.RecurrentTrackerCell`.
        channels: the number of channels that it takes.
        variables: its weights; their values are passed with each call.
        shape: the shape of the given frames, `(H, W, 1)` or `(H, W, 3)`.
        dtype: the NumPy dtype of the given frames.
        count: the number N of objects.
        xla: whether XLA compiles the step on TensorFlow; JAX knows nothing else.
            TensorFlow's own graph is ready ten times as soon.
        held: without XLA, variables with the weights' values, which the step reads
            itself: a hundred arguments take a tenth of a step's time.
    """

    def __init__(
        self,
        cell: Any,
        channels: int,
        variables: Sequence[Any],
        shape: tuple[int, ...],
        dtype: Any,
        count: int,
        xla: bool = True,
        held: Sequence[Any] = (),
    ) -> None:
        self.xla, self.held = xla, held
        self.cell, self.channels, self.variables = cell, channels, variables
        self.shape, self.dtype, self.count = shape, dtype, count
        self._feed = _feed(shape, dtype, xla)
        if xla:
            self._start, self._step = _compiled(self._first), _compiled(self._next)
        else:
            self._start = self._kept("first", self._first)
            self._step = self._kept("next", self._next)
        self._state_like: Nested = None
        self._outputs_like: Nested = None

    def start(
        self, weights: list[Tensor], frame: NDArray[Any], boxes: NDArray[Any]
    ) -> Sequence[Tensor]:
        """Return the state before the first step, from boxes `[N, 4]`."""
        boxes = ops.convert_to_tensor(boxes, "float32")
        given = weights if self.xla else ()
        return self._start([self._feed(frame), boxes, *given])

    def take_over(self, other: "CompiledStep") -> None:
        """Go on with the state of another step, for frames of another kind."""
        self._state_like = other._state_like

    def step(
        self, weights: list[Tensor], frame: NDArray[Any], state: Sequence[Tensor]
    ) -> tuple[NDArray[Any], NDArray[Any], Sequence[Tensor], Sequence[Tensor]]:
        """Return boxes `[N, 4]`, presence `[N]`, all outputs (flat) and the state."""
        given = weights if self.xla else ()
        found = self._step([self._feed(frame), *state, *given])
        end = len(found) - len(state)
        return np.array(found[0]), np.array(found[1]), found[2:end], found[end:]

    def outputs(self, flat: Sequence[Tensor]) -> Nested:
        """Return a step's flat outputs in their structure."""
        return tree.pack_sequence_as(self._outputs_like, list(flat))

    def _first(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        frame, boxes, *weights = inputs
        with self._using(weights):
            state = self._each(self.cell.initial_state, frame, boxes)
        self._state_like = tree.map_structure(lambda _: 0, state)
        return [ops.convert_to_tensor(x) for x in tree.flatten(state)]

    def _next(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        count = len(tree.flatten(self._state_like))
        frame, state, weights = inputs[0], inputs[1 : 1 + count], inputs[1 + count :]
        nested = tree.pack_sequence_as(self._state_like, list(state))
        with self._using(weights):
            outputs, after = self._each(self.cell.step, frame, nested)
        after = [ops.convert_to_tensor(x) for x in tree.flatten(after)]
        kinds = [[(*x.shape, x.dtype) for x in xs] for xs in (state, after)]
        if kinds[0] != kinds[1]:
            raise ValueError(
                f"{type(self.cell).__name__}.step must return a state like the one "
                f"that it got, {kinds[0]}. Received: {kinds[1]}"
            )
        self._outputs_like = tree.map_structure(lambda _: 0, outputs)
        box = ops.cast(outputs["box"], "float32")  # [N, 4]
        present = is_in_frame(*ops.unstack(box, 4, axis=-1), *self.shape[:2])
        if "presence" in outputs:
            present = ops.logical_and(present, outputs["presence"] > 0.5)
        return [box, present, *tree.flatten(outputs), *after]

    def _using(self, weights: Sequence[Tensor]) -> Any:
        return keras.StatelessScope(list(zip(self.variables, weights, strict=True)))

    def _kept(self, name: str, function: Flat) -> Flat:
        """Return a function as a graph, from an earlier process if there was one.

        Whether there was or not, it is the same graph that runs.
        """

        def traced(inputs: Sequence[Tensor]) -> Sequence[Tensor]:
            with uncompiled() if _on_cpu() else nullcontext():
                return function(inputs)

        return _made_once(lambda inputs: self._graph(name, traced, inputs))

    def _graph(self, name: str, function: Flat, inputs: Sequence[Tensor]) -> Any:
        import tensorflow as tf

        given = [self.shape, str(self.dtype), self.count]
        kinds = [(tuple(x.shape), x.dtype.name) for x in (*inputs, *self.held)]
        key = kept_graphs.key(self.cell, name, given, kinds, _on_cpu())
        kept = kept_graphs.read(key) if key else None
        if kept is not None:
            self._state_like = kept.found[0]
            if name == "next":  # which is the one that has outputs
                self._outputs_like = kept.found[1]
        else:
            weights = [tf.convert_to_tensor(v) for v in self.held]
            kept = kept_graphs.traced(
                function,
                [*inputs, *weights],
                lambda: [self._state_like, self._outputs_like],
            )
            if key and kept:
                kept_graphs.write(key, kept)
        if kept is not None:
            return kept_graphs.imported(kept, inputs, self.held)
        return tf.function(
            lambda inputs: function(
                [*inputs, *(tf.convert_to_tensor(v) for v in self.held)]
            ),
            autograph=False,
        ).get_concrete_function(list(inputs))

    def _each(
        self, function: Callable[..., Nested], frame: Tensor, xs: Nested
    ) -> Nested:
        """Return `function(frame, x)` for each of N objects in one frame.

        On a CPU the objects are taken one by one, because N copies of the frame would
        take longer than N small batches. On an accelerator the loop would.
        """
        frame = with_channels(frame, self.channels, ops.repeat, ops.cast)
        frame = frame[None]  # [1, H, W, C]
        if self.count == 1:
            return function(frame, xs)
        if not _on_cpu():
            shape = (self.count, *frame.shape[1:])
            return function(ops.broadcast_to(frame, shape), xs)

        def one(x: Nested) -> Nested:
            found = function(frame, tree.map_structure(lambda x: x[None], x))
            return tree.map_structure(lambda x: ops.convert_to_tensor(x)[0], found)

        return ops.map(one, xs)


def _on_cpu() -> bool:
    """Whether there is no accelerator."""
    if keras.backend.backend() == "jax":
        import jax

        return bool(jax.default_backend() == "cpu")
    import tensorflow as tf

    return not tf.config.list_logical_devices("GPU")


def _feed(
    shape: tuple[int, ...], dtype: Any, xla: bool
) -> Callable[[NDArray[Any]], Tensor]:
    """Return a function that passes frames to the backend."""
    if keras.backend.backend() == "jax":
        return lambda frame: frame
    import tensorflow as tf

    if not _on_cpu():
        return tf.convert_to_tensor

    def memory() -> tuple[NDArray[Any], Tensor]:
        whole = np.empty(int(np.prod(shape)) * dtype.itemsize + 64, "uint8")
        start = -whole.ctypes.data % 64  # XLA needs aligned memory
        array = whole[start : whole.size - 64 + start].view(dtype).reshape(shape)
        return array, tf.experimental.dlpack.from_dlpack(array.__dlpack__())

    # One tensor for all frames is the fastest, but without XLA a state that is a part
    # of a frame may lie in the frame's own memory, which must then stay as it is.
    kept = memory() if xla else None

    def feed(frame: NDArray[Any]) -> Tensor:
        array, tensor = kept or memory()
        np.copyto(array, frame)
        return tensor

    return feed


def suits_xla(cell: Any, wanted: bool | None) -> bool:
    """Return whether XLA compiles a cell's step; see `Tracker`."""
    if keras.backend.backend() == "jax":
        return True
    suited = compiling.suits_xla(cell) and not _on_cpu()
    return suited if wanted is None else wanted


def _compiled(function: Flat) -> Flat:
    """Return `function` compiled by XLA, for tensors whose shapes never change."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    def concrete(inputs: Sequence[Tensor]) -> Any:
        once = _in_a_loop(function, inputs)
        compiled = tf.function(once, jit_compile=True, autograph=False)
        return compiled.get_concrete_function(list(inputs))

    return _made_once(concrete)


def _made_once(concrete: Callable[[Sequence[Tensor]], Any]) -> Flat:
    """Return a function that calls what `concrete` makes of its first inputs."""
    run: Flat | None = None

    def call(inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        nonlocal run
        if run is None:
            run = flat_call(concrete(inputs))
        return run(inputs)

    return call


def _in_a_loop(function: Flat, inputs: Sequence[Tensor]) -> Flat:
    """Return a function that calls `function` in a loop that runs once.

    TensorFlow compiles a `slice` for XLA with a constant beginning. If that comes from
    an input, as a window's place comes from the state, it would compile again for each
    new value; within a loop it accepts a variable one. XLA then removes the loop.
    """
    import tensorflow as tf

    example = tf.function(function, autograph=False).get_concrete_function(list(inputs))

    def once(inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        empty = [tf.zeros(x.shape, x.dtype) for x in example.outputs]
        _, _, found = tf.while_loop(
            lambda t, *_: t < 1,
            lambda t, xs, _: (t + 1, [tf.zeros_like(x) for x in xs], function(xs)),
            (tf.constant(0), list(inputs), empty),
        )
        return found

    return once
