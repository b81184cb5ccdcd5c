"""What `RenderedKITTI` draws with: pictures of cars and people, and of streets.

Sprites are cut from videos here (`cut_sprites`) and painted in `kitti_painted.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_attend.arguments import check_choice, check_positive_integers
from keras_attend.datasets.sequences import (
    Sequence,
    image_files,
    read_frames,
    read_image,
)
from keras_attend.datasets.views import resample

Array = NDArray[Any]

LOOKS = ("car", "van", "truck", "person", "cyclist")
MARGIN = 0.12  # around the box, of its size: room for the shadow
HEIGHT = 64  # of a view, in pixels; it and the width can be halved three times


@dataclass(frozen=True, eq=False)
class Sprite:
    """One object's pictures, with room around it.

    Attributes:
        look: one of `LOOKS`.
        source: the video that it was cut from. Sprites of one source are all for
            training or all for validation.
        views: `[H, W, 4]` uint8 each: colour times opacity, and opacity. The object's
            box is the middle of it, `MARGIN` of its height and width on all sides.
        turns: the views are of an object that comes, goes to the left, then away,
            evenly; mirrored, of one that goes to the right. Else they follow one
            another in time, there and back.
    """

    look: str
    source: str
    views: tuple[Array, ...]
    turns: bool = False

    def __post_init__(self) -> None:
        check_choice("look", self.look, LOOKS)
        shapes = {(view.ndim, view.shape[-1], view.dtype.name) for view in self.views}
        if shapes != {(3, 4, "uint8")}:
            raise ValueError(
                "`views` must be [H, W, 4] uint8, and there must be some. Received: "
                f"(dimensions, channels, type) {sorted(shapes)} from {self.source!r}"
            )


def cut_sprites(
    sequences: Iterable[Sequence],
    looks: Mapping[str, str],
    views: int = 8,
    every: int = 5,
) -> tuple[Sprite, ...]:
    """Objects cut out along their boxes, by soft round masks.

    Args:
        sequences: videos, of `datasets.otb` for instance.
        looks: what to take the object for, one of `LOOKS`, by the video's name;
            videos without a line are left out.
        views: of a sprite, at most; a longer video makes several sprites.
        every: take each so many-th frame.
    """
    check_positive_integers(views=views, every=every)
    sprites = []
    for video in sequences:
        if video.name not in looks:
            continue
        look = looks[video.name]
        frames = np.flatnonzero(video.present)[::every]
        for start in range(0, len(frames), views):
            cut = []
            for index in frames[start : start + views]:
                x, y, w, h = (float(v) for v in video.boxes[index])
                if min(w, h) < 8:
                    continue
                pixels = read_frames(video, [index])
                around = [x - MARGIN * w, y - MARGIN * h]
                view = np.array([*around, w * (1 + 2 * MARGIN), h * (1 + 2 * MARGIN)])
                size = canvas_size(w / h)
                colour, _ = resample(pixels, np.zeros((1, 4)), view, size)
                cut.append(faded(colour[0], round_mask(size, look)))
            if cut:
                sprites.append(Sprite(look, video.name, tuple(cut)))
    return tuple(sprites)


def canvas_size(aspect: float) -> tuple[int, int]:
    """Height and width of a view whose box is `aspect` times as wide as high."""
    return HEIGHT, max(round(HEIGHT * min(aspect, 4.0) / 8), 2) * 8


def grid(size: tuple[int, int]) -> tuple[Array, Array]:
    """Columns and rows of a view in units of its box: 0..1 inside of it."""
    whole = 1 + 2 * MARGIN
    y, x = ((np.arange(n) + 0.5) / n * whole - MARGIN for n in size)
    return x[None, :].astype("float32"), y[:, None].astype("float32")


def round_mask(size: tuple[int, int], look: str) -> Array:
    """The opacity of a cut-out, 0..1: a box with round corners, a person's rounder."""
    x, y = grid(size)
    power = 2.5 if look in ("person", "cyclist") else 5.0
    from_middle = abs(2 * x - 1) ** power + abs(2 * y - 1) ** power
    return np.clip((1.05 - from_middle) / 0.35, 0, 1)


def faded(colour: Array, opacity: Array, shadow: float = 0.5) -> Array:
    """A view: colour times opacity, and opacity, and a shadow on the ground below.

    Args:
        colour: `[H, W, 3]`, 0..255.
        opacity: `[H, W]`, 0..1.
        shadow: its opacity.
    """
    x, y = grid(opacity.shape)
    distance = ((x - 0.5) / 0.6) ** 2 + ((y - 0.97) / 0.11) ** 2
    dark = shadow * np.clip(1.2 - distance, 0, 1) * (1 - opacity)
    whole = np.concatenate(
        [colour * opacity[..., None], 255 * (opacity + dark)[..., None]], -1
    )
    return np.rint(whole).clip(0, 255).astype("uint8")


def street_scenes(folder: str | Path) -> dict[str, Array]:
    """The pictures of a folder by scene, `[N, H, W, 3]` uint8 each.

    Pictures whose names are the same up to the last _ are of one scene.
    """
    scenes: dict[str, list[Array]] = {}
    for path in sorted(image_files(Path(folder))):
        scenes.setdefault(path.stem.rpartition("_")[0], []).append(read_image(path))
    for name, frames in scenes.items():
        shapes = {frame.shape for frame in frames}
        if len(shapes) > 1:
            raise ValueError(
                "The pictures of one scene must have one size. "
                f"Received: {name!r} with {sorted(shapes)}"
            )
    return {name: np.stack(frames) for name, frames in scenes.items()}
