"""One paper a file."""

from keras_attend.models.candidate_choice import CandidateChoice
from keras_attend.models.drlt import DRLT
from keras_attend.models.drlt_cell import DRLTCell
from keras_attend.models.drlt_observation import digit_cnn, point_cnn
from keras_attend.models.feedforward import Feedforward
from keras_attend.models.hart import (
    HART,
    HARTCell,
    PublishedHART,
    PublishedHARTCell,
)
from keras_attend.models.match_boxes import MatchBoxes
from keras_attend.models.matcher import Matcher, MatcherCell
from keras_attend.models.ram import RAM
from keras_attend.models.ram_agent import RAMAgent
from keras_attend.models.ratm import RATM
from keras_attend.models.ratm_cell import RATMCell
from keras_attend.models.tracker import RecurrentTracker

__all__ = [
    "DRLT",
    "HART",
    "RAM",
    "RATM",
    "CandidateChoice",
    "DRLTCell",
    "Feedforward",
    "HARTCell",
    "MatchBoxes",
    "Matcher",
    "MatcherCell",
    "PublishedHART",
    "PublishedHARTCell",
    "RAMAgent",
    "RATMCell",
    "RecurrentTracker",
    "digit_cnn",
    "point_cnn",
]
