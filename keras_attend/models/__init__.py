"""The models: one paper a folder."""

from keras_attend.models.air import (
    AIR,
    AIRCell,
    MeanBackground,
    NoBackground,
    ObjectPrior,
    VAEBackground,
)
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
    "AIR",
    "DRLT",
    "HART",
    "RAM",
    "RATM",
    "AIRCell",
    "AgentCredit",
    "CandidateChoice",
    "Credit",
    "DRLTCell",
    "Feedforward",
    "HARTCell",
    "MatchBoxes",
    "Matcher",
    "MatcherCell",
    "MeanBackground",
    "NoBackground",
    "ObjectPrior",
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
    "VAEBackground",
    "WideHART",
    "WideHARTCell",
    "ZoomingRAM",
    "digit_cnn",
    "point_cnn",
]
