"""Clips like KITTI's: real paths of real objects, drawn with sprites on streets."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_attend.arguments import check_choice
from keras_attend.datasets.clips import Clip, VideoBatches
from keras_attend.datasets.kitti import HELD_OUT
from keras_attend.datasets.kitti_labels import KITTILabels, read_folder
from keras_attend.datasets.rendered.film import film
from keras_attend.datasets.rendered.scene import FRAME, Scene, Shot
from keras_attend.datasets.rendered.sprites import LOOKS, Sprite, street_scenes
from keras_attend.datasets.rendered.style import Style, View
from keras_attend.datasets.rendered.wardrobe import Wardrobe
from keras_attend.datasets.views import boxes_in, common, mirrored, view_of
from keras_attend.types import Array

SPLITS = ("train", "validation", "test")
EVERY = 5  # of the street scenes and of the sprites' sources, one is for validation
TRIES = 8  # draws from which the clip that shows its object best is chosen


class RenderedKITTI(VideoBatches):
    """Clips in which drawn objects go where KITTI's labels say.

    The objects of a frame move, grow and hide one another as labelled, in front of a
    picture of a street that turns and zooms slowly. Vehicles turn, people walk. Each
    clip draws its own street, sprites, colours, light, camera shake and exposure. A
    clip begins with its object in sight.

    Training and validation share no video's labels, no street, no sprite's source and
    no painted sprite. A test set takes the labels of validation's videos, all streets
    and sprites that it is given (pass others than those of the two), and painted
    sprites of its own.

    Args:
        labels: what `read_folder` returns, or a folder in KITTI's layout.
        scenes: pictures of streets by scene, `[N, H, W, 3]` uint8 each, of the aspect
            ratio of KITTI's frames; or a folder of them for `street_scenes`. Of the
            scenes in the order of their names the first of each five is validation's.
        sprites: sprites from videos, of `cut_sprites`. Of each look's sources in the
            order of their names the fourth of each five is validation's.
        batch_size: B, the number of clips in a batch.
        view: which part of the labelled videos a clip is of; `View()` unless given.
        style: how a clip is drawn; `Style()` unless given.
        seed: the seed of all draws, those of painted sprites among them.
        split: "train", "validation" or "test".
        held_out: names of the videos whose labels are for validation and test.
        **kwargs: of `ClipBatches` (`frames`, `batches`, `shortest`).

    A batch holds what one of `ClipBatches` does, with frames uint8. Boxes are zeros
    where the object is not labelled. `present` is 0 where it is not labelled, mostly
    hidden or mostly out of the video's frame, and where less than `view.visible` of it
    is seen.
    """

    def __init__(
        self,
        labels: str | Path | Iterable[KITTILabels],
        scenes: str | Path | Mapping[str, Array],
        sprites: Iterable[Sprite] = (),
        batch_size: int = 16,
        *,
        view: View | None = None,
        style: Style | None = None,
        seed: int = 0,
        split: str = "train",
        held_out: Iterable[str] = HELD_OUT,
        **kwargs: Any,
    ) -> None:
        view, style = view or View(), style or Style()
        super().__init__(
            batch_size,
            view.size,
            style.photometric,
            seed=seed,
            grey=view.grey,
            cut=view.cut,
            **kwargs,
        )
        check_choice("split", split, SPLITS)
        self.view, self.style, self.split = view, style, split
        self.least = self.shortest or self.frames
        if isinstance(labels, str | Path):
            labels = read_folder(labels)
        away = split != "train"
        out = set(held_out)
        videos = [video for video in labels if (video.video in out) == away]
        self.scenes = [Scene.of(video) for video in videos if len(video)]
        self.tracks = [
            (number, track)
            for number, scene in enumerate(self.scenes)
            for track in scene.rows
            if len(self._starts(scene, track, 1))
        ]
        if not self.tracks:
            raise ValueError(
                f"`labels` must hold, for {split}, an object of at least "
                f"{view.smallest} pixels that is labelled in half of {self.least} "
                f"frames. Received: videos {[video.video for video in videos]} (held "
                f"out: {sorted(out)})"
            )
        self.streets = self._streets(scenes)
        stream = (SPLITS.index(split), seed)
        self.wardrobe = Wardrobe(self._mine(sprites), style, stream)

    def _streets(self, scenes: str | Path | Mapping[str, Array]) -> list[Array]:
        """The pictures `[N, H, W, 3]` of each street scene of this split."""
        if isinstance(scenes, str | Path):
            scenes = street_scenes(scenes)
        for name, pixels in scenes.items():
            if pixels.ndim != 4 or pixels.shape[-1] != 3 or pixels.dtype != np.uint8:
                raise ValueError(
                    "Each of the `scenes` must be [N, H, W, 3] uint8. Received: "
                    f"{name!r} of shape {pixels.shape}, {pixels.dtype}"
                )
        if self.split == "test":
            return list(scenes.values())
        if len(scenes) < 2:
            raise ValueError(
                "`scenes` must hold two or more, one of them for validation. "
                f"Received: {list(scenes)}"
            )
        return [
            scenes[name]
            for number, name in enumerate(sorted(scenes))
            if (number % EVERY == 0) == (self.split == "validation")
        ]

    def _mine(self, sprites: Iterable[Sprite]) -> list[Sprite]:
        """Those of the given sprites that are of this split."""
        given = list(sprites)
        if self.split == "test":
            return given
        held: dict[str, bool] = {}  # by source
        for look in LOOKS:
            sources = {s.source for s in given if s.look == look} - set(held)
            for number, source in enumerate(sorted(sources)):
                held[source] = number % EVERY == EVERY - 2
        return [s for s in given if held[s.source] == (self.split == "validation")]

    def _starts(self, scene: Scene, track: int, step: int) -> Array:
        """The frames with which a clip of a track may begin, if played by `step`."""
        rows = scene.rows[track]
        labelled = (rows >= 0) & scene.kept[rows]
        large = labelled & (scene.boxes[rows, 2:].prod(-1) >= self.view.smallest**2)
        reach = step * (self.least - 1)
        start = np.flatnonzero(large)
        start = start[(start + reach >= 0) & (start + reach < len(rows))]
        window = start[:, None] + step * np.arange(self.least)
        return start[labelled[window].mean(1) >= 0.5]

    def draw_clip(self, random: np.random.Generator) -> Clip:
        """Draw frames `[T, H, W, 3]` uint8, boxes `[T, 4]` and present `[T]` bool."""
        scene, track, frames = self._window(random)
        filmed = (frames >= 0) & (frames < len(scene))
        frames = np.clip(frames, 0, len(scene) - 1)
        rows = np.where(filmed, scene.rows[track][frames], -1)
        labelled = rows >= 0
        shake = self._shaken(random)
        boxes = scene.boxes[rows]
        boxes[:, :2] += shake
        region = self._region(random, boxes, labelled)
        pictures = self.streets[random.integers(len(self.streets))]
        street = pictures[random.integers(len(pictures))]
        shot = Shot(scene, track, frames, region, self.size, shake)
        pixels = film(random, shot, street, self.wardrobe, self.style)
        seen = common(boxes, region) / boxes[:, 2:].prod(-1)
        clear = np.array([scene.clear(int(row)) for row in rows])
        present = labelled & scene.kept[rows] & (seen * clear >= self.view.visible)
        present[0] = True  # even if the object is larger than the region
        moved = boxes_in(boxes, region, self.size)
        boxes = np.where(labelled[:, None], moved, 0).astype("float32")
        if self.view.flip and random.random() < 0.5:
            pixels, boxes = mirrored(pixels, boxes)
        return pixels, boxes, present

    def _window(self, random: np.random.Generator) -> tuple[Scene, int, Array]:
        """Draw a video, a track, and frames `[T]`, the last perhaps past the end."""
        best: tuple[float, Any] = (-1.0, None)
        for _ in range(TRIES):
            number, track = self.tracks[random.integers(len(self.tracks))]
            scene = self.scenes[number]
            step = int(random.integers(1, self.view.steps + 1))
            if self.view.reverse and random.random() < 0.5:
                step = -step
            starts = self._starts(scene, track, step)
            if len(starts) == 0:  # there is no room for such steps
                step, starts = 1, self._starts(scene, track, 1)
            start = starts[random.integers(len(starts))]
            seen = scene.clear(int(scene.rows[track][start]))
            if seen > best[0]:
                best = seen, (scene, track, start + step * np.arange(self.frames))
            if seen >= max(0.7, self.view.visible):
                break
        return best[1]

    def _shaken(self, random: np.random.Generator) -> Array:
        """Draw how far the camera's shaking moves all things, `[T, 2]` (x, y)."""
        push = random.normal(0, 1, (self.frames, 2))
        place = np.zeros((self.frames, 2))
        for t in range(1, self.frames):
            place[t] = 0.8 * place[t - 1] + 0.6 * push[t]
        return np.clip(place * self.style.shake * [0.6, 1.0], -4, 4)

    def _region(self, random: np.random.Generator, boxes: Array, there: Array) -> Array:
        """Draw the part of the frame that is seen, `xywh`, around the object's path.

        Of several draws it is the one that holds most of the boxes `[T, 4]` that are
        `there`, `[T]` bool.
        """
        if self.view.crop is None:
            return FRAME
        best: tuple[float, Array] = (-1.0, FRAME)
        for _ in range(TRIES):
            ratio = np.exp(random.uniform(*np.log(self.view.crop)))
            place = random.random(2)
            region = view_of(boxes[0], ratio, place, self.size, (FRAME[3], FRAME[2]))
            held = (common(boxes, region) / boxes[:, 2:].prod(-1))[there].mean()
            if held > best[0] + 0.1:
                best = held, region
        return best[1]
