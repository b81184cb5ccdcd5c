"""Draw how a model takes pictures apart."""

from pathlib import Path
from typing import Any

import numpy as np

from keras_attend.plots.common import FIRST, LAST, PATH, finish, outline, pyplot, show
from keras_attend.types import Array

COLORS = (PATH, LAST, FIRST, "#ff7f0e", "#9467bd", "#8c564b")  # of objects 1, 2, ...


def plot_objects(model: Any, images: Any, *, path: str | Path | None = None) -> Any:
    """Draw which objects an `AIR` finds in pictures, and how it explains them.

    Each picture has a column: the picture with the box of each object that was found,
    what the model draws, the objects alone, each in its box's colour, and the
    background if there is one.

    Args:
        model: a `models.AIR`.
        images: `[N, H, W, C]`, ten or fewer to be legible.
        path: the file to write the picture to, if any.
    """
    plt = pyplot()
    images = np.asarray(images)
    if images.ndim != 4 or len(images) == 0:
        raise ValueError(
            "`images` must have shape [N, H, W, C] with N > 0. "
            f"Received: images.shape={images.shape}"
        )
    found = model.predict(images, batch_size=len(images), verbose=0)
    masks = found["masks"][..., 0]
    rows = {"picture": images, "as drawn": found["canvas"], "objects": colored(masks)}
    if found["background"].max() > 0:
        rows["background"] = found["background"]
    figure, axes = plt.subplots(
        len(rows),
        len(images),
        figsize=(1.5 * len(images) + 0.4, 1.5 * len(rows) + 0.3),
        squeeze=False,
        layout="constrained",
    )
    for (name, shown), line in zip(rows.items(), axes, strict=True):
        line[0].set_ylabel(name)
        for axis, image in zip(line, shown, strict=True):
            show(axis, image)
    for axis, count, boxes in zip(axes[0], found["count"], found["boxes"], strict=True):
        axis.set_title(f"{count}", fontsize=10)
        for t, box in enumerate(boxes[:count]):
            outline(axis, box, COLORS[t % len(COLORS)])
    return finish(figure, path)


def colored(masks: Array) -> Array:
    """Pictures `[B, H, W, 3]` of masks `[B, N, H, W]`, each in a colour of its own."""
    wanted = [COLORS[t % len(COLORS)] for t in range(masks.shape[1])]
    rgb = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in wanted])
    return np.clip(np.einsum("bthw,tc->bhwc", masks, rgb), 0, 1)
