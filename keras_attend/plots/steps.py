"""Draw how a model takes one picture apart, step by step."""

from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from keras_attend.plots.common import finish, outline, pyplot, show
from keras_attend.plots.objects import COLORS
from keras_attend.types import Array


def plot_steps(model: Any, image: Any, *, path: str | Path | None = None) -> Any:
    """Draw where an `AIR` looks at each step, what is left to explain, what it drew.

    The first column is the picture, and the explanation that the model settles on. Each
    further one is a step. Above is what was left before it, with the window in which
    the step looks and the probability that there is an object; below is what is drawn
    after it. Steps after the last object are grey: what they drew is not used.

    Args:
        model: a `models.AIR`.
        image: `[H, W, C]`.
        path: the file to write the picture to, if any.
    """
    plt = pyplot()
    image = np.asarray(image)
    if image.ndim != 3:
        raise ValueError(
            f"`image` must have shape [H, W, C]. Received: image.shape={image.shape}"
        )
    found = model.predict(image[None], batch_size=1, verbose=0)
    canvases, count = found["canvases"][0], int(found["count"][0])
    pixels = image / 255.0 if image.dtype == np.uint8 else image
    steps = model.steps
    figure, axes = plt.subplots(
        2, steps + 1, figsize=(1.9 * (steps + 1), 4.1), layout="constrained"
    )
    show(axes[0, 0], image)
    axes[0, 0].set_title("picture", fontsize=10)
    axes[0, 0].set_ylabel("what is left")
    show(axes[1, 0], found["canvas"][0])
    axes[1, 0].set_xlabel(f"explained by {count}", fontsize=10)
    axes[1, 0].set_ylabel("what is drawn")
    for t, (x, y, side) in enumerate(windows(model, found["where"][0])):
        color = COLORS[t % len(COLORS)] if t < count else "0.6"
        above, below = axes[:, t + 1]
        show(above, np.abs(pixels - canvases[t]))
        show(below, canvases[t + 1])
        probability = found["presence"][0, t]
        above.set_title(f"step {t + 1}: {probability:.0%}", color=color, fontsize=10)
        for axis in (above, below):
            outline(axis, (x, y, side, side), color)
    return finish(figure, path)


def windows(model: Any, where: Array) -> Array:
    """Left, top and side in pixels, `[N, 3]`, of the windows of `where` `[N, 3]`."""
    points = model.cell.window
    found = ops.convert_to_numpy(model.prior.window(where, model.size, points))
    side = found[:, 2] * points
    # The centre counts from the middle of the first pixel, a corner from its edge.
    corner = found[:, 1::-1] + 0.5 - side[:, None] / 2
    return np.concatenate([corner, side[:, None]], axis=1)
