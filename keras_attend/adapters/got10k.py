"""Run a tracker under GOT-10k's toolkit, the package `got10k` (version 0.1.3).

from got10k.experiments import ExperimentGOT10k
from keras_attend.adapters.got10k import Tracker

experiment = ExperimentGOT10k("data/GOT-10k", subset="val")
experiment.run(Tracker("hart_person"))
experiment.report(["hart_person"])

The toolkit's boxes are `xywh` in pixels whose first one is 1, 1; those of this package
begin at 0, 0. Only here are they converted.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_attend import tracking
from keras_attend.datasets.sequences import read_image
from keras_attend.types import Array

ONE_BASED = np.array([1, 1, 0, 0], "float32")


class Tracker:
    """A tracker with the attributes and methods that the toolkit's experiments use.

    The package `got10k` need not be installed for it.

    Args:
        model: what `keras_attend.Tracker` takes: a preset's name or folder, a model, or
            an exported `.onnx` file.
        name: the name of the folder of its results; by default that of the preset, of
            the file, or of the model.
    """

    # It draws no random numbers: the toolkit then runs each video once, not thrice.
    is_deterministic = True

    def __init__(
        self, model: keras.Model | str | Path, name: str | None = None
    ) -> None:
        self.tracker = tracking.Tracker(model)
        if name is None:
            if isinstance(model, str | Path):
                name = Path(model).stem
            else:
                name = str(model.name)
        self.name = name

    def init(self, image: Any, box: Sequence[float] | Array) -> None:
        """Begin with a box in an image, a Pillow image in RGB or an array."""
        self.tracker.init(np.asarray(image), np.asarray(box, "float32") - ONE_BASED)

    def update(self, image: Any) -> Array:
        """Return the box `[4]` in the next image."""
        return self.tracker.update(np.asarray(image))[1] + ONE_BASED

    def track(
        self,
        img_files: Sequence[str | Path],
        box: Sequence[float] | Array,
        visualize: bool = False,
    ) -> tuple[Array, Array]:
        """Follow the object through a video.

        The arguments have the toolkit's names.

        Args:
            img_files: the files of the video's T frames.
            box: the box `[4]` in the first one.
            visualize: whether the toolkit draws each frame.

        Returns:
            Boxes `[T, 4]`, the given one first, and the seconds that each frame took
            without being read, `[T]`. The first frame's include the compilation.
        """
        boxes, seconds = np.zeros((len(img_files), 4)), np.zeros(len(img_files))
        boxes[0] = box
        for t, file in enumerate(img_files):
            image = read_image(Path(file))
            begin = time.perf_counter()
            if t == 0:
                self.init(image, box)
            else:
                boxes[t] = self.update(image)
            seconds[t] = time.perf_counter() - begin
            if visualize:
                from got10k.utils.viz import show_frame
                from PIL import Image

                show_frame(Image.fromarray(image), boxes[t])
        return boxes, seconds
