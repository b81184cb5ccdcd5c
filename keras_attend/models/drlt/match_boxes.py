r"""DRLT's observation network for videos: boxes that look like the object. Ours.

The final version of the paper takes features and detections of each frame from YOLO
(section 3.1), which knows eighty kinds of objects, but not which object is meant. This
network, trained by `Matcher`, takes YOLO's place.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from keras_attend.arguments import KeepsArguments, check_positive_integers
from keras_attend.compat import freeze
from keras_attend.compiling import suits_xla
from keras_attend.layers.tracing import for_each
from keras_attend.types import Shape, Tensor

SAME = {"padding": "same", "activation": "relu"}
STEP = 8  # pixels from one place of the maps to the next
PARTS = 3  # of the object, along each axis
GAIN = 10.0  # of the last convolution's outputs, which are near 0 before training
NUMBERS = 6  # of a candidate: centre, sides, score and probability


@keras.saving.register_keras_serializable("keras_attend")
class MatchBoxes(KeepsArguments, keras.layers.Layer):
    r"""Propose the boxes that look most like the object of the first frame.

    ```python
    network = MatchBoxes(candidates=8)
    template = network.remember(first_images, location)  # [N, 4]: centre and sides
    candidates = network(images, template)  # [N, 6 * 8]
    ```

    A convolutional network $\phi$ has its outputs at places $p$, 8 pixels apart. Of the
    object's box in the first image, $(x_0, y_0, w_0, h_0)$, the template holds the mean
    features $T_k$ of its 3x3 parts, and of the whole image as $T_0$. Each place of
    another image is compared with them,

    $$r_k(p) = \frac{\phi(p) \cdot T_k}{|\phi(p)| |T_k|}, \qquad k = 0 \dots 9,$$

    and votes tell how well a box around the place, of $s$ times the object's sides,
    would match: $v_{ks}(p)$ is the mean of $r_k$ where that box has its part $k$. From
    $\phi$, $r$, $v$, and the products of $\phi$ with the parts' mean, convolutions make
    for each place a score $m(p)$ and a box, in sides of the object,

    $$(x, y, w, h) = (p_x + w_0 a_x, \; p_y + h_0 a_y, \;
      w_0 e^{a_w}, \; h_0 e^{a_h}).$$

    The candidates are the box of the best place, that of the best place outside the
    middle of that box, and so on.

    Args:
        filters: of $\phi$, and of the convolutions above it.
        candidates: how many boxes are returned.
        scales: the $s$ of the votes.
        maps: a layer that has been trained already, such as `layers.V1Maps`: it gives
            maps 8 pixels apart, of which $\phi$ is a learned mixture, and it is not
            trained on. Without it $\phi$ is a network of four convolutions.
        plain: whether places are compared by the outputs of `maps` too: what these have
            learned from many pictures tells more objects apart than a mixture that was
            learned from a few videos. Then there are twice as many $r$ and $v$.

    Call arguments:
        images: `[N, rows, columns, C]` in 0..1.
        template: what `remember` returned, `[N, memory_size]`.

    Returns `[N, 6 candidates]`. Each candidate has its centre and sides, in widths and
    heights of the image, its score $m / 10$, and its probability: the softmax of $m$
    over all places.
    """

    def __init__(
        self,
        filters: int = 48,
        candidates: int = 4,
        scales: Sequence[float] = (0.7, 1.0, 1.4),
        maps: Any = None,
        plain: bool = False,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        check_positive_integers(filters=filters, candidates=candidates)
        if plain and maps is None:
            raise ValueError("`plain` needs `maps`. Received: plain=True, maps=None")
        self.scales = tuple(float(s) for s in scales)
        if not self.scales or min(self.scales) <= 0:
            raise ValueError(
                f"`scales` must be positive, one or more. Received: scales={scales}"
            )
        self.filters, self.candidates = filters, candidates
        # Channels by which places are compared.
        self.kinds = [filters, maps.channels] if plain else [filters]
        self.memory_size = (1 + PARTS**2) * sum(self.kinds) + 4
        self.maps, self.plain = maps, plain
        if maps is not None:
            freeze(maps)
            convolutions = [maps, layers.Conv2D(filters, 1)]
        else:
            convolutions = [
                layers.Conv2D(filters // 2, STEP, STEP // 2, **SAME),
                layers.Conv2D(filters, 3, 2, **SAME),
                layers.Conv2D(filters, 3, **SAME),
                layers.Conv2D(filters, 3, padding="same"),
            ]
        self.features = keras.Sequential(convolutions, name="features")
        small = keras.initializers.RandomNormal(stddev=1e-2)
        self.head = keras.Sequential(
            [
                layers.Conv2D(filters, 1, activation="relu"),
                layers.Conv2D(filters, 3, **SAME),
                layers.Conv2D(filters, 3, dilation_rate=2, **SAME),
                layers.Conv2D(5, 1, kernel_initializer=small, dtype="float32"),
            ],
            name="head",
        )

    shares_frame = True  # see `RecurrentTrackerCell`

    @property
    def jit_compile(self) -> bool:
        """Whether XLA suits the network, as `maps` says."""
        return suits_xla(self.maps)

    def build(self, input_shape: Shape) -> None:
        """Make the weights for images `[N, rows, columns, C]`."""
        self.features.build(input_shape)
        maps = self.features.compute_output_shape(input_shape)
        matches = len(self.kinds) * (1 + PARTS**2 * (1 + len(self.scales)))
        self.head.build((*maps[:-1], 2 * self.filters + matches))
        if not self.trainable:  # a loaded network may be frozen
            freeze(self.features)
            freeze(self.head)

    def remember(self, images: Tensor, location: Tensor) -> Tensor:
        """Templates `[N, memory_size]` of the objects that images show.

        `location` `[N, 4]` holds their boxes: centre and sides, in widths and heights.
        """
        phi = self.compared(images)
        H, W, F = phi.shape[1:]
        location = ops.cast(location, phi.dtype)
        x, y, w, h = ops.unstack(location, 4, axis=-1)
        across = _shares(x - w / 2, w, W, PARTS)  # [N, 3, W]
        down = _shares(y - h / 2, h, H, PARTS)  # [N, 3, H]
        share = down[:, :, None, :, None] * across[:, None, :, None, :]
        share = ops.reshape(share, (-1, PARTS**2, H * W))
        phi = ops.reshape(phi, (-1, H * W, F))
        parts = ops.matmul(share, phi)  # [N, 9, F]
        around = ops.mean(phi, axis=1, keepdims=True)  # [N, 1, F]
        T = ops.concatenate([for_each(around, parts), parts], axis=1)
        T = ops.reshape(T, (-1, self.memory_size - 4))
        return ops.concatenate([T, location], axis=-1)

    def call(self, images: Tensor, template: Tensor | None = None) -> Tensor:
        """The candidates `[N, 6 candidates]`."""
        if template is None:  # Keras calls it so to know the output's shape
            nothing = ops.mean(images, axis=(1, 2, 3))[:, None] * 0
            template = nothing + ops.ones(self.memory_size, images.dtype)
        m, boxes = self.matches(images, template)
        return ops.cast(self.best(m, boxes), self.compute_dtype)

    def compared(self, images: Tensor) -> Tensor:
        """What places are compared by: $\\phi$, and `maps`' outputs if `plain`.

        For images `[N, rows, columns, C]` it is `[N, H, W, F]`, with F the sum of
        `kinds`.
        """
        if not self.plain:
            return self.features(images)
        V = self.maps(images)
        return ops.concatenate([self.features.layers[-1](V), V], axis=-1)

    def matches(self, images: Tensor, template: Tensor) -> tuple[Tensor, Tensor]:
        """Each place's score `[N, P]` and box `[N, P, 4]` (centre and sides)."""
        phi = self.compared(images)
        H, W, F = phi.shape[1:]
        T, location = template[:, :-4], ops.cast(template[:, -4:], "float32")
        T = ops.reshape(T, (-1, 1 + PARTS**2, F))
        phi = ops.reshape(phi, (-1, H * W, F))
        maps: list[Tensor] = []
        for x, T_ in zip(self._kinds_of(phi), self._kinds_of(T), strict=True):
            x = for_each(x, T_)
            r = ops.matmul(_unit(x), ops.swapaxes(_unit(T_), 1, 2))  # [N, H W, 10]
            alike = x * ops.mean(T_[:, 1:], axis=1, keepdims=True)
            maps += [r] if maps else [x, r, alike]  # x and alike of phi alone
            maps += [self._votes(r[..., 1:], location, (H, W))]
        seen = ops.concatenate(maps, axis=-1)
        found = self.head(ops.reshape(seen, (-1, H, W, seen.shape[-1])))
        found = GAIN * ops.reshape(ops.cast(found, "float32"), (-1, H * W, 5))
        m, a_x, a_y, a_w, a_h = ops.unstack(found, 5, axis=-1)  # [N, H W] each
        _, _, w_0, h_0 = ops.split(location, 4, axis=-1)  # [N, 1] each
        p_x, p_y = places(H, W)
        x, y = p_x + w_0 * a_x, p_y + h_0 * a_y
        w, h = (n * ops.exp(ops.clip(a, -3, 3)) for n, a in ((w_0, a_w), (h_0, a_h)))
        return m, ops.stack([x, y, w, h], axis=-1)

    def _kinds_of(self, x: Tensor) -> list[Tensor]:
        """The channels of `compared`, apart."""
        return ops.split(x, self.kinds[:1], axis=-1) if self.plain else [x]

    def _votes(self, r: Tensor, location: Tensor, size: tuple[int, int]) -> Tensor:
        """The votes $v$, `[N, H W, 9 scales]`, of $r$ `[N, H W, 9]`."""
        H, W = size
        r = ops.reshape(r, (-1, H, W, PARTS, PARTS))
        _, _, w_0, h_0 = ops.unstack(ops.cast(location, "float32"), 4, axis=-1)
        down, across = (
            ops.cast(self._windows(side, cells), r.dtype)  # [N, S, 3, P, P]
            for side, cells in ((h_0, H), (w_0, W))
        )
        v = ops.einsum("nyxab,nsbpx->nsaypb", r, across)
        v = ops.einsum("nsaypb,nsaqy->nqpsab", v, down)  # [N, H, W, S, 3, 3]
        return ops.reshape(v, (-1, H * W, len(self.scales) * PARTS**2))

    def _windows(self, side: Tensor, cells: int) -> Tensor:
        """How much of a box's part lies in each cell: `[N, scale, part, place, cell]`.

        For one axis, with boxes around all places, of sides `[N]`.
        """
        scales = ops.convert_to_tensor(self.scales, side.dtype)
        length = (side[:, None] * scales)[:, :, None] + ops.zeros(cells, side.dtype)
        start = _centers(cells) - length / 2  # [N, S, place]
        start, length = ops.reshape(start, (-1,)), ops.reshape(length, (-1,))
        share = _shares(start, length, cells, PARTS)
        share = ops.reshape(share, (-1, len(self.scales), cells, PARTS, cells))
        return ops.swapaxes(share, 2, 3)

    def best(self, m: Tensor, boxes: Tensor) -> Tensor:
        """The candidates `[N, 6 candidates]` from all places' scores and boxes."""
        p = ops.softmax(m, axis=-1)
        found = []
        for _ in range(self.candidates):
            _, index = ops.top_k(m, 1)  # [N, 1]; exported files have no `argmax`
            box = ops.take_along_axis(boxes, index[..., None], axis=1)  # [N, 1, 4]
            score, share = (ops.take_along_axis(n, index, axis=1) for n in (m, p))
            found += [box[:, 0], ops.maximum(score, -100.0) / 10, share]
            # The box's middle half, no more, is taken: in a crowd objects overlap.
            away = ops.abs(boxes[..., :2] - box[..., :2]) / box[..., 2:]
            m = ops.where(ops.max(away, axis=-1) < 0.25, -1e4, m)
        return ops.concatenate(found, axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """`[N, 6 candidates]`."""
        return (input_shape[0], NUMBERS * self.candidates)


def places(height: int, width: int) -> tuple[Tensor, Tensor]:
    """The x and y of a map's places, row by row, in widths and heights: `[P]` each."""
    x, y = _centers(width)[None], _centers(height)[:, None]
    x, y = (ops.reshape(ops.broadcast_to(n, (height, width)), (-1,)) for n in (x, y))
    return x, y


def _centers(cells: int) -> Tensor:
    return (ops.arange(cells, dtype="float32") + 0.5) / cells


def _unit(x: Tensor) -> Tensor:
    """The vectors of the last axis, each divided by its length."""
    return x / ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True) + 1e-6)


def _shares(start: Tensor, length: Tensor, cells: int, parts: int) -> Tensor:
    """How much of each part of an interval lies in each cell, `[N, parts, cells]`.

    The cells divide 0..1. A part's shares add up to 1; the share of a part that lies
    outside goes to the cell at the border.
    """
    part = ops.maximum(length, 1e-3)[:, None, None] / parts
    low = start[:, None, None] + part * ops.arange(parts, dtype=part.dtype)[:, None]
    edge = ops.arange(cells + 1, dtype=part.dtype) / cells
    # The cells at the border reach as far as any part does.
    beyond = ops.convert_to_tensor([-1e3, *[0.0] * (cells - 1), 1e3], part.dtype)
    edge = edge + beyond
    inside = ops.clip((edge - low) / part, 0.0, 1.0)  # of the part, before the edge
    return inside[..., 1:] - inside[..., :-1]
