"""Draw how a model learned."""

from pathlib import Path
from typing import Any

import numpy as np

from keras_attend.plots.common import finish, pyplot


def plot_history(history: Any, *, path: str | Path | None = None) -> Any:
    """Draw the loss and each metric over epochs, for training and validation.

    Args:
        history: what `fit` returns, or its `history` dict.
        path: the file to write the picture to, if any.
    """
    plt = pyplot()
    curves = getattr(history, "history", history)
    names = [name for name in curves if not name.startswith("val_")]
    if not names:
        raise ValueError(
            f"`history` must hold at least one curve. Received: {curves!r}"
        )
    figure, axes = plt.subplots(
        1, len(names), figsize=(4 * len(names), 3), squeeze=False, layout="constrained"
    )
    for axis, name in zip(axes[0], names, strict=True):
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            if key in curves:
                epochs = np.arange(1, 1 + len(curves[key]))
                marker = "o" if len(epochs) < 20 else None
                axis.plot(epochs, curves[key], marker=marker, ms=3, label=label)
        axis.set(xlabel="epoch", title=name)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
        axis.legend()
    return finish(figure, path)
