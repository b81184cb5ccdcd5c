"""Draw the glimpses of a RAM."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from keras_attend.plots.common import FIRST, LAST, PATH, finish, pyplot, show


def plot_glimpses(
    model: keras.Model,
    images: Any,
    labels: Any = None,
    *,
    names: Sequence[str] | None = None,
    path: str | Path | None = None,
    seed: int | None = 0,
) -> Any:
    """Draw where a RAM takes its glimpses of images, and what it sees there.

    Each image has a row. On the left is the image with the path of the gaze, as in the
    paper's figure 3: the first glimpse is a filled circle, the last one an open circle,
    and squares outline the finest patch of these two. On its right are the glimpses,
    the finest patch on top. A title is green if the answer is right, red if it is
    wrong.

    Args:
        model: a `models.RAM`.
        images: `[N, H, W, C]`, ten or fewer to be legible.
        labels: the true classes `[N]`, for the titles.
        names: the names of all classes, for the titles; by default their numbers.
        path: the file to write the picture to, if any.
        seed: the seed of the first locations; None has the model draw them.
    """
    plt = pyplot()
    images = np.asarray(images)
    if images.ndim != 4 or len(images) == 0:
        raise ValueError(
            "`images` must have shape [N, H, W, C] with N > 0. "
            f"Received: images.shape={images.shape}"
        )
    if labels is not None and len(labels) != len(images):
        raise ValueError(
            "`labels` must be as many as `images`. "
            f"Received: {len(labels)} labels, {len(images)} images"
        )
    names = names or [str(label) for label in range(model.classes)]
    if len(names) != model.classes:
        raise ValueError(
            f"`names` must be {model.classes}, one for each class. "
            f"Received: names={names}"
        )
    first = None
    if seed is not None:
        first = np.random.default_rng(seed).uniform(-1, 1, (len(images), 2))
        first = ops.convert_to_tensor(first.astype("float32"))
    seen = model(images, training=False, first_location=first)
    seen = {name: ops.convert_to_numpy(x) for name, x in seen.items()}
    if model.episodes > 1:  # the first episode of each image
        for name in {"locations", "glimpses", "zooms", "glimpses_taken"} & seen.keys():
            seen[name] = seen[name][:, 0]

    T, g = model.glimpses, model.size
    columns = 1 + T
    figure, axes = plt.subplots(
        len(images),
        columns,
        figsize=(2.2 + 1.1 * T, 1.75 * len(images)),
        gridspec_kw={"width_ratios": [1.7] + [1] * T},
        squeeze=False,
        layout="constrained",
    )
    # A path ends where a `StoppingRAM` stopped; a `ZoomingRAM` chose its boxes' width.
    taken = seen.get("glimpses_taken", np.full(len(images), T))
    zooms = seen.get("zooms", np.zeros((len(images), T), "int32"))
    for index, (row, image, logits) in enumerate(
        zip(axes, images, seen["logits"], strict=True)
    ):
        n = int(taken[index])
        glimpses = seen["glimpses"][index, :n]
        widths = g * 2 ** zooms[index, [0, n - 1]]
        _draw_path(row[0], image, seen["locations"][index, :n], widths)
        answer = int(np.argmax(logits))
        probability = float(np.exp(logits - np.logaddexp.reduce(logits))[answer])
        colour, text = "black", f"{names[answer]}  ({probability:.0%})"
        if labels is not None:
            right = answer == int(labels[index])
            colour = PATH if right else FIRST
            text += "" if right else f", is {names[int(labels[index])]}"
        row[0].set_title(text, color=colour, fontsize=10)
        for t, glimpse in enumerate(glimpses):
            _draw_glimpse(row[1 + t], glimpse, model.scales)
            if index == 0:
                row[1 + t].set_title(f"glimpse {t + 1}", fontsize=9)
            if t in (0, n - 1):
                for spine in row[1 + t].spines.values():
                    spine.set(color=FIRST if t == 0 else LAST, lw=2)
        for axis in row[1 + n :]:
            axis.set_axis_off()
    return finish(figure, path)


def _draw_path(axis: Any, image: NDArray[Any], locations: Any, widths: Any) -> None:
    """Draw an image, the path on it, and two squares with sides of `widths` pixels."""
    height, width = image.shape[:2]
    show(axis, image)
    # The retina rounds a location to a pixel, and centres its patch on the top left
    # corner of that pixel.
    centres = np.trunc(0.5 * (locations + 1) * [width, height]) - 0.5  # [T, 2]
    axis.plot(*centres.T, color=PATH, lw=1.5, marker=".", ms=5)
    ends = ((centres[0], FIRST, True), (centres[-1], LAST, False))
    for (centre, colour, fill), size in zip(ends, widths, strict=True):
        face = colour if fill else "none"
        axis.plot(*centre, "o", ms=7, mec=colour, mfc=face, mew=1.8)
        corner = centre - size // 2
        axis.add_patch(
            pyplot().Rectangle(corner, size, size, fill=False, ec=colour, lw=1.2)
        )
    axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))


def _draw_glimpse(axis: Any, glimpse: NDArray[Any], scales: int) -> None:
    """Draw the patches of one glimpse, the finest on top."""
    size, depth = glimpse.shape[0], glimpse.shape[-1]
    patches = glimpse.reshape(size, size, scales, depth // scales)
    gap = np.ones((1, size, depth // scales))
    rows = [patches[:, :, 0]]
    for k in range(1, scales):
        rows += [gap, patches[:, :, k]]
    show(axis, np.concatenate(rows))
