"""RAM's glimpse network: one vector of what was seen and where."""

import math
from typing import Any

import keras
from keras import ops
from keras.layers import Dense

from keras_attend.types import Shape, Tensor


@keras.saving.register_keras_serializable("keras_attend")
class GlimpseNetwork(keras.layers.Layer):
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
        self.hidden_units = hidden_units
        self.units = units
        dtype = self.dtype_policy
        self.what_hidden = Dense(
            hidden_units, activation="relu", name="what_hidden", dtype=dtype
        )
        self.where_hidden = Dense(
            hidden_units, activation="relu", name="where_hidden", dtype=dtype
        )
        self.what_out = Dense(units, name="what_out", dtype=dtype)
        self.where_out = Dense(units, name="where_out", dtype=dtype)

    def build(self, rho_shape: tuple[Any, ...], l_shape: Shape) -> None:
        """Make the weights."""
        self.what_hidden.build((None, math.prod(rho_shape[1:])))
        self.where_hidden.build(l_shape)
        self.what_out.build((rho_shape[0], self.hidden_units))
        self.where_out.build((rho_shape[0], self.hidden_units))

    def call(self, rho: Tensor, l: Tensor) -> Tensor:
        """$g$, `[B, units]`."""
        rho = ops.reshape(rho, (-1, math.prod(rho.shape[1:])))
        h_g = self.what_hidden(rho)  # [B, hidden_units]
        h_l = self.where_hidden(l)  # [B, hidden_units]
        return ops.relu(self.what_out(h_g) + self.where_out(h_l))

    def compute_output_shape(
        self, rho_shape: Shape, l_shape: Shape | None = None
    ) -> tuple[int | None, ...]:
        """`(B, units)`."""
        return (rho_shape[0], self.units)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            **super().get_config(),
            "hidden_units": self.hidden_units,
            "units": self.units,
        }
