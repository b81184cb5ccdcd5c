"""Trace a model by TensorFlow, as functions of named tensors that a file can hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops, tree

from keras_attend.layers.tracing import exporting, for_each
from keras_attend.models.air import AIR, SequentialAIR
from keras_attend.models.ram import RAM, Feedforward
from keras_attend.types import Nested, Tensor

LEAST = 1024  # a weight of fewer numbers is not stored in eight bits
WORST = 0.012  # the error that eight bits may cause, in a weight's root mean squares


@dataclass
class TracedModel:
    """A model's traced functions.

    Attributes:
        functions: concrete functions by name; each takes keywords and returns a dict.
        metadata: the description of the model that its file will hold.
        module: a `tf.Module` that owns the functions' variables.
    """

    functions: dict[str, Any]
    metadata: dict[str, Any]
    module: Any


def trace(
    model: keras.Model,
    size: tuple[int, int] | None,
    dtype: str,
    int8: bool = False,
    first_location: Sequence[float] | None = None,
    many: bool = False,
) -> TracedModel:
    """Trace the functions of a model; see `export` for the arguments.

    `dtype` is that of frames or images. `many` is for trackers. With `int8` large
    weights are kept in eight bits, and multiplied out in each call.
    """
    import tensorflow as tf

    module, small = _stored(model, int8)
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
            # A stateless scope also keeps seeds from changing.
            large = [(v, tf.cast(q, "float32") * scale) for v, q, scale in small]
            with exporting(), keras.StatelessScope(large):
                found = function(**inputs)
            for name in found.keys() & inputs.keys():  # a state keeps its shape
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
        init, step = _tracker(model.cell, many)
        count = None if many else 1
        specs = {"frame": tf.TensorSpec((1, *frame), dtype)}
        first = traced(init, **specs, box=tf.TensorSpec((count, 4), "float32"))
        states = {
            name: tf.TensorSpec((count, *x.shape[1:]), x.dtype)
            for name, x in first.structured_outputs.items()
        }
        function = traced(step, **specs, **states)
        for name, spec in states.items():
            x = function.structured_outputs[name]
            if ([*x.shape], x.dtype) != ([*spec.shape], spec.dtype):
                raise ValueError(
                    f"{type(model.cell).__name__}.step must return a state like the "
                    f"one that it got. Received: {name} of {x.shape}, {x.dtype} in the "
                    f"place of {spec.shape}, {spec.dtype}"
                )
        outputs = [name for name in function.structured_outputs if name not in states]
        metadata |= {
            "kind": "tracker",
            "objects": count,
            "outputs": sorted(outputs),
            "presence": "presence" in outputs,
            "states": {name: list(x.shape) for name, x in states.items()},
        }
        functions = {"init": first, "step": function}
    return TracedModel(functions, metadata, module)


def _tracker(
    cell: Any, many: bool
) -> tuple[Callable[..., Nested], Callable[..., Nested]]:
    """Return `init(frame, box)` and `step(frame, state_...)`, with states by name.

    For many objects there is one frame `[1, H, W, C]`, and `[N, ...]` of all others.
    """
    copied = many and not cell.shares_frame
    paths, _ = zip(*tree.flatten_with_path(cell.state_spec), strict=True)
    names = ["_".join(["state", *map(str, path)]) for path in paths]

    def named(state: Nested) -> dict[str, Tensor]:
        return dict(zip(names, cell.flatten_state(state), strict=True))

    def each(frame: Tensor, objects: Tensor) -> Tensor:
        return for_each(frame, objects) if copied else frame

    def init(frame: Tensor, box: Tensor) -> Nested:
        return named(cell.initial_state(each(frame, box), box))

    def step(frame: Tensor, **states: Tensor) -> Nested:
        state = cell.unflatten_state([states[name] for name in names])
        objects = states[names[0]]  # [N, ...]
        outputs, state = cell.step(each(frame, objects), state)
        outputs = {name: for_each(x, objects) for name, x in outputs.items()}
        return {**outputs, **named(state)}

    return init, step


def _classifier(
    model: keras.Model, first_location: Sequence[float] | None
) -> tuple[Callable[..., Nested], list[tuple[str, Any]]]:
    """Return the call, and the names and shapes of its inputs beside the images."""
    if isinstance(model, Feedforward):
        return model.call, []
    if first_location is None:
        return model.call, [("first_location", (None, 2))]

    def call(images: Tensor) -> Nested:
        rows = ops.zeros((ops.shape(images)[0], 1))
        l_0 = rows + ops.convert_to_tensor([list(first_location)], "float32")  # [B, 2]
        return model.call(images, first_location=l_0)

    return call, []


def check_model(model: Any) -> None:
    """Refuse a model that cannot be written to a file."""
    tracker = hasattr(getattr(model, "cell", None), "initial_state")
    tracker = tracker and not isinstance(model, AIR | SequentialAIR)
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
                "`model.episodes` must be 1: a file runs one episode a call. Call it "
                "with several first locations and average. "
                f"Received: episodes={model.episodes}"
            )


def _stored(model: keras.Model, int8: bool) -> tuple[Any, list[tuple[Any, Any, Any]]]:
    """Return a `tf.Module` that holds a model's weights, and those in eight bits.

    Each of these is a variable of the model, its numbers and their scale.
    """
    import tensorflow as tf

    module, small = tf.Module(), []
    module.kept = []  # TensorFlow saves the variables that a module holds
    for variable in {id(v): v for v in model.variables}.values():
        found = None
        if int8 and takes_eight_bits(variable):
            found = eight_bits(variable.numpy())
        stored = [variable.value] if found is None else [tf.Variable(x) for x in found]
        module.kept.extend(stored)
        if found is not None:
            small.append((variable, *stored))
    return module, small


def eight_bits(x: Any, axis: int = -1) -> tuple[Any, Any] | None:
    """Return weights as int8, and a scale for each output along `axis`.

    Return None if a few large numbers would make the many small ones zero, as in an
    LSTM's recurrent kernel or a matrix that was initialised as the identity: over a
    video such errors add up.
    """
    import numpy as np

    others = tuple(i for i in range(x.ndim) if i != axis % x.ndim)
    scale = np.abs(x).max(axis=others, keepdims=True).astype("float32") / 127
    scale = np.where(scale > 0, scale, np.float32(1))
    numbers = np.rint(x / scale).astype("int8")
    lost = np.square(numbers * scale - x).mean()
    return None if lost > WORST**2 * np.square(x).mean() else (numbers, scale)


def takes_eight_bits(variable: Any) -> bool:
    """Return whether a variable is a weight that is large enough for eight bits."""
    count = variable.value.shape.num_elements()
    return len(variable.shape) > 1 and count >= LEAST and variable.dtype == "float32"
