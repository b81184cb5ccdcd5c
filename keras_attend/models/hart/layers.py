"""The parts of HART's cell: two streams, small networks, and masks of training.

The streams are the appearance attention of Kosiorek et al. 2017, section 3.2. The
names are the paper's: $V$ are the glimpse's features, $\\nu$ the ventral stream's maps,
$s$ the location map, $\\alpha$ the appearance and $\\psi$ the filters made from it.
"""

import math
from functools import partial
from typing import Any

import keras
from keras import ops
from keras.layers import Dense, GroupNormalization

from keras_attend.layers.cells import ZoneoutLSTMCell
from keras_attend.layers.dynamic_filter import DynamicFilter
from keras_attend.layers.patch_conv import pointwise
from keras_attend.layers.recurrent_tracker import RecurrentTrackerCell
from keras_attend.layers.template_match import TemplateMatch
from keras_attend.layers.v1 import normalise_groups
from keras_attend.types import Nested, Shape, Tensor

HIDDEN = 100  # units of the heads' hidden layers, and of those that make the filters
VOTES = 8  # maps in which the template's parts vote


class VentralStream(keras.layers.Layer):
    r"""What lies at each place of the glimpse: $\nu$, `[B, rows, cols, maps]`.

    A 1x1 convolution of $V$, a normalisation of each sample by itself, and ELU.
    """

    def __init__(self, maps: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.readout = Dense(maps, dtype=self.dtype_policy, name="readout")
        self.norm = GroupNormalization(1, dtype=self.dtype_policy, name="norm")

    def build(self, features_shape: Shape) -> None:
        """Make the weights for features `[B, rows, cols, C]`."""
        self.readout.build(features_shape)
        self.norm.build((*features_shape[:-1], self.readout.units))

    def compute_output_shape(
        self, features_shape: Shape, kept_shape: Shape | None = None
    ) -> tuple[int | None, ...]:
        """`[B, rows, cols, maps]`."""
        return (*features_shape[:-1], self.readout.units)

    def call(self, V: Tensor, kept: Tensor | None = None) -> Tensor:
        """The maps of features `V`; `kept` is a dropout mask of the maps' shape."""
        nu = pointwise(self.readout, V)
        if kept is not None:
            nu = nu * kept
        return ops.elu(normalise_groups(self.norm, nu))


class DorsalStream(keras.layers.Layer):
    r"""Where in the glimpse the object is: logits of $s$, `[B, rows, cols]`.

    $$d = \mathrm{filter}_1(V; \psi_1), \qquad
      d' = \mathrm{filter}_2((d, u); \psi_2), \qquad
      s = \sigma(W (d', u))$$

    The filters' kernels $\psi$ are computed from the appearance $\alpha$. The votes
    $u$, in which `match` compares $V$ with the object in the first frame, are ours.

    $d$ and $d'$ have `maps` channels; in the first glimpse the object's sides are
    `extent` times the glimpse's.
    """

    def __init__(self, maps: int, extent: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        dtype = self.dtype_policy
        match = {"extent": extent, "kernel": 3, "dtype": dtype}
        self.match = TemplateMatch(VOTES, name="match", **match)
        self.filter_1 = DynamicFilter(maps, 1, HIDDEN, dtype=dtype, name="filter_1")
        self.filter_2 = DynamicFilter(maps, 3, HIDDEN, dtype=dtype, name="filter_2")
        self.location = Dense(1, dtype=dtype, name="location")

    def build(self, features_shape: Shape, appearance_shape: Shape) -> None:
        """Make the weights for `V` `[B, rows, cols, C]` and `alpha` `[B, A]`."""
        both = (*features_shape[:-1], self.filter_1.filters + VOTES)
        self.match.build(features_shape)
        self.filter_1.build(features_shape, appearance_shape)
        self.filter_2.build(both, appearance_shape)
        self.location.build(both)
        self.map_size = tuple(features_shape[1:3])

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """The shape of the logits, for `summary`."""
        return (None, *self.map_size)

    @property
    def template_size(self) -> int:
        """How many numbers describe the object in the first frame."""
        return self.match.parts**2 * self.match.units

    def call(self, V: Tensor, alpha: Tensor, votes: Tensor) -> tuple[Tensor, Tensor]:
        """Logits `[B, rows, cols]`, and the `energy` `[B]` of the filters.

        Of features `V` `[B, rows, cols, C]`, the object's appearance `alpha` `[B, A]`,
        and the votes `[B, rows, cols, VOTES]` of `match(V, template)`.
        """
        psi_1, beta_1 = self.filter_1.generate(alpha)
        psi_2, beta_2 = self.filter_2.generate(alpha)
        d = self.filter_1.convolve(V, psi_1, beta_1)
        d = ops.concatenate([d, votes], axis=-1)
        d = self.filter_2.convolve(d, psi_2, beta_2)
        d = ops.concatenate([d, votes], axis=-1)
        logits = ops.cast(pointwise(self.location, d)[..., 0], "float32")
        return logits, energy(psi_1, beta_1, psi_2, beta_2)


class Head(keras.layers.Layer):
    """Four steps in (-1, 1) from `[B, n]`: two dense layers, near 0 before training.

    In float32, as half precision would move attention and box in steps of a pixel.
    """

    def __init__(self, bias_initializer: str = "zeros", **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        dense = partial(Dense, dtype="float32")
        self.hidden = dense(
            HIDDEN, "elu", bias_initializer=bias_initializer, name="hidden"
        )
        small = keras.initializers.RandomUniform(-1e-3, 1e-3)
        self.last = dense(4, "tanh", kernel_initializer=small, name="last")

    def build(self, input_shape: Shape) -> None:
        """Make the weights for `[B, n]`."""
        self.hidden.build(input_shape)
        self.last.build((None, HIDDEN))

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        """`[B, 4]`."""
        return (input_shape[0], 4)

    def call(self, q: Tensor) -> Tensor:
        """Steps `[B, 4]`."""
        return self.last(self.hidden(q))


def energy(*filters: Tensor) -> Tensor:
    r"""$\frac12 \|\psi\|^2$ of all filters and biases of a sample together, `[B]`."""
    squares = [ops.square(ops.cast(psi, "float32")) for psi in filters]
    return sum(0.5 * ops.sum(x, axis=tuple(range(1, len(x.shape)))) for x in squares)


class MaskedCell(RecurrentTrackerCell):
    """A cell around an LSTM `core`, with masks of zoneout and dropout in training."""

    core: ZoneoutLSTMCell
    dropout: float  # chance that a number of the ventral maps is dropped
    map_size: tuple[int, int]  # rows and columns of these maps
    maps: int  # their channels
    seed_generator: keras.random.SeedGenerator

    def draw_noise(self, batch_size: Any, steps: int) -> dict[str, Tensor]:
        """Masks for all steps, each `[batch_size, steps, ...]`.

        "cell" and "hidden" are 1 where a unit of the LSTM may change, else 0;
        "ventral", drawn if there is dropout, is 0 or 1 / (1 - dropout).
        """
        m_c, m_h = self.core.zoneout_masks(batch_size, steps)
        noise = {"cell": m_c, "hidden": m_h}
        if self.dropout:
            shape = (batch_size, steps, *self.map_size, self.maps)
            u = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
            kept = ops.cast(u >= self.dropout, self.compute_dtype)
            noise["ventral"] = kept / (1 - self.dropout)
        return noise

    def run_core(
        self, v: Tensor, h: Tensor, c: Tensor, noise: Nested
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The LSTM's output `[B, units]`, and its next h and c."""
        masks = None if noise is None else (noise["cell"], noise["hidden"])
        o, (h, c) = self.core(v, [h, c], masks=masks, training=noise is not None)
        return o, h, c


def moved(a: Tensor, step: Tensor) -> Tensor:
    """A window moved by half its size times a step, its size by a logarithm."""
    c, sides = ops.split(a, 2, axis=-1)
    d_c, d_sides = ops.split(step, 2, axis=-1)
    return ops.concatenate([c + 0.5 * sides * d_c, sides * ops.exp(d_sides)], axis=-1)


def flat(maps: Tensor) -> Tensor:
    """Maps `[B, rows, cols, ...]` as `[B, n]`."""
    return ops.reshape(maps, (-1, math.prod(maps.shape[1:])))
