"""The videos, flags and measurements that recipes of trackers of videos share."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from keras_attend import evaluation
from keras_attend.datasets.sequences import Sequence as Video
from keras_attend.datasets.sequences import otb, read_frames
from keras_attend.datasets.settings import VALIDATION_VIDEOS
from keras_attend.evaluation.test_sets import Videos, described
from keras_attend.evaluation.tracking import SureTrack, Track
from keras_attend.tracking import Tracker
from keras_attend.training.flags import parser
from keras_attend.training.kept_tracks import boxes_alone, kept
from keras_attend.training.papers import label
from keras_attend.training.writing import picture_track, print_results, write_preset
from keras_attend.zoo.card import write_card
from keras_attend.zoo.loading import load
from keras_attend.zoo.results import Result, read_results, write_results
from keras_attend.zoo.saving import describe_preset

TestResults: TypeAlias = Callable[[Any, Path], list[Result]]

# Six videos of `FOLDER/tracking` on which no weights are trained and by which settings
# and stages were chosen. The first four show people.
VALIDATION = VALIDATION_VIDEOS
PEOPLE = VALIDATION[:4]
# With `--validate` these four are kept from training, and the model is measured by
# them. The published weights were trained on them too.
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
# The videos that the names in the protocols stand for.
VIDEO_SETS: dict[str, Videos] = {
    "videos_validation": Videos("tracking", VALIDATION),
    "people_validation": Videos("tracking", PEOPLE),
    "videos_test": Videos("tracking_test", TEST),
    "kitti_held_out": Videos("kitti"),
    "otb_first_third": Videos("tracking"),
    "otb_last_two_thirds": Videos("tracking", skipped_thirds=1),
}
TEST_PEERS = ("KCF", "MedianFlow", "MOSSE", "CSRT", "TrackerNano")


def tracker_parser(
    doc: str | None, preset: Path, epochs: int | None = None
) -> argparse.ArgumentParser:
    """Make the flags of `parser`, and `--measure-test` for trained weights."""
    found = parser(doc, preset, epochs)
    found.add_argument(
        "--measure-test",
        action="store_true",
        help="train nothing; measure the preset in --out on the test set, and write "
        "its rows and its description",
    )
    return found


def split_videos(args: argparse.Namespace) -> tuple[list[Video], list[Video]]:
    """Split the videos of `FOLDER/tracking` into those to train on and to measure by.

    The latter are the validation videos; with `--validate` those of `TUNING`.
    """
    judge = TUNING if args.validate else VALIDATION
    found = otb(args.data / "tracking")
    train = [v for v in found if v.name not in {*VALIDATION, *judge}]
    return train, [v for v in found if v.name in judge]


def opencv_peers(*names: str) -> dict[str, Track]:
    """Make OpenCV's trackers, by name, without those that are not installed here."""
    found = sure_opencv_peers(*names)
    return {name: boxes_alone(track) for name, track in found.items()}


def sure_opencv_peers(*names: str) -> dict[str, SureTrack]:
    """Make the same trackers, as `hidden_clips` takes them."""
    peers = {}
    for name in names:
        try:
            peers[name] = kept(evaluation.sure_opencv_tracker(name), name)
        except (ImportError, FileNotFoundError) as problem:
            print(f"Not measured: {name}: {problem}")
    return peers


def video_results(
    models: Sequence[Any], data: Path, name: str, hidden: bool = False
) -> list[Result]:
    """Measure trackers and OpenCV's on real videos: clips, and whole videos.

    Args:
        models: the trained model, then those of further training seeds.
        data: the folder that `--data` names.
        name: one of `VIDEO_SETS`.
        hidden: clips in which the object is hidden for a while are measured, too.
    """
    videos = VIDEO_SETS[name].load(data)
    tracks, peers = (
        [Tracker(model).track for model in models],
        opencv_peers(*TEST_PEERS),
    )
    rows = [
        *evaluation.video_clip_results(tracks, videos, data=name, baselines=peers),
        *evaluation.one_pass_results(tracks, videos, data=name, baselines=peers),
    ]
    if hidden:
        rows += evaluation.hidden_results(
            [evaluation.sure_track(Tracker(model)) for model in models],
            videos,
            data=name,
            baselines=sure_opencv_peers("CSRT", "TrackerNano"),
        )
    return rows


def video_test_results(model: Any, data: Path) -> list[Result]:
    """Measure a tracker on `videos_test`, in the folder that `--data` names.

    There are no rows if the folder has no `tracking_test`.
    """
    if not (data / "tracking_test").is_dir():
        print("Not measured: videos_test: --data holds no tracking_test/")
        return []
    return video_results([model], data, "videos_test")


def measure_test(
    args: argparse.Namespace, measure: TestResults, about: Mapping[str, Any]
) -> None:
    """Add the rows of the test set to a preset that is trained already.

    Its weights and its other rows stay; its description, paper and notes are replaced.

    Args:
        args: what `parse` returns; the preset is in `args.out`.
        measure: makes the rows, as `video_test_results` does.
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
        label(args.out, rows),
        device=written.device,
        training_seconds=written.training_seconds,
        commit=written.commit,
        test_sets=written.test_sets | described(video_sets(rows)),
    )
    write_card(args.out)


def video_sets(results: Sequence[Result]) -> dict[str, Videos]:
    """Find the `VIDEO_SETS` that results were measured on."""
    names = {result.protocol.partition("/")[0] for result in results}
    return {name: videos for name, videos in VIDEO_SETS.items() if name in names}


def print_overlaps(model: Any, judge: Sequence[Video]) -> None:
    """Print a tracker's IoU in each video, for choosing settings."""
    scores = evaluation.video_clips(Tracker(model).track, judge)
    print(dict(zip(scores.names, scores.mean_iou.round(3), strict=True)))
    print("mean IoU over 60-frame clips", scores.mean_iou.mean())


def write_video_tracker(
    model: Any,
    results: Sequence[Result],
    args: argparse.Namespace,
    judge: Sequence[Video],
    *checkpoints: Path,
    **about: Any,
) -> None:
    """Write the preset of a tracker of real videos.

    Args:
        model, results, args, *checkpoints, **about: as of `write_preset`.
        judge: videos, among them DAVIS's parkour, which the picture shows.
    """
    (shown,) = (v for v in judge if v.name == "davis_parkour")
    write_preset(
        model,
        results,
        args,
        *checkpoints,
        picture=picture_track(model, read_frames(shown), shown.boxes),
        task="tracking",
        input="frames [B, T, H, W, 3], uint8 or float in 0..1, and a box [B, 4]",
        test_sets=video_sets(results),
        **about,
    )
