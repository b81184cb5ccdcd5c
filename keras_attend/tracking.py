"""`Tracker`: a trained model follows objects one frame at a time, as OpenCV's do.

This file knows the backend because what Keras offers for one frame (`predict`) costs
a hundred times what the model does.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops, tree
from numpy.typing import NDArray

from keras_attend import zoo
from keras_attend.boxes import check_box
from keras_attend.types import Nested, Tensor

# Pillow's weights of red, green and blue in grey, in 65536ths.
GREY = (19595, 38470, 7471)

Flat = Callable[[Sequence[Tensor]], Sequence[Tensor]]


class Tracker:
    r"""Follow one object, or several, through the frames of a video.

        tracker = Tracker("ratm_mnist")
        tracker.init(frame, (x, y, w, h))
        present, box = tracker.update(next_frame)

    Boxes are `(x, y, w, h)` in pixels, 0-based, the top-left corner first. Frames are
    uint8, or floats in 0..1, of one size: grey `[H, W]` or `[H, W, 1]`, or colour
    `[H, W, 3]` in the order red, green, blue (OpenCV reads blue first:
    `frame[..., ::-1]`). What the model wants, grey or colour, is made of either.

    The step is compiled once for a size of frames and a number of objects, in `init`.
    It uses the weights that the model had at `init`.

    Args:
        model: a Keras model with `cell`, a `layers.RecurrentTrackerCell`, and
            `channels`, 1 or 3; or the name (or folder) of a preset, for `zoo.load`.

    `outputs` is what the model's step returned for the last frame: a dict of arrays
    with "box" and, as the model has it, "window", "glimpse" and more.
    """

    def __init__(self, model: keras.Model | str | Path) -> None:
        if isinstance(model, str | Path):
            model = zoo.load(model)
        cell = getattr(model, "cell", None)
        if not (hasattr(cell, "initial_state") and hasattr(cell, "step")):
            raise ValueError(
                "`model` must be a tracker, such as RATM: with a `cell` that has "
                f"`initial_state` and `step`. Received: {model!r}"
            )
        channels = getattr(model, "channels", None)
        if channels not in (1, 3):
            raise ValueError(
                "`model.channels` must be 1, for grey frames, or 3, for colour. "
                f"Received: {channels!r}"
            )
        self.model, self.channels = model, channels
        self._compiled: dict[tuple[Any, ...], _Compiled] = {}
        self._run: _Compiled | None = None

    def init(self, frame: Any, box: Any) -> None:
        """Start to follow what is in the box.

        Args:
            frame: the first, `[H, W]`, `[H, W, 1]` or `[H, W, 3]`.
            box: `(x, y, w, h)`, or `[N, 4]` for N objects at once.
        """
        frame = _checked_frame(frame)
        low, high = frame.min(), frame.max()
        if frame.dtype != np.uint8 and not (low >= 0 and high <= 1):
            raise ValueError(
                "A frame of floats must hold numbers in 0..1; divide by 255 first. "
                f"Received: numbers in {low}..{high}"
            )
        box = check_box(box, *frame.shape[:2])
        if box.ndim > 2 or len(box) == 0:
            raise ValueError(
                "`box` must be (x, y, w, h) or an array [N, 4] with N > 0. "
                f"Received: box of shape {box.shape}"
            )
        self._one = box.ndim == 1
        self._frame_size = frame.shape[:2]
        self._boxes = box.reshape(-1, 4)  # [N, 4]
        self._build(frame)
        # Copies: training on JAX gives the model's own arrays away.
        self._weights = [ops.copy(v) for v in self._variables]
        run = self._ready(frame)
        self._state = run.start(self._weights, frame, self._boxes)
        self._advance(run, frame)

    def update(self, frame: Any) -> tuple[Any, NDArray[np.float32]]:
        """Look at the next frame.

        Args:
            frame: of the first one's height and width.

        Returns:
            Whether the box is finite and overlaps the frame, and the box, `[4]`; for
            N objects arrays `[N]` and `[N, 4]`.
        """
        if self._run is None:
            raise ValueError(
                "The tracker does not know yet what to follow. Call "
                "`init(frame, box)` before `update(frame)`."
            )
        frame = _checked_frame(frame)
        if frame.shape[:2] != self._frame_size:
            raise ValueError(
                "A frame must have the height and width of the first one, "
                f"{self._frame_size}; `init` again for another video. "
                f"Received: frame.shape={frame.shape}"
            )
        run = self._run
        if frame.shape != run.shape or frame.dtype != run.dtype:
            run = self._ready(frame)
        return self._advance(run, frame)

    def track(self, frames: Iterable[Any], box: Any) -> NDArray[np.float32]:
        """Follow what is in the box through a whole video.

        Args:
            frames: `[T, H, W, C]`, or anything that gives one frame after the other.
            box: in the first frame, `(x, y, w, h)` or `[N, 4]`.

        Returns:
            `[T, 4]`, or `[N, T, 4]`: the first is `box`, the others are those that
            the model's `predict` gives.
        """
        boxes = []
        for t, frame in enumerate(frames):
            if t == 0:
                self.init(frame, box)
                boxes.append(self._boxes[0] if self._one else self._boxes)
            else:
                boxes.append(self.update(frame)[1])
        if not boxes:
            raise ValueError("`frames` must hold at least one frame. Received none.")
        return np.stack(boxes, axis=-2)

    @property
    def outputs(self) -> dict[str, NDArray[Any]]:
        """What the step returned for the last frame; `[N, ...]` for N objects."""
        if self._run is None:
            raise ValueError("There are no outputs before `init(frame, box)`.")
        pick = 0 if self._one else slice(None)
        return tree.map_structure(
            lambda x: ops.convert_to_numpy(x)[pick], self._run.outputs(self._outputs)
        )

    def _advance(
        self, run: "_Compiled", frame: NDArray[Any]
    ) -> tuple[Any, NDArray[np.float32]]:
        box, present, self._outputs, self._state = run.step(
            self._weights, frame, self._state
        )
        self._run = run
        if self._one:
            return bool(present[0]), box[0]
        return present, box

    def _build(self, frame: NDArray[Any]) -> None:
        """Make weights that are not there yet, by a first call."""
        if not (self.model.built and self.model.cell.built):
            shape = (1, 1, *frame.shape[:2], self.channels)
            self.model({"frames": np.zeros(shape, "float32"), "box": self._boxes[:1]})
        cell, model = self.model.cell.variables, self.model.variables
        self._variables = list({id(v): v for v in [*cell, *model]}.values())

    def _ready(self, frame: NDArray[Any]) -> "_Compiled":
        key = (frame.shape, frame.dtype, len(self._boxes))
        if key not in self._compiled:
            self._compiled[key] = _Compiled(
                self.model.cell, self.channels, self._variables, *key
            )
        return self._compiled[key]


class _Compiled:
    """The start and the step for frames of one shape, compiled.

    Between calls everything is a flat list of tensors: the cheapest to hand over.
    """

    def __init__(
        self,
        cell: Any,
        channels: int,
        variables: Sequence[Any],
        shape: tuple[int, ...],
        dtype: Any,
        count: int,
    ) -> None:
        self.cell, self.channels, self.variables = cell, channels, variables
        self.shape, self.dtype, self.count = shape, dtype, count
        self._feed = _feed(shape, dtype)
        self._start, self._step = _compiled(self._first), _compiled(self._next)
        self._state_like: Nested = None
        self._outputs_like: Nested = None

    def start(
        self, weights: list[Tensor], frame: NDArray[Any], boxes: NDArray[Any]
    ) -> Sequence[Tensor]:
        """The state before the first step, of boxes `[N, 4]`."""
        boxes = ops.convert_to_tensor(boxes, "float32")
        return self._start([self._feed(frame), boxes, *weights])

    def step(
        self, weights: list[Tensor], frame: NDArray[Any], state: Sequence[Tensor]
    ) -> tuple[NDArray[Any], NDArray[Any], Sequence[Tensor], Sequence[Tensor]]:
        """Boxes `[N, 4]`, whether present `[N]`, the other outputs and the state."""
        found = self._step([self._feed(frame), *state, *weights])
        end = len(found) - len(state)
        return np.array(found[0]), np.array(found[1]), found[2:end], found[end:]

    def outputs(self, flat: Sequence[Tensor]) -> Nested:
        """The step's outputs in their structure."""
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
        present = _overlaps(box, *self.shape[:2])
        return [box, present, *tree.flatten(outputs), *after]

    def _using(self, weights: Sequence[Tensor]) -> Any:
        return keras.StatelessScope(list(zip(self.variables, weights, strict=True)))

    def _each(
        self, function: Callable[..., Nested], frame: Tensor, xs: Nested
    ) -> Nested:
        """`function(frame, x)` for each of N objects in the one frame.

        On a CPU one after the other: N copies of the frame would cost more than
        N small batches. An accelerator has the bandwidth, and dislikes the loop.
        """
        frame = _with_channels(frame, self.channels)[None]  # [1, H, W, C]
        if self.count == 1:
            return function(frame, xs)
        if not _on_cpu():
            shape = (self.count, *frame.shape[1:])
            return function(ops.broadcast_to(frame, shape), xs)

        def one(x: Nested) -> Nested:
            found = function(frame, tree.map_structure(lambda x: x[None], x))
            return tree.map_structure(lambda x: ops.convert_to_tensor(x)[0], found)

        return ops.map(one, xs)


def _checked_frame(frame: Any) -> NDArray[Any]:
    """A frame `[H, W, 1]` or `[H, W, 3]`, of uint8 or float32."""
    frame = np.asarray(frame)
    if frame.ndim == 2:
        frame = frame[..., None]
    if frame.ndim != 3 or frame.shape[-1] not in (1, 3):
        raise ValueError(
            "A frame must be grey, [H, W] or [H, W, 1], or colour, [H, W, 3]. "
            f"Received: frame.shape={frame.shape}"
        )
    if 0 in frame.shape:
        raise ValueError(
            f"A frame must not be empty. Received: frame.shape={frame.shape}"
        )
    if frame.dtype != np.uint8 and frame.dtype != np.float32:
        if frame.dtype.kind != "f":
            raise ValueError(
                "A frame must be of uint8, or of floats in 0..1. "
                f"Received: frame.dtype={frame.dtype}"
            )
        frame = frame.astype("float32")
    return frame


def _with_channels(frame: Tensor, channels: int) -> Tensor:
    """`[H, W, 1]` or `[H, W, 3]` as `[H, W, channels]`, of the same dtype."""
    if frame.shape[-1] == channels:
        return frame
    if channels == 3:
        return ops.repeat(frame, 3, axis=-1)
    # Channel by channel: XLA's reduction over three numbers takes five times as long.
    colours = [frame[..., i : i + 1] for i in range(3)]
    if keras.backend.is_float_dtype(frame.dtype):
        return sum(x * (k / 65536) for x, k in zip(colours, GREY, strict=True))
    grey = sum(ops.cast(x, "int32") * k for x, k in zip(colours, GREY, strict=True))
    return ops.cast(ops.right_shift(grey + 32768, 16), frame.dtype)


def _overlaps(box: Tensor, height: int, width: int) -> Tensor:
    """Where boxes `[N, 4]` are finite and overlap the frame, `[N]`."""
    x, y, w, h = ops.unstack(box, 4, axis=-1)
    inside = [w > 0, h > 0, x < width, y < height, x + w > 0, y + h > 0]
    return ops.all(ops.stack([*inside, ops.all(ops.isfinite(box), -1)]), axis=0)


def _on_cpu() -> bool:
    if keras.backend.backend() == "jax":
        import jax

        return bool(jax.default_backend() == "cpu")
    import tensorflow as tf

    return not tf.config.list_logical_devices("GPU")


def _feed(shape: tuple[int, ...], dtype: Any) -> Callable[[NDArray[Any]], Tensor]:
    """Hands frames over to the backend."""
    if keras.backend.backend() == "jax":
        return lambda frame: frame
    import tensorflow as tf

    if not _on_cpu():
        return tf.convert_to_tensor
    # One tensor over memory of ours that each frame is copied to: five times faster
    # than a new tensor a frame.
    memory = np.zeros(int(np.prod(shape)) * dtype.itemsize + 64, "uint8")
    start = -memory.ctypes.data % 64  # XLA wants aligned memory
    buffer = memory[start : memory.size - 64 + start].view(dtype).reshape(shape)
    tensor = tf.experimental.dlpack.from_dlpack(buffer.__dlpack__())

    def feed(frame: NDArray[Any]) -> Tensor:
        np.copyto(buffer, frame)
        return tensor

    return feed


def _compiled(function: Flat) -> Flat:
    """`function` of a list of tensors, under XLA; shapes and dtypes never change."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    run: Flat | None = None

    def call(inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        nonlocal run
        if run is None:
            once = _in_a_loop(function, inputs)
            concrete = tf.function(
                once, jit_compile=True, autograph=False
            ).get_concrete_function(list(inputs))
            # Below `tf.function` and its concrete function, each of which looks at
            # every argument: three times as long as running a small model.
            flat, captured = concrete.inference_fn.call_flat, concrete.captured_inputs
            run = lambda inputs: flat(*inputs, *captured)  # noqa: E731
        return run(inputs)

    return call


def _in_a_loop(function: Flat, inputs: Sequence[Tensor]) -> Flat:
    """`function` as the body of a loop that runs once.

    TensorFlow wants to know where a `slice` begins when it compiles for XLA. Where
    that comes from an input, as a window does from the state, it would compile again
    for each new value; what changes within a loop it takes as it comes. XLA then
    drops the loop.
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
