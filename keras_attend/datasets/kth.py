"""KTH actions as RATM tracks them (Kahou et al. 2015, section 6.3).

25 subjects walk, run and jog past a camera that stands still (Schüldt et al. 2004),
in frames of 160x120 grey pixels. Each is left out in turn to be tested on. Nothing is
downloaded; a folder like this is to be made:

    KTHBoundingBoxInfo.txt                   Lin, Jiang and Davis's boxes (2009)
    frames/person01_walking_d1_uncomp/001.png, 002.png, ...
    frames/person01_walking_d2_uncomp/...

The box file comes with Jiang's Keck gesture data set, the videos from KTH
(https://www.csc.kth.se/cvap/actions/). With these in a folder `avi`, in a shell:

    for video in avi/*_{walking,running,jogging}_*.avi; do
        frames=frames/$(basename "$video" .avi)
        mkdir -p "$frames"
        ffmpeg -i "$video" -vf scale=160:120,format=gray "$frames/%03d.png"
    done
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_attend.arguments import check_choice
from keras_attend.datasets.sequences import Sequence

Array = NDArray[Any]

BOX_FILE = "KTHBoundingBoxInfo.txt"
HEIGHT, WIDTH = 120, 160
SUBJECTS = range(1, 26)
# The box file counts them from 1.
ACTIONS = ("boxing", "handclapping", "handwaving", "jogging", "running", "walking")
TRACKED = ("walking", "running", "jogging")


@dataclass(frozen=True, eq=False)
class KTHSequence:
    """One passage of a subject through the picture; a video holds several.

    Attributes:
        subject: 1 to 25.
        action: "walking", ...
        scenario: 1 outdoors, 2 with changes of scale, 3 in other clothes, 4 indoors.
        passage: which one of its video, from 1.
        start: its first frame's number in the video, from 1.
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
        """Name of the video, and of the folder that holds its frames."""
        return f"person{self.subject:02d}_{self.action}_d{self.scenario}_uncomp"

    def __len__(self) -> int:
        return len(self.boxes)


class KTHFold(NamedTuple):
    """Who is tested on, who stops the training, and all the sequences by use."""

    test_subject: int
    validation_subject: int
    train: list[KTHSequence]
    validation: list[KTHSequence]
    test: list[KTHSequence]


class KTH:
    """The sequences of a folder, to be read one by one.

    Args:
        folder: laid out as this module's docstring says.
        actions: which ones; RATM's three unless told.
        subjects: whose, 1 to 25; all unless told.

    Frames are read when asked for, so that a folder may hold fewer videos than the
    box file has.
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
        """Frames `[T, 120, 160, 1]` uint8 and boxes `[T, 4]` of a sequence.

        The authors' code leaves out every sequence's last frame; this does not.

        Args:
            sequence: one of `sequences`.
            first: where in it to begin, from 0.
            count: how many frames; all to the end unless told.
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
        """The same as `datasets.Sequence`, for `Clips` and `one_pass`."""
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
        folder = self.folder / "frames" / sequence.video
        numbers = range(sequence.start, sequence.start + len(sequence))
        return tuple(folder / f"{number:03d}.png" for number in numbers)

    def folds(self, seed: int = 1) -> Iterator[KTHFold]:
        """Leave each subject out in turn to be tested on.

        One of the others, drawn by `seed`, is for validation, all the rest for
        training. With seed 1 the validation subjects are the authors', who start the
        draw afresh for each fold.
        """
        subjects = sorted({sequence.subject for sequence in self.sequences})
        if len(subjects) < 3:
            raise ValueError(
                "Folds need three subjects or more, one each to test, validate and "
                f"train. Received: subjects={subjects} in {self.folder}"
            )
        for test in subjects:
            others = [subject for subject in subjects if subject != test]
            # A stream that NumPy promises never to change.
            validation = others[np.random.RandomState(seed).randint(len(others))]
            uses: dict[str, list[KTHSequence]] = {
                "train": [],
                "validation": [],
                "test": [],
            }
            names = {test: "test", validation: "validation"}
            for sequence in self.sequences:
                uses[names.get(sequence.subject, "train")].append(sequence)
            yield KTHFold(test, validation, **uses)


def read_boxes(
    path: str | Path, actions: Collection[str] = ACTIONS
) -> list[KTHSequence]:
    """The sequences of a box file, in its order.

    A line is a sequence: subject, scenario, action, passage, first frame and last
    frame, then `y1 x1 y2 x2` for each frame. Lines that begin with # are comments;
    those of videos that are missing end before the boxes, and are left out.

    Args:
        path: of the file.
        actions: which ones to read.
    """
    sequences = []
    text = Path(path).read_text(encoding="utf-8", errors="replace")
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
        except (ValueError, KeyError) as error:
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
    return line if len(line) <= length else f"{line[:length]}... ({len(line.split())})"


def _read_frame(path: Path) -> Array:
    """A PNG file as grey levels `[120, 160]` uint8."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            'PNG frames are read by Pillow: pip install "pillow"'
        ) from error
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no frame {path}. Make it by ffmpeg as "
            "keras_attend.datasets.kth says."
        )
    try:
        with Image.open(path) as image:
            frame = np.asarray(image.convert("L"))
    except (OSError, SyntaxError) as error:  # Pillow raises both
        raise ValueError(
            f"{path} is not a whole PNG file. Make it again. "
            f"Received: {type(error).__name__}: {error}"
        ) from error
    if frame.shape != (HEIGHT, WIDTH):
        raise ValueError(
            f"A frame must be {WIDTH}x{HEIGHT} pixels (ffmpeg -vf scale="
            f"{WIDTH}:{HEIGHT}). Received: {frame.shape[1]}x{frame.shape[0]} in {path}"
        )
    return frame
