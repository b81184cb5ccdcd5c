"""Clips of a square that moves, for the trackers' tests."""

import numpy as np


def clips(random, n=64, frames=5, side=16):
    """A bright square of five pixels on a straight line that stays inside."""
    start, velocity = random.uniform(4, 7, (n, 2)), random.uniform(-0.9, 0.9, (n, 2))
    corner = (
        start[:, None] + velocity[:, None] * np.arange(frames)[:, None]
    )  # [n, T, 2]
    pixels = np.arange(side)
    along = [
        np.clip(pixels + 1 - c, 0, 1) * np.clip(c + 5 - pixels, 0, 1)
        for c in (corner[..., :1], corner[..., 1:])
    ]
    images = along[1][..., :, None] * along[0][..., None, :]  # [n, T, H, W]
    # Pixel i sits at coordinate i, and covers half a pixel on either side.
    boxes = np.concatenate([corner - 0.5, np.full_like(corner, 5.0)], axis=-1)
    x = {"frames": images[..., None], "box": boxes[:, 0]}
    x = {name: value.astype("float32") for name, value in x.items()}
    present = np.ones((n, frames), "float32")
    y = {"boxes": boxes.astype("float32"), "present": present}
    return x, y | {"labels": np.arange(n, dtype="int32") % 3}
