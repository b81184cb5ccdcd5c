"""KITTI tracking as HART uses it (Geiger et al. 2012; Kosiorek et al. 2017, 5.2).

A car drives through Karlsruhe with a camera; cars, people and cyclists in 21 videos
are labelled. Nothing is downloaded (https://www.cvlibs.net/datasets/kitti, "tracking",
left colour images and training labels; for non-commercial use). The folder is theirs:

    training/label_02/0000.txt, ...
    training/image_02/0000/000000.png, ...

HART takes frames of half the size. In the folder, in a shell with ImageMagick:

    for video in training/image_02/*; do mogrify -resize 621x188 "$video"/*.png; done
"""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_attend.arguments import check_choice
from keras_attend.datasets.sequences import Sequence, image_size

Array = NDArray[Any]
Sequences = tuple[Sequence, ...]

WIDTH, HEIGHT = 1242, 375  # of a frame; those of some videos are up to 1.5 % smaller
KINDS = (
    "Car",
    "Van",
    "Truck",
    "Pedestrian",
    "Person",  # who sits
    "Person_sitting",  # the same, as their description has it
    "Cyclist",
    "Tram",
    "Misc",
)
# Kept from training in a split by video: of all classes, 15 % of the tracks.
HELD_OUT = ("0005", "0010", "0012", "0014", "0016", "0018")
COLUMNS = 17


@dataclass(frozen=True, eq=False)
class KITTILabels:
    """What is labelled in one video: a row for each object in each frame, N in all.

    Attributes:
        video: its name: "0000", ...
        frame: `[N]` integers, from 0, in order.
        track: `[N]` integers: which object it is.
        kind: `[N]`, one of `KINDS`.
        truncated: `[N]` integers: inside the frame (0), partly (1) or mostly not (2).
        occluded: `[N]` integers: in full view (0), partly (1), mostly hidden (2), or
            nobody knows (3).
        boxes: `[N, 4]` `xywh` in pixels of the full-size frames, inside of them.
        size: `[N, 3]`, height, width and length in metres.
        location: `[N, 3]`, of the middle of its underside from the camera, in metres:
            to the right, down, ahead.
        heading: `[N]`, radians: 0 points to the right, -pi/2 ahead.
        view: `[N]`, the heading as seen along the ray from the camera.
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
        """`[N]` bool: rows of these kinds, hidden and cut at most so much."""
        kind = np.isin(self.kind, list(kinds))
        return kind & (self.occluded <= occluded) & (self.truncated <= truncated)


def read_labels(path: str | Path) -> KITTILabels:
    """The rows of a label file, without those of DontCare."""
    path = Path(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    words, numbers = [], []
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
                raise ValueError("frame < 0, or no number")
            if values[7] <= values[5] or values[8] <= values[6]:
                raise ValueError("a box without area")
        except ValueError as error:
            raise ValueError(
                f"Line {row} of {path} must be KITTI's {COLUMNS} columns: frame, "
                "track, type, truncated, occluded, alpha, left, top, right, bottom, "
                f"and 7 of the object in space. Received: {line!r} ({error})"
            ) from error
        if parts[2] != "DontCare":
            words.append(parts[2])
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
        kind=np.array(words, "U16")[order],
        truncated=whole[:, 2],
        occluded=whole[:, 3],
        boxes=boxes.astype("float32"),
        size=table[:, 9:12],
        location=table[:, 12:15],
        heading=table[:, 15],
        view=table[:, 4],
    )


def read_folder(folder: str | Path) -> tuple[KITTILabels, ...]:
    """The labels of all videos of a folder, which needs no frames."""
    labels = Path(folder) / "training" / "label_02"
    files = sorted(labels.glob("*.txt"))
    if not files:
        raise FileNotFoundError(
            "`folder` must hold KITTI's labels, training/label_02/0000.txt and so on. "
            f"Received: folder={folder}"
        )
    return tuple(read_labels(path) for path in files)


class KITTI:
    """The tracks of a folder, of those frames that are there.

    As HART's authors have it: what is mostly hidden or mostly out of the frame is not
    labelled at all, an object that comes back is a new one, and boxes are halved
    whatever the frame's size (which is off by up to 1.5 %).

    Args:
        folder: laid out as this module's docstring says. It may hold some of the
            frames only; a track ends where one is missing.
        kinds: of objects, of `KINDS`.
        occluded: the highest level of `KITTILabels.occluded` that is kept.
        truncated: the same of `KITTILabels.truncated`.
        scale: of the frames in the folder; 0.5 for halved ones, 1 for KITTI's own.
        shortest: tracks of fewer frames are left out.

    Attributes:
        sequences: a video of `datasets.Sequence` for each track, present throughout,
            by name: "0005_31" is object 31 of video 0005, "0005_31-2" after it came
            back. For `Clips`, `one_pass` and `video_clips`.
    """

    def __init__(
        self,
        folder: str | Path,
        kinds: Collection[str] = KINDS,
        occluded: int = 1,
        truncated: int = 1,
        scale: float = 0.5,
        shortest: int = 2,
    ) -> None:
        for kind in kinds:
            check_choice("kinds", kind, KINDS)
        if not scale > 0:
            raise ValueError(f"`scale` must be positive. Received: scale={scale}")
        self.folder = Path(folder)
        self.scale = scale
        self.shortest = shortest
        tracks: list[Sequence] = []
        images = self.folder / "training" / "image_02"
        for labels in read_folder(folder):
            files = {int(p.stem): p for p in (images / labels.video).glob("*.png")}
            if files:
                self._check_size(files[min(files)])
                kept = labels.kept(kinds, occluded, truncated)
                tracks += _tracks(labels, kept, files, scale)
        self.sequences = tuple(t for t in tracks if len(t) >= shortest)
        if not self.sequences:
            raise FileNotFoundError(
                "`folder` must hold labelled frames, training/image_02/0000/000000.png "
                f"and so on. Received: folder={folder}, without a track of "
                f"{shortest} frames or more"
            )

    def _check_size(self, path: Path) -> None:
        height, width = image_size(path)
        if abs(width / (WIDTH * self.scale) - 1) > 0.03:
            raise ValueError(
                f"With `scale={self.scale:g}` frames must be about "
                f"{WIDTH * self.scale:.0f}x{HEIGHT * self.scale:.0f} pixels (see "
                "keras_attend.datasets.kitti for how to halve them). "
                f"Received: {width}x{height} in {path}"
            )

    def in_time(self, share: float = 0.8) -> tuple[Sequences, Sequences]:
        """The authors' split: the first 80 % of each video's frames, and the rest.

        A video here is a run of frames in each of which there is a track. The same
        cars, and the same street, are on both sides: what it scores is no measure
        for new videos, as `by_video` is.

        Args:
            share: of the frames that are for training.
        """
        if not 0 < share < 1:
            raise ValueError(f"`share` must be in 0..1. Received: share={share}")
        before: list[Sequence] = []
        after: list[Sequence] = []
        runs = {
            video: _runs({n for s in tracks for n in _numbers(s)})
            for video, tracks in self._videos().items()
        }
        for sequence in self.sequences:
            numbers = _numbers(sequence)
            (run,) = (r for r in runs[_video(sequence)] if numbers[0] in r)
            cut = run.start + int(share * len(run)) - numbers[0]
            cut = min(max(cut, 0), len(sequence))
            before.append(sequence.part(0, cut))
            after.append(sequence.part(cut))
        return self._long(before), self._long(after)

    def by_video(
        self, held_out: Collection[str] = HELD_OUT
    ) -> tuple[Sequences, Sequences]:
        """The honest split: tracks of other videos, and of those `held_out`.

        Args:
            held_out: names of videos.
        """
        for video in held_out:
            if not (video.isdigit() and len(video) == 4):
                raise ValueError(
                    "`held_out` must be names of videos, such as '0005'. "
                    f"Received: held_out={held_out}"
                )
        away = [_video(sequence) in held_out for sequence in self.sequences]
        pairs = list(zip(self.sequences, away, strict=True))
        return tuple(s for s, out in pairs if not out), tuple(
            s for s, out in pairs if out
        )

    def _long(self, sequences: Iterable[Sequence]) -> Sequences:
        return tuple(s for s in sequences if len(s) >= self.shortest)

    def _videos(self) -> dict[str, list[Sequence]]:
        videos: dict[str, list[Sequence]] = {}
        for sequence in self.sequences:
            videos.setdefault(_video(sequence), []).append(sequence)
        return videos


def _tracks(
    labels: KITTILabels, kept: Array, files: dict[int, Path], scale: float
) -> list[Sequence]:
    """A sequence for each run of frames with a file that show the same object."""
    sequences = []
    listed = kept & np.isin(labels.frame, list(files))
    for track in np.unique(labels.track[listed]):
        rows = np.flatnonzero(listed & (labels.track == track))  # in order of frames
        breaks = np.flatnonzero(np.diff(labels.frame[rows]) != 1) + 1
        for number, run in enumerate(np.split(rows, breaks), start=1):
            name = f"{labels.video}_{track}" + (f"-{number}" if number > 1 else "")
            paths = tuple(files[int(frame)] for frame in labels.frame[run])
            boxes = labels.boxes[run] * np.float32(scale)
            sequences.append(Sequence(name, paths, boxes, np.ones(len(run), bool)))
    return sequences


def _runs(numbers: Collection[int]) -> list[range]:
    """Whole numbers as ranges without gaps."""
    ordered = np.array(sorted(numbers))
    breaks = np.flatnonzero(np.diff(ordered) != 1) + 1
    parts = np.split(ordered, breaks)
    return [range(int(part[0]), int(part[-1]) + 1) for part in parts]


def _numbers(sequence: Sequence) -> list[int]:
    return [int(path.stem) for path in sequence.frames]


def _video(sequence: Sequence) -> str:
    return sequence.frames[0].parent.name
