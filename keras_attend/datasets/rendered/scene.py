"""The scene that `RenderedKITTI` draws: where things are, and how one is drawn.

Pictures are `[H, 4 W]` here, uint16 of 0..255: red, green, blue and opacity of each
pixel in turn. So NumPy gathers pixels as single numbers of 64 bits, three times as fast
as by channel, and multiplies rows of numbers by rows of weights, eight times as fast as
pixels. No matrix products: BLAS's threads would wait for those of the training.
"""

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_attend.datasets.kitti import HEIGHT, WIDTH, KITTILabels
from keras_attend.datasets.rendered.sprites import MARGIN

Array = NDArray[Any]
Taps = tuple[Array, Array, Array]

PIXELS = np.arange(8192.0)
FOUR_TIMES = np.uint64(0x0001000100010001)  # times 16 bits: the same four times
SCALE = 0.5  # of everything here, to KITTI's own frames
FRAME = np.array([0.0, 0.0, WIDTH, HEIGHT]) * SCALE  # xywh
HORIZON = 0.46  # share of the height
FOCAL, CENTER = 721.5, np.array([609.6, 172.9])  # pixels, of the camera that took them
FAR = 15.0  # metres, from which on motion is the camera's turning
LOOK_OF = {
    "Car": "car",
    "Van": "van",
    "Misc": "van",
    "Truck": "truck",
    "Tram": "truck",
    "Pedestrian": "person",
    "Person": "person",
    "Person_sitting": "person",
    "Cyclist": "cyclist",
}
# The share of its box that a thing hides, from left to right: people are slim.
BREADTH = {"person": 0.6, "cyclist": 0.6}


@dataclass(frozen=True, eq=False)
class Scene:
    """A video's labels, made ready to be drawn; in pixels of halved frames.

    Attributes:
        labels: N rows.
        boxes: `[N, 4]`, as labelled: cut at the frame's border.
        whole: `[N, 4]`, the same objects whole, as far as their place in space says.
        kept: `[N]` bool: those that are labelled for HART.
        order: `[N]`: all rows by frame, the farthest one of each first.
        starts: `[F + 1]`: frame f's are from `starts[f]` to `starts[f + 1]` of them.
        rows: by track: which row it is in each frame, `[F]`, -1 where there is none.
    """

    labels: KITTILabels
    boxes: Array
    whole: Array
    kept: Array
    order: Array
    starts: Array
    rows: dict[int, Array]
    _exposed: dict[int, float] = field(default_factory=dict)
    _behind: dict[int, float] = field(default_factory=dict)

    @classmethod
    def of(cls, labels: KITTILabels) -> "Scene":
        """The scene of a video with at least one object."""
        count = int(labels.frame[-1]) + 1
        rows = {}
        for track in np.unique(labels.track):
            rows[int(track)] = np.full(count, -1)
            chosen = np.flatnonzero(labels.track == track)
            rows[int(track)][labels.frame[chosen]] = chosen
        return cls(
            labels,
            labels.boxes * np.float32(SCALE),
            whole_boxes(labels) * np.float32(SCALE),
            labels.kept(),
            np.lexsort((-labels.location[:, 2], labels.frame)),
            np.searchsorted(labels.frame, np.arange(count + 1)),
            rows,
        )

    def __len__(self) -> int:
        return len(self.starts) - 1

    def in_frame(self, frame: int) -> Array:
        """The rows of a frame's objects, the farthest one first."""
        return self.order[self.starts[frame] : self.starts[frame + 1]]

    def exposed(self, row: int) -> float:
        """The share of a labelled box that no nearer object hides."""
        if row not in self._exposed:
            self._exposed[row] = self._measure(row)
        return self._exposed[row]

    def _measure(self, row: int) -> float:
        depth = self.labels.location[:, 2]
        rows = self.in_frame(int(self.labels.frame[row]))
        nearer = rows[depth[rows] < depth[row]]
        if not len(nearer):
            return 1.0
        x, y, w, h = self.boxes[row]
        u, v = np.meshgrid(*[(np.arange(8) + 0.5) / 8] * 2)
        points = np.stack([x + u * w, y + v * h], -1).reshape(-1, 1, 2)  # [64, 1, 2]
        slim = [BREADTH.get(LOOK_OF[str(k)], 1.0) for k in self.labels.kind[nearer]]
        size = self.whole[nearer, 2:] * np.stack([slim, np.ones(len(slim))], -1)
        middle = self.whole[nearer, :2] + self.whole[nearer, 2:] / 2
        hidden = (abs(points - middle) < size / 2).all(-1).any(-1)
        return float(1 - hidden.mean())

    def behind(self, row: int) -> float:
        """The share of an object that is behind something which has no label.

        A wall or a tree, we must think, where it is labelled as hidden and nothing is
        seen in front of it. It goes there, and comes out, within a few frames.
        """
        if row not in self._behind:
            frame = int(self.labels.frame[row])
            near = self.rows[int(self.labels.track[row])][max(frame - 2, 0) : frame + 3]
            unseen = [
                # 3 is for "unknown", and often for what is half out of the frame.
                self.labels.occluded[other] == 2
                and self.labels.truncated[other] == 0
                and self.exposed(int(other)) > 0.5
                for other in near
                if other >= 0
            ]
            self._behind[row] = float(np.mean(unseen))
        return self._behind[row]

    def clear(self, row: int) -> float:
        """The share of a labelled box in which the object itself is drawn."""
        return self.exposed(row) * (1 - self.behind(row))

    def turning(self, frames: Array) -> Array:
        """How far the far scenery moves to the right from frame to frame, `[T]`.

        The median of what far objects do; 0 where there is none.
        """
        middle = self.boxes[:, 0] + self.boxes[:, 2] / 2
        far = self.labels.location[:, 2] > FAR
        moved = np.zeros(len(frames))
        tracks = np.stack(list(self.rows.values()))  # [tracks, F]
        for t, (before, after) in enumerate(pairwise(frames)):
            a, b = tracks[:, before], tracks[:, after]
            both = (a >= 0) & (b >= 0) & far[a]
            if both.any():
                moved[t + 1] = np.median(middle[b[both]] - middle[a[both]])
        return moved


def whole_boxes(labels: KITTILabels) -> Array:
    """`[N, 4]`: boxes that touch the frame's border go on beyond it.

    How far is seen from the object's own box in space, of which a labelled one is cut
    at the border.
    """
    n = len(labels)
    height, width, length = labels.size.T[:, :, None]  # [N, 1]
    ahead = np.array([1, 1, -1, -1] * 2) * length / 2  # [N, 8] corners
    aside = np.array([1, -1, -1, 1] * 2) * width / 2
    up = np.array([0] * 4 + [1] * 4) * height
    cos, sin = np.cos(labels.heading)[:, None], np.sin(labels.heading)[:, None]
    x, y, z = labels.location.T[:, :, None]
    depth = np.maximum(z - sin * ahead + cos * aside, 0.5)
    u = CENTER[0] + FOCAL * (x + cos * ahead + sin * aside) / depth
    v = CENTER[1] + FOCAL * (y - up) / depth
    low = labels.boxes[:, :2].astype("float64")
    high = low + labels.boxes[:, 2:]
    size = high - low
    seen = np.stack([u, v], -1).reshape(n, 8, 2)
    far_low = np.maximum(seen.min(1), low - 3 * size)
    far_high = np.minimum(seen.max(1), high + 3 * size)
    edge = np.array([WIDTH, HEIGHT]) - [24, 8]  # some frames are smaller
    low = np.where(low <= 1, np.minimum(low, far_low), low)
    high = np.where(high >= edge, np.maximum(high, far_high), high)
    return np.concatenate([low, high - low], 1).astype("float32")


def covered(start: float, length: float, count: int) -> tuple[int, int]:
    """The first and the last but one of `count` pixels that a stretch touches."""
    return max(math.floor(start), 0), min(math.ceil(start + length), count)


def taps(start: float, length: float, span: tuple[int, int], limit: int) -> Taps:
    """Between which of a picture's pixels those of a canvas lie, along an axis.

    Args:
        start: where on the canvas the picture begins.
        length: how many pixels of the canvas it takes.
        span: which of these are asked for, the first and the last but one. Beyond the
            picture its border goes on.
        limit: the picture's own pixels.

    Returns:
        Indices of the pixels before and behind, and how near the latter is in 16ths.
    """
    step = 16 * limit / length
    # Pixel i is at i.
    place = PIXELS[span[0] : span[1]] * step + (step * (0.5 - start) - 8)
    np.maximum(place, 0, out=place)
    np.minimum(place, 16 * (limit - 1), out=place)
    whole = place.astype("intp")
    before = whole >> 4
    whole &= 15
    return before, np.minimum(before + 1, limit - 1), whole.astype("uint16")


def sampled(picture: Array, rows: Taps, columns: list[Taps]) -> Array:
    """A picture `[H, 4 W]` at `taps`, the mean of several ones along the columns.

    Of numbers of 16 bits, 8 are for the weights: 4 in each direction.
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
    if len(results) > 1:
        results[0] //= len(results)
    return results[0]


def smeared(
    start: float, length: float, span: tuple[int, int], limit: int, blur: float
) -> list[Taps]:
    """The `taps` of something that moves by `blur` pixels while it is filmed."""
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
    """Draw a sprite's view into a picture.

    Args:
        canvas: `[H, 4 W]`, changed in place.
        levels: the view as a picture, each level half as large as the last.
        box: of the object, `xywh` in pixels of the canvas; the view goes around it.
        tint: what each colour, and the opacity, is multiplied by, uint16 in 128ths;
            `[4 W]`, over and over again.
        mirror: left for right.
        blur: of its motion to the side, in pixels of the canvas.
        behind: the share of it, from the left (or from the right if less than 0),
            that is behind something in the background.
    """
    x, y, w, h = (float(v) for v in box)
    x, w = x - MARGIN * w, w * (1 + 2 * MARGIN)
    y, h = y - MARGIN * h, h * (1 + 2 * MARGIN)
    top, bottom = covered(y, h, canvas.shape[0])
    left, right = covered(x - blur / 2, w + blur, canvas.shape[1] // 4)
    if top >= bottom or left >= right:
        return
    picture = levels[0]
    for level in levels[1:]:  # as coarse as the canvas has it
        if len(level) < 0.7 * h:
            break
        picture = level
    limits = (picture.shape[0], picture.shape[1] // 4)
    rows = taps(y, h, (top, bottom), limits[0])
    columns = smeared(x, w, (left, right), limits[1], blur)
    if mirror:
        last = limits[1] - 1
        columns = [
            (last - before, last - after, near) for before, after, near in columns
        ]
    seen = sampled(picture, rows, columns)  # [h, 4 w]
    if behind:
        place = (np.arange(left, right) + 0.5 - x) / w
        place = place if behind > 0 else 1 - place
        edge = (place - abs(behind)) * max(w / 3, 2) + 0.5  # soft by three pixels
        seen *= np.repeat((np.clip(edge, 0, 1) * 16).astype("uint16"), 4)
        seen >>= 4
    opacity = seen[:, 3::4]
    kept = (256 - opacity - (opacity >> 7)).astype("uint64")  # 255 is all of it
    kept *= FOUR_TIMES
    below = canvas[top:bottom, 4 * left : 4 * right]
    below *= kept.view("uint16")
    below >>= 8
    seen *= tint[: seen.shape[1]]
    seen >>= 7
    below += seen
    np.minimum(below, 255, out=below)


def as_picture(pixels: Array) -> Array:
    """Pixels `[H, W, 3 or 4]` as `[H, 4 W]` uint16."""
    height, width, channels = pixels.shape
    picture = np.zeros((height, width, 4), "uint16")
    picture[..., :channels] = pixels
    return picture.reshape(height, -1)


def pyramid(view: Array) -> list[Array]:
    """A view `[H, W, 4]` as a picture, halved as often as can be."""
    levels = [view.astype("uint16")]
    while all(n % 2 == 0 for n in levels[-1].shape[:2]):
        pairs = levels[-1][::2] + levels[-1][1::2]
        levels.append((pairs[:, ::2] + pairs[:, 1::2] + 2) // 4)
    return [as_picture(level) for level in levels]
