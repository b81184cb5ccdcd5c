"""Pixel arithmetic of `RenderedKITTI`: to scale, blur and paste pictures, fast.

A picture here is `[H, 4 W]` uint16 of 0..255: red, green, blue and opacity of each
pixel in turn. NumPy then gathers a pixel as a single number of 64 bits, three times as
fast as channel by channel, and multiplies whole rows by rows of weights, eight times as
fast as pixel by pixel. There are no matrix products: BLAS would wait for threads that
the training keeps busy.
"""

import math

import numpy as np

from keras_attend.datasets.rendered.sprites import MARGIN
from keras_attend.types import Array

# Along an axis: the pixel before each place, the one behind, and how far it is from the
# former to the latter, in 16ths.
Taps = tuple[Array, Array, Array]

PIXELS = np.arange(8192.0)
FOUR_TIMES = np.uint64(0x0001000100010001)  # factor that repeats 16 bits four times


def covered(start: float, length: float, count: int) -> tuple[int, int]:
    """Which of `count` pixels a stretch touches: the first, and the end of them."""
    return max(math.floor(start), 0), min(math.ceil(start + length), count)


def taps(start: float, length: float, span: tuple[int, int], limit: int) -> Taps:
    """Between which of a picture's `limit` pixels those of a canvas lie, along an axis.

    On the canvas the picture begins at `start` and has this `length`, in pixels of the
    canvas. `span` is the range of the canvas's pixels that are asked for; for those
    outside the picture, the nearest pixel of its border is taken.
    """
    step = 16 * limit / length
    # The middle of pixel i is at i.
    place = PIXELS[span[0] : span[1]] * step + (step * (0.5 - start) - 8)
    np.maximum(place, 0, out=place)
    np.minimum(place, 16 * (limit - 1), out=place)
    whole = place.astype("intp")
    before = whole >> 4
    whole &= 15
    return before, np.minimum(before + 1, limit - 1), whole.astype("uint16")


def sampled(picture: Array, rows: Taps, columns: list[Taps]) -> Array:
    """Interpolate a picture `[H, 4 W]` at `taps`; along the columns, take their mean.

    Values take 8 of the 16 bits. The weights take the others: 4 in each direction.
    """
    before, behind, near = rows
    seen = np.take(picture, before, axis=0)
    seen *= (16 - near)[:, None]
    more = np.take(picture, behind, axis=0)
    more *= near[:, None]
    seen += more
    pixels = seen.view("uint64")  # [h, W]
    results = []
    for before, behind, near in columns:
        near = np.repeat(near, 4)
        result = np.take(pixels, before, axis=1).view("uint16")  # [h, 4 w]
        result *= 16 - near
        more = np.take(pixels, behind, axis=1).view("uint16")
        more *= near
        result += more
        result >>= 8
        results.append(result)
    for more in results[1:]:
        results[0] += more
    results[0] //= len(results)
    return results[0]


def smeared(
    start: float, length: float, span: tuple[int, int], limit: int, blur: float
) -> list[Taps]:
    """The `taps` of up to eight places of a picture that moves by `blur` pixels."""
    count = min(max(round(blur / 1.5), 1), 8)
    shifts = [((i + 0.5) / count - 0.5) * blur for i in range(count)]
    return [taps(start + shift, length, span, limit) for shift in shifts]


def paste(
    canvas: Array,
    levels: list[Array],
    box: Array,
    tint: Array,
    mirror: bool = False,
    blur: float = 0,
    behind: float = 0,
) -> None:
    """Paste one of a sprite's views, of which `pyramid` makes `levels`, into a picture.

    Args:
        canvas: the picture, changed in place.
        box: the object's box, `xywh` in pixels of the canvas. The view is larger, by
            `MARGIN` on each side.
        tint: `[4 W]` uint16: the factors of red, green, blue and opacity, in 128ths,
            repeated for each pixel.
        mirror: paste it mirrored, left for right.
        blur: how far it moves sideways during the exposure, in pixels of the canvas.
        behind: the share of its width that is hidden, left, or right if negative.
    """
    x, y, w, h = (float(v) for v in box)
    x, w = x - MARGIN * w, w * (1 + 2 * MARGIN)
    y, h = y - MARGIN * h, h * (1 + 2 * MARGIN)
    top, bottom = covered(y, h, canvas.shape[0])
    left, right = covered(x - blur / 2, w + blur, canvas.shape[1] // 4)
    if top >= bottom or left >= right:
        return
    picture = levels[0]
    for level in levels[1:]:  # the smallest one that is not too coarse
        if len(level) < 0.7 * h:
            break
        picture = level
    limits = (picture.shape[0], picture.shape[1] // 4)
    rows = taps(y, h, (top, bottom), limits[0])
    columns = smeared(x, w, (left, right), limits[1], blur)
    if mirror:
        last = limits[1] - 1
        columns = [(last - tap[0], last - tap[1], tap[2]) for tap in columns]
    seen = sampled(picture, rows, columns)  # [h, 4 w]
    if behind:
        place = (np.arange(left, right) + 0.5 - x) / w
        place = place if behind > 0 else 1 - place
        edge = (place - abs(behind)) * max(w / 3, 2) + 0.5  # a soft edge of 3 pixels
        seen *= np.repeat((np.clip(edge, 0, 1) * 16).astype("uint16"), 4)
        seen >>= 4
    opacity = seen[:, 3::4]
    # The share of the canvas that remains, in 256ths; an opacity of 255 leaves none.
    kept = (256 - opacity - (opacity >> 7)).astype("uint64")
    kept *= FOUR_TIMES
    below = canvas[top:bottom, 4 * left : 4 * right]
    below *= kept.view("uint16")
    below >>= 8
    seen *= tint[: seen.shape[1]]
    seen >>= 7
    below += seen
    np.minimum(below, 255, out=below)


def as_picture(pixels: Array) -> Array:
    """Pixels `[H, W, 3 or 4]` as a picture `[H, 4 W]`."""
    height, width, channels = pixels.shape
    picture = np.zeros((height, width, 4), "uint16")
    picture[..., :channels] = pixels
    return picture.reshape(height, -1)


def pyramid(view: Array) -> list[Array]:
    """A view `[H, W, 4]` as a picture, and halved as long as its sides are even."""
    levels = [view.astype("uint16")]
    while all(n % 2 == 0 for n in levels[-1].shape[:2]):
        pairs = levels[-1][::2] + levels[-1][1::2]
        levels.append((pairs[:, ::2] + pairs[:, 1::2] + 2) // 4)
    return [as_picture(level) for level in levels]
