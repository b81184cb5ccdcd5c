"""What the recipes of trackers of real videos share: videos, flags, measurements."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import keras

from keras_attend import evaluation
from keras_attend.datasets.sequences import Sequence as Video
from keras_attend.datasets.sequences import otb, read_frames
from keras_attend.layers import GlimpseMatch
from keras_attend.models import RATM, RelativeRATMCell
from keras_attend.tracking import Tracker
from keras_attend.training.flags import parser
from keras_attend.training.writing import picture_track, print_results, write_preset
from keras_attend.zoo.card import write_card
from keras_attend.zoo.loading import load
from keras_attend.zoo.results import Result, read_results, write_results
from keras_attend.zoo.saving import describe_preset

TestResults: TypeAlias = Callable[[Any, Path], list[Result]]


# Six videos of `FOLDER/tracking` on which no weights are trained and by which settings
# and stages were chosen. The first four show people.
VALIDATION = (
    "otb_Bolt",
    "otb_Man",
    "davis_parkour",
    "uav123_person12_1",
    "davis_dog",
    "otb_Tiger1",
)
PEOPLE = VALIDATION[:4]
# With `--validate` these four are judged by, and kept from training; the weights that
# are published have been trained on them.
TUNING = ("otb_Skiing", "otb_Human3", "davis_dance-twirl", "uav123_wakeboard7")
# The videos of `FOLDER/tracking_test`: nothing was trained on them or chosen by them.
TEST = (
    "otb_Car1",
    "otb_Coke",
    "otb_David",
    "otb_Jumping",
    "uav123_person11",
    "davis_drift-straight",
)
TEST_PEERS = ("KCF", "MedianFlow", "MOSSE", "CSRT", "TrackerNano")


def tracker_parser(
    doc: str | None, preset: Path, epochs: int | None = None
) -> argparse.ArgumentParser:
    """`parser`, with a flag for weights that are trained already.

    Args:
        doc, preset, epochs: as of `parser`.
    """
    found = parser(doc, preset, epochs)
    found.add_argument(
        "--measure-test",
        action="store_true",
        help="train nothing; measure the preset in --out on the test set, and write "
        "its rows and its description",
    )
    return found


def split_videos(args: argparse.Namespace) -> tuple[list[Video], list[Video]]:
    """The videos of `FOLDER/tracking` to train on, and those to judge by.

    To judge by are the validation videos, or with `--validate` those for tuning.
    """
    judge = TUNING if args.validate else VALIDATION
    found = otb(args.data / "tracking")
    train = [v for v in found if v.name not in {*VALIDATION, *judge}]
    return train, [v for v in found if v.name in judge]


def opencv_peers(*names: str) -> dict[str, Any]:
    """OpenCV's trackers by name; those that cannot be had here are left out."""
    peers = {}
    for name in names:
        try:
            peers[name] = evaluation.opencv_tracker(name)
        except (ImportError, FileNotFoundError) as problem:
            print(f"Not measured: {name}: {problem}")
    return peers


def video_test_results(model: Any, data: Path) -> list[Result]:
    """Rows of the test set, `videos_test`; none where there is no `tracking_test`.

    Args:
        model: the trained tracker.
        data: the folder that `--data` names.
    """
    if not (data / "tracking_test").is_dir():
        print("Not measured: videos_test: --data holds no tracking_test/")
        return []
    videos = [v for v in otb(data / "tracking_test") if v.name in TEST]
    tracks, peers = [Tracker(model).track], opencv_peers(*TEST_PEERS)
    return [
        *evaluation.video_clip_results(
            tracks, videos, data="videos_test", baselines=peers
        ),
        *evaluation.one_pass_results(
            tracks, videos, data="videos_test", baselines=peers
        ),
    ]


def measure_test(
    args: argparse.Namespace, measure: TestResults, about: Mapping[str, Any]
) -> None:
    """Add the rows of the test set to a preset that is trained already.

    Its other rows stay, and so do its weights; what it says of itself is written anew.

    Args:
        args: `parse`'s; the preset is in `args.out`.
        measure: gives the rows, such as `video_test_results`.
        about: the recipe's description, paper and notes.
    """
    describe_preset(args.out, **about)
    written = read_results(args.out)
    if written is None:
        raise FileNotFoundError(f"{args.out} must hold a results.json. Received: none")
    rows = measure(load(args.out), args.data)
    print_results(rows)
    known = {(row.metric, row.protocol) for row in rows}
    rows += [r for r in written.results if (r.metric, r.protocol) not in known]
    write_results(
        args.out,
        rows,
        device=written.device,
        training_seconds=written.training_seconds,
        commit=written.commit,
    )
    write_card(args.out)


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
    notes: Sequence[str] = (),
) -> None:
    """`write_preset` of a tracker of real videos.

    Args:
        model, results, args, *checkpoints: as of `write_preset`.
        description, paper, notes: as of `write_preset`.
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
        notes=notes,
        task="tracking",
        input="frames [B, T, H, W, 3], uint8 or float in 0..1, and a box [B, 4]",
    )
