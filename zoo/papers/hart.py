"""HART's table 1 in the paper's setting: the ablations, and the whole, three seeds.

Paper     Kosiorek et al. 2017, "Hierarchical Attentive Recurrent Tracking", table 1:
          mean IoU over 60-frame clips of KITTI: Spatial Att 0.60, App Att 0.78, HART
          0.81; figure 5: IoU over time
Command   pip install ".[recipes]"
          KERAS_BACKEND=tensorflow python zoo/papers/hart.py --only hart --data FOLDER
          (also spatial, appearance; FOLDER as of zoo/hart_street/recipe.py;
          `--validate` to choose settings)
Makes     the rows' numbers in zoo/papers/measured/hart.json, and their courses in
          hart_curves.json beside it; then `make papers`
Expected  see docs/papers/hart.md

The three rows are one model with parts left out, as the paper has them:
 1. Spatial Att: no appearance attention, and no loss on the attention's parameters.
 2. App Att: both attentions, and all losses but the one on the location map.
 3. HART: all of it.

KITTI's own videos cannot be passed on; the clips are rendered along its labels, in
whole frames of 188x621 pixels. V1 is EfficientNet-Lite0's first five blocks, trained on
ImageNet and left as they are (paper: AlexNet's first three layers, trained further).
Clips have five frames in the first epoch and one more after each `EVERY`, up to 30. The
optimizer is the paper's RMSProp, at a rate that falls along a cosine. After a kill,
the same command with `--resume` goes on.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_attend as ka
from keras_attend import disk, training
from keras_attend.callbacks import Checkpoint, LengthCurriculum
from keras_attend.datasets import RenderedKITTI, View, cut_sprites
from keras_attend.evaluation.rows import row as result_row
from keras_attend.optimizers import TF1RMSprop
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
BATCHES, BATCH, FRAMES = 50, 10, 30  # of an epoch; clips of a batch, and their frames
FIRST, EVERY = 5, 2  # frames of a clip at first; epochs after which there is one more
CURVES = HERE / "measured" / "hart_curves.json"


def make(row: str, batches: int, rate: float) -> keras.Model:
    """Make the model of a row, compiled for a training of so many batches."""
    dorsal, losses = ROWS[row]
    model = ka.models.PaperHART(ka.models.PaperHARTCell(dorsal=dorsal), losses=losses)
    model.build()
    imagenet.load_weights(model.cell.v1)
    model.compile(training.falling_rate(batches, rate=rate, optimizer=TF1RMSprop))
    return model


def clips(data: Path, seed: int) -> RenderedKITTI:
    """Render clips of whole frames, of the labels and streets for training."""
    videos = ka.datasets.otb(data / "tracking")
    kept = [v for v in videos if v.name not in training.VALIDATION]
    kitti, sprites = data / "kitti", cut_sprites(kept, LOOKS)
    sizes = {"batch_size": BATCH, "frames": FRAMES, "batches": BATCHES}
    frames = kitti / "frames"
    return RenderedKITTI(kitti, frames, sprites, view=View(), seed=seed, **sizes)


def judge(tracker: Any, args: argparse.Namespace) -> Any:
    """Score a tracker on the rendered clips of a split."""
    found = (rendered_validation if args.validate else rendered_test)(args.data)
    count = min(len(found), args.steps or len(found))
    return ka.evaluation.score_clips(tracker, [found[i] for i in range(count)])


def main() -> None:
    """Train each row by its seeds, measure and record it."""
    parser = training.parser(__doc__, HERE, epochs=60)
    parser.set_defaults(runs=Path("runs") / "papers_hart")
    parser.add_argument("--only", choices=tuple(ROWS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=1e-4)
    args = training.parse(parser)
    if args.data is None:
        parser.error("--data must name the folder that holds kitti/ and tracking/")
    papers = {row.key: row for row in read_paper(HERE.parent, "hart").rows}
    for row in [args.only] if args.only else ROWS:
        scores, seconds = [], 0.0
        for seed in range(args.seed, args.seed + args.seeds):
            print("==", row, seed, flush=True)
            keras.utils.set_random_seed(seed)
            data = clips(args.data, seed)
            path = args.runs / f"{row}_{seed}.keras"
            longer = LengthCurriculum(data, FIRST, EVERY)
            model = training.fit(
                lambda batches, row=row: make(row, batches, args.rate),
                data,
                path,
                args,
                (longer,),
            )
            scores.append(judge(model, args))
            seconds += Checkpoint.seconds_spent(path)
        name = "rendered_kitti_validation" if args.validate else "rendered_kitti_test"
        written = result_row(
            "mean_iou",
            f"{name}/60_frames_with_first",
            [score.mean_iou_with_first for score in scores],
            papers[row].paper,
            {},
            setting="paper",
            trained_on="clips rendered along KITTI's labels; V1 on ImageNet",
            chosen_on="rendered validation clips",
        )
        print(row, written, flush=True)
        if not args.validate:
            runs = f"{len(scores)} seeds, {args.epochs} epochs"
            record("hart", row, written, args, runs=runs, seconds=seconds)
        if not (args.validate or args.steps):
            curves = json.loads(CURVES.read_text()) if CURVES.is_file() else {}
            mean = np.mean([score.iou_over_time for score in scores], axis=0)
            curves[row] = [round(float(value), 4) for value in mean]
            disk.write(CURVES, json.dumps(curves, indent=1) + "\n")


if __name__ == "__main__":
    main()
