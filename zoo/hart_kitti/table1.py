"""The paper's table 1: HART without its parts, RATM, and OpenCV's trackers.

Paper     Kosiorek et al. 2017, "Hierarchical Attentive Recurrent Tracking", table 1:
          mean IoU over 60-frame clips of KITTI: RATM 0.14, spatial attention 0.60,
          with appearance attention 0.78, HART (with the losses for both) 0.81;
          figure 5: IoU over time
Command   KERAS_BACKEND=jax python zoo/hart_kitti/table1.py --data FOLDER
          (FOLDER/kitti, and FOLDER/tracking for looks; see recipe.py)
Makes     table1.csv, table1.png and README's table, from rendered clips
Expected  not measured yet

Each row is trained alike: on rendered clips of 8 frames, of which at first 4 count, by
the same batches. `--resume` goes on after a kill. The preset, which has had five times
as many and real videos, stands beside them.
"""

import csv
from pathlib import Path
from typing import Any

import keras
import numpy as np
from recipe import HERE, LOOKS, PEERS, rendered_test

import keras_attend as ka
from keras_attend import plots, recipes
from keras_attend.callbacks import LengthCurriculum
from keras_attend.datasets import RenderedKITTI, cut_sprites

ROWS = {
    "RATM": 0.14,
    "Spatial Att": 0.60,
    "App Att": 0.78,
    "HART": 0.81,
}  # the paper's
ABLATIONS = {"Spatial Att": "spatial", "App Att": "appearance", "HART": "hart"}
BATCH, FRAMES = 24, 8
COLUMNS = ["row", "paper", "mean_iou", "mean_iou_with_first", "center_error", "batches"]


def make(row: str, steps: int) -> keras.Model:
    """The model of a row, compiled."""
    model: keras.Model
    if row == "RATM":
        model = ka.models.RATM(
            size=40,
            units=256,
            channels=3,
            scale=2.0,
            relative=True,
            memory=0.5,
            objectives={"localisation": 1.0, "overlap": 0.3},
            features=ka.layers.GlimpseMatch(filters=(24, 32, 48)),
            input_initializer=keras.initializers.RandomNormal(stddev=0.01),
        )
    else:
        model = ka.models.HART(
            size=40,
            units=256,
            maps=8,
            filters=(24, 32, 48),
            ablation=ABLATIONS[row],
        )
    model.compile(recipes.falling_rate(steps))
    return model


def clips(data: Path, seed: int) -> RenderedKITTI:
    """Rendered ones, of labels, streets and looks for training."""
    videos = ka.datasets.otb(data / "tracking")
    sprites = cut_sprites([v for v in videos if v.name not in recipes.HELD_OUT], LOOKS)
    return RenderedKITTI(
        data / "kitti",
        data / "kitti" / "frames",
        sprites,
        batch_size=BATCH,
        frames=FRAMES,
        size=(112, 112),
        crop=(2.5, 7.0),
        steps=2,
        seed=seed,
        batches=50,
    )


def main() -> None:
    """Train each row, measure, write the table."""
    parser = recipes.parser(__doc__, HERE, epochs=16)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    args = recipes.parse(parser)
    if args.data is None:
        parser.error("--data must name the folder that holds kitti/ and tracking/")
    trackers: dict[str, Any] = {"static box": ka.evaluation.static_box}
    for row in args.rows:
        print("==", row, flush=True)
        keras.utils.set_random_seed(args.seed)
        data = clips(args.data, args.seed)
        path = args.runs / f"table1_{row.replace(' ', '_')}.keras"
        trackers[row] = recipes.fit(
            lambda steps, row=row: make(row, steps),
            data,
            path,
            args,
            (LengthCurriculum(data, first=4, every=3),),
        )
    if (args.out / "preset.json").is_file():
        trackers["hart_kitti"] = ka.zoo.load(args.out)
    trackers |= recipes.opencv_peers(*PEERS)
    test = [rendered_test(args.data)[i] for i in range(16)]
    scores = {n: ka.evaluation.score_clips(t, test) for n, t in trackers.items()}
    with (args.out / "table1.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for name, score in scores.items():
            print(name, score.mean_iou, flush=True)
            numbers = [score.mean_iou, score.mean_iou_with_first, score.center_error]
            batches = args.epochs * 50 if name in ROWS else ""
            writer.writerow(
                [name, ROWS.get(name, ""), *np.round(numbers, 4).tolist(), batches]
            )
    plots.plot_iou(
        {name: score.iou_over_time for name, score in scores.items()},
        path=args.out / "table1.png",
        title="Rendered KITTI, validation: 60-frame clips",
    )


if __name__ == "__main__":
    main()
