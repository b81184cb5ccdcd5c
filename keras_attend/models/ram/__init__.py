"""RAM, the recurrent attention model (Mnih et al. 2014), in the paper's reading order.

* `model.py`: `RAM`. Section 3.1 (the sensor, the state, the actions and the reward)
  and section 3.2 (training).
* `layers.py`: the layers that `RAM` is made of, with the sizes of section 4.
* `credit.py`: what a choice is credited with when a policy is learned (section 3.2).
* `feedforward.py`: the networks of tables 1 and 2 that RAM is compared with.
* `agent.py`: `RAMAgent`, which plays a game (section 4.2).
* `stopping.py`: a RAM that stops when it has seen enough (section 5).
* `zooming.py`: a RAM that chooses how wide its next glimpse is (section 5).
* `context.py`: a RAM that first sees the whole image, coarsely (Ba et al. 2015).
* `as_written.py`: RAM in the paper's setting, where it differs from `model.py`.
* `published.py`: the best-known public code of RAM, where it differs from `model.py`.
"""

from keras_attend.models.ram.agent import RAMAgent
from keras_attend.models.ram.as_written import PaperRAM
from keras_attend.models.ram.context import ContextRAM
from keras_attend.models.ram.credit import AgentCredit, Credit
from keras_attend.models.ram.feedforward import Feedforward
from keras_attend.models.ram.model import RAM
from keras_attend.models.ram.published import PublishedRAM
from keras_attend.models.ram.stopping import StoppingRAM
from keras_attend.models.ram.zooming import ZoomingRAM

__all__ = [
    "RAM",
    "AgentCredit",
    "ContextRAM",
    "Credit",
    "Feedforward",
    "PaperRAM",
    "PublishedRAM",
    "RAMAgent",
    "StoppingRAM",
    "ZoomingRAM",
]
