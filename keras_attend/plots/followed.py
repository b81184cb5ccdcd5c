"""Draw which objects a model follows through a video, and how it goes on."""

from pathlib import Path
from typing import Any

import numpy as np

from keras_attend.plots.common import finish, outline, pyplot, show
from keras_attend.plots.objects import COLORS
from keras_attend.types import Array

KEYS = ("canvas", "boxes", "ids")


def plot_followed(
    model: Any,
    frames: Array,
    *,
    ahead: int = 5,
    futures: int = 2,
    path: str | Path | None = None,
) -> Any:
    """Draw the objects that a `SequentialAIR` follows, and how it goes on.

    The first row is the video, with the box of each object in its object's colour; the
    second is what the model draws. Below are what it imagines when it does not see the
    last `ahead` frames: first the mean, then draws.

    Args:
        model: a `models.SequentialAIR` without actions.
        frames: one video, `[T, H, W, C]`.
        ahead: how many of the last frames are imagined too.
        futures: how many futures are drawn.
        path: the file to write the picture to, if any.
    """
    plt = pyplot()
    frames = np.asarray(frames)
    if frames.ndim != 4 or not 0 < ahead < len(frames):
        raise ValueError(
            "`frames` must have shape [T, H, W, C], and more frames than `ahead`. "
            f"Received: frames.shape={frames.shape}, ahead={ahead}"
        )
    found = model.predict({"frames": frames[None]}, batch_size=1, verbose=0)
    seen = frames[None, :-ahead]
    rows = [("video", frames, found["boxes"][0], found["ids"][0])]
    rows.append(("as drawn", found["canvas"][0], None, None))
    for samples in (0, futures) if futures else (0,):
        future = model.imagine(seen, ahead, samples=samples)
        for k in range(max(samples, 1)):
            canvas, boxes, ids = (future[key][0, k] for key in KEYS)
            name = f"future {k + 1}" if samples else "imagined"
            rows.append((name, canvas, boxes, ids))
    T = len(frames)
    figure, axes = plt.subplots(
        len(rows),
        T,
        figsize=(1.1 * T + 0.4, 1.1 * len(rows) + 0.2),
        squeeze=False,
        layout="constrained",
    )
    for (name, shown, boxes, ids), line in zip(rows, axes, strict=True):
        line[0].set_ylabel(name)
        skipped = T - len(shown)
        for axis in line[:skipped]:
            axis.set(xticks=[], yticks=[], frame_on=False)
        for t, axis in enumerate(line[skipped:]):
            show(axis, shown[t])
            if boxes is not None:
                draw_boxes(axis, boxes[t], ids[t])
    return finish(figure, path)


def draw_boxes(axis: Any, boxes: Array, ids: Array) -> None:
    """Draw the boxes `[N, 4]` of the objects whose numbers `[N]` are not negative."""
    for box, number in zip(boxes, ids, strict=True):
        if number >= 0:
            outline(axis, box, COLORS[number % len(COLORS)])
