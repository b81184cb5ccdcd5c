"""DRLT's final version as it is written, on short videos.

Paper     Zhang et al. 2017, "Deep Reinforcement Learning for Visual Object Tracking
          in Videos", section 4: mean overlap 0.562 and success AUC 0.543 on 30 of
          OTB's videos, each of whose first thirds it was trained on (table 2,
          figure 2); figure 4: windows of T = 2, 5 and 10 frames
Command   pip install ".[recipes]"
          KERAS_BACKEND=tensorflow python zoo/papers/drlt_final.py --data FOLDER
          (FOLDER/tracking: 31 short videos of OTB, VOT, UAV123 and DAVIS, in OTB's
          layout; `--only T_5` or `--only unseen` for a part; `--validate` to choose
          settings)
Makes     the rows' numbers in zoo/papers/measured/drlt.json, and beside it what it has
          in each video, drlt_videos.csv, and success curves, drlt_curves.json; figures
          2 and 4 in drlt_figure2.png and drlt_figure4.png; then `make papers`
Expected  see docs/papers/drlt.md

As the paper has it: features of the whole frame by a network that was trained on other
pictures and is not trained further, a dense layer, an LSTM of which the last four units
are the location itself, a deviation of 0.01, draws around one pass, rewards by the
error in the first part of the training (eq. 2) and by the overlap in the rest (eq. 3).

The network is EfficientNet-Lite0, which ImageNet has trained (paper: YOLO, by detection
on ImageNet and VOC); its 14x14 places are averaged over 2x2, so that a frame has 5,488
features (YOLO's first dense layer: 4,096). The dense layer and the LSTM have `UNITS`
units (paper: 5,000). The optimizer is Adam, whose rate falls along a cosine.

Each window begins with an empty memory and the true box; a video is judged in one pass.
Rows: whole videos whose first thirds it was trained on, T = 2, 5 and 10; their last two
thirds; their first thirds; and six videos, by weights that were trained in the same way
on the first thirds of the other 25.
"""

import argparse
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

import keras_attend as ka
from keras_attend import disk, plots, training
from keras_attend.callbacks import Checkpoint, RewardSwitch
from keras_attend.datasets import GivenClips, Sequence, otb, read_frames
from keras_attend.evaluation import OnePass
from keras_attend.evaluation.rows import row as result_row
from keras_attend.layers import EfficientV1
from keras_attend.training import imagenet
from keras_attend.training.observed import first_third, last_two_thirds
from keras_attend.training.papers import record
from keras_attend.training.papers.rows import read_paper

HERE = Path(__file__).parent
CURVES = HERE / "measured" / "drlt_curves.json"
SIDE = 224  # of what the network sees, in pixels
UNITS = 512
EPISODES, STD = 5, 0.01
LENGTHS = (2, 5, 10)  # T
BATCH, WINDOWS = 31, 4  # windows of a batch, and of each video in an epoch
EPOCHS = 500
BY_ERROR = 0.6  # the share of the training with eq. 2's reward: 300 of 500 epochs


DIFFERENCES = (
    "31 short videos (paper: 30 of OTB)",
    "the network is EfficientNet-Lite0, its 14x14 places averaged to 7x7 (paper: YOLO)",
    "a dense layer and an LSTM of 512 units (paper: 5,000)",
)


class Row(NamedTuple):
    """A row: its metric, and the part of a video by which it is judged."""

    metric: str  # the attribute of the score, too
    part: Callable[[Sequence], Sequence]
    protocol: str


def whole(video: Sequence) -> Sequence:
    """Take all of a video."""
    return video


ROWS = {  # of each training
    "T_2": {"otb_T_2": Row("mean_iou", whole, "otb_first_third/ope")},
    "T_5": {"otb_T_5": Row("mean_iou", whole, "otb_first_third/ope")},
    "T_10": {
        "otb_iou": Row("mean_iou", whole, "otb_first_third/ope"),
        "otb_auc": Row("success_auc", whole, "otb_first_third/ope"),
        "otb_T_10": Row("mean_iou", whole, "otb_first_third/ope"),
        "otb_third": Row("mean_iou", first_third, "otb_seen_thirds/ope"),
        "otb_two_thirds": Row("mean_iou", last_two_thirds, "otb_last_two_thirds/ope"),
    },
    "unseen": {"otb_unseen": Row("mean_iou", whole, "otb_unseen/ope")},
}


def observation() -> keras.Model:
    """The network whose features the model gets: `[B, 7, 7, 112]`; not trained."""
    image = keras.Input((SIDE, SIDE, 3))
    v1 = EfficientV1((10,), dtype=training.fast_dtype(), name="v1")
    (maps,) = v1(image)
    imagenet.load_weights(v1)
    pooled = keras.layers.AveragePooling2D(2, dtype="float32")(maps)
    network = keras.Model(image, pooled, name="observation")
    network.trainable = False
    return network


def make(network: keras.Model) -> ka.models.DRLT:
    """The model."""
    cell = ka.models.DRLTCell(
        network, UNITS, size=SIDE, location="box", dense=UNITS, head="units"
    )
    return ka.models.DRLT(cell, episodes=EPISODES, std=STD)


def train(
    observed: training.Observed,
    videos: list[Sequence],
    frames: int,
    path: Path,
    args: argparse.Namespace,
    seed: int,
) -> Any:
    """Train by windows of some frames of videos."""
    keras.utils.set_random_seed(seed)
    seen = [
        observed.clip(read_frames(video), video.boxes.astype("float32"), video.present)
        for video in videos
    ]

    def begin(batches: int) -> keras.Model:
        model = make(training.placed(observed.model.cell.observation))
        model.compile(training.falling_rate(batches, rate=args.rate))
        return model

    data = GivenClips(seen, BATCH, frames, windows=WINDOWS, seed=seed)
    switch = RewardSwitch(round(BY_ERROR * args.epochs))
    return training.fit(begin, data, path, args, (switch,))


def write_videos(name: str, scores: list[Any], path: Path) -> None:
    """Write a column of table 2: the overlap in each whole video, the seeds' mean."""
    rows = {video: {"video": video} for video in scores[0].names}
    if path.is_file():
        with path.open(newline="") as file:
            rows |= {row["video"]: row for row in csv.DictReader(file)}
    mean = np.mean([score.mean_iou for score in scores], axis=0)
    for video, value in zip(scores[0].names, mean, strict=True):
        rows[video][name] = f"{value:.3f}"
    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows.values())


def draw(name: str, scores: list[OnePass], videos: list[Sequence]) -> None:
    """Draw figure 4 of what was measured so far, and figure 2 of the greatest T."""
    curves = json.loads(CURVES.read_text()) if CURVES.is_file() else {}
    curves[name] = [s.success_curve.round(4).tolist() for s in scores]
    disk.write(CURVES, json.dumps(curves, indent=1) + "\n")
    known = {f"T = {T}": curves[f"T_{T}"] for T in LENGTHS if f"T_{T}" in curves}
    plots.plot_success(known, path=HERE / "drlt_figure4.png")
    if name == f"T_{LENGTHS[-1]}":
        still = ka.evaluation.one_pass(ka.evaluation.static_box, videos)
        shown = {"DRLT": scores[0], "static box": still}
        plots.plot_one_pass(shown, path=HERE / "drlt_figure2.png", title="One pass")


def main() -> None:
    """Train what is asked for, measure and record its rows."""
    parser = training.parser(__doc__, HERE, epochs=EPOCHS)
    parser.set_defaults(runs=Path("runs") / "papers_drlt_final")
    parser.add_argument("--only", choices=tuple(ROWS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=3e-4)
    args = training.parse(parser)
    if args.data is None:
        parser.error("--data must name the folder that holds tracking/")
    papers = {row.key: row for row in read_paper(HERE.parent, "drlt").rows}
    videos = list(otb(args.data / "tracking"))
    others, judge = training.split_videos(args)
    observed = training.Observed(make(observation()))
    shortened = args.validate or args.steps or args.epochs != EPOCHS
    for name in [args.only] if args.only else ROWS:
        unseen = name == "unseen" or args.validate
        thirds = [first_third(v) for v in (others if unseen else videos)]
        frames = int(name.removeprefix("T_")) if name != "unseen" else LENGTHS[-1]
        tracks, seconds = [], 0.0
        for seed in range(args.seed, args.seed + args.seeds):
            path = args.runs / f"{name}_{seed}.keras"
            model = train(observed, thirds, frames, path, args, seed)
            tracks.append(observed.track(model))
            seconds += Checkpoint.seconds_spent(path)
        judged: dict[Any, list[Any]] = {}  # several rows are of one part
        for part in dict.fromkeys(row.part for row in ROWS[name].values()):
            shown = [part(video) for video in (judge if unseen else videos)]
            judged[part] = [ka.evaluation.one_pass(track, shown) for track in tracks]
        if not (unseen or shortened):
            write_videos(name, judged[whole], HERE / "measured" / "drlt_videos.csv")
            draw(name, judged[whole], videos)
        for key, row in ROWS[name].items():
            scores = judged[row.part]
            written = result_row(
                row.metric,
                row.protocol,
                [float(getattr(score, row.metric).mean()) for score in scores],
                papers[key].paper,
                {},
                setting="paper",
                differences=DIFFERENCES,
                trained_on=f"the first thirds of {len(thirds)} short videos",
                chosen_on="four further videos, by a training without them",
            )
            print(key, written, flush=True)
            if not shortened:
                runs = f"{args.seeds} seeds, {args.epochs} epochs"
                record("drlt", key, written, args, runs=runs, seconds=seconds)


if __name__ == "__main__":
    main()
