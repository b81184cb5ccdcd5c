"""What OpenCV's trackers found on the test sets, kept for the next recipe.

CSRT is by far the slowest of them; it finds the same each time.
"""

import hashlib
import os
from pathlib import Path

import numpy as np

from keras_attend.disk import replacing
from keras_attend.evaluation.tracking import SureTrack, Track
from keras_attend.types import Array

FOLDER = "KERAS_ATTEND_TRACKS"


def kept(track: SureTrack, name: str) -> SureTrack:
    """Make a function that finds again what `track` has found, where it is kept.

    That is in the folder that the environment variable KERAS_ATTEND_TRACKS names; if it
    names none, nothing is kept. A file belongs to the frames, the box, the tracker and
    OpenCV's version.

    Args:
        track: the tracker; the same frames and box lead to the same boxes.
        name: the tracker's.
    """
    folder = os.environ.get(FOLDER, "")
    if not folder:
        return track
    import cv2

    Path(folder).mkdir(parents=True, exist_ok=True)

    def found(frames: Array, box: Array) -> tuple[Array, Array]:
        asked = hashlib.sha256(
            f"{cv2.__version__} {frames.shape} {frames.dtype}".encode()
        )
        asked.update(frames.tobytes())
        asked.update(np.asarray(box, "float64").tobytes())
        path = Path(folder) / f"{name}_{asked.hexdigest()}.npz"
        if not path.is_file():
            boxes, sure = track(frames, box)
            with replacing(path) as new, new.open("wb") as file:
                np.savez(file, boxes=boxes, sure=sure)
        with np.load(path) as file:
            return file["boxes"], file["sure"]

    return found


def boxes_alone(track: SureTrack) -> Track:
    """Make a function that returns the boxes alone."""
    return lambda frames, box: track(frames, box)[0]
