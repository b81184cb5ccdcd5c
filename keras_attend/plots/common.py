"""What the pictures share."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FIRST, PATH, LAST = "#d62728", "#2ca02c", "#1f77b4"  # colours along a path


def displayable(image: NDArray[Any]) -> NDArray[Any]:
    """An image as `[H, W]` or `[H, W, 3]`, in 0..1."""
    if image.dtype == np.uint8:
        image = image / 255.0
    image = np.clip(image.astype("float32"), 0, 1)
    return image if image.shape[-1] == 3 else image.mean(-1)


def bare(axis: Any) -> None:
    """An axis for an image: no ticks, a thin frame."""
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set(color="0.7", lw=0.8)  # white on white needs an edge


def finish(figure: Any, path: str | Path | None) -> Any:
    """The figure, written to `path` where one is given."""
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)
    return figure


def pyplot() -> Any:
    """`matplotlib.pyplot`, imported when it is needed."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            'Pictures need matplotlib: pip install "keras-attend[plots]"'
        ) from error
    return plt
