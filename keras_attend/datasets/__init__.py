"""Data sets as NumPy arrays behind `keras.utils.PyDataset`, and a game.

Digits: `Digits`, `ClutteredDigits`, `MultiDigits`, `MovingDigits`, `MovingObjects`.
Balls: `BouncingBalls`. Folders of videos: `otb`, `got10k`, `mot`, `KTH`, `KITTI`; and
of one's own, with boxes drawn in other programs: `cvat`, `label_studio`. Clips to train
trackers on: `Clips`, `StillClips`, `GivenClips`, `RenderedKITTI`, `MixedClips`.
Photographs: `photographs`, `read_pictures`. The game: `Catch`.
"""

from keras_attend.datasets.annotations import cvat, label_studio, mot
from keras_attend.datasets.backgrounds import photographs, read_pictures
from keras_attend.datasets.bouncing_balls import BouncingBalls
from keras_attend.datasets.catch import Catch, Games
from keras_attend.datasets.cluttered_digits import ClutteredDigits, cluttered_mnist
from keras_attend.datasets.digits import Digits
from keras_attend.datasets.given_clips import GivenClips
from keras_attend.datasets.kitti import KITTI
from keras_attend.datasets.kitti_labels import KITTILabels
from keras_attend.datasets.kth import KTH, KTHFold, KTHSequence
from keras_attend.datasets.mnist_digits import mnist, sample_digits
from keras_attend.datasets.moving_digits import MovingDigits
from keras_attend.datasets.moving_objects import MovingObjects
from keras_attend.datasets.multi_digits import MultiDigits
from keras_attend.datasets.rendered.clips import RenderedKITTI
from keras_attend.datasets.rendered.sprites import Sprite, cut_sprites, street_scenes
from keras_attend.datasets.rendered.streets import drawn_streets
from keras_attend.datasets.rendered.style import Style, View
from keras_attend.datasets.sequences import Sequence, got10k, otb, read_frames
from keras_attend.datasets.settings import TEST_SEED, VALIDATION_SEED
from keras_attend.datasets.tracking_pairs import TrackingPairs
from keras_attend.datasets.video_clips import Clips, MixedClips, StillClips, still_clips

__all__ = [
    "KITTI",
    "KTH",
    "TEST_SEED",
    "VALIDATION_SEED",
    "BouncingBalls",
    "Catch",
    "Clips",
    "ClutteredDigits",
    "Digits",
    "Games",
    "GivenClips",
    "KITTILabels",
    "KTHFold",
    "KTHSequence",
    "MixedClips",
    "MovingDigits",
    "MovingObjects",
    "MultiDigits",
    "RenderedKITTI",
    "Sequence",
    "Sprite",
    "StillClips",
    "Style",
    "TrackingPairs",
    "View",
    "cluttered_mnist",
    "cut_sprites",
    "cvat",
    "drawn_streets",
    "got10k",
    "label_studio",
    "mnist",
    "mot",
    "otb",
    "photographs",
    "read_frames",
    "read_pictures",
    "sample_digits",
    "still_clips",
    "street_scenes",
]
