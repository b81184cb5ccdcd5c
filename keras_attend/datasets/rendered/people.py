"""People on foot and on bicycles, painted: flat figures, seen from the side.

The `texture` here is that of `Canvas.view`.
"""

import numpy as np

from keras_attend.datasets.rendered.canvas import METAL, PAINTS, RUBBER, SKINS, Canvas
from keras_attend.types import Array

Random = np.random.Generator

VIEWS = 8  # of a person, evenly spaced in time


def walker(random: Random, texture: Array) -> tuple[Array, ...]:
    """Paint the views of a person who walks to the left, over two steps."""
    shirt, trousers = PAINTS[random.integers(len(PAINTS), size=2)] * 0.9
    skin, hair = SKINS[random.integers(len(SKINS))], RUBBER * random.uniform(1, 4)
    stout, stride = random.uniform(0.85, 1.25), random.uniform(0.34, 0.38)
    skirt, bag = random.random() < 0.2, random.random() < 0.3
    views = []
    for phase in np.linspace(0, 2 * np.pi, VIEWS, endpoint=False):
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
        hips, low = (0.3, 0.66) if skirt else (hips, 0.54)
        torso = [(0.5, 0.16), (0.5 + chest, 0.2), (0.5 + hips, low), (0.5 - hips, low)]
        canvas.polygon(np.array([*torso, (0.5 - chest, 0.2)]), shirt)
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


def cyclist(random: Random, texture: Array) -> tuple[Array, ...]:
    """Paint the views of a cyclist who goes to the left, over a turn of the pedals."""
    shirt, trousers, frame = PAINTS[random.integers(len(PAINTS), size=3)] * 0.9
    skin, hair = SKINS[random.integers(len(SKINS))], RUBBER * random.uniform(1, 5)
    lean = random.uniform(0.0, 0.12)
    axle, hip, neck = (0.5, 0.79), (0.6, 0.46), (0.46 - lean, 0.2)
    views = []
    for phase in np.linspace(0, 2 * np.pi, VIEWS, endpoint=False):
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
            x, y = (float(p) for p in pedal)
            knee = (0.4 + 0.3 * (x - 0.5), 0.35 + 0.4 * (y - 0.5))
            canvas.limb(hip, knee, 0.09, trousers * dark, 0.8)
            canvas.limb(knee, (x, y), 0.07, trousers * dark)
        canvas.limb(hip, neck, 0.15, shirt, 1.2)
        canvas.limb((neck[0], neck[1] + 0.04), (0.34, 0.5), 0.055, shirt * 0.85)
        canvas.ellipse((0.33, 0.5), 0.04, skin)
        canvas.ellipse((neck[0] - 0.04, 0.085), 0.14, skin)
        canvas.ellipse((neck[0] - 0.02, 0.07), 0.14, hair)
        views.append(canvas.view(texture, shadow=0.35))
    return tuple(views)
