"""Clips that are drawn, along the paths that KITTI's labels describe.

In the order in which a clip comes about:

    style.py      `Style` and `View`, the options of `RenderedKITTI`
    clips.py      `RenderedKITTI`: which object, which frames, which part of them
    scene.py      where a video's objects are, and which hides which
    sprites.py    pictures of objects and streets: from videos and from files
    painted.py    sprites from random numbers: vehicles.py and people.py, on a canvas.py
    wardrobe.py   the sprites of a dataset, and who of a clip's objects wears which
    backdrop.py   the street behind the objects
    film.py       the frames: backdrop, objects, light and grain
    pictures.py   pixel arithmetic: how a picture is scaled, blurred and pasted
    streets.py    labels and streets that are made up, for who has no KITTI
"""

from keras_attend.datasets.rendered.clips import RenderedKITTI
from keras_attend.datasets.rendered.sprites import Sprite, cut_sprites, street_scenes
from keras_attend.datasets.rendered.streets import drawn_streets
from keras_attend.datasets.rendered.style import Style, View

__all__ = [
    "RenderedKITTI",
    "Sprite",
    "Style",
    "View",
    "cut_sprites",
    "drawn_streets",
    "street_scenes",
]
