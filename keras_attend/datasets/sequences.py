"""Real videos in folders.

`otb` and `got10k` read the boxes of every video in a folder, `read_frames` the
pixels of one; `video_clips.py` cuts them into clips. Boxes are `xywh`, 0-based.
"""

from collections import abc
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

IMAGES = (".jpg", ".jpeg", ".png", ".bmp")
# OTB's videos whose annotation begins at a later frame, by that frame's number.
OTB_STARTS = {"BlurCar1": 247, "BlurCar3": 3, "BlurCar4": 18, "David": 300}


@dataclass(frozen=True, eq=False)
class Sequence:
    """One video and one object in it.

    Attributes:
        name: of the video.
        frames: the files, in their order.
        boxes: `[T, 4]` float32, `xywh` in pixels, 0-based; zeros where absent.
        present: `[T]` bool.
    """

    name: str
    frames: tuple[Path, ...]
    boxes: Array
    present: Array

    def __post_init__(self) -> None:
        count = len(self.frames)
        shapes = {"boxes": self.boxes.shape, "present": self.present.shape}
        if shapes != {"boxes": (count, 4), "present": (count,)}:
            raise ValueError(
                "`boxes` must have shape [T, 4] and `present` [T], for T frames. "
                f"Received: name={self.name!r}, {count} frames, shapes {shapes}"
            )

    def __len__(self) -> int:
        return len(self.frames)

    def part(self, start: int = 0, stop: int | None = None) -> "Sequence":
        """The frames from `start` up to, not with, `stop`, as a slice has it."""
        kept = slice(start, stop)
        return Sequence(
            self.name, self.frames[kept], self.boxes[kept], self.present[kept]
        )


def otb(
    folder: str | Path, starts: abc.Mapping[str, int] = OTB_STARTS
) -> tuple[Sequence, ...]:
    """The videos of a folder in OTB's layout, by name.

    `<name>/img/0001.jpg, ...` and `<name>/groundtruth_rect.txt`, a line `x,y,w,h`
    for each frame, 1-based, apart by commas, tabs or spaces. A box that is NaN or has
    no area means that the object is absent. `groundtruth_rect.1.txt` and `.2.txt` are
    two objects of one video, which become `<name>-1` and `<name>-2`. Only frames with
    a line are kept, from the first one on, or from the one in `starts`.

    Args:
        folder: with a folder for each video in it.
        starts: the number in the first annotated frame's file name, by video, for
            annotations that begin later than the frames.
    """
    sequences = []
    for video in _videos(folder, "*/groundtruth_rect*.txt"):
        frames = image_files(video / "img")
        files = sorted(video.glob("groundtruth_rect*.txt"))
        for path in files:
            boxes = _read_boxes(path)
            kept = frames
            if len(boxes) < len(frames) and video.name in starts:
                first = starts[video.name]
                kept = [f for f in frames if f.stem.isdigit() and int(f.stem) >= first]
            number = path.stem.removeprefix("groundtruth_rect").removeprefix(".")
            name = f"{video.name}-{number}" if number else video.name
            sequences.append(_sequence(name, kept, boxes))
    return tuple(sequences)


def got10k(folder: str | Path) -> tuple[Sequence, ...]:
    """The videos of a folder in GOT-10k's layout (its `train` or `val`), by name.

    `<name>/00000001.jpg, ...`, `<name>/groundtruth.txt`, a line `x,y,w,h` for each
    frame, 1-based as its authors' own trackers take it, and `<name>/absence.label`,
    if it is there: a line for each frame, 1 where the object is absent.
    """
    sequences = []
    for video in _videos(folder, "*/groundtruth.txt"):
        boxes = _read_boxes(video / "groundtruth.txt")
        label = video / "absence.label"
        if label.is_file():
            absent = np.array(label.read_text(encoding="utf-8").split()) == "1"
            if len(absent) != len(boxes):
                raise ValueError(
                    f"{label} must have a line for each line of groundtruth.txt. "
                    f"Received: {len(absent)} lines, {len(boxes)} boxes"
                )
            boxes[absent] = np.nan
        sequences.append(_sequence(video.name, image_files(video), boxes))
    return tuple(sequences)


def read_frames(sequence: Sequence, indices: abc.Iterable[int] | None = None) -> Array:
    """Frames of a video, `[T, H, W, 3]` uint8, red first.

    Args:
        sequence: the video.
        indices: of the frames; all of them unless given.
    """
    wanted = range(len(sequence)) if indices is None else indices
    frames = [read_image(sequence.frames[index]) for index in wanted]
    shapes = {frame.shape for frame in frames}
    if len(shapes) != 1:
        raise ValueError(
            "All frames of a video must have one size, and there must be some. "
            f"Received: {sequence.name!r} with frames of {sorted(shapes)}"
        )
    return np.stack(frames)


def _videos(folder: str | Path, pattern: str) -> list[Path]:
    found = sorted({path.parent for path in Path(folder).glob(pattern)})
    if not found:
        raise FileNotFoundError(
            f"`folder` must hold videos: {pattern}. Received: folder={folder}"
        )
    return found


def image_files(folder: Path) -> list[Path]:
    """The pictures in a folder, in the order of their names."""
    found = [path for path in folder.glob("*") if path.suffix.lower() in IMAGES]
    if not found:
        raise FileNotFoundError(
            f"{folder} must hold frames ({', '.join(IMAGES)}). There are none in it."
        )
    # By length first: 999.jpg comes before 1000.jpg.
    return sorted(found, key=lambda path: (len(path.stem), path.stem))


def _read_boxes(path: Path) -> Array:
    """`[T, 4]`, as in the file."""
    rows = []
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            x, y, w, h = (float(word) for word in line.replace(",", " ").split())
        except ValueError as error:
            raise ValueError(
                f"Line {number} of {path} must be x,y,w,h (commas, tabs or spaces). "
                f"Received: {line!r}"
            ) from error
        rows.append((x, y, w, h))
    return np.array(rows, "float32").reshape(-1, 4)


def _sequence(name: str, frames: abc.Sequence[Path], boxes: Array) -> Sequence:
    """Frames and lines, as many as there are of both; 1-based becomes 0-based."""
    count = min(len(frames), len(boxes))
    if count == 0:
        raise ValueError(
            "A video must have annotated frames. Received: "
            f"{name!r} with {len(frames)} frames and {len(boxes)} boxes"
        )
    boxes = boxes[:count]
    present = np.isfinite(boxes).all(-1) & (boxes[:, 2] > 0) & (boxes[:, 3] > 0)
    moved = boxes - np.array([1, 1, 0, 0], "float32")
    moved = np.where(present[:, None], moved, np.float32(0))
    return Sequence(name, tuple(frames[:count]), moved, present)


def read_image(path: Path) -> Array:
    """A picture as `[H, W, 3]` uint8."""
    with _opened(path) as image:
        return np.asarray(image.convert("RGB"))


def image_size(path: Path) -> tuple[int, int]:
    """A picture's height and width, without its pixels."""
    with _opened(path) as image:
        return image.height, image.width


@contextmanager
def _opened(path: Path) -> abc.Iterator[Any]:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("Reading frames needs Pillow: pip install Pillow") from error
    try:
        with Image.open(path) as image:
            yield image
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"{path} is damaged or no picture: {error}") from error
