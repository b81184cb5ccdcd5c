"""Which sprites there are, and by which of them each object of a clip is drawn."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from keras_attend.datasets.rendered.people import cyclist, walker
from keras_attend.datasets.rendered.pictures import pyramid
from keras_attend.datasets.rendered.scene import LOOK_OF, Shot
from keras_attend.datasets.rendered.sprites import LOOKS, Sprite
from keras_attend.datasets.rendered.style import Style
from keras_attend.datasets.rendered.vehicles import vehicle
from keras_attend.types import Array

Random = np.random.Generator

STRETCH = np.log(1.5)  # the most that a sprite from a video is stretched
GREY = 105.0  # on a street whose mean is this, sprites keep their brightness


class Costume(NamedTuple):
    """A sprite that is ready to be pasted."""

    views: list[list[Array]]  # each as `pyramid` makes it
    turns: bool  # as of `Sprite`
    painted: bool


class Actor(NamedTuple):
    """How one object of a clip is drawn."""

    costume: Costume
    look: str  # of `LOOKS`
    mirror: bool
    tint: Array  # as `paste` takes it
    pace: float  # how many views further it is in the next frame, if it does not turn
    phase: float  # which view it has in frame 0
    side: int  # it goes behind things with its left side first (1), or its right (-1)

    def pose(self, heading: float, t: int) -> tuple[list[Array], bool]:
        """Choose a view for frame t of the clip, and say whether to mirror it.

        `heading` is as `KITTILabels.view`, in radians.
        """
        views = self.costume.views
        last = len(views) - 1
        if self.costume.turns:
            # From coming (heading pi / 2) by the side to going away (- pi / 2).
            turned = np.arccos(np.clip(np.sin(heading), -1, 1)) / np.pi
            return views[round(turned * last)], bool(np.cos(heading) > 0)
        # The views there and back: 0, 1, ..., last, ..., 1, 0, ...
        step = int(self.phase + self.pace * t) % max(2 * last, 1)
        return views[min(step, 2 * last - step)], self.mirror


class Wardrobe:
    """The sprites of a dataset: those taken from videos, and painted ones.

    A sprite is painted when it is drawn for the first time, by the seeds `stream`.
    """

    def __init__(
        self, sprites: Iterable[Sprite], style: Style, stream: tuple[int, ...]
    ) -> None:
        self.sprites: dict[str, list[Sprite]] = {look: [] for look in LOOKS}
        for sprite in sprites:
            self.sprites[sprite.look].append(sprite)
        self.style, self.stream = style, stream
        self._ready: dict[tuple[str, bool, int], Costume] = {}

    def draw(self, random: Random, look: str, aspect: float) -> Costume:
        """Draw a costume of a look, for a box `aspect` times as wide as high."""
        given, share = self.sprites[look], random.random()
        painted, number = False, int(random.integers(max(len(given), 1)))
        # A sprite from a video does not turn, and must not be stretched much.
        if (
            not given
            or share < self.style.painted
            or abs(np.log(_aspect(given[number]) / aspect)) > STRETCH
        ):
            painted, number = True, int(random.integers(self.style.paintings))
        key = (look, painted, number)
        if key not in self._ready:
            sprite = self.paint(look, number) if painted else given[number]
            views = [pyramid(view) for view in sprite.views]
            self._ready[key] = Costume(views, sprite.turns, painted)
        return self._ready[key]

    def paint(self, look: str, number: int) -> Sprite:
        """Paint sprite `number` of a look."""
        seed = [*self.stream, LOOKS.index(look), number]
        return painted_sprite(look, np.random.default_rng(seed), f"painted {seed}")

    def cast(self, random: Random, shot: Shot, light: float) -> dict[int, Actor]:
        """Draw an actor for each track of a clip.

        `light` is the mean of the street's pixels, 0..255. Actors are as light or dark.
        """
        scene = shot.scene
        frames = np.unique(shot.frames)
        rows = np.concatenate([scene.in_frame(int(frame)) for frame in frames])
        tracks, first = np.unique(scene.labels.track[rows], return_index=True)
        order = np.argsort(tracks != shot.target, kind="stable")  # the target leads
        actors: dict[int, Actor] = {}
        for track, row in zip(tracks[order], rows[first][order], strict=True):
            look = LOOK_OF[str(scene.labels.kind[row])]
            w, h = scene.whole[row, 2:]
            costume = self.draw(random, look, w / h)
            same = random.random() < self.style.alike
            if same and actors and actors[shot.target].look == look:
                costume = actors[shot.target].costume
            mirror = bool(random.random() < 0.5)
            if costume.painted:  # painted people face to the left
                mirror = bool(np.cos(scene.labels.view[row]) > 0)
            bright = np.clip(light / GREY, 0.6, 1.15) * np.exp(random.normal(0, 0.2))
            colour = 128 * bright * np.exp(random.normal(0, 0.06, 3))
            tint = np.append(np.clip(colour, 0, 255), 128).astype("uint16")
            tint = np.tile(tint, shot.size[1])
            pace, phase = random.uniform(0.3, 1.0), random.uniform(0, 16)
            side = 1 if random.random() < 0.5 else -1
            actors[int(track)] = Actor(costume, look, mirror, tint, pace, phase, side)
        return actors


def painted_sprite(look: str, random: Random, source: str) -> Sprite:
    """Paint a `Sprite` of this look, one of `LOOKS`, and this source."""
    # Dirt and reflections, at the same place in all views.
    place, eight = np.linspace(0, 7, 64), range(8)
    lines = [np.interp(place, eight, line) for line in random.normal(1, 0.09, (8, 8))]
    coarse = np.stack([np.interp(place, eight, line) for line in np.transpose(lines)])
    texture = (coarse + random.normal(0, 0.03, coarse.shape)).astype("float32")
    if look == "person":
        return Sprite(look, source, walker(random, texture))
    if look == "cyclist":
        return Sprite(look, source, cyclist(random, texture))
    return Sprite(look, source, vehicle(look, random, texture), turns=True)


def _aspect(sprite: Sprite) -> float:
    """The mean width of the views, relative to their height."""
    return float(np.mean([v.shape[1] / v.shape[0] for v in sprite.views]))
