"""The models: one paper a folder."""

from keras_attend.models.drlt import (
    DRLT,
    CandidateChoice,
    DRLTCell,
    MatchBoxes,
    Matcher,
    MatcherCell,
    digit_cnn,
    point_cnn,
)
from keras_attend.models.feedforward import Feedforward
from keras_attend.models.hart import (
    HART,
    HARTCell,
    PublishedHART,
    PublishedHARTCell,
)
from keras_attend.models.ram import RAM
from keras_attend.models.ram_agent import RAMAgent
from keras_attend.models.ratm import (
    RATM,
    PublishedRATM,
    PublishedRATMCell,
    RATMCell,
    RelativeRATMCell,
)
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
    "PublishedRATM",
    "PublishedRATMCell",
    "RAMAgent",
    "RATMCell",
    "RecurrentTracker",
    "RelativeRATMCell",
    "digit_cnn",
    "point_cnn",
]
