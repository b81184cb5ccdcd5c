"""A model as functions of named tensors, traced by TensorFlow for a file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops, tree

from keras_attend.layers.tracing import for_a_file
from keras_attend.models.ram import RAM, Feedforward
from keras_attend.types import Nested, Tensor

LEAST = 1024  # numbers; a smaller weight is not worth eight bits
WORST = 0.012  # of a weight's root mean square: what eight bits may be off by


@dataclass
class Traced:
    """Functions by name, what describes them, and what keeps their weights alive."""

    functions: dict[str, Any]  # concrete functions, of keywords to a dict
    metadata: dict[str, Any]
    module: Any  # a tf.Module


def trace(
    model: keras.Model,
    size: tuple[int, int] | None,
    dtype: str,
    int8: bool = False,
    first_location: Sequence[float] | None = None,
) -> Traced:
    """The functions of a model, for frames or images of one size or of any.

    Args:
        model: a tracker, `RAM` or `Feedforward`, built.
        size: height and width; None for any.
        dtype: of the frames or images.
        int8: whether large weights are kept in eight bits.
        first_location: where a `RAM` looks first, `(x, y)`; None makes it an input.
    """
    import tensorflow as tf

    weights = _Weights(model, int8)
    metadata: dict[str, Any] = {
        "family": type(model).__name__,
        "channels": model.channels,
        "size": list(size) if size else None,
        "dtype": dtype,
        "int8": int8,
    }
    frame = (*(size or (None, None)), model.channels)

    def traced(function: Callable[..., Nested], **specs: Any) -> Any:
        def run(**inputs: Tensor) -> Nested:
            with for_a_file(), weights.scope():
                found = function(**inputs)
            for name in found.keys() & inputs.keys():  # a state stays as it is
                found[name].set_shape(inputs[name].shape)
            return {name: tf.identity(x, name) for name, x in found.items()}

        return tf.function(run, autograph=False).get_concrete_function(**specs)

    if not hasattr(model, "cell"):
        call, inputs = _classifier(model, first_location)
        specs = {"images": tf.TensorSpec((None, *frame), dtype)}
        specs |= {name: tf.TensorSpec(shape, "float32") for name, shape in inputs}
        function = traced(call, **specs)
        metadata |= {"kind": "classifier", "outputs": sorted(function.output_shapes)}
        functions = {"serving_default": function}
    else:
        init, step = _tracker(model.cell)
        specs = {"frame": tf.TensorSpec((1, *frame), dtype)}
        first = traced(init, **specs, box=tf.TensorSpec((1, 4), "float32"))
        states = {
            name: tf.TensorSpec(x.shape, x.dtype)
            for name, x in first.structured_outputs.items()
        }
        function = traced(step, **specs, **states)
        _check_state(model.cell, states, function.structured_outputs)
        outputs = [name for name in function.structured_outputs if name not in states]
        metadata |= {
            "kind": "tracker",
            "outputs": sorted(outputs),
            "presence": "presence" in outputs,
            "states": {name: list(x.shape) for name, x in states.items()},
        }
        functions = {"init": first, "step": function}
    return Traced(functions, metadata, weights.module)


def _tracker(cell: Any) -> tuple[Callable[..., Nested], Callable[..., Nested]]:
    """`init(frame, box)` and `step(frame, state_...)`, with states by name."""
    paths, _ = zip(*tree.flatten_with_path(cell.state_spec), strict=True)
    names = ["_".join(["state", *map(str, path)]) for path in paths]

    def named(state: Nested) -> dict[str, Tensor]:
        return dict(zip(names, cell.flatten_state(state), strict=True))

    def init(frame: Tensor, box: Tensor) -> Nested:
        return named(cell.initial_state(frame, box))

    def step(frame: Tensor, **states: Tensor) -> Nested:
        state = cell.unflatten_state([states[name] for name in names])
        outputs, state = cell.step(frame, state)
        return {**outputs, **named(state)}

    return init, step


def _check_state(cell: Any, before: dict[str, Any], after: dict[str, Any]) -> None:
    for name, spec in before.items():
        x = after[name]
        if (x.shape, x.dtype) != (spec.shape, spec.dtype):
            raise ValueError(
                f"{type(cell).__name__}.step must return a state like the one that it "
                f"got. Received: {name} of {x.shape}, {x.dtype} in the place of "
                f"{spec.shape}, {spec.dtype}"
            )


def _classifier(
    model: keras.Model, first_location: Sequence[float] | None
) -> tuple[Callable[..., Nested], list[tuple[str, Any]]]:
    """The call, and names and shapes of its inputs beside the images."""
    if isinstance(model, Feedforward):
        return lambda images: model.call(images), []
    if first_location is None:
        return (
            lambda images, first_location: model.call(
                images, first_location=first_location
            ),
            [("first_location", (None, 2))],
        )

    def call(images: Tensor) -> Nested:
        rows = ops.zeros((ops.shape(images)[0], 1))
        l_0 = rows + ops.convert_to_tensor([list(first_location)], "float32")  # [B, 2]
        return model.call(images, first_location=l_0)

    return call, []


def check_model(model: Any) -> None:
    """Refuse what cannot be a file."""
    tracker = hasattr(getattr(model, "cell", None), "initial_state")
    if not (tracker or isinstance(model, RAM | Feedforward)):
        raise ValueError(
            "`model` must be a tracker (with a `cell`, such as HART), RAM or "
            f"Feedforward. Received: {model!r}"
        )
    if not (model.built and (not tracker or model.cell.built)):
        raise ValueError(
            "`model` must have its weights: call it once, or load them. "
            f"Received: {model!r}, which is not built"
        )
    if model.compute_dtype != "float32":
        raise ValueError(
            "`model` must compute in float32, as the formats' runtimes do. Load it "
            f'with dtype="float32". Received: dtype={model.dtype_policy.name}'
        )
    if isinstance(model, RAM):
        if model.location not in ("mean", "first"):
            raise ValueError(
                'A file draws no random numbers: `model.location` must be "mean" or '
                f'"first", as zoo.load(name, location="mean") makes it. '
                f"Received: location={model.location!r}"
            )
        if model.episodes > 1:
            raise ValueError(
                "A file looks once: `model.episodes` must be 1. Call it with several "
                "first locations and average. "
                f"Received: episodes={model.episodes}"
            )


class _Weights:
    """A model's weights within a traced function, as they are or in eight bits."""

    def __init__(self, model: keras.Model, int8: bool) -> None:
        import tensorflow as tf

        self.module = tf.Module()
        self.module.kept = []
        self.eight_bits: list[tuple[Any, Any, Any]] = []
        for variable in {id(v): v for v in model.variables}.values():
            found = None
            if int8 and takes_eight_bits(variable):
                found = eight_bits(variable.numpy())
            if found is None:
                self.module.kept.append(variable.value)
            else:
                stored = [tf.Variable(x) for x in found]
                self.eight_bits.append((variable, *stored))
                self.module.kept.extend(stored)

    def scope(self) -> Any:
        """In it the weights are what the file holds, and seeds do not advance."""
        import tensorflow as tf

        return keras.StatelessScope(
            [(v, tf.cast(q, "float32") * scale) for v, q, scale in self.eight_bits]
        )


def eight_bits(x: Any, axis: int = -1) -> tuple[Any, Any] | None:
    """Weights as int8 and a scale for each output, along `axis`.

    None where few are large, as of an LSTM's state, or a matrix that began as the
    identity: the many small ones would be lost, and what is lost adds up over a video.
    """
    import numpy as np

    others = tuple(i for i in range(x.ndim) if i != axis % x.ndim)
    scale = np.abs(x).max(axis=others, keepdims=True).astype("float32") / 127
    scale = np.where(scale > 0, scale, np.float32(1))
    numbers = np.rint(x / scale).astype("int8")
    lost = np.square(numbers * scale - x).mean()
    return None if lost > WORST**2 * np.square(x).mean() else (numbers, scale)


def takes_eight_bits(variable: Any) -> bool:
    """Whether a variable is large, and a weight."""
    count = variable.value.shape.num_elements()
    return len(variable.shape) > 1 and count >= LEAST and variable.dtype == "float32"
