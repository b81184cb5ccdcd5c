"""Videos of one's own, with boxes drawn in CVAT or Label Studio, or in MOT's layout.

`mot`, `cvat` and `label_studio` give a `Sequence` for each object. The frames are
pictures in a folder; `video.write_frames` makes them of a video file. Boxes become
`xywh` in pixels, 0-based.
"""

import json
import math
from collections import abc
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from keras_attend.datasets.sequences import Sequence, image_files, image_size
from keras_attend.disk import read_text
from keras_attend.types import Array

# Of an object: for some frames its box `xywh`, or None from which on it is away.
Marks = dict[int, tuple[float, float, float, float] | None]


def mot(folder: str | Path) -> tuple[Sequence, ...]:
    """Read the objects of a folder in MOTChallenge's layout.

    The frames are `<name>/img1/000001.jpg, ...`. `<name>/gt/gt.txt` has a line for each
    box: frame, object, x, y, w, h, and perhaps 0 for a box that does not count; frames
    and places are 1-based. An object is absent where no line names it. The object 3 of
    `<name>` becomes the sequence `<name>-3`.
    """
    files = sorted(Path(folder).glob("*/gt/gt.txt"))
    if not files:
        raise FileNotFoundError(
            f"`folder` must hold videos: */gt/gt.txt. Received: folder={folder}"
        )
    found = []
    for path in files:
        video = path.parent.parent
        objects: dict[int, Marks] = {}
        for number, line in enumerate(read_text(path).splitlines(), start=1):
            if not line.strip():
                continue
            try:
                frame, name, x, y, w, h, *rest = (float(v) for v in line.split(","))
            except ValueError as error:
                raise ValueError(
                    f"Line {number} of {path} must be frame,object,x,y,w,h and perhaps "
                    f"more numbers. Received: {line[:200]!r}"
                ) from error
            if not rest or rest[0] != 0:
                box = (x - 1, y - 1, w, h)
                objects.setdefault(int(name), {})[int(frame) - 1] = box
        frames = image_files(video / "img1")
        found += [
            _sequence(f"{video.name}-{name}", frames, marks, path, between=False)
            for name, marks in sorted(objects.items())
        ]
    return tuple(found)


def cvat(annotations: str | Path, frames: str | Path | None = None) -> tuple[Any, ...]:
    """Read the tracks of CVAT's export "CVAT for video 1.1".

    Args:
        annotations: the file `annotations.xml` of the export.
        frames: the folder of the frames, in the order of their names; `images` beside
            the file when absent.

    The box of a frame between two that are marked is drawn between theirs; a track is
    absent where it is "outside". The track 3 with the label car becomes the sequence
    `car-3`. Tracks of other shapes than boxes are left out.
    """
    path = Path(annotations)
    text = read_text(path)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # CVAT writes none
        raise ValueError(f"{path} must be an export of CVAT. It declares entities")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"{path} must be XML. Received: {error}") from error
    files = image_files(path.parent / "images" if frames is None else Path(frames))
    found = []
    for track in root.iter("track"):
        marks: Marks = {}
        for mark in track.iter("box"):
            try:
                left, top, right, bottom = (
                    float(mark.attrib[side]) for side in ("xtl", "ytl", "xbr", "ybr")
                )
                number = int(mark.attrib["frame"])
            except (KeyError, ValueError) as error:
                raise ValueError(
                    f"Each box in {path} must have a frame and the numbers xtl, ytl, "
                    f"xbr and ybr. Received: {dict(mark.attrib)}"
                ) from error
            away = mark.attrib.get("outside") == "1"
            marks[number] = None if away else (left, top, right - left, bottom - top)
        if marks:
            name = f"{track.attrib.get('label', 'track')}-{track.attrib.get('id', 0)}"
            found.append(_sequence(name, files, marks, path))
    if not found:
        raise ValueError(
            f"{path} must hold tracks of boxes, as CVAT exports them by the format "
            '"CVAT for video 1.1". Received: none'
        )
    return tuple(found)


def label_studio(
    annotations: str | Path, frames: str | Path, task: int = 0
) -> tuple[Sequence, ...]:
    """Read the boxes of a video in Label Studio's export "JSON".

    Args:
        annotations: the JSON file.
        frames: the folder of the video's frames, in the order of their names.
        task: which of the file's tasks the video is of, from 0.

    Label Studio keeps the frames in which a box was set: between two of them the box is
    drawn between theirs, and after the last it stays, unless it was switched off there.
    The second object, labelled Cell, becomes the sequence `Cell-1`.
    """
    path, files = Path(annotations), image_files(Path(frames))
    try:
        tasks = json.loads(read_text(path))
        (first, *_) = tasks[task]["annotations"]
        results = [r for r in first["result"] if r["type"] == "videorectangle"]
        named = [
            ((r["value"].get("labels") or ["object"])[0], r["value"]["sequence"])
            for r in results
        ]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise ValueError(
            f"{path} must be Label Studio's export JSON, with an annotated video as "
            f"task {task}. Received: {type(error).__name__} {error}"
        ) from error
    if not named:
        raise ValueError(
            f"Task {task} of {path} must have boxes by the tag VideoRectangle. "
            "Received: none"
        )
    height, width = image_size(files[0])
    scale = np.array([width, height, width, height]) / 100  # they are in percent
    found = []
    for number, (label, keys) in enumerate(named):
        marks: Marks = {}
        try:
            for key in sorted(keys, key=lambda key: int(key["frame"])):
                sides = [float(key[name]) for name in ("x", "y", "width", "height")]
                frame = int(key["frame"]) - 1
                marks[frame] = tuple((np.array(sides) * scale).tolist())
                if not key.get("enabled", True):
                    marks[frame + 1] = None
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"Each box in {path} must have a frame, x, y, width and height. "
                f"Received: {type(error).__name__} {error}"
            ) from error
        found.append(_sequence(f"{label}-{number}", files, marks, path))
    return tuple(found)


def _sequence(
    name: str,
    frames: abc.Sequence[Path],
    marks: Marks,
    path: Path,
    between: bool = True,
) -> Sequence:
    """A sequence of the frames, with the boxes that the marks of some of them give.

    Args:
        name: the object's.
        frames: the files of the video's frames.
        marks: by the frame's number, from 0.
        path: the file of the marks.
        between: whether a mark holds until the next one, by a box drawn between them.
    """
    numbers = sorted(marks)
    if numbers and not 0 <= numbers[0] <= numbers[-1] < len(frames):
        if marks[numbers[-1]] is None and numbers[-1] == len(frames):
            numbers.pop()  # switched off after the last frame
        else:
            raise ValueError(
                f"{path} must mark frames that there are. Received: marks in the "
                f"frames {numbers[0]} to {numbers[-1]} of {name!r}, "
                f"{len(frames)} pictures"
            )
    boxes = np.full((len(frames), 4), np.nan, "float32")
    for start, stop in zip(numbers, [*numbers[1:], len(frames)], strict=True):
        box, after = marks[start], marks.get(stop)
        if box is None:
            continue
        if not all(map(math.isfinite, box)):
            raise ValueError(f"{path} must hold finite boxes. Received: {box}")
        boxes[start : stop if between else start + 1] = box
        if between and after is not None:
            boxes[start:stop] = _drawn_between(box, after, stop - start)
    present = np.isfinite(boxes).all(-1) & (boxes[:, 2:] > 0).all(-1)
    if not present.any():
        raise ValueError(f"{path} must show each object once. Received: never {name!r}")
    boxes = np.where(present[:, None], boxes, np.float32(0))
    return Sequence(name, tuple(frames), boxes, present)


def _drawn_between(box: Any, after: Any, count: int) -> Array:
    """Boxes `[count, 4]` on the way from one to another, without the other."""
    share = np.arange(count)[:, None] / count
    return (1 - share) * np.array(box) + share * np.array(after)
