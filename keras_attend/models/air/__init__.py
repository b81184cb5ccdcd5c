"""AIR: attend, infer, repeat (Eslami et al. 2016), in the paper's reading order.

* `model.py`: `AIR`. Section 2, a picture as a sum of objects, and section 2.1,
  learning.
* `inference.py`: how a picture is taken apart.
* `prior.py`: what is expected of counts, places and appearances.
* `cell.py`: one step, which finds and draws one object (figure 2).
* `background.py`, `grid_background.py`: what is behind the objects, which is not in
  the paper.
* `look.py`: what a step sees.
* `search_map.py`: a map of where to look next, which is not in the paper.
* `dreams.py`: how that is learned before photographs.
* `vivid.py`: colours that tell an object from a photograph, which are not in the paper.
* `elbo.py`: section 2.1, the bound that is maximised, enumerated or by REINFORCE.
* `baseline.py`: the baseline of REINFORCE.
* `layers.py`: AIR's layers and arguments.
* `counts.py`: true counts, which are for a metric alone.
* `boxes.py`: where something was drawn.
* `sampling.py`: pictures from the prior, and the likelihood of given ones.

Videos, as HART's author planned it:

* `sequential.py`: `SequentialAIR`.
* `sequential_cell.py`: one frame, in which objects are followed, leave and are found.
* `slots.py`: what is remembered of objects.
* `dynamics.py`: where they are imagined to be next.
* `foresight.py`: `Foresight`, how that is learned from where they have been.
* `propagation.py`: where they are found to be.
* `imagination.py`: videos that go on without being seen.
* `following.py`: the tracker of one object.
"""

from keras_attend.models.air.background import (
    MeanBackground,
    NoBackground,
    VAEBackground,
)
from keras_attend.models.air.cell import AIRCell
from keras_attend.models.air.foresight import Foresight
from keras_attend.models.air.grid_background import GridBackground
from keras_attend.models.air.model import AIR
from keras_attend.models.air.prior import ObjectPrior
from keras_attend.models.air.sequential import SequentialAIR

__all__ = [
    "AIR",
    "AIRCell",
    "Foresight",
    "GridBackground",
    "MeanBackground",
    "NoBackground",
    "ObjectPrior",
    "SequentialAIR",
    "VAEBackground",
]
