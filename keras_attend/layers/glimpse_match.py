"""RATM's features for objects of any kind: a glimpse compared with the first one."""

import math
from typing import Any

import keras
from keras import ops
from keras.layers import Dense

from keras_attend.arguments import KeepsArguments, check_positive_integers
from keras_attend.layers.patch_conv import pointwise
from keras_attend.layers.template_match import TemplateMatch
from keras_attend.layers.v1 import V1
from keras_attend.types import Shape, Tensor


@keras.saving.register_keras_serializable("keras_attend")
class GlimpseMatch(KeepsArguments, keras.layers.Layer):
    """Describe a glimpse, and where in it the object of the first glimpse is. Ours.

    ```python
    network = GlimpseMatch()
    template = network.remember(first_glimpses)  # [B, memory_size]
    features = network(glimpses, template)  # [B, F]
    ```

    Convolutions (`V1`) make a few maps of the glimpse, and `TemplateMatch` as many maps
    of votes for the place of the object that the template was made of.

    Call arguments:
        glimpses: `[B, rows, cols, C]` in 0..1.
        template: what `remember` made of the first glimpses, `[B, memory_size]`.

    Returns the features `[B, F]`: both kinds of maps, flattened.

    Args:
        filters: of the convolutions.
        maps: how many there are of each kind.
        extent: the object's sides as a fraction of the first glimpse's: one over the
            `scale` of `RATMCell`.
    """

    def __init__(
        self,
        filters: tuple[int, ...] = (24, 32, 32),
        maps: int = 8,
        extent: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive_integers(maps=maps)
        self.filters, self.maps, self.extent = tuple(filters), maps, extent
        dtype = self.dtype_policy
        self.v1 = V1(self.filters, dtype=dtype, name="v1")
        self.readout = Dense(maps, activation="elu", dtype=dtype, name="readout")
        self.match = TemplateMatch(maps, extent=extent, dtype=dtype, name="match")

    @property
    def memory_size(self) -> int:
        """How many numbers a template has."""
        return self.match.parts**2 * self.match.units

    def build(self, glimpses_shape: Shape, template_shape: Shape = ()) -> None:
        """Make the weights for glimpses `[B, rows, cols, C]`."""
        self.v1.build(glimpses_shape)
        maps = self.v1.compute_output_shape(glimpses_shape)
        self.readout.build(maps)
        self.match.build(maps)

    def remember(self, glimpses: Tensor, sides: Tensor | None = None) -> Tensor:
        """Templates `[B, memory_size]` of the objects in the middle of glimpses.

        Args:
            glimpses: `[B, rows, cols, C]`.
            sides: the objects' height and width, which cells give. They are not
                used, since `extent` says them.
        """
        return self.match.describe(self.v1(glimpses))

    def call(self, glimpses: Tensor, template: Tensor) -> Tensor:
        """The features `[B, F]` of glimpses, compared with templates."""
        V = self.v1(glimpses)  # [B, rows', cols', filters]
        found = ops.concatenate(
            [pointwise(self.readout, V), self.match(V, template)], axis=-1
        )
        _, rows, cols, channels = found.shape
        return ops.reshape(found, (-1, rows * cols * channels))

    def compute_output_shape(
        self, glimpses_shape: Shape, template_shape: Shape = ()
    ) -> tuple[int | None, ...]:
        """`[B, F]`."""
        batch, *sides, _ = self.v1.compute_output_shape(glimpses_shape)
        return (batch, math.prod(filter(None, sides)) * 2 * self.maps)
