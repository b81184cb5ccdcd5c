import argparse

import pytest

from keras_attend.evaluation import DrawnVideos
from keras_attend.training import ForesightStage, VideoStage
from keras_attend.training.object_followers import train_object_follower


def test_what_is_trained_last_is_the_whole_model():
    """A checkpoint of `Foresight` is of the dynamics alone, and is not measured."""
    stages = (VideoStage(4, 2, 1), ForesightStage(6, 2, 1), VideoStage(6, 2, 1))
    args = argparse.Namespace(stages=2)
    with pytest.raises(ValueError, match=r"last stage must be a `VideoStage`.* 2 st"):
        train_object_follower(lambda: None, DrawnVideos(6), stages, 0, args)
