"""drlt_otb: DRLT follows an object through a video with the whole frame in view.

Paper     Zhang et al. 2017, "Deep Reinforcement Learning for Visual Object Tracking
          in Videos", section 4: mean overlap 0.562 on 30 of OTB's videos, each
          tracker trained on the first third of those that it is judged by
Command   KERAS_BACKEND=jax python zoo/drlt_otb/recipe.py --data FOLDER
          (FOLDER/tracking: 31 short videos of OTB, VOT, UAV123 and DAVIS, in OTB's
          layout)
Expected  not measured yet

Judged in three ways, by three seeds of the second stage: whole videos, of which it has
seen the first third (the paper's way, which flatters); their last two thirds; and six
videos of which it has seen nothing, by weights trained on the other 25. The preset is
the first seed of the first.

Two stages. First the observation network, `models.MatchBoxes`, which stands in for the
paper's YOLO: in a model of its own, `models.Matcher`, to find the object of one frame
in others far apart, in whole frames and moving views of them, of 192x192 pixels and
then of 256x256. Then, with its candidates of each frame computed once and kept, the
LSTM, by REINFORCE on windows of 10 frames.

With `--backbone NAME`, a model of `keras.applications` (MobileNetV2, ...), or
`--backbone hub:PRESET`, one of KerasHub's, its features take the place of the first
stage's. Killed at any moment, the same command with `--resume` goes on.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_attend as ka
from keras_attend import distributed, recipes
from keras_attend.callbacks import RewardSwitch
from keras_attend.datasets import (
    Clips,
    GivenClips,
    MixedClips,
    otb,
    read_frames,
    still_clips,
)
from keras_attend.datasets import Sequence as Video
from keras_attend.datasets.views import resample

HERE = Path(__file__).parent
SIZE = 256
# Sizes of what the observation network is trained on, epochs, and greatest rates.
SIZES = ((192, 36, 1e-3), (SIZE, 10, 3e-4))
SEEDS = 3
WINDOW = 10  # frames of a window of the second stage, the paper's T
UNSEEN = "unseen"  # of the checkpoints of the weights that have not seen six videos
PEERS = ("KCF", "CSRT")
# What `keras.applications` wants in place of 0..1.
SCALES = {"MobileNet": (2.0, -1.0), "ResNet": (2.0, -1.0), "EfficientNet": (255.0, 0.0)}


def first_third(video: Video) -> Video:
    """What the paper trains on."""
    return video.part(0, len(video) // 3)


def last_two_thirds(video: Video) -> Video:
    """What it has not seen."""
    return video.part(len(video) // 3)


def make(observation: Any) -> Any:
    """The model: the final version, of 256 units rather than 5000."""
    return ka.models.DRLT(observation, units=256, size=SIZE, location="box")


# First stage: what to see.


def moving_views(
    train: list[Video], batch_size: int, frames: int, seed: int, side: int = SIZE
) -> MixedClips:
    """Whole frames, views of frames, and views that wander over stills."""
    views: dict[str, Any] = {
        "batch_size": batch_size,
        "frames": frames,
        "size": (side, side),
    }
    far: dict[str, Any] = {"steps": 32 // frames, "photometric": 0.3, **views}
    sizes = (1.5, 8.0)
    parts = [
        (Clips(train, crop=None, **far), 0.45),
        (Clips(train, crop=sizes, **far), 0.25),
        (still_clips(train, every=3, crop=sizes, motion=0.8, **views), 0.3),
    ]
    return MixedClips(parts, batch_size, seed, batches=50)


def train_observation(
    train: list[Video], name: str, args: argparse.Namespace
) -> tuple[Any, list[Path]]:
    """The observation network, and its checkpoints."""
    if args.backbone:
        return backbone(args.backbone, args.backbone_weights), []
    keras.utils.set_random_seed(args.seed)
    observation = ka.models.MatchBoxes()
    paths = []
    for side, epochs, rate in SIZES:

        def begin(
            steps: int, side: int = side, rate: float = rate, seen: Any = observation
        ) -> keras.Model:
            model = ka.models.Matcher(distributed.placed(seen), size=side)
            model.compile(recipes.falling_rate(steps, rate=rate))
            return model

        paths.append(args.runs / f"{name}_{side}.keras")
        data = moving_views(train, 16, 4, args.seed, side)
        epochs = min(epochs, args.epochs or epochs)
        model: Any = recipes.fit(begin, data, paths[-1], args, epochs=epochs)
        observation = model.cell.observation
    return observation, paths


def backbone(name: str, weights: str | None) -> keras.Sequential:
    """Somebody else's features, and where in the frame they are."""
    layers: list[Any]
    if name.startswith("hub:"):
        import keras_hub

        network = keras_hub.models.Backbone.from_preset(name.removeprefix("hub:"))
        layers = [keras.layers.Rescaling(255.0), network]
    else:
        scale, offset = next(v for k, v in SCALES.items() if name.startswith(k))
        network = getattr(keras.applications, name)(
            include_top=False, weights=weights, input_shape=(SIZE, SIZE, 3)
        )
        layers = [keras.layers.Rescaling(scale, offset), network]
    return keras.Sequential([*layers, ka.layers.SpatialSoftmax()])


# Second stage: how it moves.


def whole(videos: list[Video]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Whole frames, scaled, of videos as one batch; shorter ones repeat their last."""
    longest = max(map(len, videos))
    frames, boxes, present = [], [], []
    for video in videos:
        shown = read_frames(video)
        view = np.array([0, 0, shown.shape[2], shown.shape[1]])
        small, moved = resample(shown, video.boxes, view, (SIZE, SIZE))
        more = (0, longest - len(video))
        frames.append(np.pad(small, (more, (0, 0), (0, 0), (0, 0)), "edge"))
        boxes.append(np.pad(moved, (more, (0, 0)), "edge"))
        present.append(np.pad(video.present.astype("float32"), more))
    y = {"boxes": np.stack(boxes), "present": np.stack(present)}
    return {"frames": np.stack(frames), "box": y["boxes"][:, 0]}, y


def features_of(model: Any, train: list[Video], args: argparse.Namespace) -> list[Any]:
    """What the observation network makes of whole videos, and of moving views."""
    data = moving_views(train, 16, 2 * WINDOW, args.seed + 1)
    seen = []
    for x, y in (whole(train), *(data[index] for index in range(args.clips))):
        found = model.features(x, batch_size=1)
        for row in range(len(x["box"])):
            seen.append(
                {
                    "features": found["features"][row],
                    "size": found["size"][row],
                    "boxes": y["boxes"][row],
                    "present": y["present"][row],
                }
            )
    return seen


def train_tracker(
    observation: Any,
    videos: Sequence[Any],
    path: Path,
    args: argparse.Namespace,
    seed: int = 0,
    window: int = WINDOW,
) -> Any:
    """The LSTM and the policy, of features."""
    keras.utils.set_random_seed(seed)
    observation.trainable = False

    def begin(steps: int) -> keras.Model:
        model = make(distributed.placed(observation))
        model.compile(recipes.falling_rate(steps))
        return model

    data = GivenClips(videos, 64, window, windows=args.windows, seed=seed)
    switch = RewardSwitch(args.tracker_epochs // 2)
    return recipes.fit(begin, data, path, args, (switch,), args.tracker_epochs)


def trained(
    train: list[Video], name: str, args: argparse.Namespace, seeds: int = SEEDS
) -> tuple[list[Any], list[Path]]:
    """Trackers of several seeds, and the checkpoints of the first."""
    observation, paths = train_observation(train, name, args)
    seen = make(observation)
    videos = features_of(seen, train, args)
    models = []
    for seed in range(args.seed, args.seed + seeds):
        paths.append(args.runs / f"{name}_{seed}.keras")
        models.append(train_tracker(observation, videos, paths[-1], args, seed))
    return models, paths[: 1 + len(paths) - seeds]


def arguments() -> argparse.Namespace:
    """The flags, as given."""
    parser = recipes.parser(__doc__, HERE)
    add = parser.add_argument
    add("--tracker-epochs", type=int, default=30)
    add("--windows", type=int, default=4, help="of each video in an epoch")
    add("--clips", type=int, default=30, help="batches of moving views to keep")
    add("--backbone", help="features of keras.applications, or hub:PRESET")
    add("--backbone-weights", default="imagenet", help="or a file")
    args = recipes.parse(parser)
    if args.data is None:
        parser.error("--data must name the folder that holds tracking/")
    return args


def main() -> None:
    """Train, measure, write the preset."""
    args = arguments()
    if args.validate:
        train, judge = recipes.split_videos(args)
        models, _ = trained(train, "validate", args, seeds=1)
        scores = ka.evaluation.one_pass(ka.Tracker(models[0]).track, judge)
        print(dict(zip(scores.names, scores.mean_iou.round(3), strict=True)))
        return
    videos = list(otb(args.data / "tracking"))
    models, paths = trained([first_third(v) for v in videos], "thirds", args)
    train, judge = recipes.split_videos(args)
    others, _ = trained(train, UNSEEN, args)
    peers = recipes.opencv_peers(*PEERS)
    rest = [last_two_thirds(v) for v in videos]
    results = [
        row
        for trackers, shown, data, paper in (
            (models, videos, "otb_first_third", {"mean_iou": 0.562}),
            (models, rest, "otb_last_two_thirds", None),
            (others, judge, "otb_unseen", None),
        )
        for row in ka.evaluation.one_pass_results(
            [ka.Tracker(model).track for model in trackers],
            shown,
            data=data,
            baselines=peers,
            paper=paper,
        )
    ]
    recipes.write_video_tracker(
        models[0],
        results,
        args,
        judge,
        *paths,
        description=(
            "DRLT follows an object with the whole frame in view. It is trained on the "
            "first thirds of 31 short videos (the picture shows DAVIS's parkour, CC BY "
            "4.0), and by `otb_unseen` other weights are judged, trained without six"
        ),
        paper="Zhang et al. 2017, section 4, on other videos",
    )


if __name__ == "__main__":
    main()
