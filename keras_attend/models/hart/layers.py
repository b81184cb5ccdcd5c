"""The parts of HART's cell: two streams, small networks, and random masks.

The streams are the appearance attention of Kosiorek et al. 2017, section 3.2. The
names are the paper's: $V$ are the glimpse's features, $\\nu$ the ventral stream's maps,
$s$ the location map, $\\alpha$ the appearance and $\\psi$ the filters made from it.
"""

import math
from typing import Any

import keras
from keras import ops
from keras.layers import Dense, GroupNormalization

from keras_attend.layers.cells import ZoneoutLSTMCell
from keras_attend.layers.dynamic_filter import DynamicFilter
from keras_attend.layers.patch_conv import pointwise
from keras_attend.layers.template_match import TemplateMatch
from keras_attend.layers.v1 import normalise_groups
from keras_attend.types import Shape, Tensor

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

    Args:
        maps: channels of $d$ and of $d'$.
        extent: the object's sides in the first glimpse, as a fraction of its sides.
    """

    def __init__(self, maps: int, extent: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        dtype = self.dtype_policy
        self.match = TemplateMatch(
            VOTES, extent=extent, kernel=3, dtype=dtype, name="match"
        )
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

    @property
    def template_size(self) -> int:
        """How many numbers describe the object in the first frame."""
        return self.match.parts**2 * self.match.units

    def call(self, V: Tensor, alpha: Tensor, votes: Tensor) -> tuple[Tensor, Tensor]:
        """Logits `[B, rows, cols]`, and the `energy` `[B]` of the filters.

        Args:
            V: features `[B, rows, cols, C]`.
            alpha: the object's appearance, `[B, A]`.
            votes: of `match(V, template)`, `[B, rows, cols, VOTES]`.
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
        self.hidden = Dense(
            HIDDEN,
            activation="elu",
            bias_initializer=bias_initializer,
            dtype="float32",
            name="hidden",
        )
        self.last = Dense(
            4,
            activation="tanh",
            kernel_initializer=keras.initializers.RandomUniform(-1e-3, 1e-3),
            dtype="float32",
            name="last",
        )

    def build(self, input_shape: Shape) -> None:
        """Make the weights for `[B, n]`."""
        self.hidden.build(input_shape)
        self.last.build((None, HIDDEN))

    def call(self, q: Tensor) -> Tensor:
        """Steps `[B, 4]`."""
        return self.last(self.hidden(q))


def energy(*filters: Tensor) -> Tensor:
    r"""$\frac12 \|\psi\|^2$ of all filters and biases of a sample together, `[B]`."""
    squares = [ops.square(ops.cast(psi, "float32")) for psi in filters]
    return sum(0.5 * ops.sum(x, axis=tuple(range(1, len(x.shape)))) for x in squares)


def draw_masks(
    core: ZoneoutLSTMCell,
    dropout: float,
    maps: tuple[int, int, int],
    seed: keras.random.SeedGenerator,
    batch_size: Any,
    steps: int,
) -> dict[str, Tensor]:
    """Masks of zoneout and dropout for `steps` steps of training.

    Args:
        core: the LSTM, which has the zoneout's rates.
        dropout: chance that a number of the ventral maps is dropped.
        maps: rows, columns and channels of the ventral maps.
        seed: of the dropout.
        batch_size: how many clips.
        steps: how many.

    Returns:
        "cell" and "hidden", 1 where a unit of the LSTM may change, and, with dropout,
        "ventral", 0 or 1 / (1 - dropout); each `[batch_size, steps, ...]`.
    """
    m_c, m_h = core.zoneout_masks(batch_size, steps)
    noise = {"cell": m_c, "hidden": m_h}
    if dropout:
        shape = (batch_size, steps, *maps)
        u = keras.random.uniform(shape, dtype="float32", seed=seed)
        noise["ventral"] = ops.cast(u >= dropout, core.compute_dtype) / (1 - dropout)
    return noise


def moved(a: Tensor, step: Tensor) -> Tensor:
    """A window moved by half its size times a step, its size by a logarithm."""
    c, sides = ops.split(a, 2, axis=-1)
    d_c, d_sides = ops.split(step, 2, axis=-1)
    return ops.concatenate([c + 0.5 * sides * d_c, sides * ops.exp(d_sides)], axis=-1)


def flat(maps: Tensor) -> Tensor:
    """Maps `[B, rows, cols, ...]` as `[B, n]`."""
    return ops.reshape(maps, (-1, math.prod(maps.shape[1:])))
