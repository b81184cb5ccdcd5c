"""Real videos in folders, and clips of them or of single pictures to train on.

`otb` and `got10k` read the boxes of every video in a folder, `read_frames` the
pixels of one. `Clips` draws windows of videos, `StillClips` moves a view over
pictures; both are what a tracker's `fit` takes. Boxes are `xywh`, 0-based.
"""

import math
from collections import abc
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_attend.arguments import check_positive_integers

Array = NDArray[Any]
Clip = tuple[Array, Array, Array]  # frames, boxes, present

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
        frames = _images(video / "img")
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
        sequences.append(_sequence(video.name, _images(video), boxes))
    return tuple(sequences)


def read_frames(sequence: Sequence, indices: abc.Iterable[int] | None = None) -> Array:
    """Frames of a video, `[T, H, W, 3]` uint8, red first.

    Args:
        sequence: the video.
        indices: of the frames; all of them unless given.
    """
    wanted = range(len(sequence)) if indices is None else indices
    frames = [_read_image(sequence.frames[index]) for index in wanted]
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


def _images(folder: Path) -> list[Path]:
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


def _read_image(path: Path) -> Array:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("Reading frames needs Pillow: pip install Pillow") from error
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"{path} is damaged or no picture: {error}") from error


class _ClipBatches(keras.utils.PyDataset):
    """Batches of clips; a subclass draws one.

    What a batch holds depends on `(seed, epoch, index)` alone. Pass `shuffle=False`
    to `fit` for the batches to come in order too.
    """

    def __init__(
        self,
        batch_size: int,
        frames: int,
        size: tuple[int, int],
        seed: int,
        batches: int,
        photometric: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        height, width = size
        check_positive_integers(
            batch_size=batch_size,
            frames=frames,
            batches=batches,
            height=height,
            width=width,
        )
        if not 0 <= photometric < 1:
            raise ValueError(
                "`photometric` must be at least 0 and less than 1. "
                f"Received: photometric={photometric}"
            )
        self.batch_size = batch_size
        self.frames = frames
        self.size = (height, width)
        self.seed = seed
        self.batches = batches
        self.photometric = photometric
        self.epoch = 0

    def draw(self, random: np.random.Generator) -> Clip:
        """A clip: frames `[T, *size, C]`, boxes `[T, 4]`, present `[T]`."""
        raise NotImplementedError

    def on_epoch_end(self) -> None:
        """Go on to the next epoch's clips."""
        self.epoch += 1

    def __len__(self) -> int:
        return self.batches

    def __getitem__(self, index: int) -> tuple[dict[str, Array], dict[str, Array]]:
        if not 0 <= index < len(self):
            raise IndexError(f"There are {len(self)} batches. Received: index={index}")
        random = np.random.default_rng([self.seed, self.epoch, index])
        clips = []
        for _ in range(self.batch_size):
            shown, boxes, present = self.draw(random)
            clips.append((self._relit(shown, random), boxes, present))
        frames, boxes, present = (np.stack(part) for part in zip(*clips, strict=True))
        boxes = boxes.astype("float32")
        x = {"frames": frames, "box": boxes[:, 0]}
        return x, {"boxes": boxes, "present": present.astype("float32")}

    def _relit(self, frames: Array, random: np.random.Generator) -> Array:
        """The same gamma, contrast and brightness for all frames."""
        if self.photometric == 0:
            return frames
        gamma, contrast, brightness = random.uniform(-1, 1, 3) * self.photometric
        light = np.linspace(0, 1, 256) ** ((1 + self.photometric) ** gamma)
        light = (light - 0.5) * (1 + contrast) + 0.5 + brightness
        table = np.rint(np.clip(light, 0, 1) * 255).astype("uint8")  # [256]
        return table[frames]


class Clips(_ClipBatches):
    """Random windows of videos, moved, mirrored, reversed and relit as drawn.

    Every clip is of a video drawn uniformly, and begins with a frame in which the
    object is present. What a batch holds depends on `(seed, epoch, index)` alone.
    Pass `shuffle=False` to `fit` for the batches to come in order too.

    Args:
        sequences: of `otb` or `got10k`. Those too short are left out.
        batch_size: clips in a batch.
        frames: of a clip, T.
        size: of a frame, (height, width), in pixels.
        seed: of all draws.
        flip: mirror half of the clips, left for right.
        reverse: run half of the clips backwards.
        crop: the least and the greatest size of the view, in sizes (roots of the
            area) of the object in the clip's first frame. The view has the shape of
            `size`, stays where it is during the clip, lies inside the video's frame
            (and is smaller than asked where that is too small), and anywhere around
            the object. None shows the whole frame, stretched to `size`.
        photometric: the greatest change of brightness (white is 1), of contrast
            (relative) and of gamma (relative), the same for all frames of a clip.
        steps: from one frame of a clip to the next it may be up to so many of the
            video's; how many is drawn for each clip.
        visible: the object counts as present while the view holds at least this
            share of what the video's frame shows of it.
        batches: of an epoch.
        cache: keep each decoded frame in memory (height x width x 3 bytes), and so
            read it once; else read it whenever it is drawn.
        **kwargs: of `keras.utils.PyDataset` (`workers`, ...).

    Yields `({"frames": [B, T, H, W, 3] uint8, "box": [B, 4]}, {"boxes": [B, T, 4],
    "present": [B, T]})`, float32; boxes in pixels of the view, not cut at its border.
    """

    def __init__(
        self,
        sequences: abc.Iterable[Sequence],
        batch_size: int,
        frames: int = 10,
        size: tuple[int, int] = (128, 128),
        seed: int = 0,
        flip: bool = True,
        reverse: bool = True,
        crop: tuple[float, float] | None = (2.0, 5.0),
        photometric: float = 0.2,
        steps: int = 1,
        visible: float = 0.25,
        batches: int = 100,
        cache: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(batch_size, frames, size, seed, batches, photometric, **kwargs)
        check_positive_integers(steps=steps)
        if crop is not None:
            _check_sizes("crop", crop)
        if not 0 <= visible <= 1:
            raise ValueError(f"`visible` must be in 0..1. Received: visible={visible}")
        given = tuple(sequences)
        self.sequences = tuple(s for s in given if len(_starts(s, frames - 1)))
        if not self.sequences:
            raise ValueError(
                "`sequences` must hold a video of at least `frames` frames, the "
                f"object present in the first. Received: frames={frames}, "
                f"{len(given)} videos of up to {max(map(len, given), default=0)} frames"
            )
        self.flip = flip
        self.reverse = reverse
        self.crop = crop
        self.steps = steps
        self.visible = visible
        self.cache = cache
        self._decoded: dict[Path, Array] = {}

    def draw(self, random: np.random.Generator) -> Clip:
        """A clip: frames `[T, *size, 3]`, boxes `[T, 4]`, present `[T]`."""
        sequence = self.sequences[random.integers(len(self.sequences))]
        chosen = self._window(sequence, random)
        pixels = self._read(sequence, chosen)
        boxes, present = sequence.boxes[chosen], sequence.present[chosen]
        height, width = pixels.shape[1:3]
        view = np.array([0.0, 0.0, width, height])
        if self.crop is not None:
            ratio = np.exp(random.uniform(*np.log(self.crop)))
            place = random.random(2)
            view = _view(boxes[0], ratio, place, self.size, (height, width))
        inside = _common(boxes, view)
        shown = _common(boxes, np.array([0.0, 0.0, width, height]))
        present = present & (inside >= self.visible * shown)
        present[0] = True  # however large it is, the clip begins with it
        pixels, moved = resample(pixels, boxes, view, self.size)
        # An absent box stays all zeros.
        boxes = np.where(sequence.present[chosen, None], moved, 0)
        if self.flip and random.random() < 0.5:
            pixels, boxes = _mirrored(pixels, boxes)
        return pixels, boxes, present

    def _window(self, sequence: Sequence, random: np.random.Generator) -> Array:
        """Which frames of the video, `[T]`."""
        step = int(random.integers(1, self.steps + 1))
        if self.reverse and random.random() < 0.5:
            step = -step
        starts = _starts(sequence, step * (self.frames - 1))
        if len(starts) == 0:  # not so fast, or not backwards
            step, starts = 1, _starts(sequence, self.frames - 1)
        start = starts[random.integers(len(starts))]
        return start + step * np.arange(self.frames)

    def _read(self, sequence: Sequence, chosen: Array) -> Array:
        if not self.cache:
            return read_frames(sequence, chosen)
        for index in chosen:
            path = sequence.frames[index]
            if path not in self._decoded:
                self._decoded[path] = read_frames(sequence, [index])[0]
        return np.stack([self._decoded[sequence.frames[index]] for index in chosen])


class StillClips(_ClipBatches):
    """Clips of single pictures, over which the view wanders and zooms.

    The view's path is a quadratic Bézier curve: where the object is in the view, and
    how large, go smoothly from one drawn place to another, bent towards a third. The
    view lies inside the picture, so that an object that nearly fills it moves little.
    What a batch holds depends on `(seed, epoch, index)` alone.

    Args:
        images: pictures `[H, W, C]` uint8, of any sizes, or `[N, H, W, C]`.
        boxes: of one object in each, `[N, 4]`, `xywh` in pixels.
        batch_size: clips in a batch.
        frames: of a clip, T.
        size: of a frame, (height, width), in pixels.
        seed: of all draws.
        motion: how far the object goes: 0 is nowhere, 1 from anywhere in the view to
            anywhere.
        crop: the least and the greatest size of the view, in sizes (roots of the
            area) of the object.
        flip: mirror half of the clips, left for right.
        photometric: as of `Clips`.
        batches: of an epoch.
        **kwargs: of `keras.utils.PyDataset` (`workers`, ...).

    Yields what `Clips` does; the object is present throughout.
    """

    def __init__(
        self,
        images: abc.Sequence[Array] | Array,
        boxes: Array,
        batch_size: int,
        frames: int = 10,
        size: tuple[int, int] = (128, 128),
        seed: int = 0,
        motion: float = 0.5,
        crop: tuple[float, float] = (2.0, 5.0),
        flip: bool = True,
        photometric: float = 0.2,
        batches: int = 100,
        **kwargs: Any,
    ) -> None:
        super().__init__(batch_size, frames, size, seed, batches, photometric, **kwargs)
        _check_sizes("crop", crop)
        if not 0 <= motion <= 1:
            raise ValueError(f"`motion` must be in 0..1. Received: motion={motion}")
        boxes = np.asarray(boxes, "float32")
        if len(images) == 0 or boxes.shape != (len(images), 4):
            raise ValueError(
                "`boxes` must be [N, 4], one for each of the `images`, and there must "
                f"be some. Received: {len(images)} images, boxes.shape={boxes.shape}"
            )
        for number, (image, box) in enumerate(zip(images, boxes, strict=True)):
            if image.ndim != 3 or image.dtype != np.uint8:
                raise ValueError(
                    "Each of the `images` must be [H, W, C] uint8. Received: number "
                    f"{number} of shape {image.shape}, {image.dtype}"
                )
            whole = np.array([0, 0, image.shape[1], image.shape[0]])
            if not (np.isfinite(box).all() and (box[2:] > 0).all()) or (
                _common(box, whole) <= 0
            ):
                raise ValueError(
                    "Each of the `boxes` must be (x, y, w, h) with w, h > 0, and "
                    f"overlap its picture. Received: number {number}, {box.tolist()} "
                    f"in a picture of shape {image.shape}"
                )
        self.images = images
        self.boxes = boxes
        self.motion = motion
        self.crop = crop
        self.flip = flip

    def draw(self, random: np.random.Generator) -> Clip:
        """A clip: frames `[T, *size, C]`, boxes `[T, 4]`, present `[T]`."""
        number = int(random.integers(len(self.images)))
        image, box = self.images[number], self.boxes[number]
        points = random.random((3, 3))  # three times a size and a place
        points[1:] = points[0] + self.motion * (points[1:] - points[0])
        s = np.linspace(0, 1, self.frames)[:, None]
        path = np.stack([(1 - s) ** 2, 2 * s * (1 - s), s**2], -1) @ points
        path = path.reshape(self.frames, 3)
        low, high = np.log(self.crop)
        frames, boxes = [], []
        for fraction, *place in path:
            ratio = np.exp(low + fraction * (high - low))
            view = _view(box, ratio, np.array(place), self.size, image.shape[:2])
            pixels, moved = resample(image[None], box[None], view, self.size)
            frames.append(pixels[0])
            boxes.append(moved[0])
        clip, track = np.stack(frames), np.stack(boxes)
        if self.flip and random.random() < 0.5:
            clip, track = _mirrored(clip, track)
        return clip, track, np.ones(self.frames, bool)


def resample(
    frames: Array, boxes: Array, view: Array, size: tuple[int, int]
) -> tuple[Array, Array]:
    """A view of frames, scaled to `size`, and the boxes in it.

    A box that goes around pixels $i .. j$ is $(i, j + 1 - i)$ along an axis, before and
    after; pixels are weighted by a triangle (bilinear, and wider where the view
    shrinks), as Pillow does it. Beyond the border the outermost pixels go on.

    Args:
        frames: `[T, H, W, C]` uint8.
        boxes: `[T, 4]`.
        view: `[4]`, `xywh` in pixels of the frames.
        size: (height, width) of the result.

    Returns:
        Frames `[T, *size, C]` uint8, boxes `[T, 4]` float32.
    """
    x, y, w, h = (float(v) for v in view)
    rows, by_row = _taps(y, h, size[0], frames.shape[1])
    columns, by_column = _taps(x, w, size[1], frames.shape[2])
    left, right = columns.min(), columns.max() + 1
    seen = frames[:, :, left:right]  # [T, H, K, C]
    # Sums of a few shifted copies: a matrix product here would wait for BLAS's threads.
    seen = sum(p[:, None, None] * seen[:, r] for r, p in zip(rows, by_row, strict=True))
    seen = sum(
        p[:, None] * seen[:, :, c - left]
        for c, p in zip(columns, by_column, strict=True)
    )
    pixels = np.rint(seen).astype("uint8")  # [T, *size, C]
    scale = np.array([size[1] / w, size[0] / h] * 2)
    moved = (boxes - np.array([x, y, 0, 0])) * scale
    return pixels, moved.astype("float32")


def _taps(start: float, length: float, count: int, limit: int) -> tuple[Array, Array]:
    """Along an axis, the pixels that make each of `count` new ones, and their shares.

    Both `[taps, count]`.
    """
    step = length / count
    reach = max(step, 1.0)
    centers = start + (np.arange(count) + 0.5) * step - 0.5  # pixel i is at i
    first = np.floor(centers - reach).astype(int) + 1
    pixels = first + np.arange(math.ceil(2 * reach))[:, None]
    near = np.maximum(0, 1 - abs(pixels - centers) / reach)
    near /= near.sum(0)
    return np.clip(pixels, 0, limit - 1), near.astype("float32")


def _view(
    box: Array,
    ratio: float,
    place: Array,
    size: tuple[int, int],
    limit: tuple[int, ...],
) -> Array:
    """A view `xywh` around a box, `ratio` times its size, of the shape of `size`.

    `place` is where the box is in it: (0, 0) is the view's top left corner and (1, 1)
    the bottom right one. `limit` is the height and the width that the view lies in.
    """
    x, y, w, h = (float(v) for v in box)
    zoom = ratio * np.sqrt(w * h / (size[0] * size[1]))
    zoom = min(zoom, limit[0] / size[0], limit[1] / size[1])
    height, width = zoom * size[0], zoom * size[1]
    left = x - place[1] * (width - w)
    top = y - place[0] * (height - h)
    left = np.clip(left, 0, max(limit[1] - width, 0))
    top = np.clip(top, 0, max(limit[0] - height, 0))
    return np.array([left, top, width, height])


def _common(boxes: Array, view: Array) -> Array:
    """The area of boxes `[..., 4]` that lies in a view.

    NumPy's, not `boxes.intersection`: data must not wait for the training's device.
    """
    low = np.maximum(boxes[..., :2], view[:2])
    high = np.minimum(boxes[..., :2] + boxes[..., 2:], view[:2] + view[2:])
    return np.maximum(high - low, 0).prod(-1)


def _mirrored(frames: Array, boxes: Array) -> tuple[Array, Array]:
    """Left for right; an absent box, of zeros, stays one."""
    x, y, w, h = boxes.T
    flipped = np.stack([frames.shape[2] - x - w, y, w, h], -1)
    some = (w > 0)[:, None]
    return frames[:, :, ::-1], np.where(some, flipped, boxes)


def _starts(sequence: Sequence, reach: int) -> Array:
    """Frames with the object from which `reach` more (or less) is in the video."""
    start = np.flatnonzero(sequence.present)
    return start[(start + reach >= 0) & (start + reach < len(sequence))]


def _check_sizes(name: str, value: tuple[float, float]) -> None:
    low, high = value
    if not 1 <= low <= high < np.inf:
        raise ValueError(
            f"`{name}` must be (least, greatest), at least 1 and in order. "
            f"Received: {name}={value}"
        )
