"""HART on KTH, for those who have its videos: section 5.1 of the paper.

Paper     Kosiorek et al. 2017, "Hierarchical Attentive Recurrent Tracking", section
          5.1: mean IoU 0.7711 over KTH's people
Command   KERAS_BACKEND=jax python zoo/papers/hart_kth.py --data FOLDER
          (how to make the folder: keras_attend/datasets/kth.py; `--subjects 3` for the
          first three folds)
Makes     the model of each fold in the runs' folder; the scores are printed
Expected  not measured: KTH's videos cannot be passed on

The model is our HART, not `PaperHART` (docs/fidelity.md says how they differ), with a
glimpse of 28x28 pixels and a V1 of three small convolutions as in the paper. It is
trained in two stages, clips of 4 frames, then of 12, of which 5 count in
the first epochs; half of the clips are stills over which a view moves. One subject at a
time is left out, and judged in one pass. After a kill, the same command with `--resume`
goes on.
"""

import argparse
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_attend as ka
from keras_attend import training
from keras_attend.datasets import KTH, Clips, MixedClips, Sequence, still_clips

HERE = Path(__file__).parent
PAPER = 0.7711
STAGES = (
    training.Stage("short", frames=4, batch_size=48, epochs=8, first=4, end=0.5),
    training.Stage("long", frames=12, batch_size=24, epochs=20, first=5, every=2),
)


def clips(train: list[Sequence], stage: training.Stage, seed: int) -> MixedClips:
    """Mix clips of videos with as many of their stills."""
    views = stage.clips | {"size": (96, 96), "crop": (2.5, 7.0)}
    parts = [(still_clips(train, **views), 0.5), (Clips(train, steps=3, **views), 0.5)]
    return MixedClips(parts, stage.batch_size, seed)


def make() -> keras.Model:
    """Make the model, not compiled."""
    cell = ka.models.HARTCell(size=28, units=192, maps=8, filters=(24, 32, 32))
    return ka.models.HART(cell)


def train(videos: list[Sequence], name: str, args: argparse.Namespace) -> Any:
    """Train both stages; return the model."""
    keras.utils.set_random_seed(args.seed)
    model, _ = training.fit_stages(
        make, STAGES, lambda stage: clips(videos, stage, args.seed), args, name
    )
    return model


def main() -> None:
    """Train a model for each subject, and judge it by that one."""
    parser = training.parser(__doc__, HERE)
    parser.add_argument("--subjects", type=int, help="stop after so many")
    args = training.parse(parser)
    if args.data is None:
        parser.error("--data must name KTH's folder")
    videos = KTH(args.data)
    scores = []
    for fold in list(videos.folds())[: args.subjects]:
        name = f"kth_{fold.test_subject:02d}"
        model = train(list(videos.videos(fold.train)), name, args)
        track = ka.Tracker(model).track
        found = ka.evaluation.one_pass(track, videos.videos(fold.test))
        scores.append(found.mean_iou.mean())
        print(f"subject {fold.test_subject}: {scores[-1]:.4f}", flush=True)
    print(f"mean IoU {np.mean(scores):.4f} (paper {PAPER})")


if __name__ == "__main__":
    main()
