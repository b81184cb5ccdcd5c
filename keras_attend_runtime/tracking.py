"""The methods that all trackers have, and the tracker that runs an ONNX file."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from keras_attend_runtime.frames import check_box, check_range, checked_frame
from keras_attend_runtime.onnx_model import Found, OnnxModel


class Engine(Protocol):
    """What runs a model: each step returns boxes `[N, 4]` and presence `[N]`."""

    channels: int

    def start(self, frame: NDArray[Any], boxes: NDArray[np.float32]) -> Found:
        """Begin with the boxes `[N, 4]` in a frame `[H, W, 1]` or `[H, W, 3]`."""

    def step(self, frame: NDArray[Any]) -> Found:
        """Follow the objects to the next frame."""

    def outputs(self) -> dict[str, NDArray[Any]]:
        """Return all that the last step returned, each `[N, ...]`."""


class FrameTracker:
    """A tracker whose model an `Engine` runs; see `Tracker`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._started = False
        self._process = os.getpid()

    def __getstate__(self) -> Any:
        """Refuse to be pickled or copied: what follows objects is compiled here."""
        raise TypeError(
            "A Tracker cannot be pickled or copied: make another one, from the same "
            "model or file, in each process and for each video."
        )

    def _check_process(self) -> None:
        # The backends' threads, which a step waits for, are not there after a fork.
        if os.getpid() != self._process:
            raise ValueError(
                "A Tracker must be used by the process that made it. Received: a call "
                f"in process {os.getpid()}, a fork of {self._process}. Make the "
                'Tracker there; `multiprocessing.get_context("spawn")` suits best.'
            )

    @property
    def channels(self) -> int:
        """The channels of the frames that the model takes: 1 for grey, 3 for colour."""
        return self._engine.channels

    def init(self, frame: Any, box: Any) -> None:
        """Begin to follow the object in a box.

        Args:
            frame: the first frame, `[H, W]`, `[H, W, 1]` or `[H, W, 3]`.
            box: `(x, y, w, h)`, or `[N, 4]` for N objects at once.
        """
        self._check_process()
        frame = checked_frame(frame)
        check_range(frame)
        box = check_box(box, *frame.shape[:2])
        if box.ndim > 2 or len(box) == 0:
            raise ValueError(
                "`box` must be (x, y, w, h) or an array [N, 4] with N > 0. "
                f"Received: box of shape {box.shape}"
            )
        self._one = box.ndim == 1
        self._frame_size = frame.shape[:2]
        self._boxes = box.reshape(-1, 4)  # [N, 4]
        self._engine.start(frame, self._boxes)
        self._started = True

    def update(self, frame: Any) -> tuple[Any, NDArray[np.float32]]:
        """Follow the object to the next frame.

        Args:
            frame: a frame of the first one's height and width. It may have another
                dtype or number of channels.

        Returns:
            Whether the object is present, and its box, `[4]`; for N objects `[N]` and
            `[N, 4]`. It is present if the box is finite and overlaps the frame, and
            the model's "presence", where it has one, is above one half.
        """
        if not self._started:
            raise ValueError(
                "The tracker does not know yet what to follow. Call "
                "`init(frame, box)` before `update(frame)`."
            )
        self._check_process()
        frame = checked_frame(frame)
        check_range(frame)  # a single NaN would stay in the state
        if frame.shape[:2] != self._frame_size:
            raise ValueError(
                "A frame must have the height and width of the first one, "
                f"{self._frame_size}; `init` again for another video. "
                f"Received: frame.shape={frame.shape}"
            )
        boxes, present = self._engine.step(frame)
        if self._one:
            return bool(present[0]), boxes[0]
        return present, boxes

    def track(self, frames: Iterable[Any], box: Any) -> NDArray[np.float32]:
        """Follow the object in a box through a whole video.

        Args:
            frames: `[T, H, W, C]`, or an iterable of frames.
            box: the box in the first frame, `(x, y, w, h)` or `[N, 4]`.

        Returns:
            Boxes `[T, 4]`, or `[N, T, 4]`, as the model's `predict` returns them; that
            of the first frame is `box`.
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
        """All that the step returned for the last frame; `[N, ...]` for N objects."""
        if not self._started:
            raise ValueError("There are no outputs before `init(frame, box)`.")
        pick = 0 if self._one else slice(None)
        return {name: x[pick] for name, x in self._engine.outputs().items()}


class Tracker(FrameTracker):
    """`keras_attend.Tracker` for a file that `keras_attend.export` wrote as ONNX.

        tracker = Tracker("hart.onnx")
        tracker.init(frame, (x, y, w, h))
        present, box = tracker.update(next_frame)

    It takes the frames that `keras_attend.Tracker` takes; those of the dtype and
    channels that the file was written for need no conversion.

    Args:
        model: the file.
        threads: how many threads a step may use; a small model is fastest with one.
    """

    def __init__(self, model: str | Path, threads: int = 1) -> None:
        super().__init__(OnnxModel(model, threads))
