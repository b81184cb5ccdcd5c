"""How the frames of a clip are drawn: street, objects, light and grain."""

import math
from functools import cache

import numpy as np

from keras_attend.datasets.kitti_labels import HORIZON
from keras_attend.datasets.rendered.pictures import as_picture, paste, sampled, smeared
from keras_attend.datasets.rendered.scene import FRAME, Shot
from keras_attend.datasets.rendered.sprites import MARGIN
from keras_attend.datasets.rendered.style import Style
from keras_attend.datasets.rendered.wardrobe import Wardrobe
from keras_attend.types import Array

ZOOM = 1.06  # the least: the street's top and bottom stay outside the frame
ROOM = 8  # pixels of the street that are kept around what is seen


class Backdrop:
    """The street behind a clip's objects: a picture that moves.

    It grows or shrinks slowly around the middle of the horizon, and moves sideways as
    far objects do. It may be mirrored, and may lean a little. `light` is the mean of
    its pixels that are seen, 0..255.
    """

    def __init__(self, random: np.random.Generator, street: Array, shot: Shot) -> None:
        self.region, self.size = shot.region, shot.size
        zoom = random.uniform(ZOOM, 1.5) * np.exp(
            random.uniform(-0.006, 0.006) * np.arange(len(shot.frames))
        )
        self.zoom = np.maximum(zoom, ZOOM)
        self.middle = np.array([0.5 * FRAME[2], HORIZON * FRAME[3]])
        self.shift = shot.shake + np.array([random.uniform(-60, 60), 0])
        turning = shot.scene.turning(shot.frames)
        self.shift[:, 0] += np.cumsum(turning)
        self.turning = abs(turning)
        if random.random() < 0.5:
            street = street[:, ::-1]
        self.height, self.width = street.shape[:2]
        # Only the part that will be seen is kept. Left and right of the picture, the
        # street goes on as its mirror image.
        left, right = self._seen(0, self.width)
        top, bottom = self._seen(1, self.height)
        self.corner = (left, max(top, 0))
        lap = np.arange(left, right) % (2 * self.width)
        columns = np.where(lap < self.width, lap, 2 * self.width - 1 - lap)
        part = np.take(street[max(top, 0) : bottom], columns, axis=1)  # [h, w, 3]
        self.light = float(part[::4, ::4].mean())
        lean = random.uniform(-0.02, 0.02, 2)
        upright = random.random() < 0.5
        self.part = as_picture(part) if upright else leaning(part, *lean)

    def _seen(self, axis: int, size: int) -> tuple[int, int]:
        """The columns (axis 0) or rows (1) of the street that are seen, as a range."""
        edges = (self.region[axis], self.region[axis] + self.region[2 + axis])
        places = np.stack([self._place(edge, axis) for edge in edges])
        places = places / FRAME[2 + axis] * size
        return math.floor(places.min()) - ROOM, math.ceil(places.max()) + ROOM

    def _place(self, seen: float, axis: int) -> Array:
        """Where a place in the frame is on the street at each time, `[T]`."""
        middle = self.middle[axis]
        return middle + (seen - middle - self.shift[:, axis]) / self.zoom

    def frame(self, t: int, shutter: float) -> Array:
        """The background of frame t, a picture of `size`, blurred by its motion.

        `shutter` is the exposure as a share of the time between two frames.
        """
        ends = []
        limits = (self.part.shape[1] // 4, self.part.shape[0])
        scales = (self.width / FRAME[2], self.height / FRAME[3])
        for axis, corner in enumerate(self.corner):
            count = self.size[1 - axis]
            scale = count / self.region[2 + axis]  # of the clip to the scene
            middle = self.middle[axis]
            # Where the kept part begins in the clip's frame, and how long it is there.
            start = middle + (corner / scales[axis] - middle) * self.zoom[t]
            start = (start + self.shift[t, axis] - self.region[axis]) * scale
            length = limits[axis] / scales[axis] * self.zoom[t] * scale
            blur = self.turning[t] * scale * shutter * (axis == 0)
            ends.append(smeared(start, length, (0, count), limits[axis], blur))
        return sampled(self.part, ends[1][0], ends[0])


def leaning(pixels: Array, roll: float, shear: float) -> Array:
    """Pixels `[H, W, 3]` as a picture that leans.

    Each column is moved up by `roll` times its distance from the middle, each row to
    the left by `shear` times its own.
    """
    height, width = pixels.shape[:2]
    x, y = np.arange(width), np.arange(height)[:, None]
    rows = y + roll * (x - width / 2)  # [H, W]
    columns = x + shear * (y - height / 2)
    # In 16ths of a pixel.
    rows = np.clip(rows * 16, 0, 16 * (height - 1) - 1).astype("int64")
    columns = np.clip(columns * 16, 0, 16 * (width - 1) - 1).astype("int64")
    index = ((rows >> 4) * width + (columns >> 4)).ravel()
    down, right = ((p & 15).astype("uint16").ravel() for p in (rows, columns))
    flat = as_picture(pixels).reshape(-1).view("uint64")  # [H W]
    total = np.zeros(4 * height * width, "uint16")
    for shift, weight in (
        (0, (16 - down) * (16 - right)),
        (1, (16 - down) * right),
        (width, down * (16 - right)),
        (width + 1, down * right),
    ):
        total += np.take(flat, index + shift).view("uint16") * np.repeat(weight, 4)
    return (total >> 8).reshape(height, -1)


def film(
    random: np.random.Generator,
    shot: Shot,
    street: Array,
    wardrobe: Wardrobe,
    style: Style,
) -> Array:
    """Draw the frames of a shot, `[T, H, W, 3]` uint8."""
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
