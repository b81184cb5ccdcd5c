"""drlt_otb: DRLT follows an object through a video with the whole frame in view.

Paper     Zhang et al. 2017, "Deep Reinforcement Learning for Visual Object Tracking
          in Videos", section 4: mean overlap 0.562 on 30 of OTB's videos, each
          tracker trained on the first third of those that it is judged by
Command   pip install ".[recipes]"
          KERAS_BACKEND=tensorflow python zoo/drlt_otb/recipe.py --data FOLDER
          (FOLDER/tracking and FOLDER/tracking_test: 31 and 6 short videos of OTB, VOT,
          UAV123 and DAVIS, in OTB's layout)
Expected  mean overlap 0.590 on whole videos (the paper's way; the box that never moves
          0.310, KCF 0.342, CSRT 0.504), 0.573 on their last two thirds (0.341, 0.381,
          0.526), 0.530 on six videos without any training on them (0.229, 0.216,
          0.516). Test set: 0.409 on whole videos (0.158, 0.197, 0.591; MedianFlow
          0.394, TrackerNano 0.676), 0.591 on their clips of 60 frames (0.269, 0.380,
          0.715; MedianFlow 0.632, TrackerNano 0.745). Three hours on one CPU core.

The weights are judged in four ways, in the first three of them by three seeds of the
second stage:
 1. By whole videos, whose first thirds they were trained on. That is the paper's way;
    it flatters.
 2. By the last two thirds of these videos.
 3. Other weights, trained without six of the videos, by these six.
 4. The preset, which is the first seed of 1 and 2, by the six videos of the test set.

Settings were chosen by 1 and 3. The test set was measured twice more, by trainings of
the second stage that had a mistake (0.574 and 0.584 on clips, 0.406 and 0.390 on whole
videos); it chose nothing.

Training has two stages. The first trains the observation network, `models.MatchBoxes`,
which stands in for the paper's YOLO, on top of features that EfficientNet-Lite0 has
learned from ImageNet. It is part of another model then, `models.Matcher`, and learns to
find the object of one frame in others far apart, in whole frames and in moving views of
them. The second stage computes its candidates of each frame once, keeps them, and
trains the LSTM by REINFORCE on windows of 20 frames.

What decides (mean overlap in whole videos, then in the six unseen ones):
 1. Features. The best match alone has 0.571 and 0.508. With features that were learned
    from these videos, in six times as many epochs, it had 0.593 in whole videos, and
    the whole tracker no more than 0.293 in unseen ones.
 2. The reward. Overlap from the beginning gives 0.590 and 0.534; with the distance in
    the first half, as in the paper, 0.580 and 0.526 (two to four seeds each, on JAX;
    the preset was trained on TensorFlow).
 3. How the LSTM begins. If it begins with a mean that may stay where it is, 0.575 and
    0.529; therefore it begins with a bias against that (`STAY`).
 4. What is lacking is the boxes' size: with their true sides the best matches would
    have 0.723 and 0.573. The sides that are learned hardly differ from the first ones.
    A smaller factor of the boxes' outputs did not help; votes of eleven sizes go with
    the true size (correlation 0.6), but with these the overlap grows by 0.01 only.

After a kill, the same command with `--resume` goes on.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_attend as ka
from keras_attend import training
from keras_attend.callbacks import RewardSwitch
from keras_attend.datasets import (
    Clips,
    GivenClips,
    MixedClips,
    StillClips,
    otb,
    read_frames,
    still_clips,
)
from keras_attend.datasets import Sequence as Video
from keras_attend.datasets.pair_pictures import rectangle
from keras_attend.layers import EfficientV1, V1Maps
from keras_attend.training import imagenet
from keras_attend.training.observed import first_third, last_two_thirds

HERE = Path(__file__).parent
SIZE = (256, 448)  # rows and columns of what it sees of a frame
ABOUT: dict[str, Any] = {
    "description": (
        "DRLT follows an object with the whole frame in view. It is trained on the "
        "first thirds of 31 short videos (the picture shows DAVIS's parkour, CC BY "
        "4.0)"
    ),
    "paper": "Zhang et al. 2017, section 4, on other videos",
    "notes": (
        "`otb_first_third`, the paper's own protocol, judges by the videos whose first "
        "thirds the weights were trained on.",
        "`otb_unseen` judges other weights of the same recipe, trained without the six "
        "videos that it judges by. Settings were chosen by these two scores.",
        "`videos_test` judges this preset's weights by six videos that were no part of "
        "its training. It was measured three times, twice by trainings with a mistake, "
        "and chose nothing.",
        "V1's weights are those of EfficientNet-Lite0 (Apache-2.0; see NOTICE).",
        "Its boxes keep nearly the size of the first one: an object that comes nearer "
        "outgrows them.",
    ),
}


EPOCHS, RATE = 16, 1e-3  # of the first stage
SPAN = 128  # the four frames of its clips are taken from up to so many
SEEDS = 3
WINDOW = 20  # frames of a window of the second stage; (paper: T = 10)
LONGEST = 20  # frames of a clip of moving views in the second stage
WITHOUT = "unseen"  # names the checkpoints trained without the validation videos


def make(observation: Any) -> Any:
    """Make the model of the paper's final version, with fewer units than its 5000."""
    cell = ka.models.DRLTCell(observation, size=SIZE, units=64, head="choice")
    return ka.models.DRLT(cell)


# The first stage: the observation network.


def moving_views(
    train: list[Video], batch_size: int, frames: int, seed: int, span: int = 32
) -> MixedClips:
    """Mix clips of whole frames, of views of frames, and of views that cross stills.

    The `frames` of a clip are taken from up to `span` frames of a video.
    """
    views: dict[str, Any] = {"batch_size": batch_size, "frames": frames, "size": SIZE}
    far: dict[str, Any] = {"steps": span // frames, "photometric": 0.3, **views}
    sizes = (1.5, 8.0)
    moving: dict[str, Any] = {"crop": sizes, "motion": 0.8, **views}
    parts: list[tuple[Any, float]] = [
        (Clips(train, crop=None, **far), 0.4),
        (Clips(train, crop=sizes, **far), 0.2),
        (still_clips(train, every=3, **moving), 0.2),
        (StillClips(*patches(train, seed), **moving), 0.2),
    ]
    return MixedClips(parts, batch_size, seed, batches=50)


def patches(train: list[Video], seed: int) -> tuple[list[Any], Any]:
    """Every third frame of the videos, and in each a part of it as an object."""
    random = np.random.default_rng(seed)
    third = [read_frames(video, np.arange(0, len(video), 3)) for video in train]
    images = [image for frames in third for image in frames]
    boxes = [rectangle(random, *image.shape[:2]) for image in images]
    return images, np.array(boxes)


def train_observation(
    train: list[Video], name: str, args: argparse.Namespace
) -> tuple[Any, Path]:
    """Train the observation network; return it and its checkpoint."""
    keras.utils.set_random_seed(args.seed)
    data = moving_views(train, 16, 4, args.seed, SPAN)
    path = args.runs / f"{name}_matcher.keras"

    def begin(steps: int) -> keras.Model:
        observation = matcher(training.fast_dtype())
        imagenet.load_weights(observation.maps.v1)
        observation.maps.adapt(data[0][0]["frames"][:, 0])
        cell = ka.models.MatcherCell(training.placed(observation), size=SIZE)
        model = ka.models.Matcher(cell)
        model.compile(training.falling_rate(steps, rate=RATE))
        return model

    epochs = min(EPOCHS, args.epochs or EPOCHS)
    model: Any = training.fit(begin, data, path, args, epochs=epochs)
    exact = matcher("float32")
    exact.set_weights(model.cell.observation.get_weights())
    return exact, path


def matcher(dtype: str) -> ka.models.MatchBoxes:
    """The observation network, built; V1 computes in `dtype`."""
    v1 = EfficientV1((2, 4, 10), dtype=dtype, name="v1")
    maps = V1Maps(v1)
    found = ka.models.MatchBoxes(filters=64, candidates=8, maps=maps, plain=True)
    found.build((None, *SIZE, 3))
    found.built = True
    return found


# The second stage: the LSTM and the policy.


def clips_of(
    observed: training.Observed, train: list[Video], args: argparse.Namespace
) -> list[dict[str, Any]]:
    """Compute the features of whole videos, and of `moving_views`."""
    seen = [
        observed.clip(read_frames(video), video.boxes.astype("float32"), video.present)
        for video in train
    ]
    data = moving_views(train, 16, LONGEST, args.seed + 9)
    for index in range(args.clips):
        x, y = data[index]
        seen += map(observed.clip, x["frames"], y["boxes"], y["present"])
    return seen


def train_tracker(
    observation: Any,
    videos: Sequence[Any],
    path: Path,
    args: argparse.Namespace,
    seed: int = 0,
    window: int = WINDOW,
) -> Any:
    """Train the LSTM and the policy on features."""
    keras.utils.set_random_seed(seed)
    observation.trainable = False

    def begin(steps: int) -> keras.Model:
        model = make(training.placed(observation))
        model.compile(training.falling_rate(steps))
        return model

    data = GivenClips(videos, 64, window, windows=args.windows, seed=seed)
    # The paper begins with the distance as the reward. These means begin at the object,
    # and the distance counts an error of a small box no more than a large one's.
    switch = RewardSwitch(0)
    return training.fit(begin, data, path, args, (switch,), args.tracker_epochs)


def trained(
    train: list[Video],
    name: str,
    args: argparse.Namespace,
    seeds: int = SEEDS,
) -> tuple[training.Observed, list[Any], list[Path]]:
    """Train both stages, the second one by several seeds.

    Return the kept features, the trackers, and the two checkpoints of the first one.
    """
    observation, first = train_observation(train, name, args)
    observed = training.Observed(make(observation))
    videos = clips_of(observed, train, args)
    every = range(args.seed, args.seed + seeds)
    paths = [args.runs / f"{name}_{seed}.keras" for seed in every]
    models = [
        train_tracker(observation, videos, path, args, seed)
        for path, seed in zip(paths, every, strict=True)
    ]
    return observed, models, [first, paths[0]]


def arguments() -> argparse.Namespace:
    """Parse the command line's flags."""
    parser = training.tracker_parser(__doc__, HERE)
    add = parser.add_argument
    add("--tracker-epochs", type=int, default=20)
    add("--windows", type=int, default=4, help="of each video in an epoch")
    add("--clips", type=int, default=20, help="batches of moving views to keep")
    args = training.parse(parser)
    if args.data is None:
        parser.error("--data must name the folder that holds tracking/")
    return args


def main() -> None:
    """Train, measure, write the preset."""
    args = arguments()
    if args.measure_test:
        training.measure_test(args, training.video_test_results, ABOUT)
        return
    train, judge = training.split_videos(args)
    if args.validate:
        observed, models, _ = trained(train, WITHOUT, args, seeds=1)
        scores = ka.evaluation.one_pass(observed.track(models[0]), judge)
        print(dict(zip(scores.names, scores.mean_iou.round(3), strict=True)))
        return
    videos = list(otb(args.data / "tracking"))
    without, others, _ = trained(train, WITHOUT, args)
    seen, models, paths = trained([first_third(v) for v in videos], "thirds", args)
    peers = training.opencv_peers(*training.TEST_PEERS)
    rest = [last_two_thirds(v) for v in videos]
    results = training.video_test_results(models[0], args.data)
    results += [
        row
        for observed, trackers, shown, data, paper in (
            (seen, models, videos, "otb_first_third", {"mean_iou": 0.562}),
            (seen, models, rest, "otb_last_two_thirds", None),
            (without, others, judge, "otb_unseen", None),
        )
        for row in ka.evaluation.one_pass_results(
            [observed.track(model) for model in trackers],
            shown,
            data=data,
            baselines=peers,
            paper=paper,
        )
    ]
    training.write_video_tracker(models[0], results, args, judge, *paths, **ABOUT)


if __name__ == "__main__":
    main()
