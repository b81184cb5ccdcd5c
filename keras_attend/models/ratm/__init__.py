"""RATM, the recurrent attentive tracking model (Kahou et al. 2015, arXiv 1510.08660).

To read beside the paper, in this order:

* `cell`: the recurrent attention, section 3. It says which window is read next.
* `layers.glimpse_cnn`: features of a glimpse, section 4. `layers.glimpse_match` and
  `models.HARTFeatures` compare it with the first one; ours.
* `model`: the objectives, section 5.
* `relative`: cells whose steps are in sizes of the window; ours.
* `published`: where the authors' code for section 6.3 differs from the above.
"""

from keras_attend.models.ratm.cell import RATMCell
from keras_attend.models.ratm.model import RATM
from keras_attend.models.ratm.published import PublishedRATM, PublishedRATMCell
from keras_attend.models.ratm.relative import RelativeRATMCell, SquareRATMCell

__all__ = [
    "RATM",
    "PublishedRATM",
    "PublishedRATMCell",
    "RATMCell",
    "RelativeRATMCell",
    "SquareRATMCell",
]
