"""What the parts of hart_kitti are worth: trained alike without one of them each.

Paper     Kosiorek et al. 2017, "Hierarchical Attentive Recurrent Tracking": its authors
          say that a V1 that is not pre-trained "converged to poor results"
Command   pip install ".[recipes]"
          KERAS_BACKEND=tensorflow python zoo/hart_kitti/ablation.py --data FOLDER
          (FOLDER as of recipe.py)
Makes     ablation.csv and ablation.md, from the validation videos
Expected  mean IoU of three seeds (ablation.md): all parts 0.548, a window of 2 sides
          0.594, no recent template 0.575, an LSTM that forgets 0.562, no loss of boxes
          0.015, of the next attention 0.540, of presence 0.532. But for the loss of
          boxes no difference is greater than those between seeds. A V1 that is
          trained, too, has 0.618 from ImageNet's weights, and 0.302 from random ones.
          Seven minutes on a CPU core for a run, fifteen where V1 is trained.

Each row has the first stage of recipe.py, shorter, with glimpses of 128x128 pixels,
without pictures of KITTI and rendered clips, by three seeds: the same clips for all
rows, but that in those for a window of 2 sides it errs half as far. V1's features are
measured once, before the training, and divided by their spread; where V1 is trained
they change after that. Each run is written as soon as it is measured; after a kill, the
same command with `--resume` goes on, and does not do again what is in ablation.csv.
"""

import argparse
import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from recipe import HERE

import keras_attend as ka
from keras_attend import training
from keras_attend.datasets import TrackingPairs
from keras_attend.datasets.tracking_pairs import FARTHEST
from keras_attend.layers import EfficientV1
from keras_attend.models.hart.wide_model import LOSSES
from keras_attend.training import imagenet
from keras_attend.training.tables import table, write_table
from keras_attend.training.wide_trackers import (
    BATCHES,
    PAIRS,
    adapt,
    compiled,
    fast_dtype,
)
from keras_attend.types import Nested, Tensor

EPOCHS = 6
SEEDS = 3
SMALL = {"size": 128, "part": 8}  # of the cells
HEADS = {
    "row": "",
    "mean_iou": "mean IoU",
    "min": "worst",
    "max": "best",
    "seeds": "seeds",
}
RUN = ("row", "seed", "batches", "mean_iou")  # columns of ablation.csv


@keras.saving.register_keras_serializable("ablation")
class FirstFrameOnly(ka.models.WideHARTCell):
    """Knows the first frame's template alone."""

    def renewed(self, psi: Tensor, nu: Tensor, box: Tensor, sure: Tensor) -> Tensor:
        """The templates as they are."""
        return ops.reshape(psi, (-1, self.state_spec["templates"]))


@keras.saving.register_keras_serializable("ablation")
class Forgetful(ka.models.WideHARTCell):
    """Its LSTM begins anew in each frame."""

    def step(
        self, frame: Tensor, state: Nested, noise: Nested = None
    ) -> tuple[dict[str, Tensor], Nested]:
        """As before, but for the LSTM's state."""
        outputs, after = super().step(frame, state, noise)
        empty = {name: 0 * after[name] for name in ("hidden", "cell")}
        return outputs, after | empty


def make(
    cell: type[ka.models.WideHARTCell] = ka.models.WideHARTCell,
    known: bool = True,
    trained: bool = False,
    losses: tuple[str, ...] = LOSSES,
    **arguments: Any,
) -> Any:
    """A model that lacks something.

    Args:
        cell: its cell's class.
        known: whether V1 begins with ImageNet's weights, or with random ones.
        trained: whether V1 is trained.
        losses: as of `WideHART`.
        **arguments: of the cell.
    """
    v1 = EfficientV1(
        (2, 4, 10),
        trainable_from=0 if trained else None,
        dtype="float32" if trained else fast_dtype(),
        name="v1",
    )
    small = cell(v1=v1, name="cell", **SMALL, **arguments)
    model = ka.models.WideHART(small, losses=losses)
    model.build()
    if known:
        imagenet.load_weights(model.cell.v1)
    return model


def without(name: str) -> tuple[str, ...]:
    """All losses but one."""
    return tuple(loss for loss in LOSSES if loss != name)


ROWS: dict[str, Callable[[], Any]] = {
    "all parts": make,
    "V1 from ImageNet, trained": lambda: make(trained=True),
    "V1 from random weights, trained": lambda: make(known=False, trained=True),
    "window of 2 sides": lambda: make(wide=2.0),
    "no recent template": lambda: make(FirstFrameOnly),
    "LSTM forgets": lambda: make(Forgetful),
    "no loss of boxes": lambda: make(losses=without("boxes")),
    "no loss of the next attention": lambda: make(losses=without("ahead")),
    "no loss of presence": lambda: make(losses=without("presence")),
}


# What differs in a row's clips.
DATA: dict[str, dict[str, Any]] = {"window of 2 sides": {"farthest": FARTHEST / 2}}


def train(row: str, videos: Any, seed: int, args: argparse.Namespace) -> Any:
    """The model of a row and a seed."""
    keras.utils.set_random_seed(seed)
    data = PAIRS | DATA.get(row, {})
    pairs = TrackingPairs(videos, batches=BATCHES, seed=seed, **data)

    def begin(batches: int) -> Any:
        model = ROWS[row]()
        adapt(model, pairs)
        return compiled(model, 2e-3, batches)

    name = f"ablation_{row.replace(' ', '_').replace(',', '')}_{seed}.keras"
    return training.fit(begin, pairs, args.runs / name, args)


def known(path: Path) -> list[dict[str, Any]]:
    """What was measured before, a dictionary for each run."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [
            {
                "row": line["row"],
                "seed": int(line["seed"]),
                "batches": int(line["batches"]),
                "mean_iou": float(line["mean_iou"]),
            }
            for line in csv.DictReader(file)
        ]


def write(folder: Path, runs: list[dict[str, Any]]) -> None:
    """Write ablation.csv, a line for each run, and ablation.md."""
    runs = sorted(runs, key=lambda run: (list(ROWS).index(run["row"]), run["seed"]))
    rows = []
    for row in ROWS:
        found = [run["mean_iou"] for run in runs if run["row"] == row]
        number = [f"{f(found):.3f}" if found else "" for f in (np.mean, min, max)]
        cells = [row, *number, len(found) or "not measured"]
        rows.append(dict(zip(HEADS, cells, strict=True)))
    batches = sorted({run["batches"] for run in runs})
    text = [
        "# hart_kitti without its parts",
        "",
        "Mean IoU over 60-frame clips of the validation videos: the mean of all seeds,",
        "the worst and the best. The rows were trained alike, on",
        f"{' or '.join(map(str, batches))} batches, which is less than the preset's",
        "training.",
        "",
        *table(rows, HEADS),
    ]
    write_table(folder / "ablation", "zoo/hart_kitti/ablation.py", runs, text)


def main() -> None:
    """Train each row, measure, write the table."""
    parser = training.parser(__doc__, HERE, epochs=EPOCHS)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    args = training.parse(parser)
    if args.data is None:
        parser.error("--data must name the folder that holds tracking/")
    videos, judge = training.split_videos(args)
    runs = known(args.out / "ablation.csv") if args.resume else []
    for seed in range(args.seed, args.seed + args.seeds):
        for row in args.rows:
            if any((run["row"], run["seed"]) == (row, seed) for run in runs):
                continue
            print("==", row, seed, flush=True)
            track = ka.Tracker(train(row, videos, seed, args)).track
            found = ka.evaluation.video_clips(track, judge)
            batches = args.epochs * (args.steps or BATCHES)
            score = round(float(found.mean_iou.mean()), 3)
            runs.append(dict(zip(RUN, (row, seed, batches, score), strict=True)))
            write(args.out, runs)


if __name__ == "__main__":
    main()
