"""Made-up streets and traffic, for `RenderedKITTI` where there is no KITTI."""

import math

import numpy as np

from keras_attend.arguments import check_positive_integers
from keras_attend.datasets.kitti_labels import (
    ABOVE_STREET,
    CENTER,
    FOCAL,
    HEIGHT,
    WIDTH,
    KITTILabels,
    project,
)
from keras_attend.types import Array

LANES = (-5.4, -1.8, 1.8, 5.4)  # metres to the right; in the left two, cars come
CAR = (1.5, 1.65, 4.1)  # height, width, length in metres
NEAREST, FARTHEST = 7.0, 60.0  # metres from the camera


def drawn_streets(
    videos: int = 12, frames: int = 80, cars: int = 5, seed: int = 0
) -> tuple[tuple[KITTILabels, ...], dict[str, Array]]:
    """Labels of cars that drive along a straight street, and pictures of streets.

        labels, scenes = drawn_streets()
        data = RenderedKITTI(labels, scenes, batch_size=8)

    Args:
        videos: the number of videos, named "0000", "0001", ..., and of pictures. With
            six or more, `RenderedKITTI` has some for validation: "0005" and some later
            ones.
        frames, cars: the numbers of frames and of cars in a video.
        seed: the seed of all draws.

    Returns:
        The labels, and scenes `[1, 188, 621, 3]` uint8 by name.
    """
    check_positive_integers(videos=videos, frames=frames, cars=cars)
    random = np.random.default_rng(seed)
    labels = tuple(
        _traffic(f"{number:04d}", frames, cars, random) for number in range(videos)
    )
    scenes = {f"street{n:04d}": _picture(random)[None] for n in range(videos)}
    return labels, scenes


def _traffic(
    name: str, frames: int, cars: int, random: np.random.Generator
) -> KITTILabels:
    """Draw the labels of a video of cars that keep to their lanes."""
    rows = []
    for track in range(cars):
        lane = int(random.integers(len(LANES)))
        right = LANES[lane] + random.normal(0, 0.2)
        comes = lane < len(LANES) // 2
        # Metres a frame, relative to the camera's car: what comes is fast.
        speed = random.uniform(-1.2, -0.5) if comes else random.uniform(-0.15, 0.25)
        start = random.uniform(30, FARTHEST) if comes else random.uniform(NEAREST, 35)
        heading = math.pi / 2 if comes else -math.pi / 2
        for t in range(frames):
            ahead = start + speed * t + 0.4 * math.sin(t / 9 + track)
            if not NEAREST <= ahead <= FARTHEST:
                continue
            box = _box(right, ahead)
            if box[0] < 0 or box[0] + box[2] > WIDTH:
                continue
            rows.append((t, track, box, (right, ABOVE_STREET, ahead), heading))
    rows.sort(key=lambda row: row[0])
    frame, track_ids, boxes, places, headings = zip(*rows, strict=True)
    n = len(rows)
    location, heading_ = np.array(places, "float64"), np.array(headings)
    return KITTILabels(
        video=name,
        frame=np.array(frame),
        track=np.array(track_ids),
        kind=np.full(n, "Car", "U16"),
        truncated=np.zeros(n, int),
        occluded=np.zeros(n, int),
        boxes=np.array(boxes, "float32"),
        size=np.tile(CAR, (n, 1)),
        location=location,
        heading=heading_,
        view=heading_ - np.arctan2(location[:, 0], location[:, 2]),
    )


def _box(right: float, ahead: float) -> tuple[float, float, float, float]:
    """The box `xywh` in pixels of a car so many metres to the right and ahead."""
    height, width, length = CAR
    x = np.array([right - width / 2, right + width / 2])
    z = np.array([ahead - length / 2, ahead + length / 2])
    y = np.array([ABOVE_STREET - height, ABOVE_STREET])
    u, v = project(x[:, None], y[:, None], z)
    return float(u.min()), float(v.min()), float(np.ptp(u)), float(np.ptp(v))


def _picture(random: np.random.Generator) -> Array:
    """Draw a street at half of KITTI's size: sky, houses, grass, asphalt and lines."""
    height, width = HEIGHT // 2 + 1, WIDTH // 2
    y, x = np.mgrid[:height, :width].astype("float32")
    horizon, middle = CENTER[1] / 2, CENTER[0] / 2
    down = np.maximum(y - horizon, 0.5)
    # Where on the ground a pixel is, in metres.
    right = (x - middle) * ABOVE_STREET / down
    ahead = FOCAL / 2 * ABOVE_STREET / down
    sky = np.array([150, 180, 215]) + random.normal(0, 20, 3)
    grass = np.array([75, 95, 55]) + random.normal(0, 15, 3)
    road = np.full(3, random.uniform(80, 120))
    picture = sky + (y / height * 40)[..., None] * np.ones(3)
    # Houses: blocks of a random height and colour, with windows.
    edge = 0
    while edge < width:
        wide, tall = int(random.integers(25, 90)), int(random.integers(15, 75))
        block = (x >= edge) & (x < edge + wide) & (y > horizon - tall) & (y <= horizon)
        colour = random.uniform(70, 190) + random.normal(0, 18, 3)
        windows = ((x - edge) % 11 < 5) & ((y - horizon) % 14 < 7)
        picture[block] = colour
        picture[block & windows] = 0.6 * colour
        edge += wide
    ground = y > horizon
    picture[ground] = grass
    lanes = ground & (abs(right) < 7.4)
    picture[lanes] = road
    dashed = (abs(abs(right) - 3.6) < 0.08) & (ahead % 6 < 3)
    lines = lanes & (dashed | (abs(right) < 0.08) | (abs(abs(right) - 7.1) < 0.08))
    picture[lines] = 200
    picture *= _grain(random, height, width)[..., None]
    return np.rint(picture).clip(0, 255).astype("uint8")


def _grain(random: np.random.Generator, height: int, width: int) -> Array:
    """Draw factors around 1, `[height, width]`: coarse and fine unevenness."""
    grain = np.ones((height, width))
    for step, strength in ((16, 0.02), (4, 0.03), (1, 0.05)):
        rows, cols = -(-height // step), -(-width // step)
        coarse = random.normal(0, strength, (rows, cols))
        grain += np.kron(coarse, np.ones((step, step)))[:height, :width]
    return grain
