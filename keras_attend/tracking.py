"""`Tracker`: a trained model follows objects one frame at a time, as OpenCV's do."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops, tree
from numpy.typing import NDArray

from keras_attend import zoo
from keras_attend.boxes import check_box
from keras_attend.compiled_step import CompiledStep
from keras_attend.types import Tensor


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
        self._compiled: dict[tuple[Any, ...], CompiledStep] = {}
        self._run: CompiledStep | None = None
        self._weights: list[Tensor] = []
        self._state: Sequence[Tensor] = []
        self._outputs: Sequence[Tensor] = []

    def init(self, frame: Any, box: Any) -> None:
        """Start to follow what is in the box.

        Args:
            frame: the first, `[H, W]`, `[H, W, 1]` or `[H, W, 3]`.
            box: `(x, y, w, h)`, or `[N, 4]` for N objects at once.
        """
        frame = _checked_frame(frame)
        if frame.dtype != np.uint8:
            low, high = frame.min(), frame.max()
            if not (low >= 0 and high <= 1):
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
            Whether the box is finite, overlaps the frame, and shows the object, as
            far as the model can tell (its "presence", where it has one, is above one
            half), and the box, `[4]`; for N objects arrays `[N]` and `[N, 4]`.
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
        self, run: CompiledStep, frame: NDArray[Any]
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

    def _ready(self, frame: NDArray[Any]) -> CompiledStep:
        key = (frame.shape, frame.dtype, len(self._boxes))
        if key not in self._compiled:
            self._compiled[key] = CompiledStep(
                self.model.cell, self.channels, self._variables, *key
            )
        return self._compiled[key]


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
