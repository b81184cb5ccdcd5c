"""A retina that is told at each glimpse how wide to be."""

from typing import Any

import keras
from keras import ops

from keras_attend.arguments import KeepsArguments, check_positive_integers
from keras_attend.layers.retina import Retina
from keras_attend.types import Shape, Tensor


@keras.saving.register_keras_serializable("keras_attend")
class ZoomRetina(KeepsArguments, keras.layers.Layer):
    r"""A retina that is told how wide its patches are (Mnih et al. 2014, section 5).

    At zoom $z$ the patches are those of a `Retina` that are $2^z, 2^{z+1}, \dots$
    times `size` pixels wide, averaged to `size` pixels each.

    Args:
        size: $g$, pixels of a patch's side after pooling.
        scales: number of patches.
        zooms: number of widths that it can be told.

    Call arguments:
        images: `[B, H, W, C]`.
        locations: `[B, 2]`, $(x, y)$ in -1..1, as of `Retina`.
        zoom: `[B]`, integers: 0 is the finest, `zooms - 1` the widest.

    Returns:
        `[B, size, size, scales * C]`, in the images' unit, the finest patch first.
    """

    def __init__(self, size: int, scales: int, zooms: int, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        check_positive_integers(size=size, scales=scales, zooms=zooms)
        self.size, self.scales, self.zooms = size, scales, zooms
        self.retina = Retina(size, scales + zooms - 1, dtype=self.dtype_policy)

    def build(
        self,
        images_shape: Shape,
        locations_shape: Shape,
        zoom_shape: Shape | None = None,
    ) -> None:
        """Note the shapes, for `summary`; there are no weights."""
        self.retina.build(images_shape, locations_shape)

    def compute_output_shape(
        self,
        images_shape: Shape,
        locations_shape: Shape,
        zoom_shape: Shape | None = None,
    ) -> tuple[int | None, ...]:
        """`(B, size, size, scales * C)`."""
        batch, channels = images_shape[0], images_shape[-1]
        depth = None if channels is None else self.scales * channels
        return (batch, self.size, self.size, depth)

    def call(self, images: Tensor, locations: Tensor, zoom: Tensor) -> Tensor:
        """The glimpses at `locations`, as wide as `zoom` says."""
        channels = images.shape[-1]
        patches = self.retina(images, locations)  # [B, g, g, (scales + zooms - 1) C]
        chosen = ops.one_hot(zoom, self.zooms, dtype=patches.dtype)  # [B, zooms]
        glimpse = 0.0
        for z in range(self.zooms):
            seen = patches[..., z * channels : (z + self.scales) * channels]
            glimpse = glimpse + chosen[:, z, None, None, None] * seen
        return glimpse
