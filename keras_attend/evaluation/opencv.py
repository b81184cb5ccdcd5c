"""OpenCV's trackers, as baselines for this package's own."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from keras_attend.arguments import check_choice
from keras_attend.evaluation.tracking import SureTrack, Track
from keras_attend.types import Array

OPENCV = ("KCF", "CSRT", "MOSSE", "MIL", "MedianFlow", "TrackerNano")
NANOTRACK = "KERAS_ATTEND_NANOTRACK"


def opencv_tracker(name: str) -> Track:
    """Make a function of one of OpenCV's trackers, for `one_pass` and `score_clips`.

    Where the tracker reports a failure, its last box is repeated.

    Args:
        name: "KCF", "CSRT", "MOSSE", "MIL", "MedianFlow" or "TrackerNano". The last
            is NanoTrack, a network trained on GOT-10k, COCO and others: its two files,
            `nanotrack_backbone_sim.onnx` and `nanotrack_head_sim.onnx`, must lie in
            the folder that the environment variable KERAS_ATTEND_NANOTRACK names.
    """
    sure = sure_opencv_tracker(name)

    def track(frames: Array, box: Array) -> Array:
        return sure(frames, box)[0]

    return track


def sure_opencv_tracker(name: str) -> SureTrack:
    """Make a function of one of OpenCV's trackers, for `hidden_clips`.

    TrackerNano says how sure it is; the others say only whether they have failed, which
    is 0 here, and 1 otherwise.

    Args:
        name: as of `opencv_tracker`.
    """
    create, whole = opencv_factory(name)

    def track(frames: Array, box: Array) -> tuple[Array, Array]:
        tracker = create()
        tracker.init(opencv_image(frames[0]), opencv_box(box, whole))
        found, sure = [np.asarray(box, "float32")], [1.0]
        for frame in frames[1:]:
            seen, moved = tracker.update(opencv_image(frame))
            found.append(np.asarray(moved, "float32") if seen else found[-1])
            scored = name == "TrackerNano"
            sure.append(float(tracker.getTrackingScore() if scored else seen))
        return np.stack(found), np.array(sure)

    return track


def opencv_factory(name: str) -> tuple[Callable[[], Any], bool]:
    """Make a function that makes one of OpenCV's trackers.

    Args:
        name: as of `opencv_tracker`.

    Returns:
        The function, and whether the tracker takes boxes of whole pixels alone.
    """
    check_choice("name", name, OPENCV)
    try:
        import cv2
    except ImportError as error:
        raise ImportError(
            "OpenCV's trackers need OpenCV with its contributed modules: pip install "
            "opencv-contrib-python-headless"
        ) from error
    legacy = getattr(cv2, "legacy", None)
    # The old interface takes fractions of a pixel, the new one whole ones.
    create = getattr(legacy, f"Tracker{name}_create", None)
    whole = create is None
    if name == "TrackerNano":
        create = _nanotrack(cv2)
    create = create or getattr(cv2, f"Tracker{name}_create", None)
    if create is None:
        raise ImportError(
            f"This OpenCV, {cv2.__version__}, has no {name} tracker: pip install "
            "opencv-contrib-python-headless"
        )
    return create, whole


def opencv_box(box: Array, whole: bool) -> tuple[float, ...]:
    """Convert a box `[4]` for OpenCV, rounded to whole pixels if `whole`."""
    return tuple(round(float(v)) if whole else float(v) for v in box)


def _nanotrack(cv2: Any) -> Callable[[], Any] | None:
    """A function that makes a NanoTrack from its two files; None in an old OpenCV."""
    if not hasattr(cv2, "TrackerNano_create"):
        return None
    folder = os.environ.get(NANOTRACK, "")
    parameters = cv2.TrackerNano_Params()
    for argument, part in (("backbone", "backbone"), ("neckhead", "head")):
        path = Path(folder) / f"nanotrack_{part}_sim.onnx"
        if not (folder and path.is_file()):
            raise FileNotFoundError(
                f"TrackerNano needs {path.name} in the folder that {NANOTRACK} names. "
                f"Received: {NANOTRACK}={folder!r}"
            )
        setattr(parameters, argument, str(path))
    return lambda: cv2.TrackerNano_create(parameters)


def opencv_image(frame: Array) -> Array:
    """Convert a frame `[H, W, 1 or 3]` to `[H, W, 3]` uint8 of blue, green, red."""
    if frame.dtype != np.uint8:
        frame = np.rint(np.clip(frame, 0, 1) * 255).astype("uint8")
    if frame.shape[-1] == 1:
        frame = np.repeat(frame, 3, axis=-1)
    return np.ascontiguousarray(frame[..., ::-1])
