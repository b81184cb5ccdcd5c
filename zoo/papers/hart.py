"""HART's table 1 in the paper's setting: the ablations, and the whole, three seeds.

Paper     Kosiorek et al. 2017, "Hierarchical Attentive Recurrent Tracking", table 1:
          mean IoU over 60-frame clips of KITTI: Spatial Att 0.60, App Att 0.78, HART
          0.81; figure 5: IoU over time
Command   pip install ".[recipes]"
          KERAS_BACKEND=tensorflow python zoo/papers/hart.py --only hart --data FOLDER
          (also spatial, appearance; FOLDER as of zoo/hart_street/recipe.py;
          `--validate` to choose settings)
Makes     the rows' numbers in zoo/papers/measured/hart.json, their curves in
          hart_curves.json beside it, and figure 5, zoo/papers/hart_figure5.png; then
          `make papers`
Expected  see docs/papers/hart.md

The three rows are one model with parts left out, as the paper has them:
 1. Spatial Att: no appearance attention, and no loss on the attention's parameters.
 2. App Att: both attentions, and all losses but the one on the location map.
 3. HART: all of it.

KITTI's own videos cannot be passed on; the clips are rendered along its labels, in
whole frames of 188x621 pixels. V1 is EfficientNet-Lite0's first five blocks, trained on
ImageNet and left as they are (paper: AlexNet's first three layers, trained further).
The training has stages, of windows of 5, 10, 20 and 30 frames (the paper adds a frame
every 13 epochs), of `POOL` clips of 30 frames that are rendered once, for all seeds; a
window is mirrored, or played backwards, as often as not. The optimizer is RMSProp with
momentum, as the paper's; its mean square begins at 0 (the authors' code: at 1, so that
the first steps are smaller), and its rate falls along a cosine. After a kill, the
same command with `--resume` goes on.
"""

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

import keras_attend as ka
from keras_attend import disk, plots, training
from keras_attend.callbacks import Checkpoint
from keras_attend.datasets import GivenClips, RenderedKITTI, View, cut_sprites, otb
from keras_attend.evaluation.rows import row as result_row
from keras_attend.evaluation.tracking import static_box
from keras_attend.training import imagenet
from keras_attend.training.papers import record
from keras_attend.training.papers.rows import read_paper
from keras_attend.training.rendered_sets import (
    LOOKS,
    rendered_test,
    rendered_validation,
)

HERE = Path(__file__).parent
# Whether a row has appearance attention, and the losses that it learns by.
ROWS = {
    "spatial": (False, ("tracking",)),
    "appearance": (True, ("tracking", "attention")),
    "hart": (True, ("tracking", "attention", "appearance")),
}
POOL, FRAMES = 300, 30  # clips, and their frames
BATCH, WINDOWS = 10, 2  # windows of a batch, and of each clip in an epoch
CURVES = HERE / "measured" / "hart_curves.json"
DIFFERENCES = (
    "clips rendered along KITTI's labels (paper: KITTI's videos)",
    "V1 is EfficientNet-Lite0's first five blocks, which are not trained further "
    "(paper: AlexNet's first three layers, trained further)",
    "windows of 5, 10, 20 and 30 frames, one after the other (paper: a frame more "
    "every 13 epochs)",
)


class Stage(NamedTuple):
    """A part of the training: windows of one length.

    The longer they are, the lower is the rate: gradients flow through all windows.
    """

    frames: int
    epochs: int
    rate: float
    end: float = 0.5  # the last rate, as a share of the greatest


STAGES = (Stage(5, 8, 1e-4), Stage(10, 6, 5e-5), Stage(20, 6, 2e-5))
STAGES += (Stage(30, 6, 1e-5, 0.01),)


def begin(row: str, before: Any, batches: int, stage: Stage) -> keras.Model:
    """Return the model of a row, or go on with one, compiled for a stage."""
    model = before
    if model is None:
        dorsal, losses = ROWS[row]
        cell = ka.models.PaperHARTCell(dorsal=dorsal)
        model = ka.models.PaperHART(cell, losses=losses)
        model.build()
        imagenet.load_weights(model.cell.v1)
    as_paper: Any = {"optimizer": keras.optimizers.RMSprop, "momentum": 0.9}
    rate = training.falling_rate(batches, stage.end, stage.rate, **as_paper)
    model.compile(rate)
    return model


def render(path: Path, count: int, data: Path) -> None:
    """Render clips into `path`, and what else is known of them into an `.npz`."""
    videos = [v for v in otb(data / "tracking") if v.name not in training.VALIDATION]
    drawn = RenderedKITTI(
        data / "kitti",
        data / "kitti" / "frames",
        cut_sprites(videos, LOOKS),
        1,
        view=View(),
        frames=FRAMES,
        batches=count,
    )
    found: Any = None
    more: dict[str, list[Any]] = {"boxes": [], "present": []}
    path.parent.mkdir(parents=True, exist_ok=True)
    with disk.replacing(path) as new:
        for number in range(count):
            x, y = drawn[number]
            if found is None:
                shape = (count, *x["frames"].shape[1:])
                found = np.lib.format.open_memmap(new, "w+", "uint8", shape)
            found[number] = x["frames"][0]
            for name, values in more.items():
                values.append(y[name][0])
        found.flush()
        np.savez(path.with_suffix(".npz"), **more)


def pool(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Render clips of whole frames, of the labels and streets for training, once."""
    count = POOL if args.steps is None else BATCH * args.steps
    path = args.runs / f"clips_{count}.npy"
    if not path.is_file():
        render(path, count, args.data)
    boxes, frames = np.load(path.with_suffix(".npz")), np.load(path, mmap_mode="r")
    rest = {name: boxes[name] for name in boxes.files}
    return [
        {"frames": frames[n], **{name: values[n] for name, values in rest.items()}}
        for n in range(count)
    ]


def train(
    row: str, clips: list[dict[str, Any]], seed: int, args: argparse.Namespace
) -> tuple[Any, float]:
    """Train a row by a seed; return the model, and how many seconds that took."""
    keras.utils.set_random_seed(seed)
    model: Any = None
    seconds = 0.0
    drawn: dict[str, Any] = {"windows": WINDOWS, "flip": True, "reverse": True}
    for stage in STAGES[: args.stages]:
        data = GivenClips(clips, BATCH, stage.frames, seed=seed, **drawn)
        path = args.runs / f"{row}_{seed}_{stage.frames}.keras"
        model = training.fit(
            lambda n, stage=stage, before=model: begin(row, before, n, stage),
            data,
            path,
            args,
            epochs=min(stage.epochs, args.epochs or stage.epochs),
        )
        seconds += Checkpoint.seconds_spent(path)
    return model, seconds


def judging(args: argparse.Namespace) -> list[Any]:
    """Render the clips of a split."""
    found = (rendered_validation if args.validate else rendered_test)(args.data)
    return [found[i] for i in range(min(len(found), args.steps or len(found)))]


def draw_curves(curves: dict[str, list[float]], path: Path) -> None:
    """Draw figure 5: the mean IoU in each frame, of each row."""
    plt = plots.common.pyplot()
    figure, axis = plt.subplots(figsize=(6, 3.4), layout="constrained")
    names = {row.key: row.name for row in read_paper(HERE.parent, "hart").rows}
    for key in ROWS:
        if key in curves:
            axis.plot(range(1, 1 + len(curves[key])), curves[key], label=names[key])
    axis.set(xlabel="frame", ylabel="mean IoU", ylim=(0, 1))
    plots.common.plain(axis)
    axis.legend(frameon=False)
    plots.common.finish(figure, path)


def main() -> None:
    """Train each row by its seeds, measure and record it."""
    parser = training.parser(__doc__, HERE)  # epochs: each stage's own
    parser.set_defaults(runs=Path("runs") / "papers_hart")
    parser.add_argument("--only", choices=tuple(ROWS))
    parser.add_argument("--seeds", type=int, default=3)
    args = training.parse(parser)
    if args.data is None:
        parser.error("--data must name the folder that holds kitti/ and tracking/")
    clips, judge = pool(args), judging(args)
    still = ka.evaluation.score_clips(static_box, judge).mean_iou_with_first
    papers = {row.key: row for row in read_paper(HERE.parent, "hart").rows}
    for row in [args.only] if args.only else ROWS:
        scores, seconds = [], 0.0
        for seed in range(args.seed, args.seed + args.seeds):
            print("==", row, seed, flush=True)
            model, spent = train(row, clips, seed, args)
            scores.append(ka.evaluation.score_clips(model, judge))
            seconds += spent
        name = "rendered_kitti_validation" if args.validate else "rendered_kitti_test"
        written = result_row(
            "mean_iou",
            f"{name}/60_frames_with_first",
            [score.mean_iou_with_first for score in scores],
            papers[row].paper,
            {"static box": still},
            setting="paper",
            differences=DIFFERENCES,
            trained_on="clips rendered along KITTI's labels; V1 on ImageNet",
            chosen_on="rendered validation clips",
        )
        print(row, written, flush=True)
        shortened = args.steps or args.epochs or args.stages
        if not (args.validate or shortened):
            batches = sum(s.epochs for s in STAGES) * POOL * WINDOWS // BATCH
            runs = f"{len(scores)} seeds, {batches:,} batches"
            record("hart", row, written, args, runs=runs, seconds=seconds)
            curves = json.loads(CURVES.read_text()) if CURVES.is_file() else {}
            mean = np.mean([score.iou_over_time for score in scores], axis=0)
            curves[row] = [round(float(value), 4) for value in mean]
            disk.write(CURVES, json.dumps(curves, indent=1) + "\n")
            draw_curves(curves, HERE / "hart_figure5.png")


if __name__ == "__main__":
    main()
