"""Balls that bounce in a box: RATM's first task (Kahou et al. 2015, section 6.1).

The data are those of Sutskever et al. ("The Recurrent Temporal Restricted Boltzmann
Machine", 2008). RATM has 32 frames of 20x20 pixels with one ball.

Balls move in the original's box, whose side is `SIDE` units long for any number of
pixels. Frames and boxes are in pixels.
"""

from typing import Any

import numpy as np

from keras_attend.arguments import check_positive_integers
from keras_attend.datasets.clips import ClipBatches
from keras_attend.types import Array

SIDE = 10.0  # of the box, in box units
SPEED = 0.5  # box units a frame: the root of the sum of all balls' squared speeds
STEPS = 2  # steps of the simulation between two frames
ATTEMPTS = 10_000  # how often to draw places for balls until they are apart


class BouncingBalls(ClipBatches):
    r"""Clips of balls that fly straight and bounce elastically.

    The light at point $p$ of the box, where ball $n$ is at $c_n$, is

    $$I(p) = \min\Big(1, \sum_n \exp\big(-(|p - c_n|^2 / r^2)^4\big)\Big)$$

    sampled at the middle of each pixel. The box of a ball is the square of side $2 r$
    around its centre. The middle of pixel $i$ is at coordinate $i$, so boxes lie
    between $-1/2$ and `size` $- 1/2$.

    At the beginning balls are anywhere, apart from each other, and fly in any
    direction. As in the original the squares of all speeds add up to $0.5^2$: a single
    ball makes 0.5 box units a frame (a pixel at 20x20). Unlike in the original, a ball
    turns where it touches a wall instead of after it has flown through it, and may
    begin near any wall.

    Args:
        batch_size, batches, frames: of `ClipBatches`.
        size: the side of a frame in pixels.
        radius: $r$ of a ball, in box units.
        balls: the number of balls. The targets are of ball 0.
        **kwargs: of `ClipBatches` (`seed`, `shortest`).

    A batch holds what one of `ClipBatches` does. Frames are `[B, T, size, size, 1]`
    float32.
    """

    def __init__(
        self,
        batch_size: int = 128,
        batches: int = 100,
        frames: int = 32,
        size: int = 20,
        radius: float = 1.2,
        balls: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(batch_size, batches, frames, **kwargs)
        check_positive_integers(size=size, balls=balls)
        if not 0 < radius < SIDE / 2:
            raise ValueError(
                f"`radius` must be positive and less than {SIDE / 2}, half the box. "
                f"Received: radius={radius}"
            )
        self.size = size
        self.radius = radius
        self.balls = balls

    def draw(self, random: np.random.RandomState) -> tuple[Array, dict[str, Array]]:
        """Draw frames `[B, T, size, size, 1]` and boxes `[B, T, 4]`."""
        place = place_balls(random, self.batch_size, self.balls, self.radius)
        speed = random.standard_normal(place.shape)
        speed *= SPEED / np.sqrt((speed**2).sum((1, 2), keepdims=True))
        centers, _ = bounce(place, speed, self.frames, self.radius)
        frames = draw_balls(centers, self.size, self.radius)
        pixel = self.size / SIDE
        corner = (centers[:, :, 0] - self.radius) * pixel - 0.5  # [B, T, 2]
        side = np.full_like(corner, 2 * self.radius * pixel)
        boxes = np.concatenate([corner, side], -1).astype("float32")
        return frames, {"boxes": boxes}


def place_balls(
    random: np.random.RandomState, count: int, balls: int, radius: float
) -> Array:
    """Draw centres `[B, N, 2]` of balls that touch neither a wall nor each other."""
    place = np.empty((count, balls, 2))
    bad = np.arange(count)  # the clips whose balls still touch each other
    first, second = np.triu_indices(balls, k=1)
    for _ in range(ATTEMPTS):
        place[bad] = random.uniform(radius, SIDE - radius, (len(bad), balls, 2))
        between = place[bad][:, first] - place[bad][:, second]  # [bad, pairs, 2]
        apart = ((between**2).sum(-1) >= (2 * radius) ** 2).all(-1)
        bad = bad[~apart]
        if not len(bad):
            return place
    raise ValueError(
        f"`balls` of `radius` must have room in a box of side {SIDE}: make them fewer "
        f"or smaller. Received: balls={balls}, radius={radius}"
    )


def bounce(
    place: Array, speed: Array, frames: int, radius: float
) -> tuple[Array, Array]:
    """Let balls fly.

    Centres (in box units) and speeds (in box units a frame) are `[B, N, 2]` in frame 0,
    and are returned for each frame, `[B, T, N, 2]` both.
    """
    places = np.empty((len(place), frames, *place.shape[1:]))
    speeds = np.empty_like(places)
    for t in range(frames):
        places[:, t], speeds[:, t] = place, speed
        for _ in range(STEPS):
            place = place + speed / STEPS
            place, speed = _off_walls(place, speed, radius)
            speed = _off_each_other(place, speed, radius)
    return places, speeds


def _off_walls(place: Array, speed: Array, radius: float) -> tuple[Array, Array]:
    """Reflect balls that flew beyond a wall; exact for any speed."""
    room = SIDE - 2 * radius
    lap = (place - radius) % (2 * room)
    turned = lap > room
    place = radius + np.where(turned, 2 * room - lap, lap)
    return place, np.where(turned, -speed, speed)


def _off_each_other(place: Array, speed: Array, radius: float) -> Array:
    """Let balls that meet exchange their speeds along the line between them."""
    speed = speed.copy()
    for i in range(place.shape[1]):
        for j in range(i):
            line = place[:, i] - place[:, j]  # [B, 2]
            distance = np.sqrt((line**2).sum(-1, keepdims=True))
            line = line / np.maximum(distance, 1e-12)
            nearing = ((speed[:, i] - speed[:, j]) * line).sum(-1, keepdims=True)
            # Balls that overlap but move apart have met before.
            meet = (distance < 2 * radius) & (nearing < 0)
            change = np.where(meet, nearing * line, 0.0)
            speed[:, i] -= change
            speed[:, j] += change
    return speed


def draw_balls(centers: Array, size: int, radius: float) -> Array:
    """Draw balls at `[B, T, N, 2]`: `[B, T, size, size, 1]` float32 in [0, 1]."""
    grid = ((np.arange(size) + 0.5) * SIDE / size).astype("float32")
    frames = np.zeros((*centers.shape[:2], size, size), "float32")
    for n in range(centers.shape[2]):
        center = centers[:, :, n].astype("float32")  # [B, T, 2]
        square = ((grid - center[..., None]) / np.float32(radius)) ** 2
        far = square[:, :, 1, :, None] + square[:, :, 0, None, :]
        far *= far
        far *= far
        np.negative(far, out=far)
        frames += np.exp(far, out=far)
    return np.minimum(frames, 1, out=frames)[..., None]
