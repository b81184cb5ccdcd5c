r"""The two streams of `WideHARTCell`: what is where, and where what is sought is.

The names are those of Kosiorek et al. 2017, section 3.2: $V$ are V1's features, $\nu$
the ventral stream's maps, $s$ the location map, $\psi$ a filter made for one object.
Maps lie on a grid of `g` by `g` places, a template on `p` by `p` of them.
"""

from typing import Any

import keras
from keras import ops
from keras.layers import Conv2D, Dense, DepthwiseConv2D, LayerNormalization

from keras_attend.layers.v1_maps import V1Maps
from keras_attend.models.hart.wide_maps import coverage, hough, unit
from keras_attend.types import Shape, Tensor

GEOMETRY = 5  # numbers that say how a place lies to the object


class VentralStream(keras.layers.Layer):
    r"""What lies at each place of the window: $\nu = (k, a) = W V'$.

    $V'$ are V1's features on one grid (`V1Maps`), of which $W$ makes what places are
    compared by, $k$, and what else is said of them, $a$.

    Args:
        v1: as of `V1Maps`.
        keys: channels of $k$, by which places are compared.
        values: channels of $a$, which say more about a place.
    """

    def __init__(self, v1: Any, keys: int, values: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.maps = V1Maps(v1, name="maps")
        self.keys, self.values = keys, values
        self.neck = Dense(keys + values, name="neck")

    def build(self, input_shape: Shape) -> None:
        """Make the weights for glimpses `[B, rows, cols, 3]`."""
        self.maps.build(input_shape)
        maps: Any = self.maps.compute_output_shape(input_shape)
        self.places = maps[1] * maps[2]
        self.neck.build((None, self.maps.channels))

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """The shape of the maps, for `summary`."""
        return (None, self.places, self.width)

    def adapt(self, glimpses: Tensor) -> None:
        """Take the maps' statistics of some glimpses, once, for ever."""
        self.maps.adapt(glimpses)

    def call(self, glimpses: Tensor) -> Tensor:
        """Maps of glimpses `[B, 8 g, 8 g, 3]`, places in one axis, N = g * g.

        Returns:
            `[B, N, keys + values + plain]`: $k$, of length 1, $a$, and of V1's features
            those of strides 8 and 16, of length 1 too.
        """
        V = self.maps(glimpses)
        V = ops.reshape(V, (-1, V.shape[1] * V.shape[2], self.maps.channels))
        k, a = ops.split(self.neck(V), [self.keys], axis=-1)
        plain = ops.stop_gradient(V[..., -self.plain :])
        return ops.concatenate([unit(k), a, unit(plain)], axis=-1)

    @property
    def v1(self) -> Any:
        """The layer that gives the features."""
        return self.maps.v1

    @property
    def plain(self) -> int:
        """How many of V1's channels are compared as they are."""
        return sum(self.maps.widths[1:])

    @property
    def width(self) -> int:
        """Channels of the maps."""
        return self.keys + self.values + self.plain


class DorsalStream(keras.layers.Layer):
    r"""Where in the window the object is, and its box as each place has it.

    The paper's filters $\psi$ are computed from a description $\alpha$ of the object
    (eq. 3 and 6). Here they are what the object looked like: the keys $k_q$ at the $P$
    places of a template. As a 1x1 filter with $P$ outputs they say how similar each
    place $i$ of the window is to each part of the object,

    $$S_{qi} = k_q^\top k_i$$

    and where the object as a whole lies, as one filter of $p$ by $p$ places, weighed by
    how much of each part $m_q$ is object: a Hough transform of the similarities $R$ of
    V1's features themselves, in the directions that ImageNet has taught them,

    $$h_i = \sum_q m_q R_{q, i + \delta_q} \Big/ \sum_q m_q$$

    Each place also gets the parts' values and places within the object, of those parts
    that it resembles, $\sum_q \mathrm{softmax}_q(\tau S_{qi})\, (a_q, \gamma_q)$, and
    the greatest similarity with the object and with its surroundings. Two templates
    take part: the first frame's, and that of the last frame in which the object was
    surely seen. From these, from $a_i$ and from the LSTM's output (a bias made of
    $\alpha$, as in eq. 6) convolutions make the logits of the location map, and a box
    for each place.

    Args:
        grid: g.
        part: p.
        keys: channels of $k$.
        values: channels of $a$.
        width: channels of the convolutions.
        depth: how many residual blocks follow one another.
    """

    def __init__(
        self,
        grid: int,
        part: int,
        keys: int,
        values: int,
        width: int,
        depth: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.grid, self.part, self.keys, self.values = grid, part, keys, values
        self.width = width
        self.patterns = Dense(32, name="patterns")
        self.inside = Dense(width, use_bias=False, name="inside")
        self.alpha = Dense(width, name="alpha", kernel_initializer="zeros")
        self.norm = LayerNormalization(epsilon=1e-3, name="norm")
        self.blocks = [Residual(width, name=f"block_{i}") for i in range(depth)]
        self.location = Dense(1, name="location")
        self.regress = Dense(4, kernel_initializer="zeros", name="regress")

    def build(self, memory_shape: Shape) -> None:
        """Make the weights; `memory_shape` is that of the LSTM's output."""
        extra = GEOMETRY + self.values
        seen = 2 * (extra + 3 + 32) + self.values + 3
        self.patterns.build((None, self.part**2))
        self.inside.build((None, seen))
        self.alpha.build(memory_shape)
        self.norm.build((None, None, None, self.width))
        for block in self.blocks:
            block.build((None, self.grid, self.grid, self.width))
        self.location.build((None, self.width))
        self.regress.build((None, self.width))
        self.tau = self.add_weight(
            (), keras.initializers.Constant(2.3), name="log_sharpness"
        )

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """The shape of the logits, for `summary`."""
        return (None, self.grid**2)

    def call(
        self,
        nu: Tensor,
        templates: Tensor,
        anchor: Tensor,
        expected: Tensor,
        alpha: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Find the object among N = g * g places.

        Args:
            nu: of the window, `[B, N, keys + values + plain]`.
            templates: `geometry` and $\\nu$ of the first and of a recent template,
                `[B, 2, P, 5 + keys + values + plain]`.
            anchor: height and width of the object in the first frame, as parts of the
                square root of its area, `[B, 2]`.
            expected: the last box, `[B, 4]`, as `decoded` gives boxes.
            alpha: the LSTM's last output, `[B, units]`.

        Returns:
            Logits of the location map `[B, N]`, boxes `[B, N, 4]` (see `decoded`), the
            last maps `[B, N, width]`, and $h$ `[B, N, 2]`.
        """
        g, ends = self.grid, [self.keys, self.keys + self.values]
        k, a, plain = ops.split(nu, ends, axis=-1)
        gamma, seen = ops.split(templates, [GEOMETRY], axis=-1)  # [B, 2, P, ...]
        k_q, a_q, plain_q = ops.split(seen, ends, axis=-1)
        m = gamma[..., 0]  # [B, 2, P]
        rest = ops.concatenate([a_q, gamma], axis=-1)
        S = ops.matmul(k[:, None], ops.swapaxes(k_q, 2, 3))  # [B, 2, N, P]
        similar = ops.softmax(S * ops.exp(self.tau), axis=-1)
        parts = ops.matmul(similar, rest)  # [B, 2, N, values + 5]
        object_ = m[:, :, None]
        inside = ops.max(S + object_ - 1, axis=-1)  # [B, 2, N]
        around = ops.max(S - object_, axis=-1)
        patterns = self.patterns(S)  # [B, 2, N, 32]
        h = hough(ops.matmul(plain_q, ops.swapaxes(plain, 1, 2)[:, None]), m, g)
        h = ops.stop_gradient(ops.transpose(h, (0, 2, 1)))  # these are ImageNet's
        near = ops.transpose(ops.concatenate([inside, around], axis=1), (0, 2, 1))
        shape = ops.log(anchor)[:, None] + ops.zeros_like(a[..., :2])
        last = coverage(expected[:, :2], expected[:, 2:], g)[..., None]
        # Of both templates; slices' gradients would take longer than these.
        both = [*ops.unstack(parts, axis=1), *ops.unstack(patterns, axis=1)]
        seen = ops.concatenate([*both, 3 * near, 3 * h, a, shape, last], axis=-1)
        x = self.inside(seen) + self.alpha(alpha)[:, None]
        x = ops.reshape(ops.relu(self.norm(x)), (-1, g, g, self.width))
        for block in self.blocks:
            x = block(x)
        x = ops.reshape(x, (-1, g * g, self.width))
        return self.location(x)[..., 0], self.regress(x), x, h


class Residual(keras.layers.Layer):
    r"""$\rho(x + W \rho(D \ast x))$, with $D$ of 3x3 places for each channel."""

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        small = keras.initializers.VarianceScaling(0.2)
        self.depthwise = DepthwiseConv2D(3, padding="same", name="depthwise")
        self.pointwise = Conv2D(width, 1, kernel_initializer=small, name="pointwise")

    def build(self, input_shape: Shape) -> None:
        """Make the weights for `[B, g, g, width]`."""
        self.depthwise.build(input_shape)
        self.pointwise.build(input_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """That of the input."""
        return input_shape

    def call(self, x: Tensor) -> Tensor:
        """The block's output, of the shape of `x`."""
        return ops.relu(x + self.pointwise(ops.relu(self.depthwise(x))))
