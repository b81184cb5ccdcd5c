"""A video's labels as `RenderedKITTI` needs them: where things are, who hides whom."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from keras_attend.datasets.kitti_labels import HEIGHT, WIDTH, KITTILabels, project
from keras_attend.types import Array, OneLine

SCALE = 0.5  # size of a scene's frames relative to KITTI's own
FRAME = np.array([0.0, 0.0, WIDTH, HEIGHT]) * SCALE  # `xywh`
FAR = 15.0  # metres; how farther objects move is how the camera turns
LOOK_OF = {  # which look of `sprites.LOOKS` an object of each kind has
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
# The share of its box's width in which an object hides others: 1 for other looks.
BREADTH = {"person": 0.6, "cyclist": 0.6}


@dataclass(frozen=True, eq=False, repr=False)
class Scene(OneLine):
    """The labels of a video of F frames, with boxes in pixels of halved frames.

    Attributes:
        labels: the labels, N rows.
        boxes: `[N, 4]`, as labelled: cut at the frame's border.
        whole: `[N, 4]`, the boxes of `whole_boxes`, which go on beyond the border.
        kept: `[N]` bool: the rows that `KITTI` counts as labelled.
        order: `[N]`: the rows frame by frame, in each from the farthest object on.
        starts: `[F + 1]`: `order[starts[f] : starts[f + 1]]` are the rows of frame f.
        rows: for each track the row in each frame, `[F]`, -1 where it has none.
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
        """Make the scene of a video's labels, of which there must be some."""
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
        """The rows of a frame's objects, from the farthest one on."""
        return self.order[self.starts[frame] : self.starts[frame + 1]]

    def exposed(self, row: int) -> float:
        """The share of a labelled box that no nearer object hides."""
        if row not in self._exposed:
            self._exposed[row] = self._measure(row)
        return self._exposed[row]

    def _measure(self, row: int) -> float:
        """The same, counted at 8 x 8 points of the box."""
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
        """The share of an object that is hidden by something that has no label.

        We take a wall or a tree to hide an object that is labelled as mostly hidden
        without a labelled object in front of it. The share is a mean over five frames.
        """
        if row not in self._behind:
            frame = int(self.labels.frame[row])
            near = self.rows[int(self.labels.track[row])][max(frame - 2, 0) : frame + 3]
            hidden = [
                # Not level 3, "not known": many such objects leave the frame.
                self.labels.occluded[other] == 2
                and self.labels.truncated[other] == 0
                and self.exposed(int(other)) > 0.5
                for other in near
                if other >= 0
            ]
            self._behind[row] = float(np.mean(hidden))
        return self._behind[row]

    def clear(self, row: int) -> float:
        """The share of a labelled box in which the object is seen."""
        return self.exposed(row) * (1 - self.behind(row))

    def turning(self, frames: Array) -> Array:
        """How far the background moves to the right from frame to frame, `[T]` pixels.

        It moves as the median of the far objects does, and not where there are none.
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


class Shot(NamedTuple):
    """What a clip is to show."""

    scene: Scene
    target: int  # the tracked object's track
    frames: Array  # `[T]`, their numbers in the video
    region: Array  # `xywh`, the part of the scene's frame that is seen
    size: tuple[int, int]  # (height, width) of the clip's frames in pixels
    shake: Array  # `[T, 2]` (x, y): how far all things are moved, in pixels


def whole_boxes(labels: KITTILabels) -> Array:
    """Boxes `[N, 4]` of whole objects, in pixels of full-size frames.

    Labelled boxes end at the frame's border. Those that touch it are continued beyond
    it, as far as the object's labelled size and place in space say.
    """
    n = len(labels)
    height, width, length = labels.size.T[:, :, None]  # [N, 1]
    ahead = np.array([1, 1, -1, -1] * 2) * length / 2  # [N, 8] corners
    aside = np.array([1, -1, -1, 1] * 2) * width / 2
    up = np.array([0] * 4 + [1] * 4) * height
    cos, sin = np.cos(labels.heading)[:, None], np.sin(labels.heading)[:, None]
    x, y, z = labels.location.T[:, :, None]
    depth = np.maximum(z - sin * ahead + cos * aside, 0.5)
    u, v = project(x + cos * ahead + sin * aside, y - up, depth)
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
