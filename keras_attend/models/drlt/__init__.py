"""DRLT, tracking by reinforcement learning (Zhang et al. 2017, arXiv 1701.08936).

Both versions of the paper: the first one's digits, and the final one's videos. To read
beside it, in this order:

* `observation`: networks that observe digits, section 3.1 (observation network).
* `match_boxes`: ours for videos, in the place of the final version's YOLO.
* `cell`: the LSTM and the policy's mean, section 3.1 (recurrent network).
* `candidate_choice`: a head for `cell` that chooses among the boxes of `match_boxes`.
* `model`: rewards, section 3.2, and what REINFORCE makes of them, section 3.3.
* `matcher`: how `match_boxes` is trained before DRLT; ours.
"""

from keras_attend.models.drlt.candidate_choice import CandidateChoice
from keras_attend.models.drlt.cell import DRLTCell
from keras_attend.models.drlt.match_boxes import MatchBoxes
from keras_attend.models.drlt.matcher import Matcher, MatcherCell
from keras_attend.models.drlt.model import DRLT
from keras_attend.models.drlt.observation import digit_cnn, point_cnn

__all__ = [
    "DRLT",
    "CandidateChoice",
    "DRLTCell",
    "MatchBoxes",
    "Matcher",
    "MatcherCell",
    "digit_cnn",
    "point_cnn",
]
