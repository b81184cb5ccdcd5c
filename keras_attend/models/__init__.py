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
from keras_attend.models.hart import (
    HART,
    HARTCell,
    PublishedHART,
    PublishedHARTCell,
    WideHART,
    WideHARTCell,
)
from keras_attend.models.ram import (
    RAM,
    AgentCredit,
    Credit,
    Feedforward,
    PaperRAM,
    PublishedRAM,
    RAMAgent,
    StoppingRAM,
    ZoomingRAM,
)
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
    "AgentCredit",
    "CandidateChoice",
    "Credit",
    "DRLTCell",
    "Feedforward",
    "HARTCell",
    "MatchBoxes",
    "Matcher",
    "MatcherCell",
    "PaperRAM",
    "PublishedHART",
    "PublishedHARTCell",
    "PublishedRAM",
    "PublishedRATM",
    "PublishedRATMCell",
    "RAMAgent",
    "RATMCell",
    "RecurrentTracker",
    "RelativeRATMCell",
    "StoppingRAM",
    "WideHART",
    "WideHARTCell",
    "ZoomingRAM",
    "digit_cnn",
    "point_cnn",
]
