"""Follow objects one frame at a time, with the methods of OpenCV's trackers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops, tree
from numpy.typing import NDArray

from keras_attend import zoo
from keras_attend.compiling import announced
from keras_attend.tracking.compiled_step import CompiledStep, suits_xla
from keras_attend.types import Tensor
from keras_attend_runtime.onnx_model import Found, OnnxModel
from keras_attend_runtime.tracking import Engine, FrameTracker


class Tracker(FrameTracker):
    r"""Follow one object, or several, through the frames of a video.

        tracker = Tracker("ratm_mnist")
        tracker.init(frame, (x, y, w, h))
        present, box = tracker.update(next_frame)

    Boxes are `(x, y, w, h)` in pixels, 0-based, the top-left corner first. Frames are
    uint8, or floats in 0..1, of one size: grey `[H, W]` or `[H, W, 1]`, or colour
    `[H, W, 3]` in the order red, green, blue (OpenCV's order is the opposite:
    `frame[..., ::-1]`). They are converted to the channels that the model takes.

    `init` builds the step, once for each size of frames and number of objects, and
    copies the model's weights: later training does not change this tracker.

    `outputs` is what the model's step returned for the last frame: a dict of arrays
    with "box" and, for some models, "window", "glimpse" and more.

    Args:
        model: a Keras model with `cell`, a `layers.RecurrentTrackerCell`, and
            `channels`, 1 or 3; or a preset's name or folder, for `zoo.load`; or an
            `.onnx` file of `export`, which `keras_attend_runtime.Tracker` runs without
            Keras.
        jit_compile: for TensorFlow, whether XLA compiles the step. It takes about ten
            seconds before the first box, and then less time for each frame of a small
            model: it pays from some ten thousand frames. Boxes differ in their last
            digits. None compiles on an accelerator, unless the model's cell says
            `jit_compile = False`. JAX always compiles.
    """

    def __init__(
        self, model: keras.Model | str | Path, jit_compile: bool | None = None
    ) -> None:
        engine: Engine
        if isinstance(model, str | Path) and Path(model).suffix == ".onnx":
            engine = OnnxModel(model)
        else:
            engine = KerasEngine(model, jit_compile)
            model = engine.model
        super().__init__(engine)
        self.model = model


class KerasEngine:
    """Runs a model by a compiled step for each shape and dtype of frames."""

    def __init__(
        self, model: keras.Model | str | Path, jit_compile: bool | None = None
    ) -> None:
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
        self._xla = suits_xla(cell, jit_compile)
        self._compiled: dict[tuple[Any, ...], CompiledStep] = {}
        self._run: CompiledStep | None = None
        self._weights: list[Tensor] = []
        self._held: list[Any] = []  # variables, see `CompiledStep`
        self._state: Sequence[Tensor] = []
        self._outputs: Sequence[Tensor] = []

    def start(self, frame: NDArray[Any], boxes: NDArray[np.float32]) -> Found:
        """Begin with the boxes `[N, 4]` in a frame; see `Engine`."""
        self._count = len(boxes)
        self._build(frame, boxes)
        # Copies, because training on JAX donates the model's own arrays.
        self._weights = [ops.copy(v) for v in self._variables]
        for held, value in zip(self._held, self._weights, strict=False):
            held.assign(value)
        self._run = self._ready(frame)
        height, width = frame.shape[:2]
        compiles = self._xla or keras.backend.backend() == "jax"
        with announced(f"the tracker for frames of {height}x{width}", compiles):
            self._state = self._run.start(self._weights, frame, boxes)
            return self.step(frame)

    def step(self, frame: NDArray[Any]) -> Found:
        """Follow the objects to the next frame; see `Engine`."""
        run = self._run
        if run is None or frame.shape != run.shape or frame.dtype != run.dtype:
            run = self._ready(frame, self._run)
        boxes, present, self._outputs, self._state = run.step(
            self._weights, frame, self._state
        )
        self._run = run
        return boxes, present

    def outputs(self) -> dict[str, NDArray[Any]]:
        """Return all that the last step returned; see `Engine`."""
        if self._run is None:
            return {}
        return tree.map_structure(
            ops.convert_to_numpy, self._run.outputs(self._outputs)
        )

    def _build(self, frame: NDArray[Any], boxes: NDArray[np.float32]) -> None:
        """Call the model once if it has no weights yet."""
        if not (self.model.built and self.model.cell.built):
            shape = (1, 1, *frame.shape[:2], self.channels)
            self.model({"frames": np.zeros(shape, "float32"), "box": boxes[:1]})
        cell, model = self.model.cell.variables, self.model.variables
        self._variables = list({id(v): v for v in [*cell, *model]}.values())
        if not (self._xla or self._held):
            import tensorflow as tf

            self._held = [
                tf.Variable(ops.convert_to_tensor(v), trainable=False)
                for v in self._variables
            ]

    def _ready(
        self, frame: NDArray[Any], before: CompiledStep | None = None
    ) -> CompiledStep:
        """Return the step for such frames; `before` is the one that had the state."""
        key = (frame.shape, frame.dtype, self._count)
        if key not in self._compiled:
            self._compiled[key] = CompiledStep(
                self.model.cell,
                self.channels,
                self._variables,
                *key,
                self._xla,
                self._held,
            )
        if before is not None:
            self._compiled[key].take_over(before)
        return self._compiled[key]
