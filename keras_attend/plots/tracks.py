"""Draw how a tracker follows its object, and how well."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attend.boxes import window_to_box
from keras_attend.plots.common import FIRST, LAST, PATH, finish, plain, pyplot, show

COLOURS = 10  # matplotlib's; more lines than these use the same colours again
BOX, TRUE_BOX, WINDOW = "the tracker's box", "the true box", "its window"
PAGE = 10.0  # inches: how wide a picture of frames is, as a page that shows it


def plot_track(
    model: keras.Model,
    frames: Any,
    boxes: Any,
    *,
    columns: int = 6,
    path: str | Path | None = None,
) -> Any:
    """Track a clip and draw the result (as RATM's figures 7 to 11, HART's 1, 4 and 6).

    The top row has frames spread evenly over the clip, with the tracker's box (green),
    the true box (red, dashed) and the attention window (blue, dotted) where it differs
    from the tracker's box; a legend says so. The glimpses are below. A HART has two
    more rows: its location map, which is bright where it expects the object, and the
    glimpses multiplied by it.

    Args:
        model: a tracker, such as `models.RATM`.
        frames: `[T, H, W, C]`.
        boxes: the true boxes `[T, 4]`, or the first frame's alone, `[4]`. A box that
            holds NaN is not drawn.
        columns: how many frames to draw.
        path: the file to write the picture to, if any.
    """
    plt = pyplot()
    frames, boxes = np.asarray(frames), np.asarray(boxes, "float32")
    if frames.ndim != 4 or len(frames) == 0:
        raise ValueError(
            "`frames` must have shape [T, H, W, C] with T > 0. "
            f"Received: frames.shape={frames.shape}"
        )
    if boxes.shape not in ((4,), (len(frames), 4)):
        raise ValueError(
            "`boxes` must have shape [T, 4], or [4] for the first frame's alone. "
            f"Received: boxes.shape={boxes.shape}, frames.shape={frames.shape}"
        )
    truth = boxes if boxes.ndim == 2 else None
    first = boxes.reshape(-1, 4)[:1]
    seen = model({"frames": frames[None], "box": first}, training=False)
    seen = {name: ops.convert_to_numpy(x)[0] for name, x in seen.items()}
    if "window" in seen:
        grid = seen["glimpse"].shape[1:3]
        windows = ops.convert_to_numpy(window_to_box(seen["window"], grid))
    shown = np.unique(
        np.linspace(0, len(frames) - 1, min(columns, len(frames))).round().astype(int)
    )
    height, width = frames.shape[1:3]
    rows = _rows(seen)
    wide = PAGE / max(len(shown), 3)  # of a column
    heights = [wide * min(height / width, 1.5)] + [wide] * len(rows)
    figure, axes = plt.subplots(
        1 + len(rows),
        len(shown),
        figsize=(wide * len(shown), 0.6 + 1.05 * sum(heights)),
        gridspec_kw={"height_ratios": heights},
        squeeze=False,
        layout="constrained",
    )
    for axis, t in zip(axes[0], shown, strict=True):
        show(axis, frames[t])
        axis.set_title(f"frame {t + 1}", fontsize=9)
        if "window" in seen:
            window = windows[t]
            if not np.allclose(window, seen["boxes"][t], atol=0.5):
                _draw_box(axis, window, LAST, ":", WINDOW)
        if truth is not None:
            _draw_box(axis, truth[t], FIRST, "--", TRUE_BOX)
        _draw_box(axis, seen["boxes"][t], PATH, "-", BOX)
        axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    for line, (name, images) in zip(axes[1:], rows.items(), strict=True):
        for axis, t in zip(line, shown, strict=True):
            show(axis, images[t])
        if len(rows) > 1:
            line[0].set_ylabel(name, fontsize=9)
    labelled = {line.get_label(): line for axis in axes[0] for line in axis.patches}
    names = [name for name in (BOX, TRUE_BOX, WINDOW) if name in labelled]
    figure.legend(
        [labelled[name] for name in names],
        names,
        loc="outside lower center",
        ncols=len(names),
        frameon=False,
        fontsize=9,
    )
    return finish(figure, path)


def plot_iou(
    curves: Mapping[str, Any], *, path: str | Path | None = None, title: str = ""
) -> Any:
    """Draw the overlap over time, one line for each tracker.

    Args:
        curves: mean IoU `[T]`, by the tracker's name.
        path: the file to write the picture to, if any.
        title: the picture's title.
    """
    plt = pyplot()
    if not curves:
        raise ValueError(f"`curves` must hold at least one curve. Received: {curves}")
    figure, axis = plt.subplots(figsize=(7.5, 3.2), layout="constrained")
    for number, (name, curve) in enumerate(curves.items()):
        curve = np.asarray(curve)
        label = f"{name} ({np.nanmean(curve):.3f})"
        style = "--" if number >= COLOURS else "-"
        axis.plot(np.arange(1, 1 + len(curve)), curve, style, label=label)
    axis.set(xlabel="frame", ylabel="mean IoU", ylim=(0, 1), title=title)
    plain(axis)
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))
    return finish(figure, path)


def plot_one_pass(
    scores: Mapping[str, Any], *, path: str | Path | None = None, title: str = ""
) -> Any:
    """Draw OTB's success and precision plots, one line for each tracker.

    Args:
        scores: an `evaluation.OnePass` each, by the tracker's name.
        path: the file to write the picture to, if any.
        title: the picture's title.
    """
    plt = pyplot()
    if not scores:
        raise ValueError(f"`scores` must hold at least one score. Received: {scores}")
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for number, (name, score) in enumerate(scores.items()):
        style = "--" if number >= COLOURS else "-"
        for axis, curve, end, value in (
            (axes[0], score.success_curve, 1, score.success_auc),
            (axes[1], score.precision_curve, 50, score.precision_20),
        ):
            label = f"{name} ({np.mean(value):.3f})"
            axis.plot(np.linspace(0, end, len(curve)), curve, style, label=label)
    axes[0].set(xlabel="IoU above", ylabel="share of frames", title="success")
    axes[1].set(xlabel="centre off by at most (pixels)", title="precision")
    for axis in axes:
        axis.set_ylim(0, 1)
        plain(axis)
    axes[0].legend(frameon=False, fontsize="small")
    axes[1].legend(frameon=False, fontsize="small", loc="lower right")
    figure.suptitle(title)
    return finish(figure, path)


def plot_success(
    curves: Mapping[str, Any], *, path: str | Path | None = None, title: str = ""
) -> Any:
    """Draw OTB's success plot, a line for each kind of tracker, trained several times.

    Args:
        curves: by the kind's name the `success_curve`s `[N, 21]` of its N trainings, of
            which the mean and the range are drawn.
        path: the file to write the picture to, if any.
        title: the picture's title.
    """
    plt = pyplot()
    if not curves:
        raise ValueError(f"`curves` must hold at least one kind. Received: {curves}")
    figure, axis = plt.subplots(figsize=(5, 3.4), layout="constrained")
    for name, trainings in curves.items():
        shares = np.atleast_2d(np.asarray(trainings, "float64"))
        above = np.linspace(0, 1, shares.shape[1])
        label = f"{name} ({shares.mean():.3f})"
        (line,) = axis.plot(above, shares.mean(0), label=label)
        ends, colour = (shares.min(0), shares.max(0)), line.get_color()
        axis.fill_between(above, *ends, color=colour, alpha=0.2)
    axis.set(xlabel="IoU above", ylabel="share of frames", ylim=(0, 1), title=title)
    plain(axis)
    axis.legend(frameon=False)
    return finish(figure, path)


def _rows(seen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rows of pictures `[T, rows, cols, C]` below the frames, by name."""
    if "glimpse" not in seen:
        return {}
    glimpse = seen["glimpse"]
    if "location" not in seen:
        return {"glimpse": glimpse}
    mask = 1 / (1 + np.exp(-seen["location"]))[..., None]  # [T, rows', cols', 1]
    rows, cols = (
        np.arange(n) * m // n
        for n, m in zip(glimpse.shape[1:3], mask.shape[1:3], strict=True)
    )
    masked = glimpse * mask[:, rows][:, :, cols]
    return {"glimpse": glimpse, "location map": mask, "masked": masked}


def _draw_box(axis: Any, box: Any, colour: str, style: str, label: str) -> None:
    if np.isfinite(box).all():
        x, y, w, h = box
        line = {"fill": False, "ec": colour, "ls": style, "lw": 1.4, "label": label}
        axis.add_patch(pyplot().Rectangle((x, y), w, h, **line))
