"""Run a tracker in an ONNX file by ONNX Runtime."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_attend_runtime.checked_file import TYPES, description, read_model
from keras_attend_runtime.frames import overlaps, with_channels, with_dtype

Found = tuple[NDArray[np.float32], NDArray[np.bool_]]  # boxes [N, 4], presence [N]

MAX_THREADS = 256


class OnnxModel:
    """The `Engine` of a file; `metadata` is the description that the file holds.

    Args:
        path: a tracker's file, as `keras_attend.export` writes it.
        threads: how many threads a step may use.
    """

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise ImportError(
                "Exported trackers need onnxruntime: pip install onnxruntime"
            ) from error
        if type(threads) is not int or not 1 <= threads <= MAX_THREADS:
            raise ValueError(
                f"`threads` must be an integer in 1..{MAX_THREADS}. "
                f"Received: threads={threads!r}"
            )
        content = read_model(Path(path))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # As TensorFlow does: to multiply the tiny numbers in Gaussians' tails is slow.
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        try:
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions have no base class of their own
            raise ValueError(
                f"ONNX Runtime cannot read {path}: {' '.join(str(error).split())}"
            ) from error
        self.metadata: dict[str, Any] = description(Path(path), self._session)
        self.channels: int = self.metadata["channels"]
        self._objects: list[_Objects] = []

    def start(self, frame: NDArray[Any], boxes: NDArray[np.float32]) -> Found:
        """Begin with the boxes `[N, 4]` in a frame; see `Engine`."""
        size = self.metadata["size"]
        if size and list(frame.shape[:2]) != size:
            raise ValueError(
                f"The file was exported for frames of height and width {tuple(size)}. "
                f"Received: frame.shape={frame.shape}"
            )
        # All in one call, or a call for each.
        count = 1 if self.metadata["objects"] else len(boxes)
        parts = [boxes[i : i + count] for i in range(0, len(boxes), count)]
        self._objects = [_Objects(self._session, part) for part in parts]
        return self.step(frame)

    def step(self, frame: NDArray[Any]) -> Found:
        """Follow the objects to the next frame; see `Engine`."""
        height, width = frame.shape[:2]
        frame = with_dtype(with_channels(frame, self.channels), self.metadata["dtype"])
        whole = np.ascontiguousarray(frame)[None]  # [1, H, W, C]
        for objects in self._objects:
            objects.step(whole)
        boxes = np.concatenate([x.found["box"] for x in self._objects])  # [N, 4]
        present = overlaps(boxes, height, width)
        if self.metadata["presence"]:
            presence = [x.found["presence"] for x in self._objects]
            present &= np.concatenate(presence) > 0.5
        return boxes, present

    def outputs(self) -> dict[str, NDArray[Any]]:
        """Return all that the last step returned; see `Engine`."""
        return {
            name: np.concatenate([x.found[name] for x in self._objects])
            for name in self.metadata["outputs"]
        }


class _Objects:
    """The state of N objects, in two sets of arrays that the steps use in turn.

    A step reads the state from one set and writes the next state to the other. All
    arrays are bound once, for to pass them with each frame takes a tenth of a small
    model's step.

    Args:
        session: a session of ONNX Runtime.
        boxes: the objects' boxes in the first frame, `[N, 4]`; N is 1 where the file
            is for one object.
    """

    def __init__(self, session: Any, boxes: NDArray[np.float32]) -> None:
        self._session = session
        self._first = np.array(True)
        self._boxes = np.ascontiguousarray(boxes)  # [N, 4]
        one, other = (
            {
                x.name: np.zeros((len(boxes), *x.shape[1:]), TYPES[x.type])
                for x in session.get_outputs()
            }
            for _ in range(2)
        )
        self._turns = [(self._bound(one, other), other), (self._bound(other, one), one)]
        self.found = one

    def _bound(
        self, held: dict[str, NDArray[Any]], found: dict[str, NDArray[Any]]
    ) -> Any:
        """Bind a step that reads its state from `held` and writes to `found`."""
        binding = self._session.io_binding()
        binding.bind_cpu_input("first", self._first)
        binding.bind_cpu_input("first_box", self._boxes)
        for name, x in found.items():
            binding.bind_output(name, "cpu", 0, x.dtype, x.shape, x.ctypes.data)
            if name.startswith("next_"):
                binding.bind_cpu_input(name.removeprefix("next_"), held[name])
        return binding

    def step(self, frame: NDArray[Any]) -> None:
        """Follow the objects to a frame `[1, H, W, C]`."""
        binding, self.found = self._turns[0]
        self._turns.reverse()
        binding.bind_cpu_input("frame", frame)
        self._session.run_with_iobinding(binding)
        self._first[...] = False
