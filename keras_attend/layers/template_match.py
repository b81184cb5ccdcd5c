"""Find in a map of features the object that lies in the middle of another map."""

from typing import Any

import keras
import numpy as np
from keras import ops
from keras.layers import Dense
from numpy.typing import NDArray

from keras_attend.arguments import KeepsArguments, check_positive_integers
from keras_attend.layers.dynamic_filter import dynamic_conv
from keras_attend.layers.patch_conv import PatchConv2D, pointwise
from keras_attend.layers.tracing import gather_places, is_uncompiled
from keras_attend.types import Shape, Tensor


@keras.saving.register_keras_serializable("keras_attend")
class TemplateMatch(KeepsArguments, keras.layers.Layer):
    r"""Vote for where in a map of features an object is that was seen before.

    The features of each place are mapped to a vector $e$ of length one. The template
    describes the object by $n \times n$ parts $\tau_k$, also of length one: means of
    $e$ over a grid in the middle of the map in which it was seen. Each part is compared
    with each place, $S_{ijk} = e_{ij} \cdot \tau_k$, and then votes for where the
    object's centre is, by a convolution. Before training its kernel is 1 where the part
    lies, seen from the centre, and small elsewhere: this is the correlation of SiamFC
    (Bertinetto et al. 2016) at a fraction of its cost.

    Call arguments:
        features: `[B, H, W, C]`.
        template: of `describe(features)`, `[B, parts * parts * units]`.

    Returns votes `[B, H, W, maps]`.

    Args:
        maps: how many maps of votes.
        units: size of $e$.
        parts: $n$.
        extent: the object's sides in the map that describes it, as a fraction of the
            map's.
        kernel: side of the votes' kernels, for maps that are moved to where they vote
            before; None for kernels that span the object, which cost ten times as much.
    """

    def __init__(
        self,
        maps: int = 8,
        units: int = 32,
        parts: int = 4,
        extent: float = 0.5,
        kernel: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive_integers(
            maps=maps, units=units, parts=parts, kernel=1 if kernel is None else kernel
        )
        if not 0 < extent <= 1:
            raise ValueError(f"`extent` must be in (0, 1]. Received: extent={extent}")
        self.maps, self.units, self.parts, self.extent = maps, units, parts, extent
        self.kernel = kernel
        self.embed = Dense(units, dtype=self.dtype_policy, name="embed")

    def build(self, features_shape: Shape, template_shape: Shape = ()) -> None:
        """Make the weights for features `[B, H, W, C]` of a known size."""
        shape: Any = features_shape
        _, rows, cols, _ = shape
        self.embed.build(features_shape)
        self._cells = [_cells(n, self.parts, self.extent) for n in (rows, cols)]
        places = [_places(n, self.parts, self.extent) for n in (rows, cols)]
        self._places = [
            (places[0][k // self.parts], places[1][k % self.parts])
            for k in range(self.parts**2)
        ]
        self._reach = max(int(np.abs(p).max()) for p in places)
        if self.kernel is None:
            sides = [2 * int(np.abs(p).max()) + 1 for p in places]
            voted = self._places
        else:
            sides, voted = [self.kernel] * 2, [(0, 0)] * self.parts**2
        ones = np.zeros((*sides, self.parts**2, 1), "float32")
        for k, (i, j) in enumerate(voted):
            ones[sides[0] // 2 + i, sides[1] // 2 + j, k] = 1 / self.parts**2

        def votes(shape: Shape, dtype: str | None = None) -> Tensor:
            noise = keras.initializers.GlorotUniform()(shape, dtype)
            return ops.cast(ones, noise.dtype) + 0.3 * noise  # so that maps differ

        kwargs = {"kernel_initializer": votes, "dtype": self.dtype_policy}
        self.votes = PatchConv2D(self.maps, sides, name="votes", **kwargs)
        self.votes.build((None, rows, cols, self.parts**2))

    def describe(self, features: Tensor) -> Tensor:
        """The template of what lies in the middle of a map `[B, H, W, C]`."""
        e = _unit(pointwise(self.embed, features))  # [B, H, W, E]
        over_y, over_x = (ops.cast(cells, e.dtype) for cells in self._cells)
        parts = ops.einsum("ih,bhwe->biwe", over_y, e)
        parts = _unit(ops.einsum("jw,biwe->bije", over_x, parts))  # [B, n, n, E]
        return ops.reshape(parts, (-1, self.parts**2 * self.units))

    def compute_output_shape(
        self, features_shape: Shape, template_shape: Shape = ()
    ) -> tuple[int | None, ...]:
        """`[B, H, W, maps]`."""
        return (*features_shape[:-1], self.maps)

    def call(self, features: Tensor, template: Tensor) -> Tensor:
        """Votes `[B, H, W, maps]`."""
        tau = ops.reshape(template, (-1, 1, 1, self.parts**2, self.units))
        S = dynamic_conv(
            _unit(pointwise(self.embed, features)), ops.swapaxes(tau, -1, -2)
        )
        return self.votes(S if self.kernel is None else self._moved(S))

    def _moved(self, S: Tensor) -> Tensor:
        """Each part's map `[B, H, W, parts * parts]` seen from the centre."""
        _, rows, cols, _ = S.shape
        r = self._reach
        S = ops.pad(S, [[0, 0], [r, r], [r, r], [0, 0]])
        if is_uncompiled():
            batch, _, width, count = ops.shape(S)
            y, x = np.ogrid[r : r + rows, r : r + cols]
            at = [((y + i) * width + x + j) * count for i, j in self._places]
            flat = np.stack([n + k for k, n in enumerate(at)], axis=-1).reshape(-1)
            found = gather_places(ops.reshape(S, (batch, -1)), flat)
            return ops.reshape(found, (batch, rows, cols, count))
        maps = [
            S[:, r + i : r + i + rows, r + j : r + j + cols, k : k + 1]
            for k, (i, j) in enumerate(self._places)
        ]
        return ops.concatenate(maps, axis=-1)


def _unit(x: Tensor) -> Tensor:
    """Vectors of length one; shorter only where there is next to nothing."""
    wide = ops.cast(x, "float32")
    length = ops.sqrt(ops.sum(ops.square(wide), axis=-1, keepdims=True) + 1e-6)
    return ops.cast(wide / length, x.dtype)


def _cells(length: int, parts: int, extent: float) -> NDArray[np.float32]:
    """Means over `parts` cells of the middle of an axis: `[parts, length]`."""
    edges = length * (0.5 + extent * (np.arange(parts + 1) / parts - 0.5))
    low = np.maximum(edges[:-1, None], np.arange(length))
    high = np.minimum(edges[1:, None], np.arange(length) + 1)
    cover = np.maximum(high - low, 0)
    return (cover / cover.sum(axis=1, keepdims=True)).astype("float32")


def _places(length: int, parts: int, extent: float) -> NDArray[np.int64]:
    """Where the cells' centres are, in places from the middle."""
    middle = (np.arange(parts) + 0.5) / parts - 0.5
    return np.round(length * extent * middle).astype(int)
