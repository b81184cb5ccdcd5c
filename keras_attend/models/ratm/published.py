"""RATM as its authors' code for KTH has it, to that code's own numbers."""

from typing import Any

import keras
from keras import ops

from keras_attend.arguments import check_choice
from keras_attend.boxes import box_to_ratm_attention
from keras_attend.layers.gaussian_params import ratm_params
from keras_attend.models.ratm.cell import RATMCell
from keras_attend.models.ratm.model import RATM
from keras_attend.types import Tensor

EPSILON = 1e-4  # added to the sum of each Gaussian


@keras.saving.register_keras_serializable("keras_attend")
class PublishedRATMCell(RATMCell):
    """The authors' window, as Python 2 ran it.

    Its grid is one stride off to the top left, a stride of one in the attention is a
    whole number of pixels, and sigmas are in pixels, of which `scale` is no factor.

    Args: those of `RATMCell`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.glimpse.epsilon = EPSILON

    def to_attention(self, box: Tensor, size: tuple[Any, Any]) -> Tensor:
        """The attention `[B, 7]` whose box is `box` `[B, 4]`, in a frame `(H, W)`."""
        return box_to_ratm_attention(box, *size, self.size, self.scale)

    def to_window(self, a: Tensor, size: tuple[Any, Any]) -> Tensor:
        """The window `[B, 6]` in pixels of attention `[B, 7]` (eq. 6 to 10)."""
        a = ops.cast(a, "float32")
        return ratm_params(a, size, self.size, index_base=0, int_stride=True)


@keras.saving.register_keras_serializable("keras_attend")
class PublishedRATM(RATM):
    """A `RATM` with the authors' cost.

    ```python
    cell = PublishedRATMCell(28, 32, scale=1.5, features=GlimpseCNN())
    model = PublishedRATM(cell, objectives={"feature": 1.0}, weight_decay=0.2)
    boxes = model.predict({"frames": frames, "box": box})["boxes"]
    ```

    The first frame counts as well, the mean over the frames in which the object is
    present is divided by the number of all frames once more, and `weight_decay` is a
    factor of the mean squares of $W_{in}$ and $W_{out}$, where the paper's eq. 18 has
    their sums.

    Its arguments are those of `RATM`, with a `PublishedRATMCell()` when `cell` is
    absent; `penalty` is "all".
    """

    default_cell = PublishedRATMCell

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        check_choice("penalty", self.penalty, ("all",))

    def mean_over_frames(self, losses: Tensor, present: Tensor) -> Tensor:
        """The authors' cost `[B]` of losses `[B, T]`."""
        mean = ops.sum(losses * present, 1) / ops.maximum(ops.sum(present, 1), 1.0)
        return mean / present.shape[1]

    def squared_norm(self, W: Tensor) -> Tensor:
        """The mean square of a matrix."""
        return ops.mean(ops.square(W))
