"""Clips like KITTI's, drawn: real paths of real objects, with looks of their own."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_attend.arguments import check_choice, check_positive_integers
from keras_attend.datasets.kitti import HELD_OUT, KITTILabels, read_folder
from keras_attend.datasets.rendered.film import Wardrobe, film
from keras_attend.datasets.rendered.scene import FRAME, Scene
from keras_attend.datasets.rendered.sprites import LOOKS, Sprite, street_scenes
from keras_attend.datasets.video_clips import Clip, VideoBatches, check_sizes
from keras_attend.datasets.views import boxes_in, common, mirrored, view_of

Array = NDArray[Any]

SPLITS = ("train", "validation")
EVERY = 5  # of the street scenes and sprites' sources one in so many is for validation
TRIES = 8  # to find a first frame in which the object is seen, and a good view


class RenderedKITTI(VideoBatches):
    """Clips in which drawn objects go where KITTI's labels say.

    The objects of a frame move, grow and hide one another as labelled, nearer ones in
    front, before a picture of a street that zooms and turns slowly. Each clip has its
    own street, looks, colours, light, camera shake and exposure. Vehicles turn, people
    walk. What is labelled as hidden, by nothing that has a label, goes behind an
    invisible edge. A clip begins with its object in sight; `present` is 0 where HART
    has no label of it (it is mostly hidden, or out of the frame), or where less than
    `visible` of its labelled box is in the view and not behind anything.

    Training and validation share no video's labels, no street scene, no cut sprite's
    source and no painted look. What a batch holds depends on `(seed, epoch, index)`
    alone. Pass `shuffle=False` to `fit` for the batches to come in order too.

    Args:
        labels: of `kitti.read_folder`, or a folder in KITTI's layout.
        scenes: pictures of streets by scene, `[N, H, W, 3]` uint8 each, wide as
            KITTI's are; or a folder of them, as `street_scenes` takes it. In the order
            of their names the first, the sixth, ... scene is validation's.
        sprites: of `cut_sprites`; of their sources in the order of their names, each
            look for itself, the fourth, the ninth, ... is validation's.
        batch_size: clips in a batch.
        frames: of a clip, T.
        size: of a frame, (height, width), in pixels.
        seed: of all draws.
        split: "train" or "validation".
        crop: the least and the greatest size of the view, in sizes (roots of the
            area) of the object in the clip's first frame. The view stays where it is,
            somewhere around the object's path. None shows whole frames.
        painted: the share of objects whose looks are painted, where there are cut
            ones too.
        looks: how many painted ones there are of each kind. A vehicle takes 0.2 s
            when it is first drawn, and 1 MB from then on.
        alike: the share of other objects of the same kind that are the very same in
            another colour.
        shake: of the camera, in pixels of a frame of 621x188: the standard deviation.
        exposure: the longest, as a share of the time between two frames.
        smallest: root of the area of the first box in a frame of 621x188, at least.
        visible: see above.
        flip: mirror half of the clips, left for right.
        reverse: run half of the clips backwards.
        steps: from one frame of a clip to the next it may be up to so many of the
            video's; how many is drawn for each clip.
        photometric: the greatest change of brightness, contrast and gamma of a clip,
            as in `Clips`.
        held_out: names of the videos whose labels are validation's.
        batches: of an epoch.
        **kwargs: `grey=True` for frames of one channel; `cut=True` for boxes cut at
            the view's border; `shortest`, the fewest frames after which a clip ends
            (all have `frames` when absent); and of `keras.utils.PyDataset`
            (`workers`, ...).

    Yields `({"frames": [B, T, H, W, 3] uint8, "box": [B, 4]}, {"boxes": [B, T, 4],
    "present": [B, T]})`, float32; boxes in pixels of the view, not cut at its border
    unless asked for, zeros where there is no label.
    """

    def __init__(
        self,
        labels: str | Path | Iterable[KITTILabels],
        scenes: str | Path | Mapping[str, Array],
        sprites: Iterable[Sprite] = (),
        batch_size: int = 16,
        frames: int = 10,
        size: tuple[int, int] = (188, 621),
        seed: int = 0,
        split: str = "train",
        crop: tuple[float, float] | None = None,
        painted: float = 0.7,
        looks: int = 32,
        alike: float = 0.25,
        shake: float = 0.7,
        exposure: float = 0.5,
        smallest: float = 10.0,
        visible: float = 0.4,
        flip: bool = True,
        reverse: bool = True,
        steps: int = 1,
        photometric: float = 0.1,
        held_out: Iterable[str] = HELD_OUT,
        batches: int = 100,
        **kwargs: Any,
    ) -> None:
        super().__init__(batch_size, frames, size, seed, batches, photometric, **kwargs)
        check_choice("split", split, SPLITS)
        check_positive_integers(looks=looks, steps=steps)
        shares = {"painted": painted, "alike": alike, "visible": visible}
        for name, share in (*shares.items(), ("exposure", exposure)):
            if not 0 <= share <= 1:
                raise ValueError(f"`{name}` must be in 0..1. Received: {name}={share}")
        if crop is not None:
            check_sizes("crop", crop)
        if not (shake >= 0 and smallest >= 0):
            raise ValueError(
                "`shake` and `smallest` must not be negative. "
                f"Received: shake={shake}, smallest={smallest}"
            )
        self.split, self.crop, self.steps = split, crop, steps
        self.painted, self.looks, self.alike = painted, looks, alike
        self.shake, self.exposure = shake, exposure
        self.smallest, self.visible = smallest, visible
        self.flip, self.reverse = flip, reverse
        self.least = self.shortest or frames
        if isinstance(labels, str | Path):
            labels = read_folder(labels)
        away = split == "validation"
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
                f"`labels` must hold, for {split}, an object of at least {smallest} "
                f"pixels that is labelled in half of {self.least} frames. Received: "
                f"videos {[video.video for video in videos]} (held out: {sorted(out)})"
            )
        self.streets = self._streets(scenes)
        self.wardrobe = Wardrobe(
            self._mine(sprites), painted, looks, (SPLITS.index(split), seed)
        )

    def _streets(self, scenes: str | Path | Mapping[str, Array]) -> list[Array]:
        """`[N, H, W, 3]` of each scene of this split."""
        if isinstance(scenes, str | Path):
            scenes = street_scenes(scenes)
        for name, pixels in scenes.items():
            if pixels.ndim != 4 or pixels.shape[-1] != 3 or pixels.dtype != np.uint8:
                raise ValueError(
                    "Each of the `scenes` must be [N, H, W, 3] uint8. Received: "
                    f"{name!r} of shape {pixels.shape}, {pixels.dtype}"
                )
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
        """The cut sprites of this split."""
        given = list(sprites)
        held: dict[str, bool] = {}  # by source
        for look in LOOKS:
            sources = {s.source for s in given if s.look == look} - set(held)
            for number, source in enumerate(sorted(sources)):
                held[source] = number % EVERY == EVERY - 2
        return [s for s in given if held[s.source] == (self.split == "validation")]

    def _starts(self, scene: Scene, track: int, step: int) -> Array:
        """Frames for a clip of a track to begin with; backwards if `step` < 0."""
        rows = scene.rows[track]
        there = (rows >= 0) & scene.kept[rows]
        large = there & (scene.boxes[rows, 2:].prod(-1) >= self.smallest**2)
        reach = step * (self.least - 1)
        start = np.flatnonzero(large)
        start = start[(start + reach >= 0) & (start + reach < len(rows))]
        window = start[:, None] + step * np.arange(self.least)
        return start[there[window].mean(1) >= 0.5]

    def draw_clip(self, random: np.random.Generator) -> Clip:
        """A clip: frames `[T, *size, 3]`, boxes `[T, 4]`, present `[T]`."""
        scene, track, frames = self._window(random)
        there = (frames >= 0) & (frames < len(scene))
        frames = np.clip(frames, 0, len(scene) - 1)
        rows = np.where(there, scene.rows[track][frames], -1)
        labelled = rows >= 0
        shake = self._shaken(random)
        boxes = scene.boxes[rows]
        boxes[:, :2] += shake
        view = self._view(random, boxes, labelled)
        street = self.streets[random.integers(len(self.streets))]
        pixels = film(
            random,
            scene,
            track,
            frames,
            view,
            self.size,
            shake,
            street[random.integers(len(street))],
            self.wardrobe,
            self.alike,
            self.exposure,
        )
        seen = common(boxes, view) / boxes[:, 2:].prod(-1)
        clear = np.array([scene.clear(int(row)) for row in rows])
        present = labelled & scene.kept[rows] & (seen * clear >= self.visible)
        present[0] = True  # however large it is, the clip begins with it
        moved = boxes_in(boxes, view, self.size)
        boxes = np.where(labelled[:, None], moved, 0).astype("float32")
        if self.flip and random.random() < 0.5:
            pixels, boxes = mirrored(pixels, boxes)
        return pixels, boxes, present

    def _window(self, random: np.random.Generator) -> tuple[Scene, int, Array]:
        """A video, a track, and frames of it, the last ones perhaps beyond its end."""
        best: tuple[float, Any] = (-1.0, None)
        for _ in range(TRIES):
            number, track = self.tracks[random.integers(len(self.tracks))]
            scene = self.scenes[number]
            step = int(random.integers(1, self.steps + 1))
            if self.reverse and random.random() < 0.5:
                step = -step
            starts = self._starts(scene, track, step)
            if len(starts) == 0:  # not so fast, or not backwards
                step, starts = 1, self._starts(scene, track, 1)
            start = starts[random.integers(len(starts))]
            seen = scene.clear(int(scene.rows[track][start]))
            if seen > best[0]:
                best = seen, (scene, track, start + step * np.arange(self.frames))
            if seen >= max(0.7, self.visible):
                break
        return best[1]

    def _shaken(self, random: np.random.Generator) -> Array:
        """Where the camera has moved everything, `[T, 2]` (x, y)."""
        push = random.normal(0, 1, (self.frames, 2))
        place = np.zeros((self.frames, 2))
        for t in range(1, self.frames):
            place[t] = 0.8 * place[t - 1] + 0.6 * push[t]
        return np.clip(place * self.shake * [0.6, 1.0], -4, 4)

    def _view(self, random: np.random.Generator, boxes: Array, there: Array) -> Array:
        """The view `xywh`: of those drawn the one that holds the object longest."""
        if self.crop is None:
            return FRAME
        best: tuple[float, Array] = (-1.0, FRAME)
        for _ in range(TRIES):
            ratio = np.exp(random.uniform(*np.log(self.crop)))
            place = random.random(2)
            view = view_of(boxes[0], ratio, place, self.size, (FRAME[3], FRAME[2]))
            held = (common(boxes, view) / boxes[:, 2:].prod(-1))[there].mean()
            if held > best[0] + 0.1:
                best = held, view
        return best[1]
