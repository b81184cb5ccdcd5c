"""KITTI tracking as HART uses it (Geiger et al. 2012; Kosiorek et al. 2017, 5.2).

A car with a camera drives through Karlsruhe; cars, people and cyclists are labelled in
21 videos. This package downloads none of it. The data are at
https://www.cvlibs.net/datasets/kitti under "tracking" (left colour images and training
labels, for non-commercial use). The folder is laid out as KITTI's archives are:

    training/label_02/0000.txt, ...
    training/image_02/0000/000000.png, ...

HART reads frames of half the size. ImageMagick halves them, in the folder, by

    for video in training/image_02/*; do mogrify -resize 621x188 "$video"/*.png; done
"""

from collections.abc import Collection, Iterable
from itertools import groupby
from pathlib import Path

import numpy as np

from keras_attend.arguments import check_choice
from keras_attend.datasets.kitti_labels import (
    HEIGHT,
    KINDS,
    WIDTH,
    KITTILabels,
    read_folder,
)
from keras_attend.datasets.sequences import Sequence, image_size
from keras_attend.types import Array, OneLine

Sequences = tuple[Sequence, ...]

# Videos that a split by video keeps from training: 15 % of the tracks, of all kinds.
HELD_OUT = ("0005", "0010", "0012", "0014", "0016", "0018")


class KITTI(OneLine):
    """The labelled tracks of a folder, over those frames that the folder holds.

    The rules are those of HART's authors. An object that is mostly hidden or mostly
    outside the frame counts as unlabelled, and as a new object when it comes back.
    Boxes are multiplied by `scale` alone, although some frames are up to 1.5 % smaller
    than others.

    Args:
        folder: laid out as this module's docstring says. A track ends where a frame is
            missing.
        kinds: the kinds of objects, of `kitti_labels.KINDS`.
        occluded: the highest level of `KITTILabels.occluded` that counts as labelled.
        truncated: the highest level of `KITTILabels.truncated` that does.
        scale: the size of the folder's frames relative to KITTI's own: 0.5 for halved
            ones.
        shortest: the fewest frames of a track; shorter ones are left out.

    Attributes:
        sequences: a `Sequence` for each track, with the object in every frame, for
            `Clips`, `evaluation.one_pass` and `evaluation.video_clips`. "0005_31" is
            object 31 of video 0005, "0005_31-2" the same object after it came back.
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
            pictures = sorted((images / labels.video).glob("*.png"))
            for path in pictures:
                if not path.stem.isdecimal():
                    raise ValueError(
                        f"{path} must be named by its number, such as 000000.png"
                    )
            files = {int(path.stem): path for path in pictures}
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
        """Split as HART's authors do: the first 80 % of each video, and the rest.

        A video here is a run of consecutive frames that all have a track. The same
        cars and streets are on both sides, so the score of the second part says
        nothing of new videos; that of `by_video` does.

        Returns the tracks in the `share` of each video's frames for training, and the
        others.
        """
        if not 0 < share < 1:
            raise ValueError(f"`share` must be in 0..1. Received: share={share}")
        before, after = list[Sequence](), list[Sequence]()
        runs = {
            video: _runs({n for s in tracks for n in _numbers(s)})
            for video, tracks in groupby(self.sequences, _video)
        }
        for sequence in self.sequences:
            numbers = _numbers(sequence)
            (run,) = (r for r in runs[_video(sequence)] if numbers[0] in r)
            end = run.start + int(share * len(run)) - numbers[0]
            end = min(max(end, 0), len(sequence))
            before.append(sequence.part(0, end))
            after.append(sequence.part(end))
        return self._long(before), self._long(after)

    def by_video(
        self, held_out: Collection[str] = HELD_OUT
    ) -> tuple[Sequences, Sequences]:
        """Split by video, so that the second part is of streets not trained on.

        Returns the tracks of all other videos, and those of the videos `held_out`.
        """
        for video in held_out:
            if not (video.isdigit() and len(video) == 4):
                raise ValueError(
                    "`held_out` must be names of videos, such as '0005'. "
                    f"Received: held_out={held_out}"
                )
        train = (s for s in self.sequences if _video(s) not in held_out)
        test = (s for s in self.sequences if _video(s) in held_out)
        return tuple(train), tuple(test)

    def _long(self, sequences: Iterable[Sequence]) -> Sequences:
        return tuple(s for s in sequences if len(s) >= self.shortest)


def _tracks(
    labels: KITTILabels, kept: Array, files: dict[int, Path], scale: float
) -> list[Sequence]:
    """A sequence for each run of consecutive frames that show the same object.

    Rows of labels count if they are `kept` and the frame is among the `files`.
    """
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
    """Whole numbers as the fewest ranges that hold them and no others."""
    ordered = np.array(sorted(numbers))
    breaks = np.flatnonzero(np.diff(ordered) != 1) + 1
    parts = np.split(ordered, breaks)
    return [range(int(part[0]), int(part[-1]) + 1) for part in parts]


def _numbers(sequence: Sequence) -> list[int]:
    """The frames' numbers, which are their files' names."""
    return [int(path.stem) for path in sequence.frames]


def _video(sequence: Sequence) -> str:
    """The video's name, which is that of the frames' folder."""
    return sequence.frames[0].parent.name
