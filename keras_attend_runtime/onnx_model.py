"""A tracker in an ONNX file, by ONNX Runtime."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_attend_runtime.frames import overlaps, with_channels, with_dtype

DTYPES = {"tensor(float)": "float32", "tensor(uint8)": "uint8"}


class OnnxModel:
    """The engine of `Tracker`; `metadata` is what the file says of itself.

    Args:
        path: of a tracker, as `keras_attend.export` writes it.
        threads: that a step may use.
    """

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise ImportError(
                "Exported trackers need onnxruntime: pip install onnxruntime"
            ) from error
        if not Path(path).is_file():
            raise FileNotFoundError(f"There is no file {path}.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions have no base of their own
            raise ValueError(
                f"ONNX Runtime cannot read {path}: {' '.join(str(error).split())}"
            ) from error
        found = self._session.get_modelmeta().custom_metadata_map.get("keras_attend")
        self.metadata: dict[str, Any] = json.loads(found) if found else {}
        if self.metadata.get("kind") != "tracker":
            raise ValueError(
                "`model` must be a tracker that `keras_attend.export` wrote. "
                f"Received: {path}, {self.metadata or 'which is none of its files'}"
            )
        self.channels: int = self.metadata["channels"]
        self._names = [x.name for x in self._session.get_outputs()]
        self._zeros = {
            x.name: np.zeros(x.shape, DTYPES[x.type])
            for x in self._session.get_inputs()
            if x.name.startswith("state_")
        }
        self._found: list[dict[str, NDArray[Any]]] = []  # of each object

    def start(
        self, frame: NDArray[Any], boxes: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Look at the first frame; boxes `[N, 4]`."""
        size = self.metadata["size"]
        if size and list(frame.shape[:2]) != size:
            raise ValueError(
                f"The file was exported for frames of height and width {tuple(size)}. "
                f"Received: frame.shape={frame.shape}"
            )
        first = {"first": np.array(True), **self._zeros}
        starts = [{**first, "first_box": box[None]} for box in boxes]
        return self._run(frame, starts)

    def step(
        self, frame: NDArray[Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Look at the next frame."""
        nowhere = np.zeros((1, 4), "float32")
        go_on = {"first": np.array(False), "first_box": nowhere}
        states = [
            {**go_on, **{name: x[f"next_{name}"] for name in self._zeros}}
            for x in self._found
        ]
        return self._run(frame, states)

    def _run(
        self, frame: NDArray[Any], feeds: list[dict[str, NDArray[Any]]]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        height, width = frame.shape[:2]
        frame = with_dtype(with_channels(frame, self.channels), self.metadata["dtype"])
        whole = np.ascontiguousarray(frame)[None]  # [1, H, W, C]
        found = [self._session.run(None, {"frame": whole, **x}) for x in feeds]
        self._found = [dict(zip(self._names, x, strict=True)) for x in found]
        boxes = np.concatenate([x["box"] for x in self._found])  # [N, 4]
        present = overlaps(boxes, height, width)
        if self.metadata["presence"]:
            present &= np.concatenate([x["presence"] for x in self._found]) > 0.5
        return boxes, present

    def outputs(self) -> dict[str, NDArray[Any]]:
        """What the last step gave, `[N, ...]`."""
        return {
            name: np.concatenate([x[name] for x in self._found])
            for name in self.metadata["outputs"]
        }
