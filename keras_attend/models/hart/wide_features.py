"""HART's two streams as the features by which another tracker sees. Ours."""

from typing import Any

import keras
from keras import ops

from keras_attend.arguments import KeepsArguments, check_positive_integers
from keras_attend.compat import freeze
from keras_attend.models.hart.wide_cell import WideHARTCell
from keras_attend.models.hart.wide_layers import GEOMETRY, DorsalStream, VentralStream
from keras_attend.models.hart.wide_maps import decoded, peak, template_of
from keras_attend.models.hart.wide_search import UNITS
from keras_attend.types import Shape, Tensor


@keras.saving.register_keras_serializable("keras_attend")
class HARTFeatures(KeepsArguments, keras.layers.Layer):
    r"""Say where in a glimpse the object of the first one is, and how large.

    ```python
    features = HARTFeatures()
    cell = SquareRATMCell(128, 64, 3, scale=4.0, features=features)
    model = RATM(cell)
    model.build()
    features.take(zoo.load("hart_person").cell)  # which has learned to see
    ```

    These are the streams of `WideHARTCell` without its memory: the ventral stream says
    what is in the glimpse, the dorsal one compares it with the template, and gives a
    location map $s$ and a box for each place. The features are

    $$f = \Big(\delta,\; \log g,\; \textstyle\sum_i w_i s_i,\; \sum_i s_i h_i\Big)$$

    where $\delta$ is how far the box at the map's maximum is from the glimpse's middle,
    $g$ how much larger it is than in the first glimpse, $w$ is 1 near the maximum, and
    $h$ are the votes of V1's own features.

    Call arguments:
        glimpses: `[B, rows, cols, 3]` in 0..1; rows and columns are the same multiple
            of 16.
        template: what `remember` made of the first glimpses, `[B, memory_size]`.

    Returns the features `[B, 7]`. Where the layer is not trainable, no gradient
    goes to the glimpses either.

    Args: those of `WideHARTCell` of the same names; `take` needs equal ones.
    """

    jit_compile = False  # XLA's convolutions are slow on a CPU; see `EfficientV1`

    def __init__(
        self,
        part: int = 8,
        *,
        keys: int = 64,
        values: int = 32,
        width: int = 112,
        depth: int = 4,
        center_prior: float = 0.4,
        v1: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive_integers(part=part, keys=keys, values=values, width=width)
        self.part, self.keys, self.values = part, keys, values
        self.width, self.depth, self.center_prior = width, depth, center_prior
        self.ventral = VentralStream(v1, keys, values, name="ventral")

    def build(self, glimpses_shape: Shape, template_shape: Shape = ()) -> None:
        """Make the weights for glimpses `[B, rows, cols, 3]`."""
        rows: Any = glimpses_shape[1]
        if rows % 16 or rows != glimpses_shape[2]:
            raise ValueError(
                f"`glimpses` must have as many rows as columns, a multiple of 16. "
                f"Received: shape={tuple(glimpses_shape)}"
            )
        self.grid = rows // 8
        self.ventral.build(glimpses_shape)
        self.dorsal = DorsalStream(
            self.grid,
            self.part,
            self.keys,
            self.values,
            self.width,
            self.depth,
            name="dorsal",
        )
        self.dorsal.build((None, 1))  # of a memory that is always empty
        if not self.trainable:  # parts that were made before or later may not know
            freeze(self.ventral)
            freeze(self.dorsal)

    def take(self, cell: WideHARTCell) -> None:
        """Take the weights of a trained cell; what its memory adds is left out."""
        self.ventral.set_weights(cell.ventral.get_weights())
        pairs = zip(self.dorsal.weights, cell.dorsal.weights, strict=True)
        for mine, theirs in pairs:
            if mine is not self.dorsal.alpha.kernel:
                mine.assign(theirs)

    @property
    def v1(self) -> Any:
        """The layer that gives the features."""
        return self.ventral.v1

    @property
    def memory_size(self) -> int:
        """How many numbers a template has: of each part, and the object's sides."""
        return self.part**2 * (GEOMETRY + self.ventral.width) + 2

    def remember(self, glimpses: Tensor, sides: Tensor) -> Tensor:
        """Templates `[B, memory_size]` of the objects in the middle of glimpses.

        Args:
            glimpses: `[B, rows, cols, 3]`.
            sides: the objects' height and width, as parts of the glimpses', `[B, 2]`.
        """
        anchor = UNITS * sides  # as `places` counts
        box = ops.concatenate([ops.zeros_like(anchor), anchor], axis=-1)
        parts = template_of(self.ventral(glimpses), box, self.grid, self.part)
        parts = ops.reshape(parts, (-1, self.memory_size - 2))
        return ops.concatenate([parts, anchor], axis=-1)

    def call(self, glimpses: Tensor, template: Tensor) -> Tensor:
        """The features `[B, 7]` of glimpses, compared with templates."""
        psi, anchor = ops.split(template, [self.memory_size - 2], axis=-1)
        psi = ops.reshape(psi, (-1, 1, self.part**2, GEOMETRY + self.ventral.width))
        psi = ops.concatenate([psi, psi], axis=1)  # there is no recent one
        middle = ops.zeros_like(anchor)
        expected = ops.concatenate([middle, anchor], axis=-1)
        nu = self.ventral(glimpses)
        found = self.dorsal(nu, psi, anchor, expected, middle[:, :1])
        z, r, _, h = (ops.cast(x, "float32") for x in found)
        anchor = ops.cast(anchor, "float32")
        s = ops.softmax(z, axis=-1)  # [B, N]
        box, share = peak(s, decoded(r, anchor), self.center_prior)
        votes = ops.matmul(s[:, None], h)[:, 0]
        grown = ops.log(box[:, 2:] / anchor)
        f = ops.concatenate([box[:, :2], grown, share, votes], axis=-1)
        f = ops.cast(f, self.compute_dtype)
        return f if self.trainable else ops.stop_gradient(f)

    def compute_output_shape(
        self, glimpses_shape: Shape, template_shape: Shape = ()
    ) -> tuple[int | None, ...]:
        """`[B, 7]`."""
        return (glimpses_shape[0], 7)
