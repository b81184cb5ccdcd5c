"""hart_wide: HART with a V1 from ImageNet follows whatever it is shown.

Paper     Kosiorek et al. 2017, "Hierarchical Attentive Recurrent Tracking": its V1 is
          AlexNet's first layers, trained on ImageNet; here EfficientNet-Lite0's
Command   pip install "keras-attend[recipes]"
          KERAS_BACKEND=tensorflow python zoo/hart_wide/recipe.py --data FOLDER
          (FOLDER/tracking: 31 short videos of OTB, VOT, UAV123 and DAVIS, in OTB's
          layout; six of them are for validation)
Expected  not measured: no preset has been written by it yet. Weights of an earlier form
          of its first stage had 0.665 on 60-frame clips of the validation videos
          (hart_kitti 0.566, CSRT 0.602, TrackerNano 0.706)

Two stages. In the first the windows follow for the most part the true boxes, which are
made wrong on purpose; in the second for the most part the tracker's own. V1 keeps what
it has learned from ImageNet. Killed at any moment, the same command with `--resume`
goes on.

V1 computes in bfloat16 while it trains, which halves its time on CPUs that have it; the
preset computes in float32.
"""

import argparse
from pathlib import Path
from typing import Any

import keras

import keras_attend as ka
from keras_attend import training
from keras_attend.datasets import Sequence, TrackingPairs
from keras_attend.layers import EfficientV1
from keras_attend.training import imagenet

HERE = Path(__file__).parent
BATCHES = 50  # of an epoch
EPOCHS = (30, 10)  # of the stages
PAIRS = {"frames": 5, "batch_size": 24, "guided": 0.7, "gone": 0.2}
OWN = {"frames": 8, "batch_size": 16, "guided": 0.4, "gone": 0.25}
PEERS = ("KCF", "MedianFlow", "CSRT", "TrackerNano")
ABOUT: dict[str, Any] = {
    "description": (
        "HART follows any object that the first frame shows, through a window of four "
        "times its size, with features that EfficientNet-Lite0 has learned from "
        "ImageNet. It is trained on 25 short real videos (the picture shows DAVIS's "
        "parkour, CC BY 4.0)"
    ),
    "paper": "Kosiorek et al. 2017, with another V1 and on other videos",
    "notes": (
        "V1's weights are those of EfficientNet-Lite0 (Apache-2.0; see NOTICE).",
        "The six videos of `videos_validation` chose the settings of its training.",
    ),
}


def make(dtype: str = "float32") -> Any:
    """The model, built; V1 computes in `dtype`."""
    v1 = EfficientV1((2, 4, 10), dtype=dtype, name="v1")
    model = ka.models.WideHART(ka.models.WideHARTCell(v1=v1, name="cell"))
    model.build()
    return model


def compiled(model: Any, rate: float, batches: int) -> Any:
    """Compiled for a training of so many batches; it ends with averaged weights."""
    warm = min(100, batches // 2)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 50, batches - warm, alpha=0.01, warmup_target=rate, warmup_steps=warm
    )
    model.compile(
        keras.optimizers.AdamW(
            schedule,
            weight_decay=1e-3,
            global_clipnorm=5.0,
            use_ema=True,
            ema_momentum=0.995,
        )
    )
    return model


def first(data: TrackingPairs, batches: int) -> Any:
    """The model that the first stage trains, in which V1 is ImageNet's."""
    model = make("mixed_bfloat16")
    imagenet.load_weights(model.cell.ventral.v1)
    inputs, _ = data[len(data) - 1]
    model.cell.adapt(inputs["frames"][:, 0], inputs["box"])
    return compiled(model, 2e-3, batches)


def second(before: Any, batches: int) -> Any:
    """The model that the second stage trains."""
    model = make("mixed_bfloat16")
    model.set_weights(before.get_weights())
    return compiled(model, 5e-4, batches)


def train(
    videos: list[Sequence], args: argparse.Namespace
) -> tuple[Any, tuple[Path, ...]]:
    """The trained model, all of it in float32, and the checkpoints."""
    paths = tuple(args.runs / f"seed_{args.seed}_{n}.keras" for n in ("pairs", "own"))
    epochs = [min(n, args.epochs or n) for n in EPOCHS]
    pairs = TrackingPairs(videos, batches=BATCHES, seed=args.seed, **PAIRS)
    model = training.fit(
        lambda batches: first(pairs, batches), pairs, paths[0], args, epochs=epochs[0]
    )
    own = TrackingPairs(videos, batches=BATCHES, seed=args.seed + 1, **OWN)
    model = training.fit(
        lambda batches: second(model, batches), own, paths[1], args, epochs=epochs[1]
    )
    trained = make()
    trained.set_weights(model.get_weights())
    return trained, paths


def main() -> None:
    """Train, measure, write the preset."""
    parser = training.parser(__doc__, HERE)
    args = training.parse(parser)
    if args.data is None:
        parser.error("--data must name the folder that holds tracking/")
    keras.utils.set_random_seed(args.seed)
    videos, judge = training.split_videos(args)
    model, paths = train(videos, args)
    if args.validate:
        training.print_overlaps(model, judge)
        return
    track, peers = ka.Tracker(model).track, training.opencv_peers(*PEERS)
    measured = (ka.evaluation.video_clip_results, ka.evaluation.one_pass_results)
    results = [
        row
        for measure in measured
        for row in measure([track], judge, data="videos_validation", baselines=peers)
    ]
    training.write_video_tracker(model, results, args, judge, *paths, **ABOUT)


if __name__ == "__main__":
    main()
