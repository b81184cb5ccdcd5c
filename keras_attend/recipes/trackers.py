"""What the recipes of trackers of real videos share."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from keras_attend import evaluation
from keras_attend.datasets.sequences import Sequence as Video
from keras_attend.datasets.sequences import otb, read_frames
from keras_attend.layers import GlimpseMatch
from keras_attend.models import RATM, RelativeRATMCell
from keras_attend.recipes.presets import picture_track, write_preset
from keras_attend.tracking import Tracker
from keras_attend.zoo.results import Result

# Videos in `FOLDER/tracking` that trackers are judged by, the first four of people.
HELD_OUT = (
    "otb_Bolt",
    "otb_Man",
    "davis_parkour",
    "uav123_person12_1",
    "davis_dog",
    "otb_Tiger1",
)
PEOPLE = HELD_OUT[:4]
# For choosing settings; in the end they are trained on.
VALIDATION = ("otb_Skiing", "otb_Human3", "davis_dance-twirl", "uav123_wakeboard7")


def split_videos(args: argparse.Namespace) -> tuple[list[Video], list[Video]]:
    """Of `FOLDER/tracking`: what to train on, and what to judge by."""
    judge = VALIDATION if args.validate else HELD_OUT
    found = otb(args.data / "tracking")
    train = [v for v in found if v.name not in {*HELD_OUT, *judge}]
    return train, [v for v in found if v.name in judge]


def opencv_peers(*names: str) -> dict[str, Any]:
    """OpenCV's trackers, where OpenCV is."""
    try:
        return {name: evaluation.opencv_tracker(name) for name in names}
    except ImportError:
        return {}


def video_ratm() -> keras.Model:
    """RATM for real videos, not compiled."""
    cell = RelativeRATMCell(
        size=32,
        units=128,
        channels=3,
        scale=2.0,
        memory=0.5,
        features=GlimpseMatch(),
        input_initializer=keras.initializers.RandomNormal(stddev=0.01),
    )
    return RATM(cell, objectives={"localisation": 1.0, "overlap": 0.3})


def print_overlaps(model: Any, judge: Sequence[Video]) -> None:
    """A tracker's IoU in each video, for choosing settings."""
    scores = evaluation.video_clips(Tracker(model).track, judge)
    print(dict(zip(scores.names, scores.mean_iou.round(3), strict=True)))
    print("mean IoU over 60-frame clips", scores.mean_iou.mean())


def write_video_tracker(
    model: Any,
    results: Sequence[Result],
    args: argparse.Namespace,
    judge: Sequence[Video],
    *checkpoints: Path,
    description: str,
    paper: str,
) -> None:
    """`write_preset` of a tracker of real videos.

    Args:
        model, results, args, *checkpoints, description, paper: as of `write_preset`.
        judge: `split_videos`'s; a picture shows DAVIS's parkour, and says so.
    """
    (shown,) = (v for v in judge if v.name == "davis_parkour")
    write_preset(
        model,
        results,
        args,
        *checkpoints,
        picture=picture_track(model, read_frames(shown), shown.boxes),
        description=description,
        paper=paper,
        task="tracking",
        input="frames [B, T, H, W, 3], uint8 or float in 0..1, and a box [B, 4]",
    )
