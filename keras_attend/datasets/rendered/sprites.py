"""Sprites, which are pictures of objects, and pictures of streets to draw them on.

`cut_sprites` takes sprites from videos; `painted.py` paints others.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_attend.arguments import check_choice, check_positive_integers
from keras_attend.datasets.sequences import (
    Sequence,
    image_files,
    read_frames,
    read_image,
)
from keras_attend.datasets.views import resample
from keras_attend.types import Array, OneLine

LOOKS = ("car", "van", "truck", "person", "cyclist")
MARGIN = 0.12  # of the box's size, on all sides of it: room for the shadow
HEIGHT = 64  # pixels of a view; it and the width can be halved three times


@dataclass(frozen=True, eq=False, repr=False)
class Sprite(OneLine):
    """Several views of one object.

    Attributes:
        look: what the object looks like, one of `LOOKS`.
        source: the name of the video that the sprite was taken from. Sprites of one
            source are all for training or all for validation.
        views: `[H, W, 4]` uint8 each: red, green and blue times opacity, and opacity.
            The object's box is in the middle, with a margin of `MARGIN` times its
            height and width on all sides.
        turns: True if the views turn evenly from an object that comes to one that goes
            to the left and to one that goes away; mirrored, they show one that goes to
            the right. False if the views follow one another in time.
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
    """Cut the objects of videos out along their boxes, by soft round masks.

    Args:
        sequences: videos, of `otb` for instance.
        looks: for the name of each video to take, what its object looks like, one of
            `LOOKS`.
        views: the most views of a sprite. A longer video makes several sprites.
        every: take one of so many of the frames that show the object.
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
    """(height, width) in pixels of a view whose box has this aspect ratio (w / h)."""
    return HEIGHT, max(round(HEIGHT * min(aspect, 4.0) / 8), 2) * 8


def grid(size: tuple[int, int]) -> tuple[Array, Array]:
    """Where a view's columns `[1, W]` and rows `[H, 1]` are: 0..1 inside its box."""
    whole = 1 + 2 * MARGIN
    y, x = ((np.arange(n) + 0.5) / n * whole - MARGIN for n in size)
    return x[None, :].astype("float32"), y[:, None].astype("float32")


def round_mask(size: tuple[int, int], look: str) -> Array:
    """An opacity `[H, W]` of 0..1: a box with round corners, rounder for people."""
    x, y = grid(size)
    power = 2.5 if look in ("person", "cyclist") else 5.0
    from_middle = abs(2 * x - 1) ** power + abs(2 * y - 1) ** power
    return np.clip((1.05 - from_middle) / 0.35, 0, 1)


def faded(colour: Array, opacity: Array, shadow: float = 0.5) -> Array:
    """Make a sprite's view `[H, W, 4]` uint8, with a shadow on the ground below.

    `colour` is `[H, W, 3]` in 0..255, `opacity` `[H, W]` in 0..1.
    """
    x, y = grid(opacity.shape)
    distance = ((x - 0.5) / 0.6) ** 2 + ((y - 0.97) / 0.11) ** 2
    dark = shadow * np.clip(1.2 - distance, 0, 1) * (1 - opacity)
    whole = [colour * opacity[..., None], 255 * (opacity + dark)[..., None]]
    return np.rint(np.concatenate(whole, -1)).clip(0, 255).astype("uint8")


def street_scenes(folder: str | Path) -> dict[str, Array]:
    """Read the pictures of a folder by scene: `[N, H, W, 3]` uint8 for each name.

    Pictures whose files' names are the same up to the last "_" are of one scene.
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
