"""How `RenderedKITTI` films a scene: the street, who plays in it, frame by frame."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_attend.datasets.kitti_painted import painted_sprite
from keras_attend.datasets.kitti_scene import (
    FRAME,
    HORIZON,
    LOOK_OF,
    Scene,
    paste,
    pyramid,
    sampled,
    taps,
)
from keras_attend.datasets.kitti_sprites import LOOKS, Sprite

Array = NDArray[Any]
Random = np.random.Generator

ZOOM = 1.06  # of the street, at least: nothing beyond its border is seen
ROOM = 8  # pixels of the street kept beyond what is seen of it
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
    tint: Array  # [3], float32
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

    def draw(self, random: Random, kind: str) -> Look:
        """A look of that kind, the same object again for the same draw."""
        cut, share = self.cut[kind], random.random()
        source, number = "cut", int(random.integers(max(len(cut), 1)))
        if not cut or share < self.painted:
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
        street: a picture, `[3, H, W]` uint8.
        wardrobe: of the objects.
        alike, exposure: as of `RenderedKITTI`.

    Returns:
        `[T, *size, 3]` uint8.
    """
    height, width = size
    scale = np.array([width / view[2], height / view[3]])
    shutter = random.uniform(0, exposure)
    backdrop = Backdrop(random, street, view, size, scene.turning(frames), shake)
    cast = _cast(random, scene, target, frames, wardrobe, alike, backdrop.light)
    grain = random.normal(0, random.uniform(0.5, 4), (height + 16, width + 16))
    grain = grain.astype("float32")
    corners = random.integers(0, 17, (len(frames), 2))
    light = _flicker(random, len(frames))
    result = np.empty((len(frames), height, width, 3), "uint8")
    before: dict[int, float] = {}
    for t, frame in enumerate(frames):
        canvas = backdrop.frame(t, shutter)  # [3, H, W] float32
        places: dict[int, float] = {}
        for row in scene.in_frame(int(frame)):
            track = int(scene.labels.track[row])
            box = scene.whole[row].astype("float64")
            box[:2] += shake[t] - view[:2]
            box *= [*scale, *scale]
            places[track] = box[0] + box[2] / 2
            behind = scene.behind(track, int(frame))
            outside = (box[:2] > [width, height]) | (box[:2] + box[2:] < 0)
            if behind > 0.9 or (outside & (box[2:] < 0.2 * np.array(size[::-1]))).any():
                continue
            actor = cast[track]
            levels, mirror = _pose(actor, float(scene.labels.view[row]), t)
            moved = abs(places[track] - before.get(track, places[track]))
            blur = min(moved * shutter, width / 8)
            paste(canvas, levels, box, actor.tint, mirror, blur, behind * actor.side)
        before = places
        canvas *= light[t]
        top, left = corners[t]
        canvas += grain[top : top + height, left : left + width]
        np.clip(canvas, 0, 255, out=canvas)
        pixels = canvas.astype("uint8")
        for channel in range(3):  # five times as fast as transposing
            result[t, ..., channel] = pixels[channel]
    return result


class Backdrop:
    """A picture of a street, of which the camera sees more or less, here or there.

    It grows (or shrinks) around the horizon's middle, goes to the side as the far
    objects do, and leans a little, the same all the time.
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
        self.shift = shake + [random.uniform(-60, 60), 0]
        self.shift[:, 0] += np.cumsum(turning)
        self.turning = abs(turning)
        if random.random() < 0.5:
            street = street[:, :, ::-1]
        self.height, self.width = street.shape[1:]
        # The columns that will be seen; beyond its border the picture is mirrored.
        edges = np.stack([self._place(x, 0) for x in (view[0], view[0] + view[2])])
        edges = edges / FRAME[2] * self.width
        self.left = int(np.floor(edges.min())) - ROOM
        columns = np.arange(self.left, int(np.ceil(edges.max())) + ROOM)
        lap = columns % (2 * self.width)
        columns = np.where(lap < self.width, lap, 2 * self.width - 1 - lap)
        part = np.take(street, columns, axis=2)  # [3, H, K]
        self.light = float(part[:, ::4, ::4].mean())
        self.part = _leaning(part, *random.uniform(-0.02, 0.02, 2))

    def _place(self, seen: Array | float, axis: int) -> Array:
        """Where in the street's picture something in the frame is, `[T]`."""
        middle = self.middle[axis]
        return middle + (seen - middle - self.shift[:, axis]) / self.zoom

    def frame(self, t: int, shutter: float) -> Array:
        """What is seen at time t, `[3, *size]` float32."""
        ends = []
        limits = (self.part.shape[2], self.height)
        scales = (self.width / FRAME[2], self.height / FRAME[3])
        firsts = (self.left, 0)
        for axis in (0, 1):
            scale = self.size[1 - axis] / self.view[2 + axis]  # pixels of the result
            middle = self.middle[axis]
            # Where the part's first pixel is in the frame, and how long the part is.
            start = firsts[axis] / scales[axis]
            start = middle + (start - middle) * self.zoom[t] + self.shift[t, axis]
            length = limits[axis] / scales[axis] * self.zoom[t]
            blur = self.turning[t] * scale * shutter if axis == 0 else 0.0
            start = (start - self.view[axis]) * scale
            count = self.size[1 - axis]
            ends.append(taps(start, length * scale, count, limits[axis], blur, True))
        return sampled(self.part, ends[1], ends[0])


def _leaning(planes: Array, roll: float, shear: float) -> Array:
    """Planes `[3, H, W]`, each column moved down by `roll` times its place, each row
    to the right by `shear` times its own.
    """
    height, width = planes.shape[1:]
    x, y = np.arange(width), np.arange(height)[:, None]
    rows = y + roll * (x - width / 2)  # [H, W]
    columns = x + shear * (y - HORIZON * height)
    # Sixteenths of a pixel, and products of whole numbers: half the time of floats.
    rows = np.clip(rows * 16, 0, 16 * (height - 1) - 1).astype("int64")
    columns = np.clip(columns * 16, 0, 16 * (width - 1) - 1).astype("int64")
    index = ((rows >> 4) * width + (columns >> 4)).ravel()
    down, right = (p.astype("uint16").ravel() & 15 for p in (rows, columns))
    flat = np.ascontiguousarray(planes).reshape(3, -1)
    total = np.take(flat, index, axis=1) * ((16 - down) * (16 - right))
    total += np.take(flat, index + 1, axis=1) * ((16 - down) * right)
    total += np.take(flat, index + width, axis=1) * (down * (16 - right))
    total += np.take(flat, index + width + 1, axis=1) * (down * right)
    return (total >> 8).astype("uint8").reshape(planes.shape)


def _cast(
    random: Random,
    scene: Scene,
    target: int,
    frames: Array,
    wardrobe: Wardrobe,
    alike: float,
    light: float,
) -> dict[int, Actor]:
    """Who plays the tracks of these frames."""
    rows = np.concatenate([scene.in_frame(int(frame)) for frame in np.unique(frames)])
    tracks, first = np.unique(scene.labels.track[rows], return_index=True)
    order = np.argsort(tracks != target, kind="stable")  # the target before all others
    cast: dict[int, Actor] = {}
    for track, at in zip(tracks[order], rows[first][order], strict=True):
        kind = LOOK_OF[str(scene.labels.kind[at])]
        look = wardrobe.draw(random, kind)
        same = random.random() < alike
        if same and cast and cast[target].kind == kind:
            look = cast[target].look
        mirror = bool(random.random() < 0.5)
        if look.painted:  # they face to the left
            mirror = bool(np.cos(scene.labels.view[at]) > 0)
        bright = np.clip(light / GREY, 0.6, 1.15) * np.exp(random.normal(0, 0.2))
        tint = (bright * np.exp(random.normal(0, 0.13, 3))).astype("float32")
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
    """How bright each frame is, `[T]` float32: slow waves, seldom a shadow."""
    time = np.arange(count)
    wave = np.sin(random.uniform(0.05, 0.4) * time + random.uniform(0, 7))
    light = 1 + random.uniform(0, 0.1) * wave
    if random.random() < 0.15:
        start = random.integers(count)
        light[start : start + 12] *= random.uniform(0.6, 0.9)
    return light.astype("float32")
