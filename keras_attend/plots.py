"""Pictures: where a model looked, what it saw, how it learned.

matplotlib (extra `plots`) is imported when the first picture is drawn.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

FIRST, PATH, LAST = "#d62728", "#2ca02c", "#1f77b4"  # colours along a path


def plot_glimpses(
    model: keras.Model,
    images: Any,
    labels: Any = None,
    *,
    path: str | Path | None = None,
    seed: int | None = 0,
) -> Any:
    """Where a RAM looks in each image, and what each glimpse shows it.

    A row for each image: the image with the path of the gaze (as in the paper's
    figure 3: the first glimpse a filled circle, the last one an open one, boxes for
    the finest patch of these two), then what it saw, finest patch first. A title
    is green when the answer is right and red when it is wrong.

    Args:
        model: a `models.RAM`.
        images: `[N, H, W, C]`, about ten at most.
        labels: `[N]`, for the titles.
        path: write the picture there.
        seed: of the first locations; None leaves Keras's as it is.

    Returns:
        The matplotlib figure.
    """
    plt = _pyplot()
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
    first = None
    if seed is not None:
        first = np.random.default_rng(seed).uniform(-1, 1, (len(images), 2))
        first = ops.convert_to_tensor(first.astype("float32"))
    seen = model(images, training=False, first_location=first)
    seen = {name: ops.convert_to_numpy(x) for name, x in seen.items()}
    if model.episodes > 1:  # the first episode of each image
        for name in {"locations", "glimpses", "zooms", "looks"} & seen.keys():
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
    # Where RAM chooses its zoom and when to stop, that is drawn too.
    looks = seen.get("looks", np.full(len(images), T))
    zooms = seen.get("zooms", np.zeros((len(images), T), "int32"))
    for index, (row, image, logits) in enumerate(
        zip(axes, images, seen["logits"], strict=True)
    ):
        n = int(looks[index])
        glimpses = seen["glimpses"][index, :n]
        widths = g * 2 ** zooms[index, [0, n - 1]]
        _draw_path(row[0], image, seen["locations"][index, :n], widths)
        answer = int(np.argmax(logits))
        probability = float(np.exp(logits - _log_sum_exp(logits))[answer])
        colour, text = "black", f"{answer}  ({probability:.0%})"
        if labels is not None:
            right = answer == int(labels[index])
            colour = PATH if right else FIRST
            text += "" if right else f", is {int(labels[index])}"
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
    return _finish(figure, path)


def plot_history(history: Any, *, path: str | Path | None = None) -> Any:
    """Loss and metrics over epochs, training and validation in one panel each.

    Args:
        history: what `fit` returns, or its `history` dict.
        path: write the picture there.
    """
    plt = _pyplot()
    curves = getattr(history, "history", history)
    names = [name for name in curves if not name.startswith("val_")]
    if not names:
        raise ValueError(
            f"`history` must hold at least one curve. Received: {curves!r}"
        )
    figure, axes = plt.subplots(
        1,
        len(names),
        figsize=(4 * len(names), 3),
        squeeze=False,
        layout="constrained",
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
    return _finish(figure, path)


def animate_games(
    agent: keras.Model,
    path: str | Path,
    *,
    games: int = 3,
    seed: int = 0,
    frames_per_second: int = 6,
) -> None:
    """Write an animated picture of a RAM agent's games, side by side.

    Above, the screen with the squares that the retina sees and what the agent does;
    below, all that it sees, the finest patch on the left. After the last
    frame the picture stands still, framed in green where the ball was caught.

    Args:
        agent: a `models.RAMAgent`.
        path: of the picture, a `.gif`.
        games: how many.
        seed: of the games.
        frames_per_second: how fast they are shown.
    """
    plt = _pyplot()
    from matplotlib.animation import FuncAnimation, PillowWriter

    path = Path(path)
    if path.suffix != ".gif":
        raise ValueError(f"`path` must end in .gif. Received: path={path}")
    starts = np.random.default_rng(seed).random((games, agent.game.start_numbers))
    played = agent(ops.convert_to_tensor(starts.astype("float32")), training=False)
    screens = ops.convert_to_numpy(agent.game.screen(played["states"]))
    played = {name: ops.convert_to_numpy(x) for name, x in played.items()}
    frames = screens.shape[1]
    scales = agent.retina.scales
    seen = [
        ops.convert_to_numpy(
            agent.see(played["states"][:, t], played["locations"][:, t])
        )
        for t in range(frames)
    ]
    figure, axes = plt.subplots(
        2,
        games,
        figsize=(2.4 * games, 3.6),
        gridspec_kw={"height_ratios": [2.4, 1]},
        squeeze=False,
        layout="constrained",
    )

    def draw(frame: int) -> None:
        t = min(frame, frames - 1)
        for game, (above, below) in enumerate(axes.T):
            above.clear()
            below.clear()
            screen = screens[game, t, ..., 0]
            above.imshow(screen, cmap="gray", vmin=0, vmax=1)
            location = played["locations"][game, t]
            centre = np.trunc(0.5 * (location + 1) * len(screen)) - 0.5
            for k in range(scales):
                side = agent.retina.size * agent.retina.factor**k
                square = plt.Rectangle(
                    centre - side // 2, side, side, fill=False, ec=PATH, lw=1.5 - k / 3
                )
                above.add_patch(square)
            above.set(xlim=(-0.5, len(screen) - 0.5), ylim=(len(screen) - 0.5, -0.5))
            _bare(above)
            # [g, g + 1, k]: a white line between patches
            patches = np.pad(seen[t][game], ((0, 0), (0, 1), (0, 0)), constant_values=1)
            strip = np.concatenate(np.moveaxis(patches, -1, 0), axis=1)[:, :-1]
            below.imshow(strip, cmap="gray", vmin=0, vmax=1)
            _bare(below)
            if t < frames - 1:
                above.set_title(
                    ("\u2190", "\u2022", "\u2192")[played["actions"][game, t]]
                )
            else:
                caught = played["reward"][game] > 0
                colour = PATH if caught else FIRST
                above.set_title("caught" if caught else "missed", color=colour)
                for spine in above.spines.values():
                    spine.set(color=colour, lw=2.5)

    still = frames_per_second  # a second on the last frame
    path.parent.mkdir(parents=True, exist_ok=True)
    FuncAnimation(figure, draw, frames + still).save(
        path, PillowWriter(fps=frames_per_second), dpi=60
    )
    plt.close(figure)


def _draw_path(axis: Any, image: NDArray[Any], locations: Any, widths: Any) -> None:
    """The image, the gaze's path, and the first and last patch, so many pixels wide."""
    height, width = image.shape[:2]
    axis.imshow(_displayable(image), cmap="gray", vmin=0)
    # The retina's pixel: its patch is centred on the corner before it.
    centres = np.trunc(0.5 * (locations + 1) * [width, height]) - 0.5  # [T, 2]
    axis.plot(*centres.T, color=PATH, lw=1.5, marker=".", ms=5)
    ends = ((centres[0], FIRST, True), (centres[-1], LAST, False))
    for (centre, colour, fill), size in zip(ends, widths, strict=True):
        face = colour if fill else "none"
        axis.plot(*centre, "o", ms=7, mec=colour, mfc=face, mew=1.8)
        corner = centre - size // 2
        axis.add_patch(
            _pyplot().Rectangle(corner, size, size, fill=False, ec=colour, lw=1.2)
        )
    axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    _bare(axis)


def _draw_glimpse(axis: Any, glimpse: NDArray[Any], scales: int) -> None:
    """The patches of one glimpse, the finest on top."""
    size, depth = glimpse.shape[0], glimpse.shape[-1]
    patches = glimpse.reshape(size, size, scales, depth // scales)
    gap = np.ones((1, size, depth // scales))
    rows = [patches[:, :, 0]]
    for k in range(1, scales):
        rows += [gap, patches[:, :, k]]
    axis.imshow(_displayable(np.concatenate(rows)), cmap="gray", vmin=0, vmax=1)
    _bare(axis)


def _displayable(image: NDArray[Any]) -> NDArray[Any]:
    """`[H, W]` or `[H, W, 3]`, in 0..1."""
    if image.dtype == np.uint8:
        image = image / 255.0
    image = np.clip(image.astype("float32"), 0, 1)
    return image if image.shape[-1] == 3 else image.mean(-1)


def _log_sum_exp(logits: NDArray[Any]) -> Any:
    return logits.max() + np.log(np.exp(logits - logits.max()).sum())


def _bare(axis: Any) -> None:
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set(color="0.7", lw=0.8)  # white on white needs an edge


def _finish(figure: Any, path: str | Path | None) -> Any:
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)
    return figure


def _pyplot() -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            'Pictures need matplotlib: pip install "keras-attend[plots]"'
        ) from error
    return plt
