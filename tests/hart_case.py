"""Small HART models, and clips that they can learn from in seconds."""

import keras
import numpy as np
from keras import ops
from layer_check import compiled

from keras_attend.models import HARTCell

SMALL = {"size": 16, "units": 16, "channels": 1, "maps": 4, "filters": (8, 8, 8)}
SIDE = 24  # of a frame


def numpy(x):
    return ops.convert_to_numpy(x)


def quick(function):
    """Compiled where eager is slow: on JAX."""
    return compiled(function) if keras.backend.backend() == "jax" else function


def small_cell(**kwargs):
    return HARTCell(**{**SMALL, **kwargs})


def clips(random, n=64, frames=4, leaving=0.0):
    """A bright square of six pixels on a straight line that stays inside.

    From frame 2 on it is gone in a share `leaving` of the clips, whose boxes are then
    NaN.
    """
    start, velocity = random.uniform(7, 11, (n, 2)), random.uniform(-2, 2, (n, 2))
    corner = start[:, None] + velocity[:, None] * np.arange(frames)[:, None]
    pixels = np.arange(SIDE)
    along = [
        np.clip(pixels + 1 - c, 0, 1) * np.clip(c + 6 - pixels, 0, 1)
        for c in (corner[..., :1], corner[..., 1:])
    ]
    images = along[1][..., :, None] * along[0][..., None, :]  # [n, T, H, W]
    # Pixel i sits at coordinate i, and covers half a pixel on either side.
    boxes = np.concatenate([corner - 0.5, np.full_like(corner, 6.0)], axis=-1)
    present = np.ones((n, frames))
    present[random.random(n) < leaving, 2:] = 0
    images *= present[..., None, None]
    boxes[present == 0] = np.nan
    x = {"frames": images[..., None], "box": boxes[:, 0]}
    y = {"boxes": boxes, "present": present}
    return tuple({k: v.astype("float32") for k, v in d.items()} for d in (x, y))
