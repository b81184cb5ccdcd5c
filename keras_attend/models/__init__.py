"""One paper a file."""

from keras_attend.models.candidate_choice import CandidateChoice
from keras_attend.models.drlt import DRLT
from keras_attend.models.drlt_cell import DRLTCell
from keras_attend.models.drlt_observation import digit_cnn, point_cnn
from keras_attend.models.hart import HART
from keras_attend.models.hart_cell import HARTCell
from keras_attend.models.match_boxes import MatchBoxes
from keras_attend.models.matcher import Matcher, MatcherCell
from keras_attend.models.ram import (
    RAM,
    AgentCredit,
    Credit,
    Feedforward,
    PublishedRAM,
    RAMAgent,
    StoppingRAM,
    ZoomingRAM,
)
from keras_attend.models.ratm import RATM
from keras_attend.models.ratm_cell import RATMCell
from keras_attend.models.tracker import RecurrentTracker

__all__ = [
    "DRLT",
    "HART",
    "RAM",
    "RATM",
    "AgentCredit",
    "CandidateChoice",
    "Credit",
    "DRLTCell",
    "Feedforward",
    "HARTCell",
    "MatchBoxes",
    "Matcher",
    "MatcherCell",
    "PublishedRAM",
    "RAMAgent",
    "RATMCell",
    "RecurrentTracker",
    "StoppingRAM",
    "ZoomingRAM",
    "digit_cnn",
    "point_cnn",
]
