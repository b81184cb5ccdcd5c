"""HART, the hierarchical attentive recurrent tracker (Kosiorek et al. 2017).

In reading order, with the paper's section that each file covers:

* `cell.py`: what happens to one frame: spatial attention (3.1), appearance attention
  (3.2), state estimation and the next attention (3.3).
* `layers.py`: the two streams of appearance attention (3.2).
* `losses.py`: the losses of a frame, and how they become one loss (4).
* `model.py`: the tracker, which learns by these losses (4).
* `published.py` and `published_losses.py`: the cell and the losses as the authors' code
  has them, for their weights.
* `as_written.py`: the cell and the losses as the paper's equations have them.
* `wide_cell.py`, `wide_layers.py` and `wide_model.py`: the same three parts with a V1
  that has learned from ImageNet, and a window of four times the object's size;
  `wide_maps.py`, boxes and maps on the window's grid; `wide_search.py`, where the
  window goes when the object is lost; `wide_features.py`, the streams as the features
  of another tracker.
"""

from keras_attend.models.hart.as_written import PaperHART, PaperHARTCell
from keras_attend.models.hart.cell import HARTCell
from keras_attend.models.hart.model import HART
from keras_attend.models.hart.published import PublishedHARTCell
from keras_attend.models.hart.published_losses import PublishedHART
from keras_attend.models.hart.wide_cell import WideHARTCell
from keras_attend.models.hart.wide_features import HARTFeatures
from keras_attend.models.hart.wide_model import WideHART

__all__ = [
    "HART",
    "HARTCell",
    "HARTFeatures",
    "PaperHART",
    "PaperHARTCell",
    "PublishedHART",
    "PublishedHARTCell",
    "WideHART",
    "WideHARTCell",
]
