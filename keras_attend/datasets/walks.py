"""How a digit goes about its canvas: random walks, and straight flights."""

from collections.abc import Callable

import numpy as np

from keras_attend.types import Array

Walk = Callable[[np.random.RandomState, int, int, int], Array]

PUSH = 15  # pixels a frame: the greatest push of a walk
FLIGHT = 0.5 / 7.6  # rooms a frame: a ball's speed in its box, see `BouncingBalls`


def momentum_walk(
    random: np.random.RandomState, count: int, frames: int, room: int
) -> Array:
    r"""Draw random walks with momentum, as the paper describes them.

    $$v_t = 0.9\, v_{t-1} + 0.1\, d_t, \qquad p_{t+1} = p_t + v_t, \qquad
      d_t \sim U\{-15..14\}$$

    for rows and columns alike. $v_{-1}$ is drawn as $d$ is, so that a digit is fast at
    the beginning and slows down to about two pixels a frame. At a wall it turns round.
    (The paper does not say how $d$ and $v_{-1}$ are drawn; this is the code's way.)

    Returns `[count, frames, 2]` int32, rounded to whole pixels (the walk is not): row
    and column of a tile's top left pixel, each at most `room`.
    """
    place = random.uniform(0, 1, (count, 2)) * room
    speed = _push(random, count).astype("float64")
    places = np.empty((count, frames, 2), "int32")
    for t in range(frames):
        places[:, t] = np.rint(place)
        speed = 0.9 * speed + 0.1 * _push(random, count)
        lap = (place + speed) % (2 * room)
        turned = lap > room
        place = np.where(turned, 2 * room - lap, lap)
        speed = np.where(turned, -speed, speed)
    return places


def published_walk(
    random: np.random.RandomState, count: int, frames: int, room: int
) -> Array:
    r"""Draw the random walks of the authors' code, number for number.

    $$p_{t+1} = \mathrm{trunc}(p_t + 0.1\, d_t + 0.9\, d_{t-1}), \qquad
      d_t \sim U\{-15..14\}$$

    It adds pushes where a momentum would add speeds, so that a digit jumps by up to 15
    pixels a frame in any direction. A place beyond the last one, $m$, becomes $m - (p
    \bmod m)$; a negative one becomes $-p$. $m$ is one less than there is room for, so
    the last row and column stay black.

    It returns what `momentum_walk` does; numbers are drawn in the authors' order.
    """
    last = room - 1
    place = random.randint(room, size=(count, 2))
    push = _push(random, count)
    places = np.empty((count, frames, 2), "int32")
    for t in range(frames):
        places[:, t] = place
        before, push = push, _push(random, count)
        place = np.trunc(place + 0.1 * push + 0.9 * before).astype("int64")
        place = np.where(place > last, last - place % last, place)
        place = np.where(place < 0, -place, place)
    return places


def bounce_walk(
    random: np.random.RandomState, count: int, frames: int, room: int
) -> Array:
    """Draw straight flights in any direction, which turn at the walls.

    Each digit makes `FLIGHT` of the room a frame, as a single ball of `BouncingBalls`
    does; digits pass through each other. It returns what `momentum_walk` does.
    """
    place = random.uniform(0, room, (count, 1, 2))
    angle = random.uniform(0, 2 * np.pi, (count, 1))
    speed = FLIGHT * room * np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    lap = (place + np.arange(frames)[:, None] * speed) % (2 * room)  # [count, T, 2]
    return np.rint(np.where(lap > room, 2 * room - lap, lap)).astype("int32")


WALKS: dict[str, Walk] = {
    "momentum": momentum_walk,
    "published": published_walk,
    "bounce": bounce_walk,
}


def _push(random: np.random.RandomState, count: int) -> Array:
    """Draw $d$, `[count, 2]` integers."""
    return random.randint(-PUSH, PUSH, size=(count, 2))
