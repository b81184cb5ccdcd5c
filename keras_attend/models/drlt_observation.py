"""What DRLT observes a frame by: networks from images to what is told of them."""

import keras
from keras import layers, ops

from keras_attend.arguments import check_positive_integers
from keras_attend.layers.spatial_softmax import SpatialSoftmax
from keras_attend.types import Shape, Tensor

SAME = {"padding": "same", "activation": "relu"}


def digit_cnn(units: int = 256) -> keras.Sequential:
    """Version 1's observation network: two convolutions with pooling, and a layer.

    (Paper: 5x5 filters, 16 of them; it does not say how borders are padded. Here they
    are, so that 100x100 pixels become 25x25x16 numbers.)
    """
    return keras.Sequential(
        [
            layers.Conv2D(16, 5, **SAME),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 5, **SAME),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(units, activation="relu"),
        ],
        name="digit_cnn",
    )


def point_cnn(filters: int = 24, layers_above: int = 2) -> keras.Sequential:
    """An observation network that says where things are: key points of its maps.

    What a place looks like it learns once for all places, and it says where to a
    fraction of a pixel: a few hundred videos are enough. Ours.

    Args:
        filters: of each convolution, and key points.
        layers_above: convolutions of 3x3 places above the first one, whose places are
            4 pixels apart.
    """
    above = [layers.Conv2D(filters, 3, **SAME) for _ in range(layers_above)]
    return keras.Sequential(
        [
            layers.Conv2D(filters, 8, 4, **SAME),
            *above,
            layers.Conv2D(filters, 1),
            SpatialSoftmax(),
        ],
        name="point_cnn",
    )


@keras.saving.register_keras_serializable("keras_attend")
class MatchPoints(keras.layers.Layer):
    r"""Where in an image the object of the first frame may be, as key points.

    With a convolutional network $\phi$, whose places $p$ are 8 pixels apart, the
    object's box in the first image is remembered as the mean features $T_k$ of its
    3x3 parts, and all around it as $T_0$. Each place of another image is compared with
    them,

    $$r_k(p) = \frac{\phi(p) \cdot T_k}{|\phi(p)| |T_k|}, \qquad k = 0 \dots 9,$$

    and from $r$, $\phi$ and its products with the parts' mean two convolutions make
    the maps whose points `SpatialSoftmax` returns. Ours: it stands in for features
    trained on ImageNet, which know more kinds of objects, but not which one is meant.

    Args:
        filters: of $\phi$.
        points: how many maps.

    Call arguments:
        images: `[N, rows, columns, C]` in 0..1.
        template: what `remember` returned, `[N, memory_size]`.

    Returns `[N, 4 points]`.
    """

    PARTS = 3

    def __init__(self, filters: int = 48, points: int = 24, **kwargs: object) -> None:
        super().__init__(**kwargs)
        check_positive_integers(filters=filters, points=points)
        self.filters, self.points = filters, points
        self.memory_size = (1 + self.PARTS**2) * filters
        self.features = keras.Sequential(
            [
                layers.Conv2D(filters // 2, 8, 4, **SAME),
                layers.Conv2D(filters, 3, 2, **SAME),
                layers.Conv2D(filters, 3, padding="same"),
            ],
            name="features",
        )
        self.head = keras.Sequential(
            [
                layers.Conv2D(filters, 1, activation="relu"),
                layers.Conv2D(filters, 3, **SAME),
                layers.Conv2D(points, 1),
                SpatialSoftmax(),
            ],
            name="head",
        )

    def build(self, input_shape: Shape) -> None:
        """Make the weights for images `[N, rows, columns, C]`."""
        self.features.build(input_shape)
        maps = self.features.compute_output_shape(input_shape)
        count = 2 * self.filters + 1 + self.PARTS**2
        self.head.build((*maps[:-1], count))

    def remember(self, images: Tensor, location: Tensor) -> Tensor:
        """The template, `[N, memory_size]`.

        Args:
            images: with the object, as of `call`.
            location: centre and sides of its box, in widths and heights, `[N, 4]`.
        """
        phi = self.features(images)  # [N, H, W, F]
        H, W, F = phi.shape[1:]
        x, y, w, h = ops.unstack(ops.cast(location, phi.dtype), 4, axis=-1)
        across = _shares(x - w / 2, w, W, self.PARTS)  # [N, 3, W]
        down = _shares(y - h / 2, h, H, self.PARTS)  # [N, 3, H]
        share = down[:, :, None, :, None] * across[:, None, :, None, :]
        share = ops.reshape(share, (-1, self.PARTS**2, H * W))
        phi = ops.reshape(phi, (-1, H * W, F))
        parts = ops.matmul(share, phi)  # [N, 9, F]
        around = ops.mean(phi, axis=1, keepdims=True)  # [N, 1, F]
        T = ops.concatenate([around, parts], axis=1)
        return ops.reshape(T, (-1, self.memory_size))

    def call(self, images: Tensor, template: Tensor | None = None) -> Tensor:
        """Key points of where the template is."""
        phi = self.features(images)
        H, W, F = phi.shape[1:]
        if template is None:  # Keras asks for the output's shape
            template = ops.zeros_like(phi[:, 0, :1, 0]) + ops.zeros(self.memory_size)
        T = ops.reshape(template, (-1, 1 + self.PARTS**2, F))
        flat = ops.reshape(phi, (-1, H * W, F))
        r = ops.matmul(_unit(flat), ops.swapaxes(_unit(T), 1, 2))  # [N, H W, 10]
        alike = flat * ops.mean(T[:, 1:], axis=1, keepdims=True)
        maps = ops.concatenate([flat, r, alike], axis=-1)
        return self.head(ops.reshape(maps, (-1, H, W, maps.shape[-1])))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """`[N, 4 points]`."""
        return (input_shape[0], 4 * self.points)

    def get_config(self) -> dict[str, object]:
        """Constructor arguments."""
        config = {"filters": self.filters, "points": self.points}
        return {**super().get_config(), **config}


def _unit(x: Tensor) -> Tensor:
    """Vectors of length 1."""
    return x / ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True) + 1e-6)


def _shares(start: Tensor, length: Tensor, cells: int, parts: int) -> Tensor:
    """How much of each part of an interval lies in each cell, `[N, parts, cells]`.

    The interval is in 0..1, which the cells divide. A part's shares add up to 1, also
    where it is outside: then it is the cell on that side.
    """
    part = ops.maximum(length, 1e-3)[:, None, None] / parts
    low = start[:, None, None] + part * ops.arange(parts, dtype=part.dtype)[:, None]
    edge = ops.arange(cells + 1, dtype=part.dtype) / cells
    # The cells at the border reach to the end of the world.
    beyond = ops.convert_to_tensor([-1e3, *[0.0] * (cells - 1), 1e3], part.dtype)
    edge = edge + beyond
    inside = ops.clip((edge - low) / part, 0.0, 1.0)  # of the part, before the edge
    return inside[..., 1:] - inside[..., :-1]
