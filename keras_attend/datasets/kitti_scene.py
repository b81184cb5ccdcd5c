"""The scene that `RenderedKITTI` draws: where things are, and how one is drawn.

Pictures are planes here, `[C, H, W]`: NumPy multiplies them by weights `[H, W]` eight
times faster than pixels `[H, W, C]`. No matrix products: BLAS's threads would wait
for those of the training.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_attend.datasets.kitti import HEIGHT, WIDTH, KITTILabels
from keras_attend.datasets.kitti_sprites import MARGIN

Array = NDArray[Any]

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
        starts: `[F + 1]`: frame f's rows are from `starts[f]` to `starts[f + 1]`.
        rows: by track: which row it is in each frame, `[F]`, -1 where there is none.
    """

    labels: KITTILabels
    boxes: Array
    whole: Array
    kept: Array
    starts: Array
    rows: dict[int, Array]
    _exposed: dict[int, float] = field(default_factory=dict)

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
            np.searchsorted(labels.frame, np.arange(count + 1)),
            rows,
        )

    def __len__(self) -> int:
        return len(self.starts) - 1

    def in_frame(self, frame: int) -> Array:
        """The rows of a frame's objects, the farthest one first."""
        rows = np.arange(self.starts[frame], self.starts[frame + 1])
        return rows[np.argsort(-self.labels.location[rows, 2], kind="stable")]

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

    def behind(self, track: int, frame: int) -> float:
        """The share of an object that is behind something which has no label.

        A wall or a tree, we must think, where it is labelled as hidden and nothing is
        seen in front of it. It goes there, and comes out, within a few frames.
        """
        rows = self.rows[track][max(frame - 2, 0) : frame + 3]
        rows = rows[rows >= 0]
        unseen = [
            self.labels.occluded[row] >= 2 and self.exposed(int(row)) > 0.5
            for row in rows
        ]
        return float(np.mean(unseen))

    def turning(self, frames: Array) -> Array:
        """How far the far scenery moves to the right from frame to frame, `[T]`.

        The median of what far objects do; 0 where there is none.
        """
        middle = self.boxes[:, 0] + self.boxes[:, 2] / 2
        far = self.labels.location[:, 2] > FAR
        moved = np.zeros(len(frames))
        tracks = np.stack(list(self.rows.values()))  # [tracks, F]
        for t, (before, after) in enumerate(zip(frames, frames[1:], strict=False)):
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


def taps(
    start: float,
    length: float,
    count: int,
    limit: int,
    blur: float = 0,
    beyond: bool = False,
) -> Any:
    """Which of `limit` source pixels make each target pixel that they cover.

    The source lies over target pixels from `start` on, `length` of them; of these,
    0 to `count - 1` are there. Weights are triangles as wide as a source pixel, a
    target pixel or `blur` target pixels, whatever is most. With `beyond` the source's
    border goes on over all target pixels.

    Returns:
        The first target pixel, indices `[taps, n]` and weights `[taps, n]` of it and
        those that follow, or None if there is none.
    """
    first, last = max(math.floor(start), 0), min(math.ceil(start + length), count)
    if beyond:
        first, last = 0, count
    if first >= last:
        return None
    step = limit / length
    center = (np.arange(first, last) + 0.5 - start) * step - 0.5  # source pixel i at i
    reach = max(1.0, step, blur * step)
    near = np.floor(center - reach).astype("intp") + 1
    index = near + np.arange(math.ceil(2 * reach))[:, None]
    weight = np.maximum(1 - abs(index - center) / reach, 0)
    weight /= weight.sum(0)
    return first, np.clip(index, 0, limit - 1), weight.astype("float32")


def sampled(planes: Array, rows: Any, columns: Any) -> Array:
    """Planes `[C, H, W]` uint8 at the `taps` of rows and columns: `[C, h, w]`."""
    _, row, by_row = rows
    _, column, by_column = columns
    left = column.min()
    planes = planes[:, :, left : column.max() + 1]
    seen = np.take(planes, row[0], axis=1) * by_row[0][:, None]
    for r, weight in zip(row[1:], by_row[1:], strict=True):
        seen += np.take(planes, r, axis=1) * weight[:, None]
    column = column - left
    result = np.take(seen, column[0], axis=2)
    result *= by_column[0]
    for c, weight in zip(column[1:], by_column[1:], strict=True):
        more = np.take(seen, c, axis=2)
        more *= weight
        result += more
    return result


def paste(
    canvas: Array,
    levels: list[Array],
    box: Array,
    tint: Array,
    mirror: bool = False,
    blur: float = 0,
    hidden: float = 0,
) -> None:
    """Draw a sprite's view into `canvas` `[3, H, W]` float32.

    Args:
        canvas: changed in place.
        levels: the view as planes `[4, h, w]`, each level half as large as the last.
        box: of the object, `xywh` in pixels of the canvas; the view goes around it.
        tint: what each colour is multiplied by, `[3]`.
        mirror: left for right.
        blur: of its motion to the side, in pixels of the canvas.
        hidden: the share of it, from the left (or from the right if less than 0),
            that is behind something in the background.
    """
    x, y, w, h = (float(v) for v in box)
    x, w = x - MARGIN * w, w * (1 + 2 * MARGIN)
    y, h = y - MARGIN * h, h * (1 + 2 * MARGIN)
    planes = levels[-1]
    for level in reversed(levels):  # the smallest that is as fine as the canvas
        planes = level
        if level.shape[1] >= 0.7 * h:
            break
    rows = taps(y, h, canvas.shape[1], planes.shape[1])
    columns = taps(x, w, canvas.shape[2], planes.shape[2], blur)
    if rows is None or columns is None:
        return
    if mirror:
        first, index, weight = columns
        columns = first, planes.shape[2] - 1 - index, weight
    seen = sampled(planes, rows, columns)
    if hidden:
        place = (columns[0] + np.arange(seen.shape[2]) + 0.5 - x) / w
        place = place if hidden > 0 else 1 - place
        edge = (place - abs(hidden)) * max(w / 3, 2) + 0.5  # soft by three pixels
        seen *= np.clip(edge, 0, 1).astype("float32")
    bottom, right = rows[0] + seen.shape[1], columns[0] + seen.shape[2]
    below = canvas[:, rows[0] : bottom, columns[0] : right]
    opacity = seen[3] * np.float32(-1 / 255)
    opacity += 1
    below *= opacity
    seen[:3] *= tint[:, None, None]
    below += seen[:3]


def pyramid(view: Array) -> list[Array]:
    """A view `[H, W, 4]` as planes `[4, H, W]`, halved as often as can be."""
    planes = np.ascontiguousarray(view.transpose(2, 0, 1))
    levels = [planes]
    while all(n % 2 == 0 for n in levels[-1].shape[1:]):
        planes = levels[-1].astype("uint16")
        pairs = planes[:, ::2] + planes[:, 1::2]
        levels.append(((pairs[:, :, ::2] + pairs[:, :, 1::2] + 2) // 4).astype("uint8"))
    return levels
