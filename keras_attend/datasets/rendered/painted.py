"""Sprites of cars, people and cyclists that are painted from random numbers alone."""

import numpy as np

from keras_attend.datasets.rendered.people import cyclist, walker
from keras_attend.datasets.rendered.sprites import Sprite
from keras_attend.datasets.rendered.vehicles import vehicle


def painted_sprite(look: str, random: np.random.Generator, source: str) -> Sprite:
    """Paint a `Sprite` of this look, one of `LOOKS`, and this source."""
    # Dirt and reflections, at the same place in all views.
    place = np.linspace(0, 7, 64)
    lines = [
        np.interp(place, range(8), line) for line in random.normal(1, 0.09, (8, 8))
    ]
    coarse = np.stack(
        [np.interp(place, range(8), line) for line in np.transpose(lines)]
    )
    texture = (coarse + random.normal(0, 0.03, coarse.shape)).astype("float32")
    if look == "person":
        return Sprite(look, source, walker(random, texture))
    if look == "cyclist":
        return Sprite(look, source, cyclist(random, texture))
    return Sprite(look, source, vehicle(look, random, texture), turns=True)
