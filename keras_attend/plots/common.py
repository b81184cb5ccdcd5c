"""Helpers that several pictures use."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_attend import disk

# Red, green and blue: the first point of a path, the path itself and its last point.
FIRST, PATH, LAST = "#d62728", "#2ca02c", "#1f77b4"


def show(axis: Any, image: NDArray[Any]) -> None:
    """Draw an image `[H, W, C]`, without ticks and with a thin grey frame.

    It is of uint8, or of floats in 0..1. If C is not 3 the mean of its channels is
    drawn in grey.
    """
    if image.dtype == np.uint8:
        image = image / 255.0
    image = np.clip(image.astype("float32"), 0, 1)
    image = image if image.shape[-1] == 3 else image.mean(-1)
    axis.imshow(image, cmap="gray", vmin=0, vmax=1)
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set(color="0.7", lw=0.8)


def outline(axis: Any, box: Sequence[float], color: str) -> None:
    """Draw a box `xywh` about the pixels that it holds: pixel i is drawn about i."""
    x, y, width, height = box
    corner, look = (x - 0.5, y - 0.5), {"fill": False, "color": color, "lw": 1.5}
    axis.add_patch(pyplot().Rectangle(corner, width, height, **look))


def plain(axis: Any) -> None:
    """Give a diagram's axes a thin grid, and no frame at the top and the right."""
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)


def finish(figure: Any, path: str | Path | None) -> Any:
    """Write the figure to `path`, if one is given, and return it."""
    if path is not None:
        with disk.replacing(Path(path)) as new:
            figure.savefig(new, dpi=110)
    return figure


def pyplot() -> Any:
    """Import and return `matplotlib.pyplot`, or say how to install it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("Pictures need matplotlib: pip install matplotlib") from error
    return plt
