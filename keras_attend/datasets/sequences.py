"""Real videos in folders.

`otb` and `got10k` read the boxes of every video in a folder, `read_frames` reads the
pixels of one. `Clips` draws clips of them. Boxes are `xywh` in pixels, 0-based.
"""

from collections import abc
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_attend.disk import opened, read_text
from keras_attend.types import Array

IMAGES = (".jpg", ".jpeg", ".png", ".bmp")
# What Pillow may take a picture for, whatever its name: for others it runs programs.
FORMATS = ("JPEG", "PNG", "BMP")
MAX_PICTURE_BYTES = 2**28
MAX_PIXELS = 2**26  # of a frame; a few kB can be unpacked to any number
# For OTB's videos that are annotated from a later frame on: that frame's number.
OTB_STARTS = {"BlurCar1": 247, "BlurCar3": 3, "BlurCar4": 18, "David": 300}


@dataclass(frozen=True, eq=False)
class Sequence:
    """One video and one object in it.

    Attributes:
        name: the video's name.
        frames: the files of its T frames, in their order.
        boxes: `[T, 4]` float32, `xywh` in pixels, 0-based; zeros where the object is
            absent.
        present: `[T]` bool, True where the object is there.
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

    def __repr__(self) -> str:
        """Return one line: name, frames, and in how many the object is there."""
        there = f"present in {int(self.present.sum())}"
        return f"Sequence({self.name!r}, {len(self)} frames, {there})"

    def part(self, start: int = 0, stop: int | None = None) -> "Sequence":
        """The same sequence, of the frames of the slice `[start:stop]` alone."""
        kept = slice(start, stop)
        return Sequence(
            self.name, self.frames[kept], self.boxes[kept], self.present[kept]
        )


def otb(
    folder: str | Path, starts: abc.Mapping[str, int] = OTB_STARTS
) -> tuple[Sequence, ...]:
    """Read the videos of a folder in OTB's layout, in the order of their names.

    The frames are `<name>/img/0001.jpg, ...`. The boxes are in
    `<name>/groundtruth_rect.txt`: a line of x, y, w, h for each frame, 1-based,
    separated by commas, tabs or spaces. A box that is NaN or has no area means that the
    object is absent. `groundtruth_rect.1.txt` and `.2.txt` are two objects of one
    video, which become `<name>-1` and `<name>-2`. Frames without a line are left out.

    Args:
        folder: holds a folder for each video.
        starts: by the video's name, the number in the file name of the frame that the
            first line is of, for videos with fewer lines than frames. Without a number
            it is the first frame.
    """
    sequences = []
    for video in _videos(folder, "*/groundtruth_rect*.txt"):
        frames = image_files(video / "img")
        for path in sorted(video.glob("groundtruth_rect*.txt")):
            boxes = _read_boxes(path)
            kept = frames
            if len(boxes) < len(frames) and video.name in starts:
                first = starts[video.name]
                kept = [f for f in frames if f.stem.isdigit() and int(f.stem) >= first]
            number = path.stem.removeprefix("groundtruth_rect").removeprefix(".")
            name = f"{video.name}-{number}" if number else video.name
            sequences.append(_sequence(name, kept, boxes, video / "img"))
    return tuple(sequences)


def got10k(folder: str | Path) -> tuple[Sequence, ...]:
    """Read the videos of a folder in GOT-10k's layout, in the order of their names.

    The folder is GOT-10k's `train` or `val`. The frames are `<name>/00000001.jpg, ...`.
    The boxes are in `<name>/groundtruth.txt`: a line `x,y,w,h` for each frame, taken as
    1-based, as the authors' own trackers do. A file `<name>/absence.label`, if there is
    one, has a line for each frame: 1 where the object is absent.
    """
    sequences = []
    for video in _videos(folder, "*/groundtruth.txt"):
        boxes = _read_boxes(video / "groundtruth.txt")
        label = video / "absence.label"
        if label.is_file():
            absent = np.array(read_text(label).split()) == "1"
            if len(absent) != len(boxes):
                raise ValueError(
                    f"{label} must have a line for each line of groundtruth.txt. "
                    f"Received: {len(absent)} lines, {len(boxes)} boxes"
                )
            boxes[absent] = np.nan
        sequences.append(_sequence(video.name, image_files(video), boxes, video))
    return tuple(sequences)


def read_frames(sequence: Sequence, indices: abc.Iterable[int] | None = None) -> Array:
    """Read frames of a video: `[T, H, W, 3]` uint8 of red, green, blue.

    `indices` are the numbers of the frames, from 0; all of them unless given.
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
    """The folders of a folder that hold a file of this pattern."""
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
    """Read boxes `[T, 4]` float32 as they are in a file."""
    rows = []
    lines = read_text(path).splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            x, y, w, h = (float(word) for word in line.replace(",", " ").split())
        except ValueError as error:
            raise ValueError(
                f"Line {number} of {path} must be x,y,w,h (commas, tabs or spaces). "
                f"Received: {line[:200]!r}"
            ) from error
        rows.append((x, y, w, h))
    return np.array(rows, "float32").reshape(-1, 4)


def _check_numbers(frames: abc.Sequence[Path], boxes: Array, folder: Path) -> None:
    """Refuse a folder that lacks a frame: those after it would get others' boxes."""
    if not len(boxes) or not all(path.stem.isdecimal() for path in frames):
        return  # their order is all that is known
    numbers = [int(path.stem) for path in frames[: len(boxes)]]
    # Where there are fewer frames than boxes, the first box is of number 0 or 1.
    expected = numbers[0] if len(frames) >= len(boxes) else min(numbers[0], 1)
    for path, number in zip(frames, numbers, strict=False):
        if number != expected:
            what = "is there twice" if number < expected else "is missing"
            wrong = min(number, expected)
            name = f"{wrong:0{len(path.stem)}d}{path.suffix}"
            raise ValueError(
                f"{folder} must hold a frame for each box. Received: {name} {what}"
            )
        expected += 1


def _sequence(
    name: str, frames: abc.Sequence[Path], boxes: Array, folder: Path
) -> Sequence:
    """Pair frames with boxes as far as there are both, and make boxes 0-based."""
    _check_numbers(frames, boxes, folder)
    count = min(len(frames), len(boxes))
    if count == 0:
        raise ValueError(
            "A video must have annotated frames. Received: "
            f"{name!r} with {len(frames)} frames in {folder} and {len(boxes)} boxes"
        )
    boxes = boxes[:count]
    present = np.isfinite(boxes).all(-1) & (boxes[:, 2] > 0) & (boxes[:, 3] > 0)
    moved = boxes - np.array([1, 1, 0, 0], "float32")
    moved = np.where(present[:, None], moved, np.float32(0))
    return Sequence(name, tuple(frames[:count]), moved, present)


def _check_picture(image: Any) -> None:
    """Refuse a picture whose pixels are too many or too deep, before it is decoded."""
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"{image.width}x{image.height} pixels, over {MAX_PIXELS}")
    if image.mode.startswith(("I", "F")):
        raise ValueError("pixels of more than 8 bits; convert them to 8 bits")


def read_image(path: Path, mode: str = "RGB") -> Array:
    """Read a picture: `[H, W, 3]` uint8 of red, green, blue; `[H, W]` in mode "L"."""
    with _opened(path) as image:
        return np.asarray(image.convert(mode))


def image_size(path: Path) -> tuple[int, int]:
    """Read a picture's height and width, without decoding its pixels."""
    with _opened(path) as image:
        return image.height, image.width


@contextmanager
def _opened(path: Path) -> abc.Iterator[Any]:
    """Open a picture with Pillow, and explain what is wrong if that fails."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("Reading frames needs Pillow: pip install Pillow") from error
    try:
        with (
            opened(path, MAX_PICTURE_BYTES) as file,
            Image.open(file, formats=FORMATS) as image,
        ):
            _check_picture(image)
            yield image
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        # Pillow raises all of them.
        raise ValueError(f"{path} is damaged, or is no picture: {error}") from error
