"""KTH actions as RATM tracks them (Kahou et al. 2015, section 6.3).

25 subjects walk, run and jog past a camera that stands still (Schüldt et al. 2004),
in frames of 160x120 grey pixels. Each subject in turn is left out of the training to
be tested on. This package downloads nothing. It reads a folder like this:

    KTHBoundingBoxInfo.txt                   Lin, Jiang and Davis's boxes (2009)
    frames/person01_walking_d1_uncomp/001.png, 002.png, ...
    frames/person01_walking_d2_uncomp/...

The box file comes with Jiang's Keck gesture data set, the videos from KTH
(https://www.csc.kth.se/cvap/actions/). From the videos in a folder `avi` this makes
the frames, in a shell:

    for video in avi/*_{walking,running,jogging}_*.avi; do
        frames=frames/$(basename "$video" .avi)
        mkdir -p "$frames"
        ffmpeg -i "$video" -vf scale=160:120,format=gray "$frames/%03d.png"
    done
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_attend.arguments import check_choice
from keras_attend.datasets.sequences import Sequence, read_image
from keras_attend.disk import read_text
from keras_attend.types import Array, OneLine

BOX_FILE = "KTHBoundingBoxInfo.txt"
HEIGHT, WIDTH = 120, 160
SUBJECTS = range(1, 26)
# Their order is that of the box file's numbers, which begin with 1.
ACTIONS = ("boxing", "handclapping", "handwaving", "jogging", "running", "walking")
TRACKED = ("walking", "running", "jogging")


@dataclass(frozen=True, eq=False, repr=False)
class KTHSequence(OneLine):
    """One passage of a subject through the picture. A video holds several.

    Attributes:
        subject: 1 to 25.
        action: "walking", ...
        scenario: 1 outdoors, 2 with changes of scale, 3 in other clothes, 4 indoors.
        passage: the passage's number in its video, from 1.
        start: the number of the passage's frame 0 in the video, from 1.
        boxes: `[T, 4]` float32, `xywh` in pixels of the 160x120 frames.
    """

    subject: int
    action: str
    scenario: int
    passage: int
    start: int
    boxes: Array

    @property
    def video(self) -> str:
        """The name of the video, and of the folder that holds its frames."""
        return f"person{self.subject:02d}_{self.action}_d{self.scenario}_uncomp"

    def __len__(self) -> int:
        return len(self.boxes)


class KTHFold(NamedTuple):
    """A split by subject: two subjects for test and validation, all others to train."""

    test_subject: int
    validation_subject: int
    train: list[KTHSequence]
    validation: list[KTHSequence]
    test: list[KTHSequence]


class KTH(OneLine):
    """The sequences of a folder, which may hold fewer videos than the box file lists.

    Args:
        folder: laid out as this module's docstring says.
        actions: the actions to take: RATM's three unless given.
        subjects: the subjects to take, of 1 to 25: all unless given.

    `sequences` is a list of `KTHSequence`, in the box file's order.
    """

    def __init__(
        self,
        folder: str | Path,
        actions: Collection[str] = TRACKED,
        subjects: Collection[int] = SUBJECTS,
    ) -> None:
        for action in actions:
            check_choice("actions", action, ACTIONS)
        strangers = sorted(set(subjects) - set(SUBJECTS))
        if strangers:
            raise ValueError(f"`subjects` are 1 to 25. Received: {strangers}")
        self.folder = Path(folder)
        path = self.folder / BOX_FILE
        if not path.is_file():
            raise FileNotFoundError(
                f"`folder` must hold {BOX_FILE} and a folder frames (see "
                f"keras_attend.datasets.kth for how to make them). "
                f"Received: folder={self.folder}"
            )
        self.sequences = [
            sequence
            for sequence in read_boxes(path, actions)
            if sequence.subject in subjects
        ]

    def read(
        self, sequence: KTHSequence, first: int = 0, count: int | None = None
    ) -> tuple[Array, Array]:
        """Read frames `[T, 120, 160, 1]` uint8 and boxes `[T, 4]` of a sequence.

        It reads `count` frames from frame `first` on, or all until the end. (The
        authors' code leaves out every sequence's last frame.)
        """
        last = len(sequence) if count is None else first + count
        if not 0 <= first < last <= len(sequence):
            raise ValueError(
                f"`first` and `count` must lie within the {len(sequence)} frames of "
                f"the sequence. Received: first={first}, count={count}"
            )
        frames = [_read_frame(path) for path in self._files(sequence)[first:last]]
        return np.stack(frames)[..., None], sequence.boxes[first:last]

    def videos(self, sequences: Iterable[KTHSequence]) -> tuple[Sequence, ...]:
        """Turn sequences into `datasets.Sequence`, for `Clips` and `one_pass`."""
        return tuple(
            Sequence(
                f"{sequence.video}_{sequence.passage}",
                self._files(sequence),
                sequence.boxes,
                np.ones(len(sequence), bool),
            )
            for sequence in sequences
        )

    def _files(self, sequence: KTHSequence) -> tuple[Path, ...]:
        """The files of a sequence's frames."""
        folder = self.folder / "frames" / sequence.video
        numbers = range(sequence.start, sequence.start + len(sequence))
        return tuple(folder / f"{number:03d}.png" for number in numbers)

    def folds(self, seed: int = 1) -> Iterator[KTHFold]:
        """Leave each subject out in turn, to be tested on.

        One of the others, drawn by `seed`, is for validation. With seed 1 it is the
        authors' choice; they seed their generator anew for each fold.
        """
        subjects = sorted({sequence.subject for sequence in self.sequences})
        if len(subjects) < 3:
            raise ValueError(
                "Folds need three subjects or more, one each to test, validate and "
                f"train. Received: subjects={subjects} in {self.folder}"
            )
        for test in subjects:
            others = [subject for subject in subjects if subject != test]
            # NumPy has frozen the stream of `RandomState` for good.
            validation = others[np.random.RandomState(seed).randint(len(others))]
            fold = KTHFold(test, validation, [], [], [])
            uses = {test: fold.test, validation: fold.validation}
            for sequence in self.sequences:
                uses.get(sequence.subject, fold.train).append(sequence)
            yield fold


def read_boxes(
    path: str | Path, actions: Collection[str] = ACTIONS
) -> list[KTHSequence]:
    """Read the sequences of a box file that are of these actions, in its order.

    A line is a sequence: subject, scenario, action, passage, first frame and last
    frame, then `y1 x1 y2 x2` for each frame. Lines that begin with # are comments. A
    line without boxes is of a video that is missing in KTH; it is left out.
    """
    sequences = []
    text = read_text(Path(path), errors="replace")
    for row, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            numbers = np.array(line.split(), dtype="int64")
            subject, scenario, action, passage, start, end = map(int, numbers[:6])
            name = dict(enumerate(ACTIONS, start=1))[action]
            if len(numbers) == 6 or name not in actions:
                continue
            corners = numbers[6:].reshape(-1, 4)
            if len(corners) != end - start + 1:
                raise ValueError(f"{len(corners)} boxes")
            if (corners[:, 2:] < corners[:, :2]).any():
                raise ValueError("a box that is turned round")
        except (ValueError, KeyError, OverflowError) as error:
            raise ValueError(
                f"Line {row} of {path} must be: subject, scenario, action (1 to "
                f"{len(ACTIONS)}), passage, first frame, last frame, and y1 x1 y2 x2 "
                f"for each frame. Received: {_shorten(line)}"
            ) from error
        y1, x1, y2, x2 = corners.T
        boxes = np.stack([x1, y1, x2 - x1, y2 - y1], -1).astype("float32")
        sequences.append(KTHSequence(subject, name, scenario, passage, start, boxes))
    return sequences


def _shorten(line: str, length: int = 60) -> str:
    """The beginning of a line, and how many numbers the whole line has."""
    return line if len(line) <= length else f"{line[:length]}... ({len(line.split())})"


def _read_frame(path: Path) -> Array:
    """Read a frame as grey levels `[120, 160]` uint8."""
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no frame {path}. Make it by ffmpeg as "
            "keras_attend.datasets.kth says."
        )
    frame = read_image(path, "L")
    if frame.shape != (HEIGHT, WIDTH):
        raise ValueError(
            f"A frame must be {WIDTH}x{HEIGHT} pixels (ffmpeg -vf scale="
            f"{WIDTH}:{HEIGHT}). Received: {frame.shape[1]}x{frame.shape[0]} in {path}"
        )
    return frame
