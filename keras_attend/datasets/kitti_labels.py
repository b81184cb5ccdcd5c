"""KITTI's labels, of which object is where in each frame of a video, and its camera."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_attend.arguments import check_choice
from keras_attend.disk import read_text
from keras_attend.types import Array, OneLine

KINDS = (
    "Car",
    "Van",
    "Truck",
    "Pedestrian",
    "Person",  # a person who sits, as the files spell it
    "Person_sitting",  # the same, as KITTI's description of the files spells it
    "Cyclist",
    "Tram",
    "Misc",
)
COLUMNS = 17
# The left colour camera.
WIDTH, HEIGHT = 1242, 375  # pixels of a frame; some videos have up to 1.5 % fewer
FOCAL = 721.5  # focal length in pixels
CENTER = (609.6, 172.9)  # (x, y) in pixels of what is straight ahead
ABOVE_STREET = 1.65  # metres
HORIZON = round(CENTER[1] / HEIGHT, 2)  # its place as a share of the frame's height


@dataclass(frozen=True, eq=False, repr=False)
class KITTILabels(OneLine):
    """The labels of one video: N rows, one for each object in each frame.

    Attributes:
        video: the video's name: "0000", ...
        frame: `[N]` integers: the frame's number, from 0, in ascending order.
        track: `[N]` integers: the same number for the same object.
        kind: `[N]` strings of `KINDS`.
        truncated: `[N]`: inside the frame (0), partly (1) or mostly outside (2).
        occluded: `[N]`: in full view (0), partly (1) or mostly hidden (2), unknown (3).
        boxes: `[N, 4]` float32, `xywh` in pixels of full-size frames, cut at the edge.
        size: `[N, 3]`: height, width and length in metres.
        location: `[N, 3]`: the middle of the object's underside, in metres to the
            right, down and ahead of the camera.
        heading: `[N]` radians: 0 for an object that faces to the camera's right, -pi/2
            for one that faces ahead.
        view: `[N]` radians: the heading relative to the ray from camera to object.
    """

    video: str
    frame: Array
    track: Array
    kind: Array
    truncated: Array
    occluded: Array
    boxes: Array
    size: Array
    location: Array
    heading: Array
    view: Array

    def __len__(self) -> int:
        return len(self.frame)

    def kept(
        self, kinds: Collection[str] = KINDS, occluded: int = 1, truncated: int = 1
    ) -> Array:
        """Rows of these kinds, at most so occluded and truncated: `[N]` bool."""
        kind = np.isin(self.kind, list(kinds))
        return kind & (self.occluded <= occluded) & (self.truncated <= truncated)


def read_labels(path: str | Path) -> KITTILabels:
    """Read a label file, except for its DontCare rows."""
    path = Path(path)
    lines = read_text(path).splitlines()
    kinds, numbers = [], []
    for row, line in enumerate(lines, start=1):
        parts = line.split()
        if not parts:
            continue
        try:
            if len(parts) != COLUMNS:
                raise ValueError(f"{len(parts)} columns")
            check_choice("type", parts[2], (*KINDS, "DontCare"))
            values = [float(part) for part in (*parts[:2], *parts[3:])]
            if not all(map(math.isfinite, values)) or values[0] < 0:
                raise ValueError("the frame is negative, or a value is no number")
            if values[7] <= values[5] or values[8] <= values[6]:
                raise ValueError("a box without area")
        except ValueError as error:
            raise ValueError(
                f"Line {row} of {path} must be KITTI's {COLUMNS} columns: frame, "
                "track, type, truncated, occluded, alpha, left, top, right, bottom, "
                f"and 7 of the object in space. Received: {line!r} ({error})"
            ) from error
        if parts[2] != "DontCare":
            kinds.append(parts[2])
            numbers.append(values)
    table = np.array(numbers, "float64").reshape(-1, COLUMNS - 1)
    order = np.argsort(table[:, 0], kind="stable")
    table = table[order]
    whole = table[:, :4].astype("int64")
    corners = table[:, 5:9]
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1)
    return KITTILabels(
        video=path.stem,
        frame=whole[:, 0],
        track=whole[:, 1],
        kind=np.array(kinds, "U16")[order],
        truncated=whole[:, 2],
        occluded=whole[:, 3],
        boxes=boxes.astype("float32"),
        size=table[:, 9:12],
        location=table[:, 12:15],
        heading=table[:, 15],
        view=table[:, 4],
    )


def read_folder(folder: str | Path) -> tuple[KITTILabels, ...]:
    """Read the labels of all videos of a folder. It need not hold any frames."""
    labels = Path(folder) / "training" / "label_02"
    files = sorted(labels.glob("*.txt"))
    if not files:
        raise FileNotFoundError(
            "`folder` must hold KITTI's labels, training/label_02/0000.txt and so on. "
            f"Received: folder={folder}"
        )
    return tuple(read_labels(path) for path in files)


def project(right: Array, down: Array, ahead: Array) -> tuple[Array, Array]:
    r"""Where the camera sees points: x and y in pixels of a frame.

    $$x = c_x + f\, X / Z, \qquad y = c_y + f\, Y / Z$$

    for points $X$ metres to the right of the camera, $Y$ down and $Z$ ahead.
    """
    return CENTER[0] + FOCAL * right / ahead, CENTER[1] + FOCAL * down / ahead
