"""Serve a tracker by the TraX protocol, which VOT's toolkit speaks.

`keras-attend trax NAME` does it; `trackers.ini` beside this module has an entry of that
command for each tracker of videos that ships. Boxes are `xywh` in pixels, 0-based, as
the toolkit's are.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_attend import zoo
from keras_attend.datasets.sequences import read_image
from keras_attend.tracking import Tracker
from keras_attend.types import Array

Status = list[tuple[Array, dict[str, Any]]]


class Objects:
    """The objects of one video, which need not all be there from its beginning.

    Args:
        model: what `keras_attend.Tracker` takes.
    """

    def __init__(self, model: keras.Model | str | Path) -> None:
        self.model = model
        self._idle: list[Tracker] = []  # of earlier videos: they are compiled already
        self._groups: list[Tracker] = []  # of objects that came in the same frame

    def restart(self) -> None:
        """Forget all objects: another video begins."""
        self._idle = self._groups + self._idle
        self._groups = []

    def follow(self, frame: Array, new: Array) -> Status:
        """Follow the objects to the next frame.

        Args:
            frame: `[H, W, 3]`.
            new: the boxes `[N, 4]` of objects that are to be followed from here on; N
                may be 0.

        Returns:
            For each object, in the order in which they came, its box `[4]` and a
            dictionary with "confidence": the model's "presence" where it has one.
        """
        found: Status = []
        for tracker in self._groups:
            present, boxes = tracker.update(frame)
            sure = tracker.outputs.get("presence", present)
            found += _status(boxes, np.asarray(sure, "float64"))
        if len(new):
            tracker = self._idle.pop(0) if self._idle else Tracker(self.model)
            tracker.init(frame, new)
            self._groups.append(tracker)
            found += _status(new, np.ones(len(new)))
        return found


def _status(boxes: Array, sure: Array) -> Status:
    return [
        (box, {"confidence": f"{confidence:.4f}"})
        for box, confidence in zip(boxes, np.ravel(sure), strict=True)
    ]


def serve(model: keras.Model | str | Path, name: str) -> None:
    """Answer a client on the standard streams until it hangs up.

    Args:
        model: what `keras_attend.Tracker` takes.
        name: what the client is told that the tracker is called; letters, digits, `_`.
    """
    try:
        import trax
    except ImportError as error:
        raise ImportError(
            "The TraX protocol needs vot-trax: pip install vot-trax"
        ) from error
    if isinstance(model, str | Path) and Path(model).suffix != ".onnx":
        model = zoo.load(model)  # once, and before the client waits for a frame
    objects = Objects(model)
    with trax.Server(
        [trax.Region.RECTANGLE],
        [trax.Image.PATH],
        tracker_name=name,
        tracker_family="keras_attend",
        multiobject=True,
    ) as server:
        while True:
            request = server.wait()
            if request.type not in (
                trax.TraxStatus.INITIALIZE,
                trax.TraxStatus.FRAME,
            ):
                return
            if request.type == trax.TraxStatus.INITIALIZE:
                objects.restart()
            frame = read_image(Path(request.image[trax.ImageChannel.COLOR].path()))
            new = [region.bounds() for region, _ in request.objects or ()]
            found = objects.follow(frame, np.array(new, "float32").reshape(-1, 4))
            server.status(
                [
                    (trax.Rectangle.create(*map(float, box)), properties)
                    for box, properties in found
                ]
            )
