"""Cars, people and cyclists painted from random numbers, as many as are wanted.

A vehicle is a few convex prisms, seen from all sides by a camera at a man's height;
people are flat figures that swing their arms and legs.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_attend.datasets.rendered.sprites import Sprite, canvas_size, faded, grid

Array = NDArray[Any]
Random = np.random.Generator

TURNS = 13  # views of a vehicle, 15 degrees apart
STEPS = 8  # views of a walk
CAMERA_HEIGHT, CAMERA_DISTANCE = 1.65, 12.0  # metres
SUN = np.array([0.35, 0.85, 0.4])  # towards it: to the right, up, to the camera
# Red, green, blue: white, greys, black, blue, red, green, yellow; and how many cars.
PAINTS = np.array(
    [
        *[(225, 225, 222), (165, 168, 170), (95, 98, 102), (42, 43, 48)],
        *[(40, 60, 115), (150, 32, 34), (45, 80, 62), (205, 165, 60)],
    ],
    "float32",
)
SHARES = np.array([20, 24, 18, 18, 9, 7, 3, 1]) / 100
SKINS = np.array([(225, 180, 150), (190, 140, 110), (120, 80, 60)], "float32")
GLASS = np.array([46, 56, 64], "float32")
RUBBER = np.array([24, 24, 26], "float32")
METAL = np.array([120, 122, 124], "float32")


class Canvas:
    """Colour `[H, W, 3]` and opacity `[H, W]`; points are in 0..1 of the box."""

    def __init__(self, aspect: float) -> None:
        size = canvas_size(aspect)
        self.x, self.y = grid(size)  # [1, W], [H, 1]
        self.aspect = aspect
        self.soft = 1 / float(self.y[1, 0] - self.y[0, 0])  # pixels in a unit
        self.colour = np.zeros((*size, 3), "float32")
        self.opacity = np.zeros(size, "float32")

    def polygon(self, points: Array, colour: Array) -> None:
        """Fill a convex polygon `[N, 2]` (x, y), its edges soft by a pixel."""
        rows, columns = self._around(points.min(0), points.max(0))
        # One unit for both: heights of the box.
        x, y = self.x[:, columns] * self.aspect, self.y[rows]
        corners = points * [self.aspect, 1.0]
        following = np.roll(corners, -1, axis=0)
        area = (corners * following[:, ::-1] @ [1, -1]).sum()
        inside = np.full((y.shape[0], x.shape[1]), np.inf, "float32")
        for (px, py), edge in zip(corners, following - corners, strict=True):
            length = np.hypot(*edge) * np.sign(area)
            if abs(length) < 1e-6:
                continue
            ex, ey = (float(e) for e in edge / length)
            np.minimum(inside, (y * ex - py * ex) - (x * ey - px * ey), out=inside)
        self._fill(rows, columns, inside, colour)

    def ellipse(
        self, center: Iterable[float], height: float, colour: Array, hole: float = 0
    ) -> None:
        """Fill a circle of that height, but for its middle up to `hole` of it."""
        at, radius = np.array([*center]), height / 2
        reach = radius / np.array([self.aspect, 1.0])
        rows, columns = self._around(at - reach, at + reach)
        away = np.hypot(
            (self.x[:, columns] - at[0]) * self.aspect, self.y[rows] - at[1]
        )
        inside = radius - away
        if hole:
            inside = np.minimum(inside, away - hole * radius)
        self._fill(rows, columns, inside, colour)

    def limb(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        width: float,
        colour: Array,
        taper: float = 0.7,
    ) -> None:
        """A thick line, `width` of the box's height, thinner at its end."""
        ends = np.array([start, end])
        along = (ends[1] - ends[0]) * [self.aspect, 1.0]
        across = along[::-1] * [1, -1] / max(float(np.hypot(*along)), 1e-6)
        across = across / [self.aspect, 1.0] * width / 2
        near, far = ends
        corners = [near + across, near - across, far - taper * across]
        self.polygon(np.stack([*corners, far + taper * across]), colour)

    def _around(self, low: Array, high: Array) -> tuple[slice, slice]:
        room = 1 / self.soft
        columns = np.searchsorted(
            self.x[0], [low[0] - room / self.aspect, high[0] + room / self.aspect]
        )
        rows = np.searchsorted(self.y[:, 0], [low[1] - room, high[1] + room])
        return slice(*rows), slice(*columns)

    def _fill(self, rows: slice, columns: slice, inside: Array, colour: Array) -> None:
        cover = np.clip(inside * self.soft + 0.5, 0, 1)
        below = self.colour[rows, columns]
        below += cover[..., None] * (np.asarray(colour, "float32") - below)
        np.maximum(self.opacity[rows, columns], cover, out=self.opacity[rows, columns])

    def view(self, texture: Array, shadow: float) -> Array:
        """What is painted, darker below, as a `Sprite` has it."""
        height, width = self.opacity.shape
        rows = np.arange(height) * len(texture) // height
        columns = np.arange(width) * len(texture) // width
        shade = (1.08 - 0.2 * self.y) * texture[rows][:, columns]
        colour = self.colour * shade[..., None]
        return faded(np.clip(colour, 0, 255), self.opacity, shadow)


class Face(NamedTuple):
    """A flat convex piece of a vehicle's surface.

    `corners` `[N, 3]`: ahead, up, to its right, in metres. `normal` points outwards.
    """

    corners: Array
    normal: Array
    colour: Array

    def part(
        self, s: tuple[float, float], t: tuple[float, float], colour: Any
    ) -> "Face":
        """A piece of a quad: shares along its first edge, and its second."""
        a, b, c, d = self.corners
        corners = [
            (1 - v) * ((1 - u) * a + u * b) + v * ((1 - u) * d + u * c)
            for u, v in ((s[0], t[0]), (s[1], t[0]), (s[1], t[1]), (s[0], t[1]))
        ]
        return Face(np.stack(corners), self.normal, np.asarray(colour, "float32"))


def painted_sprite(look: str, random: Random, source: str) -> Sprite:
    """A sprite of that look, one of `LOOKS`, from random numbers alone."""
    # It stays where it is on the object: dirt, reflections.
    place = np.linspace(0, 7, 64)
    lines = [
        np.interp(place, range(8), line) for line in random.normal(1, 0.09, (8, 8))
    ]
    coarse = np.stack(
        [np.interp(place, range(8), line) for line in np.transpose(lines)]
    )
    texture = (coarse + random.normal(0, 0.03, coarse.shape)).astype("float32")
    if look == "person":
        return Sprite(look, source, _walker(random, texture))
    if look == "cyclist":
        return Sprite(look, source, _cyclist(random, texture))
    solids = _truck(random) if look == "truck" else _car(look, random)
    views = []
    for angle in np.linspace(0, np.pi, TURNS):
        if look == "truck" and angle < np.pi / 2:  # the cab is nearer than the box
            ends, cab, box, discs = solids
            views.append(_seen([ends, box, cab, discs], angle, texture))
        else:
            views.append(_seen(solids, angle, texture))
    return Sprite(look, source, tuple(views), turns=True)


def _seen(solids: list[list[Face]], angle: float, texture: Array) -> Array:
    """A vehicle that comes (angle 0), goes to the left (pi / 2) or away (pi)."""
    ahead = np.array([-np.sin(angle), 0, np.cos(angle)])  # right, up, to the camera
    axes = np.stack([ahead, [0, 1, 0], np.cross([0, 1, 0], ahead)])  # [3, 3]
    eye = np.array([0, CAMERA_HEIGHT, CAMERA_DISTANCE])
    polygons, colours = [], []
    for faces in solids:
        for face in faces:
            corners, normal = face.corners @ axes, face.normal @ axes
            if normal @ (eye - corners[0]) <= 0:
                continue
            away = CAMERA_DISTANCE - corners[:, 2:]
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
    """A profile `[N, 2]` (ahead, up) made wide: the faces around it, and two sides.

    `half` its width at each point. A face's first edge goes across, its second up or
    ahead; a side's goes ahead, then up, if it has four points.
    """
    half = np.broadcast_to(half, len(profile))
    right = np.concatenate([profile, half[:, None]], 1)  # [N, 3]
    left = right * [1, 1, -1]
    around = []
    for i in range(len(profile)):
        j = (i + 1) % len(profile)
        dx, dy = profile[j] - profile[i]
        normal = np.array([-dy, dx, 0]) / np.hypot(dx, dy)  # profiles go clockwise
        corners = np.stack([left[i], right[i], right[j], left[j]])
        around.append(Face(corners, normal, colour))
    order = [0, 3, 2, 1] if len(profile) == 4 else list(range(len(profile)))
    sides = [
        Face(points[order], np.array([0, 0, sign]), colour)
        for points, sign in ((left, -1.0), (right, 1.0))
    ]
    return around, sides


def _wheels(places: Iterable[float], radius: float, half: float) -> list[list[Face]]:
    """What is seen of the wheels from the ends, and from the sides."""
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
    """A hatchback, saloon, estate car or van: wheels, body, cabin."""
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
    around += [
        rear.part((0, 1), (0, 0.35), bumper),
        rear.part((0.36, 0.64), (0.42, 0.58), plate),
    ]
    around += [rear.part(s, (0.55, 0.95), red) for s in ((0.02, 0.2), (0.8, 0.98))]
    around += [
        grille.part((0, 1), (0.6, 1), bumper),
        grille.part((0.25, 0.75), (0.3, 0.55), RUBBER),
    ]
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
    """A lorry: wheels, driver's cab, box."""
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


def _walker(random: Random, texture: Array) -> tuple[Array, ...]:
    """Someone on foot, seen from the side, from left foot to left foot."""
    shirt, trousers = PAINTS[random.integers(len(PAINTS), size=2)] * 0.9
    skin, hair = SKINS[random.integers(len(SKINS))], RUBBER * random.uniform(1, 4)
    stout, stride = random.uniform(0.85, 1.25), random.uniform(0.34, 0.38)
    skirt, bag = random.random() < 0.2, random.random() < 0.3
    views = []
    for phase in np.linspace(0, 2 * np.pi, STEPS, endpoint=False):
        swing = float(np.sin(phase))
        canvas = Canvas(0.42)
        for side, dark in ((-1, 0.75), (1, 1.0)):  # the far limbs, then the near ones
            foot = 0.52 + side * swing * stride
            lifted = 0.955 - 0.04 * max(0.0, float(np.cos(phase)) * side)
            knee = (0.5 + 0.6 * (foot - 0.5) - 0.06, 0.72)
            canvas.limb((0.5, 0.48), knee, 0.095 * stout, trousers * dark, 0.8)
            canvas.limb(knee, (foot, lifted), 0.075 * stout, trousers * dark, 0.75)
            canvas.limb((foot + 0.1, lifted + 0.02), (foot - 0.13, 0.98), 0.04, RUBBER)
        hand = (0.5 + swing * 0.33, 0.5)
        canvas.limb((0.5, 0.22), hand, 0.06 * stout, shirt * 0.75)
        hips, chest = 0.19 * stout, 0.26 * stout
        corners = [(0.5 - chest, 0.2), (0.5 + chest, 0.2), (0.5 + hips, 0.54)]
        if skirt:
            hips = 0.3
            corners[2] = (0.5 + hips, 0.66)
        torso = np.array(
            [(0.5, 0.16), *corners[:2], corners[2], (0.5 - hips, corners[2][1])]
        )
        canvas.polygon(torso[[0, 2, 3, 4, 1]], shirt)
        if bag:
            canvas.limb((0.5 + chest, 0.22), (0.5 + chest, 0.42), 0.1, RUBBER * 2, 1.0)
        elbow = (0.5 - swing * 0.2, 0.37)
        canvas.limb((0.5, 0.21), elbow, 0.07 * stout, shirt * 1.1, 0.9)
        canvas.limb(elbow, (0.5 - swing * 0.36, 0.5), 0.06 * stout, shirt * 1.1)
        canvas.ellipse((0.5 - swing * 0.37, 0.51), 0.04, skin)
        canvas.limb((0.5, 0.1), (0.49, 0.19), 0.06, skin * 0.9, 1.0)
        canvas.ellipse((0.47, 0.08), 0.13, skin)
        canvas.ellipse((0.52, 0.065), 0.13, hair)
        views.append(canvas.view(texture, shadow=0.35))
    return tuple(views)


def _cyclist(random: Random, texture: Array) -> tuple[Array, ...]:
    """Someone on a bicycle, seen from the side, who pedals."""
    shirt, trousers, frame = PAINTS[random.integers(len(PAINTS), size=3)] * 0.9
    skin, hair = SKINS[random.integers(len(SKINS))], RUBBER * random.uniform(1, 5)
    lean = random.uniform(0.0, 0.12)
    axle, hip, neck = (0.5, 0.79), (0.6, 0.46), (0.46 - lean, 0.2)
    views = []
    for phase in np.linspace(0, 2 * np.pi, STEPS, endpoint=False):
        canvas = Canvas(0.85)
        for x in (0.24, 0.76):
            canvas.ellipse((x, 0.8), 0.4, RUBBER, hole=0.86)
            canvas.ellipse((x, 0.8), 0.05, METAL)
        for start, end in (
            ((0.24, 0.8), (0.32, 0.5)),
            ((0.32, 0.55), axle),
            (axle, (0.6, 0.5)),
            ((0.6, 0.55), (0.32, 0.55)),
            (axle, (0.76, 0.8)),
            ((0.76, 0.8), (0.6, 0.55)),
        ):
            canvas.limb(start, end, 0.022, frame, 1.0)
        for side, dark in ((-1, 0.7), (1, 1.0)):
            pedal = axle + 0.07 * side * np.array([np.cos(phase), np.sin(phase)])
            knee = (
                0.4 + 0.3 * (float(pedal[0]) - 0.5),
                0.35 + 0.4 * float(pedal[1] - 0.5),
            )
            canvas.limb(hip, knee, 0.09, trousers * dark, 0.8)
            canvas.limb(knee, (float(pedal[0]), float(pedal[1])), 0.07, trousers * dark)
        canvas.limb(hip, neck, 0.15, shirt, 1.2)
        canvas.limb((neck[0], neck[1] + 0.04), (0.34, 0.5), 0.055, shirt * 0.85)
        canvas.ellipse((0.33, 0.5), 0.04, skin)
        canvas.ellipse((neck[0] - 0.04, 0.085), 0.14, skin)
        canvas.ellipse((neck[0] - 0.02, 0.07), 0.14, hair)
        views.append(canvas.view(texture, shadow=0.35))
    return tuple(views)
