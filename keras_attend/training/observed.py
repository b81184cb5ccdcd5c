"""Parts of videos, and what an observation network says of them, computed once."""

import hashlib
from typing import Any

import numpy as np

from keras_attend.datasets.sequences import Sequence
from keras_attend.datasets.views import resample
from keras_attend.evaluation.tracking import Track
from keras_attend.types import Array

CHUNK = 32  # the number of frames that the observation network takes at a time


def first_third(video: Sequence) -> Sequence:
    """Take the part of a video that DRLT's paper trains on."""
    return video.part(0, len(video) // 3)


def last_two_thirds(video: Sequence) -> Sequence:
    """Take the part of a video that the weights were not trained on."""
    return video.part(len(video) // 3)


class Observed:
    """Features that an observation network computes once for each video, and keeps.

    The network takes `CHUNK` scaled frames at a time, so that it is compiled only once.

    Args:
        model: a `DRLT`, whose observation network is not trained further.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.kept: dict[str, dict[str, Any]] = {}

    def features(self, frames: Array, box: Array) -> dict[str, Any]:
        """Compute `DRLT.features` of frames `[T, H, W, C]` uint8 and the first box."""
        key = hashlib.sha256(frames.tobytes() + box.tobytes()).hexdigest()
        if key not in self.kept:
            height, width = frames.shape[1:3]
            view = np.array([0, 0, width, height])
            small, moved = resample(frames, box[None], view, self.model.cell.size)
            found = []
            for start in range(0, len(frames), CHUNK):
                rows = np.minimum(np.arange(start, start + CHUNK), len(frames) - 1)
                chunk = small[[0, *rows]][None]  # frame 0 shows the object
                x = {"frames": chunk, "box": moved}
                found.append(self.model.features(x, batch_size=1)["features"][0, 1:])
            features = np.concatenate(found)[: len(frames)]
            size = np.array([height, width], "float32")
            self.kept[key] = {"features": features, "size": size}
        return self.kept[key]

    def clip(self, frames: Array, boxes: Array, present: Array) -> dict[str, Any]:
        """Make a video for `GivenClips`: features, boxes, and where they count."""
        seen = self.features(frames, boxes[0])
        return {**seen, "boxes": boxes, "present": np.asarray(present, "float32")}

    def track(self, model: Any) -> Track:
        """Make a function for `evaluation` that tracks by a video's kept features."""

        def follow(frames: Array, box: Array) -> Array:
            seen = self.features(frames, np.asarray(box, "float32"))
            more = -len(frames) % 512  # one length: compiled once
            x = {
                "features": np.pad(seen["features"], ((0, more), (0, 0)))[None],
                "size": seen["size"][None],
                "box": np.asarray(box, "float32")[None],
            }
            return model.predict(x, verbose=0)["boxes"][0, : len(frames)]

        return follow
