"""What the recipes in `zoo/` share: flags, training loops, and writing a preset."""

from keras_attend.training.agents import train_agent
from keras_attend.training.cluster import placed
from keras_attend.training.finetuning import finetune
from keras_attend.training.flags import parse, parser
from keras_attend.training.object_finders import (
    publish_object_finder,
    train_object_finder,
)
from keras_attend.training.object_followers import (
    ForesightStage,
    VideoStage,
    follower_of,
    publish_object_follower,
    train_object_follower,
)
from keras_attend.training.observed import Observed
from keras_attend.training.stages import (
    Stage,
    falling_rate,
    fit,
    fit_stages,
    start_from,
)
from keras_attend.training.video_trackers import (
    PEOPLE,
    TEST,
    TEST_PEERS,
    TUNING,
    VALIDATION,
    measure_test,
    opencv_peers,
    print_overlaps,
    split_videos,
    tracker_parser,
    video_results,
    video_test_results,
    write_video_tracker,
)
from keras_attend.training.wide_trackers import fast_dtype, train_wide_tracker
from keras_attend.training.writing import (
    picture_digits,
    picture_track,
    print_errors,
    write_preset,
    write_tracker,
)

__all__ = [
    "PEOPLE",
    "TEST",
    "TEST_PEERS",
    "TUNING",
    "VALIDATION",
    "ForesightStage",
    "Observed",
    "Stage",
    "VideoStage",
    "falling_rate",
    "fast_dtype",
    "finetune",
    "fit",
    "fit_stages",
    "follower_of",
    "measure_test",
    "opencv_peers",
    "parse",
    "parser",
    "picture_digits",
    "picture_track",
    "placed",
    "print_errors",
    "print_overlaps",
    "publish_object_finder",
    "publish_object_follower",
    "split_videos",
    "start_from",
    "tracker_parser",
    "train_agent",
    "train_object_finder",
    "train_object_follower",
    "train_wide_tracker",
    "video_results",
    "video_test_results",
    "write_preset",
    "write_tracker",
    "write_video_tracker",
]
