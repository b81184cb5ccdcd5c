"""How `RenderedKITTI` films a scene: the street, who plays in it, frame by frame."""

import math
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_attend.datasets.rendered.painted import painted_sprite
from keras_attend.datasets.rendered.scene import (
    FRAME,
    HORIZON,
    LOOK_OF,
    Scene,
    as_picture,
    paste,
    pyramid,
    sampled,
    smeared,
)
from keras_attend.datasets.rendered.sprites import LOOKS, MARGIN, Sprite

Array = NDArray[Any]
Random = np.random.Generator

ZOOM = 1.06  # of the street, at least: nothing beyond its border is seen
ROOM = 8  # pixels of the street kept beyond what is seen of it
STRETCH = np.log(1.5)  # at most, of what was cut
GREY = 105.0  # the mean light of a street in which sprites keep theirs


class Look(NamedTuple):
    """A sprite made ready: each view as `pyramid` makes it."""

    views: list[list[Array]]
    turns: bool
    painted: bool


class Actor(NamedTuple):
    """What an object of a clip looks like."""

    look: Look
    kind: str  # of `LOOKS`
    mirror: bool
    tint: Array  # as `paste` takes it
    pace: float  # views a frame, of one that does not turn
    phase: float
    side: int  # from which it goes behind things: 1 from the left, -1


class Wardrobe:
    """Looks to draw from: cut ones, and painted ones that are made when needed.

    Args:
        cut: sprites.
        painted: the share of objects with painted looks, where there are others.
        count: of painted looks of each kind.
        stream: what the painted ones are drawn from: other numbers, other looks.
    """

    def __init__(
        self,
        cut: Iterable[Sprite],
        painted: float,
        count: int,
        stream: tuple[int, ...],
    ) -> None:
        self.cut: dict[str, list[Sprite]] = {look: [] for look in LOOKS}
        for sprite in cut:
            self.cut[sprite.look].append(sprite)
        self.painted = painted
        self.count = count
        self.stream = stream
        self._ready: dict[tuple[str, str, int], Look] = {}

    def draw(self, random: Random, kind: str, aspect: float) -> Look:
        """A look of that kind, for a box that is `aspect` times as wide as high."""
        cut, share = self.cut[kind], random.random()
        source, number = "cut", int(random.integers(max(len(cut), 1)))
        # What was cut does not turn, and must not be stretched much.
        if (
            not cut
            or share < self.painted
            or abs(np.log(_aspect(cut[number]) / aspect)) > STRETCH
        ):
            source, number = "painted", int(random.integers(self.count))
        key = (kind, source, number)
        if key not in self._ready:
            sprite = cut[number] if source == "cut" else self.paint(kind, number)
            views = [pyramid(view) for view in sprite.views]
            self._ready[key] = Look(views, sprite.turns, source == "painted")
        return self._ready[key]

    def paint(self, kind: str, number: int) -> Sprite:
        """Painted look `number` of that kind."""
        seed = [*self.stream, LOOKS.index(kind), number]
        return painted_sprite(kind, np.random.default_rng(seed), f"painted {seed}")


def _aspect(sprite: Sprite) -> float:
    return float(np.mean([v.shape[1] / v.shape[0] for v in sprite.views]))


def film(
    random: Random,
    scene: Scene,
    target: int,
    frames: Array,
    view: Array,
    size: tuple[int, int],
    shake: Array,
    street: Array,
    wardrobe: Wardrobe,
    alike: float,
    exposure: float,
) -> Array:
    """Film frames of a scene.

    Args:
        random: of all draws.
        scene: what goes on.
        target: the track whose look others may share.
        frames: `[T]`, their numbers.
        view: what is seen of the frame, `xywh`.
        size: height and width of the result.
        shake: of the camera, `[T, 2]`, x and y in pixels of the frame.
        street: `[H, W, 3]` uint8.
        wardrobe: of the objects.
        alike, exposure: as of `RenderedKITTI`.

    Returns:
        `[T, *size, 3]` uint8.
    """
    height, width = size
    scale = np.array([width / view[2], height / view[3]])
    shutter = random.uniform(0, exposure)
    backdrop = Backdrop(random, street, view, size, scene.turning(frames), shake)
    cast = _cast(random, scene, target, frames, wardrobe, alike, backdrop.light, width)
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
        boxes[:, :2] += shake[t] - view[:2]
        boxes *= np.concatenate([scale, scale])
        middles = boxes[:, 0] + boxes[:, 2] / 2
        places = dict(zip(scene.labels.track[rows].tolist(), middles, strict=True))
        around = MARGIN * boxes[:, 2:]
        there = (boxes[:, :2] - around < [width, height]).all(1)
        there &= (boxes[:, :2] + boxes[:, 2:] + around > 0).all(1)
        there &= boxes[:, 3] > 1
        for row, box in zip(rows[there].tolist(), boxes[there], strict=True):
            behind = scene.behind(row)
            if behind > 0.9 or scene.exposed(row) == 0:
                continue
            track = int(scene.labels.track[row])
            actor = cast[track]
            levels, mirror = _pose(actor, float(scene.labels.view[row]), t)
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
    """Noise `[H, 4 W]` of variance 1, the same for all clips: it is seen in parts."""
    return np.random.default_rng(0).normal(size=(height, 4 * width)).astype("float32")


class Backdrop:
    """A picture of a street, of which the camera sees more or less, here or there.

    It grows (or shrinks) around the horizon's middle, goes to the side as the far
    objects do, and may lean a little, the same all the time.
    """

    def __init__(
        self,
        random: Random,
        street: Array,
        view: Array,
        size: tuple[int, int],
        turning: Array,
        shake: Array,
    ) -> None:
        count = len(turning)
        self.view, self.size = view, size
        zoom = random.uniform(ZOOM, 1.5) * np.exp(
            random.uniform(-0.006, 0.006) * np.arange(count)
        )
        self.zoom = np.maximum(zoom, ZOOM)
        self.middle = np.array([0.5 * FRAME[2], HORIZON * FRAME[3]])
        self.shift = shake + np.array([random.uniform(-60, 60), 0])
        self.shift[:, 0] += np.cumsum(turning)
        self.turning = abs(turning)
        if random.random() < 0.5:
            street = street[:, ::-1]
        self.height, self.width = street.shape[:2]
        # What will be seen of it; beyond its border to the side it is mirrored.
        left, right = self._seen(0, self.width)
        top, bottom = self._seen(1, self.height)
        self.first = (left, max(top, 0))
        lap = np.arange(left, right) % (2 * self.width)
        columns = np.where(lap < self.width, lap, 2 * self.width - 1 - lap)
        part = np.take(street[max(top, 0) : bottom], columns, axis=1)  # [h, w, 3]
        self.light = float(part[::4, ::4].mean())
        lean = random.uniform(-0.02, 0.02, 2)
        upright = random.random() < 0.5
        self.part = as_picture(part) if upright else _leaning(part, *lean)

    def _seen(self, axis: int, size: int) -> tuple[int, int]:
        """The first and the last but one of the picture's columns, or rows."""
        view = (self.view[axis], self.view[axis] + self.view[2 + axis])
        places = np.stack([self._place(edge, axis) for edge in view])
        places = places / FRAME[2 + axis] * size
        return math.floor(places.min()) - ROOM, math.ceil(places.max()) + ROOM

    def _place(self, seen: Array | float, axis: int) -> Array:
        """Where in the street's picture something in the frame is, `[T]`."""
        middle = self.middle[axis]
        return middle + (seen - middle - self.shift[:, axis]) / self.zoom

    def frame(self, t: int, shutter: float) -> Array:
        """What is seen at time t, a picture of `size`."""
        ends = []
        limits = (self.part.shape[1] // 4, self.part.shape[0])
        scales = (self.width / FRAME[2], self.height / FRAME[3])
        for axis, first in enumerate(self.first):
            count = self.size[1 - axis]
            scale = count / self.view[2 + axis]  # pixels of the result
            middle = self.middle[axis]
            # Where the part's first pixel is in the frame, and how long the part is.
            start = middle + (first / scales[axis] - middle) * self.zoom[t]
            start = (start + self.shift[t, axis] - self.view[axis]) * scale
            length = limits[axis] / scales[axis] * self.zoom[t] * scale
            blur = self.turning[t] * scale * shutter * (axis == 0)
            ends.append(smeared(start, length, (0, count), limits[axis], blur))
        return sampled(self.part, ends[1][0], ends[0])


def _leaning(pixels: Array, roll: float, shear: float) -> Array:
    """Pixels `[H, W, 3]` as a picture, each column moved down by `roll` times its
    place, each row to the right by `shear` times its own.
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


def _cast(
    random: Random,
    scene: Scene,
    target: int,
    frames: Array,
    wardrobe: Wardrobe,
    alike: float,
    light: float,
    width: int,
) -> dict[int, Actor]:
    """Who plays the tracks of these frames."""
    rows = np.concatenate([scene.in_frame(int(frame)) for frame in np.unique(frames)])
    tracks, first = np.unique(scene.labels.track[rows], return_index=True)
    order = np.argsort(tracks != target, kind="stable")  # the target before all others
    cast: dict[int, Actor] = {}
    for track, at in zip(tracks[order], rows[first][order], strict=True):
        kind = LOOK_OF[str(scene.labels.kind[at])]
        w, h = scene.whole[at, 2:]
        look = wardrobe.draw(random, kind, w / h)
        same = random.random() < alike
        if same and cast and cast[target].kind == kind:
            look = cast[target].look
        mirror = bool(random.random() < 0.5)
        if look.painted:  # they face to the left
            mirror = bool(np.cos(scene.labels.view[at]) > 0)
        bright = np.clip(light / GREY, 0.6, 1.15) * np.exp(random.normal(0, 0.2))
        colour = 128 * bright * np.exp(random.normal(0, 0.06, 3))
        tint = np.append(np.clip(colour, 0, 255), 128).astype("uint16")
        tint = np.tile(tint, width)
        pace, phase = random.uniform(0.3, 1.0), random.uniform(0, 16)
        side = 1 if random.random() < 0.5 else -1
        cast[int(track)] = Actor(look, kind, mirror, tint, pace, phase, side)
    return cast


def _pose(actor: Actor, heading: float, t: int) -> tuple[list[Array], bool]:
    """Which view of an object to draw, and whether mirrored."""
    views = actor.look.views
    last = len(views) - 1
    if actor.look.turns:
        # From coming (heading pi / 2) by the side to going away (- pi / 2).
        turned = np.arccos(np.clip(np.sin(heading), -1, 1)) / np.pi
        return views[round(turned * last)], bool(np.cos(heading) > 0)
    step = int(actor.phase + actor.pace * t) % max(2 * last, 1)
    return views[min(step, 2 * last - step)], actor.mirror


def _flicker(random: Random, count: int) -> Array:
    """How bright each frame is, `[T]` uint16 in 256ths: slow waves, seldom a shadow."""
    time = np.arange(count)
    wave = np.sin(random.uniform(0.05, 0.4) * time + random.uniform(0, 7))
    light = 1 - random.uniform(0, 0.07) * (1 + wave)
    if random.random() < 0.15:
        start = random.integers(count)
        light[start : start + 12] *= random.uniform(0.6, 0.9)
    return (light * 256).astype("uint16")
