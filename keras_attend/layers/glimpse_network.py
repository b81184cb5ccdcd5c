"""RAM's glimpse network: one vector of what was seen and where."""

import math
from functools import partial
from typing import Any

import keras
from keras import ops
from keras.layers import Dense

from keras_attend.arguments import KeepsArguments
from keras_attend.types import Shape, Tensor


@keras.saving.register_keras_serializable("keras_attend")
class GlimpseNetwork(KeepsArguments, keras.layers.Layer):
    r"""Make one vector of what a glimpse shows and of where it is.

    RAM's $f_g$ (Mnih et al. 2014, section 4, "Glimpse network"):

    $$h_g = \mathrm{Rect}(\mathrm{Linear}(\rho)), \quad
      h_l = \mathrm{Rect}(\mathrm{Linear}(l)), \quad
      g = \mathrm{Rect}(\mathrm{Linear}(h_g) + \mathrm{Linear}(h_l))$$

    Args:
        hidden_units: number of units of $h_g$ and of $h_l$.
        units: number of units of $g$.

    Call arguments:
        rho: the patches $\rho$, `[B, g, g, scales * C]`.
        l: the location $l$, `[B, 2]`, and more numbers if the layer is built so.

    Returns:
        $g$, `[B, units]`.
    """

    def __init__(
        self, hidden_units: int = 128, units: int = 256, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.hidden_units, self.units = hidden_units, units
        dense = partial(Dense, dtype=self.dtype_policy)
        self.what_hidden = dense(hidden_units, "relu", name="what_hidden")
        self.where_hidden = dense(hidden_units, "relu", name="where_hidden")
        self.what_out = dense(units, name="what_out")
        self.where_out = dense(units, name="where_out")

    def build(self, rho_shape: tuple[Any, ...], l_shape: Shape) -> None:
        """Make the weights."""
        self.what_hidden.build((None, math.prod(rho_shape[1:])))
        self.where_hidden.build(l_shape)
        for dense in (self.what_out, self.where_out):
            dense.build((None, self.hidden_units))

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """The shape of $g$, for `summary`."""
        return (None, self.units)

    def call(self, rho: Tensor, l: Tensor) -> Tensor:
        """$g$, `[B, units]`."""
        rho = ops.reshape(rho, (-1, math.prod(rho.shape[1:])))
        h_g = self.what_hidden(rho)  # [B, hidden_units]
        h_l = self.where_hidden(l)  # [B, hidden_units]
        return ops.relu(self.what_out(h_g) + self.where_out(h_l))
