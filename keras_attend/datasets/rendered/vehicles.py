"""Vehicles, painted: a few convex prisms, seen from all sides by KITTI's camera.

The `texture` here is that of `Canvas.view`.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from keras_attend.datasets.kitti_labels import ABOVE_STREET
from keras_attend.datasets.rendered.canvas import GLASS, METAL, PAINTS, RUBBER, Canvas
from keras_attend.types import Array

Random = np.random.Generator

TURNS = 13  # views of a vehicle, 15 degrees apart
DISTANCE = 12.0  # metres from the camera
SUN = np.array([0.35, 0.85, 0.4])  # towards it: to the right, up, to the camera
SHARES = np.array([20, 24, 18, 18, 9, 7, 3, 1]) / 100  # of cars in each of the `PAINTS`


def vehicle(look: str, random: Random, texture: Array) -> tuple[Array, ...]:
    """Paint the views of a "car", "van" or "truck" that turns, as of `Sprite`."""
    solids = _truck(random) if look == "truck" else _car(look, random)
    views = []
    for angle in np.linspace(0, np.pi, TURNS):
        if look == "truck" and angle < np.pi / 2:  # the cab is nearer than the box
            ends, cab, box, discs = solids
            views.append(_seen([ends, box, cab, discs], angle, texture))
        else:
            views.append(_seen(solids, angle, texture))
    return tuple(views)


class Face(NamedTuple):
    """A flat convex piece of a vehicle's surface.

    Attributes:
        corners: `[N, 3]` metres: ahead, up and to the right of the vehicle's middle.
        normal: `[3]`, of length 1, points outwards.
        colour: `[3]` of 0..255.
    """

    corners: Array
    normal: Array
    colour: Array

    def part(
        self, s: tuple[float, float], t: tuple[float, float], colour: Any
    ) -> "Face":
        """A part of a face of four corners, in a colour of its own.

        It goes from one share to another of the edge between corners 0 and 1 (`s`), and
        of that between corners 0 and 3 (`t`).
        """
        a, b, c, d = self.corners
        corners = [
            (1 - v) * ((1 - u) * a + u * b) + v * ((1 - u) * d + u * c)
            for u, v in ((s[0], t[0]), (s[1], t[0]), (s[1], t[1]), (s[0], t[1]))
        ]
        return Face(np.stack(corners), self.normal, np.asarray(colour, "float32"))


def _seen(solids: list[list[Face]], angle: float, texture: Array) -> Array:
    """Paint a vehicle that comes (angle 0), goes to the left (pi / 2) or away (pi).

    The faces of later `solids` hide those of earlier ones. Returns `[H, W, 4]` uint8.
    """
    ahead = np.array([-np.sin(angle), 0, np.cos(angle)])  # right, up, to the camera
    axes = np.stack([ahead, [0, 1, 0], np.cross([0, 1, 0], ahead)])  # [3, 3]
    eye = np.array([0, ABOVE_STREET, DISTANCE])
    polygons, colours = [], []
    for faces in solids:
        for face in faces:
            corners, normal = face.corners @ axes, face.normal @ axes
            if normal @ (eye - corners[0]) <= 0:
                continue
            away = DISTANCE - corners[:, 2:]
            polygons.append((corners[:, :2] - eye[:2]) / away * [1, -1])
            light = 0.62 + 0.4 * max(float(normal @ SUN), 0)
            colours.append(face.colour * light)
    points = np.concatenate(polygons)
    low, high = points.min(0), points.max(0)
    canvas = Canvas(float((high - low)[0] / (high - low)[1]))
    for polygon, colour in zip(polygons, colours, strict=True):
        canvas.polygon((polygon - low) / (high - low), colour)
    return canvas.view(texture, shadow=0.6)


def _prism(profile: Array, half: Any, colour: Array) -> tuple[list[Face], list[Face]]:
    """The faces of a prism: those along its profile's edges, and its two sides.

    The edge from corner 0 to 1 goes across in the former, and ahead in sides of four
    points, whose edge from corner 0 to 3 goes up.

    The `profile` is `[N, 2]` metres (ahead, up), clockwise; `half` is half of the
    prism's width at each of its points, in metres.
    """
    half = np.broadcast_to(half, len(profile))
    right = np.concatenate([profile, half[:, None]], 1)  # [N, 3]
    left = right * [1, 1, -1]
    around = []
    for i in range(len(profile)):
        j = (i + 1) % len(profile)
        dx, dy = profile[j] - profile[i]
        normal = np.array([-dy, dx, 0]) / np.hypot(dx, dy)  # points outwards
        corners = np.stack([left[i], right[i], right[j], left[j]])
        around.append(Face(corners, normal, colour))
    order = [0, 3, 2, 1] if len(profile) == 4 else list(range(len(profile)))
    sides = [
        Face(points[order], np.array([0, 0, sign]), colour)
        for points, sign in ((left, -1.0), (right, 1.0))
    ]
    return around, sides


def _wheels(places: Iterable[float], radius: float, half: float) -> list[list[Face]]:
    """The faces of wheels: those seen from the ends, and those seen from the sides.

    `places` are those of the axles ahead of the vehicle's middle, `half` is half of the
    vehicle's width. All lengths are in metres.
    """
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    circle = np.stack([np.cos(turn), np.sin(turn), 0 * turn], 1)
    ends, sides = [], []
    for x in places:
        for sign in (-1.0, 1.0):
            box = np.array([[-1, 0], [-1, 1.6], [1, 1.6], [1, 0]]) * radius + [x, 0]
            around, _ = _prism(box, 0.11, RUBBER)
            shift = np.array([0, 0, sign * (half - 0.13)])
            ends += [Face(f.corners + shift, f.normal, RUBBER) for f in around]
            middle, out = np.array([x, radius, sign * half]), np.array([0, 0, sign])
            for size, colour in ((1.15, RUBBER * 0.6), (0.98, RUBBER), (0.6, METAL)):
                sides.append(Face(circle * size * radius + middle, out, colour))
    return [ends, sides]


def _car(look: str, random: Random) -> list[list[Face]]:
    """The faces of a hatchback, saloon, estate car or van: wheels, body, cabin."""
    van = look == "van"
    length = random.uniform(4.3, 5.2) if van else random.uniform(3.6, 4.8)
    half = random.uniform(0.88, 0.98) if van else random.uniform(0.8, 0.9)
    height = random.uniform(1.8, 2.3) if van else random.uniform(1.38, 1.58)
    belt = height * random.uniform(0.52, 0.62)
    paint = PAINTS[random.choice(len(PAINTS), p=SHARES)] * random.uniform(0.88, 1.1)
    paint = paint * random.uniform(0.96, 1.04, 3)
    nose, slope = (0.4, 0.3) if van else random.uniform([0.2, 0.0], [0.27, 0.1])
    tail = random.choice([0.49, 0.42, 0.26]) if not van else 0.49
    low, front = 0.2, 0.42 * height if van else 0.5 * height
    body = np.array(
        [[-0.5, low], [-0.49, belt], [nose, belt], [0.49, front + 0.06], [0.5, low]]
    ) * [length, 1.0]
    around, sides = _prism(body, half, paint)
    rear, bonnet, grille = around[0], around[2], around[3]
    red, lamp, plate = (150, 20, 22), (215, 220, 225), (205, 205, 195)
    bumper = paint * random.choice([0.35, 0.9])
    around += [rear.part((0, 1), (0, 0.35), bumper)]
    around += [rear.part((0.36, 0.64), (0.42, 0.58), plate)]
    around += [rear.part(s, (0.55, 0.95), red) for s in ((0.02, 0.2), (0.8, 0.98))]
    around += [grille.part((0, 1), (0.6, 1), bumper)]
    around += [grille.part((0.25, 0.75), (0.3, 0.55), RUBBER)]
    around += [grille.part(s, (0.12, 0.45), lamp) for s in ((0.03, 0.24), (0.76, 0.97))]
    around += [grille.part((0.37, 0.63), (0.62, 0.76), plate)]
    around += [bonnet.part((0.1, 0.9), (0.1, 0.9), paint * 1.08)]
    bottom = [[-tail - 0.04 if tail < 0.4 else -0.49, belt], [nose + 0.02, belt]]
    top = [[-tail + 0.05, height], [slope, height]]
    cabin = np.array([bottom[0], top[0], top[1], bottom[1]]) * [length, 1.0]
    roof, windows = _prism(cabin, half * np.array([0.97, 0.8, 0.8, 0.97]), paint)
    glass = GLASS * random.uniform(0.7, 1.5)
    roof += [roof[0].part((0.08, 0.92), (0.12, 0.85), glass)]
    roof += [roof[2].part((0.05, 0.95), (0.08, 0.92), glass * 1.15)]
    pillars = [0.05, 0.48, 0.95] if not van else [0.55, 0.74, 0.97]
    if (van and random.random() < 0.5) or (not van and tail > 0.4):
        pillars = [0.04, 0.3, 0.62, 0.96]
    for side in list(windows):
        for start, end in pairwise(pillars):
            windows += [side.part((start + 0.02, end - 0.02), (0.1, 0.84), glass)]
    radius = random.uniform(0.29, 0.34)
    ends, discs = _wheels((-0.31 * length, 0.31 * length), radius, half + 0.005)
    return [ends, around + sides, discs, windows + roof]


def _truck(random: Random) -> list[list[Face]]:
    """The faces of a lorry: wheels, driver's cab, box."""
    length, height = random.uniform(6.0, 9.0), random.uniform(2.8, 3.5)
    half = random.uniform(1.1, 1.25)
    paint, load = PAINTS[random.integers(len(PAINTS), size=2)]
    split = 0.5 * length - random.uniform(1.6, 2.0)
    square = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])

    def block(start: float, end: float, low: float, high: float, colour: Array) -> Any:
        return _prism(square * [end - start, high - low] + [start, low], half, colour)

    box, box_sides = block(-0.5 * length, split - 0.1, 0.75, height, load)
    cab, cab_sides = block(split, 0.5 * length, 0.45, 0.85 * height, paint)
    stripe = PAINTS[random.integers(len(PAINTS))]
    box += [box[0].part((0.49, 0.51), (0.03, 0.97), load * 0.5)]
    box += [box[0].part(s, (0.0, 0.06), (150, 20, 22)) for s in ((0, 0.15), (0.85, 1))]
    box += [side.part((0.1, 0.9), (0.4, 0.6), stripe) for side in box_sides[:2]]
    cab += [cab[2].part((0.06, 0.94), (0.08, 0.5), GLASS)]
    cab += [cab[2].part((0.1, 0.9), (0.62, 0.85), RUBBER)]
    cab += [side.part((0.25, 0.9), (0.45, 0.9), GLASS) for side in cab_sides[:2]]
    places = (-0.38 * length, -0.22 * length, 0.36 * length)
    ends, discs = _wheels(places, 0.48, half)
    return [ends, cab + cab_sides, box_sides + box, discs]
