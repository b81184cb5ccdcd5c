"""Key points: where each of several maps is high, by a softmax over its places."""

import keras
from keras import ops

from keras_attend.types import Shape, Tensor


@keras.saving.register_keras_serializable("keras_attend")
class SpatialSoftmax(keras.layers.Layer):
    r"""Find where each map is high: one point a map (Finn et al. 2016).

    ```python
    points = SpatialSoftmax()(maps)  # [B, 4 K] of [B, H, W, K]
    ```

    With $p_{ij} = \mathrm{softmax}_{ij}(m_{ij} / \tau)$ over all places,

    $$x = \sum_{ij} p_{ij} x_j, \quad y = \sum_{ij} p_{ij} y_i, \quad
      s = \sqrt{\sum_{ij} p_{ij} ((x_j - x)^2 + (y_i - y)^2)}, \quad
      a = \sum_{ij} p_{ij} m_{ij}$$

    Places run from -1 to 1, and a point is exact to a fraction of a place. (The paper
    has the points alone. The spread $s$ tells one high place from several, the level
    $a$ whether there is one.)

    It takes maps `[B, H, W, K]` and returns `[B, 4 K]`: all x, all y, all s and all a.
    $\tau$ is learned, one for each map.
    """

    def build(self, input_shape: Shape) -> None:
        r"""Make the weights $\log (1 / \tau)$."""
        self.sharpness = self.add_weight(
            shape=(input_shape[-1],),
            initializer="zeros",
            dtype="float32",
            autocast=False,
            name="sharpness",
        )

    def call(self, inputs: Tensor) -> Tensor:
        """The points, spreads and levels `[B, 4 K]` of maps `[B, H, W, K]`."""
        H, W, K = inputs.shape[1:]
        maps = ops.reshape(ops.cast(inputs, "float32"), (-1, H * W, K))
        p = ops.softmax(maps * ops.exp(self.sharpness), axis=1)  # [B, H W, K]
        y, x = (
            (2.0 * ops.arange(n, dtype="float32") + 1 - n) / max(n - 1, 1)
            for n in (H, W)
        )
        y = ops.reshape(ops.broadcast_to(y[:, None], (H, W)), (H * W,))
        x = ops.reshape(ops.broadcast_to(x[None], (H, W)), (H * W,))
        moments = ops.stack([x, y, x * x + y * y])  # [3, H W]
        x, y, square = ops.unstack(ops.matmul(moments, p), 3, axis=1)  # [B, K] each
        s = ops.sqrt(ops.relu(square - x * x - y * y) + 1e-6)
        a = ops.sum(p * maps, axis=1)
        points = ops.concatenate([x, y, s, a], axis=-1)
        return ops.cast(points, self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """`[B, 4 K]`."""
        *_, K = input_shape
        return (input_shape[0], None if K is None else 4 * K)
