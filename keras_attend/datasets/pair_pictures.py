"""What befalls the pictures of `TrackingPairs`: light, occlusion, stretching, blur."""

import numpy as np

from keras_attend.types import Array


class Light:
    """Gains of a clip, and smaller ones of each frame."""

    def __init__(self, random: np.random.Generator, real: bool) -> None:
        self.strength = 0.5 if real else 1.0
        common = random.random() < 0.5
        self.gain = 1 + random.normal(0, 0.1, 3) * common
        self.own = random.random() < (0.3 if real else 0.8)
        self.grey = random.random() < 0.08

    def __call__(self, random: np.random.Generator, picture: Array) -> Array:
        """The picture in this light."""
        if self.grey:
            picture = np.repeat(picture[..., 1:2], 3, axis=-1)
        gain, offset = self.gain, 0.0
        if self.own:
            gain = gain * (1 + random.normal(0, 0.12) * self.strength)
            gain = gain + random.normal(0, 0.06, 3) * self.strength
            offset = random.normal(0, 12) * self.strength
        if not self.own and (gain == 1).all():
            return picture
        levels = np.arange(256)[:, None] * gain + offset
        table = np.clip(np.rint(levels), 0, 255).astype("uint8")
        return np.stack([table[:, c][picture[..., c]] for c in range(3)], -1)


def rectangle(random: np.random.Generator, height: int, width: int) -> Array:
    """Any part of a picture, as a box."""
    size = np.exp(random.uniform(np.log(14), np.log(0.45 * min(height, width))))
    ratio = np.clip(np.exp(random.normal(0, 0.45)), 0.35, 2.8)
    w, h = size * np.sqrt(ratio), size / np.sqrt(ratio)
    return np.array([random.uniform(0, width - w), random.uniform(0, height - h), w, h])


def stretched(picture: Array, box: Array, by: Array) -> tuple[Array, Array]:
    """A picture with its rows and columns stretched, and the box in it."""
    if (by == 1).all():
        return picture, box
    rows, cols = (
        np.minimum((np.arange(int(n * k)) / k).astype(int), n - 1)
        for n, k in zip(picture.shape[:2], by, strict=True)
    )
    return picture[rows][:, cols], box * np.tile(by[::-1], 2)


def with_things(
    random: np.random.Generator, picture: Array, box: Array, other: Array, away: int
) -> Array:
    """A picture in which something covers a part of the object, or all of it."""
    height, width = picture.shape[:2]
    x, y, w, h = box
    if away in (1, 2):  # hidden by another picture's part, or by its own surroundings
        w_t, h_t = w * random.uniform(1.0, 1.5), h * random.uniform(1.0, 1.4)
        c = np.array([x + w / 2, y + h / 2])
    elif away == 0 and random.random() < 0.1:
        size = np.sqrt(w * h)
        w_t, h_t = random.uniform(0.25, 0.65, 2) * size
        c = np.array([x + w / 2, y + h / 2]) + random.normal(0, 0.35, 2) * size
    else:
        return picture
    x0, y0 = (int(max(v, 0)) for v in (c[0] - w_t / 2, c[1] - h_t / 2))
    x1, y1 = int(min(c[0] + w_t / 2, width)), int(min(c[1] + h_t / 2, height))
    if x1 - x0 < 1 or y1 - y0 < 1:
        return picture
    source = picture if away == 2 else other
    if away == 2:  # from beside it
        shift = int(np.ceil(w_t)) * (1 if random.random() < 0.5 else -1)
        left = int(np.clip(x0 + shift, 0, width - (x1 - x0)))
        top = y0
    else:
        left = int(random.integers(0, max(source.shape[1] - (x1 - x0), 0) + 1))
        top = int(random.integers(0, max(source.shape[0] - (y1 - y0), 0) + 1))
    part = source[top : top + y1 - y0, left : left + x1 - x0]
    picture = picture.copy()
    picture[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]] = part
    return picture


def blurred(random: np.random.Generator, picture: Array) -> Array:
    """A picture smeared along its rows or columns."""
    axis, length = int(random.integers(2)), int(random.integers(2, 6))
    shifted = [np.roll(picture, i, axis) for i in range(length)]
    return np.mean(shifted, axis=0).astype("uint8")


def write_into(
    picture: Array, box: Array, frame: Array, flip: bool, about: Array
) -> Array:
    """Write a picture into the middle of `frame`; the box in it.

    Of a picture that is larger the part about `about` is written, a row and a column.
    It must be the same in all frames of a clip: where it followed the object, nothing
    would move.
    """
    side = frame.shape[0]
    x, y, w, h = box
    corner, begin, size = [], [], []
    for n, middle in zip(picture.shape[:2], about, strict=True):
        taken = min(n, side)
        first = int(np.clip(middle - side / 2, 0, n - taken))
        corner.append((side - taken) // 2)
        begin.append(first)
        size.append(taken)
    (t, l), (b0, b1), (s0, s1) = corner, begin, size
    frame[t : t + s0, l : l + s1] = picture[b0 : b0 + s0, b1 : b1 + s1]
    x, y = x - b1 + l, y - b0 + t
    if flip:
        frame[:] = frame[:, ::-1].copy()
        x = side - x - w
    return np.array([x, y, w, h])
