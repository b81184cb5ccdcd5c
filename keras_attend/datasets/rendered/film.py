"""How the frames of a clip are drawn: street, objects, light and grain."""

from functools import cache

import numpy as np

from keras_attend.datasets.rendered.backdrop import Backdrop
from keras_attend.datasets.rendered.pictures import paste
from keras_attend.datasets.rendered.scene import Shot
from keras_attend.datasets.rendered.sprites import MARGIN
from keras_attend.datasets.rendered.style import Style
from keras_attend.datasets.rendered.wardrobe import Wardrobe
from keras_attend.types import Array


def film(
    random: np.random.Generator,
    shot: Shot,
    street: Array,
    wardrobe: Wardrobe,
    style: Style,
) -> Array:
    """Draw the frames of a shot.

    Args:
        random: the generator of all that is drawn.
        shot: what the frames show.
        street: `[H, W, 3]` uint8, the picture behind all objects.
        wardrobe: the sprites of the objects.
        style: how the frames are drawn.

    Returns:
        `[T, H, W, 3]` uint8.
    """
    scene, frames, region = shot.scene, shot.frames, shot.region
    height, width = shot.size
    scale = np.array([width / region[2], height / region[3]])
    shutter = random.uniform(0, style.exposure)
    backdrop = Backdrop(random, street, shot)
    actors = wardrobe.cast(random, shot, backdrop.light)
    grain = random.uniform(0.5, 4) * _grain(height + 16, width + 16)
    grain = np.rint(grain).astype("int16")
    corners = random.integers(0, 17, (len(frames), 2))
    light = _flicker(random, len(frames))
    result = np.empty((len(frames), height, width, 3), "uint8")
    before: dict[int, float] = {}
    for t, frame in enumerate(frames):
        canvas = backdrop.frame(t, shutter)  # [H, 4 W] uint16
        rows = scene.in_frame(int(frame))
        boxes = scene.whole[rows].astype("float64")
        boxes[:, :2] += shot.shake[t] - region[:2]
        boxes *= np.concatenate([scale, scale])
        middles = boxes[:, 0] + boxes[:, 2] / 2
        places = dict(zip(scene.labels.track[rows].tolist(), middles, strict=True))
        around = MARGIN * boxes[:, 2:]
        inside = (boxes[:, :2] - around < [width, height]).all(1)
        inside &= (boxes[:, :2] + boxes[:, 2:] + around > 0).all(1)
        inside &= boxes[:, 3] > 1
        for row, box in zip(rows[inside].tolist(), boxes[inside], strict=True):
            behind = scene.behind(row)
            if behind > 0.9 or scene.exposed(row) == 0:
                continue
            track = int(scene.labels.track[row])
            actor = actors[track]
            levels, mirror = actor.pose(float(scene.labels.view[row]), t)
            moved = abs(places[track] - before.get(track, places[track]))
            blur = min(moved * shutter, width / 8)
            paste(canvas, levels, box, actor.tint, mirror, blur, behind * actor.side)
        before = places
        canvas *= light[t]
        canvas >>= 8
        top, left = corners[t]
        seen = canvas.view("int16")
        seen += grain[top : top + height, 4 * left : 4 * (left + width)]
        np.clip(seen, 0, 255, out=seen)
        pixels = seen.astype("uint8").reshape(height, width, 4)
        for channel in range(3):  # six times as fast as all at once
            result[t, ..., channel] = pixels[..., channel]
    return result


@cache
def _grain(height: int, width: int) -> Array:
    """Noise `[H, 4 W]` of variance 1. Each frame of a clip takes another part of it."""
    return np.random.default_rng(0).normal(size=(height, 4 * width)).astype("float32")


def _flicker(random: np.random.Generator, count: int) -> Array:
    """The brightness of each frame, `[T]` uint16 in 256ths.

    It goes in slow waves; a few clips go through a shadow.
    """
    time = np.arange(count)
    wave = np.sin(random.uniform(0.05, 0.4) * time + random.uniform(0, 7))
    light = 1 - random.uniform(0, 0.07) * (1 + wave)
    if random.random() < 0.15:
        start = random.integers(count)
        light[start : start + 12] *= random.uniform(0.6, 0.9)
    return (light * 256).astype("uint16")
