"""Clips that are at hand, as arrays: in a new order each epoch, cut and shifted."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_attend.arguments import check_positive_integers

Array = NDArray[Any]
Batch = tuple[dict[str, Array], dict[str, Array]]


class GivenClips(keras.utils.PyDataset):
    """Windows of videos that are in memory, or of their features.

    An epoch has `windows` windows of each video. What a batch holds depends on
    `(seed, epoch, index)` alone. Pass `shuffle=False` to `fit` for the batches to come
    in order too.

    Args:
        videos: for each video a mapping of "boxes" `[T, 4]`, "frames" `[T, H, W, C]`
            uint8 or "features" `[T, F]` and "size" `[2]` (see `DRLT.features`), and,
            if the object is not in all frames, "present" `[T]`.
        batch_size: windows in a batch; the last batch is filled up with the first.
        frames: of a window, T. It begins where the object is present, and a video that
            is shorter repeats its last frame, without the object.
        windows: see above.
        shift: move each window's pictures by a whole number of pixels, as far as its
            boxes stay inside; what leaves on one side comes back on the other. For
            pictures whose background has no meaning.
        seed: of the draws.
        **kwargs: of `keras.utils.PyDataset`.

    Yields what trackers take and what they are to find.
    """

    def __init__(
        self,
        videos: Sequence[Mapping[str, Array]],
        batch_size: int = 32,
        frames: int = 10,
        windows: int = 1,
        shift: bool = False,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive_integers(batch_size=batch_size, frames=frames, windows=windows)
        self.videos = [dict(video) for video in videos]
        if not self.videos:
            raise ValueError("`videos` must hold at least one. Received: none")
        for number, video in enumerate(self.videos):
            seen = video.keys() & {"frames", "features"}
            if "boxes" not in video or len(seen) != 1:
                raise ValueError(
                    "Each of the `videos` must have 'boxes', and either 'frames' or "
                    f"'features'. Received: number {number} has {sorted(video)}"
                )
            video.setdefault("present", np.ones(len(video["boxes"]), "float32"))
            if not (video["present"][:-1] > 0).any():
                raise ValueError(
                    "Each of the `videos` must show its object, in frames before the "
                    f"last. Received: number {number} does not"
                )
        self.batch_size, self.frames = batch_size, frames
        self.windows, self.shift, self.seed = windows, shift, seed
        self.epoch = 0

    def on_epoch_end(self) -> None:
        """Go on to the next epoch's order."""
        self.epoch += 1

    def __len__(self) -> int:
        return -(-len(self.videos) * self.windows // self.batch_size)

    def __getitem__(self, index: int) -> Batch:
        if not 0 <= index < len(self):
            raise IndexError(f"There are {len(self)} batches. Received: index={index}")
        order = np.random.default_rng([self.seed, self.epoch])
        rows = order.permutation(len(self.videos) * self.windows)
        rows = np.resize(rows, len(self) * self.batch_size)
        mine = rows[index * self.batch_size :][: self.batch_size] % len(self.videos)
        random = np.random.default_rng([self.seed, self.epoch, index])
        drawn = [self._window(random, self.videos[row]) for row in mine]
        batch = {name: np.stack([clip[name] for clip in drawn]) for name in drawn[0]}
        y = {name: batch.pop(name).astype("float32") for name in ("boxes", "present")}
        return batch | {"box": y["boxes"][:, 0]}, y

    def _window(
        self, random: np.random.Generator, video: Mapping[str, Array]
    ) -> dict[str, Array]:
        there = np.flatnonzero(video["present"] > 0)
        last = max(len(video["boxes"]) - self.frames, there[0])
        start = random.choice(there[there <= last])
        rows = start + np.arange(self.frames)
        inside = rows < len(video["boxes"])
        rows = np.minimum(rows, len(video["boxes"]) - 1)
        clip = {
            name: values if name == "size" else values[rows]
            for name, values in video.items()
        }
        clip["present"] = clip["present"] * inside
        if self.shift:
            clip["frames"], clip["boxes"] = _shifted(
                random, clip["frames"], clip["boxes"]
            )
        return clip


def _shifted(
    random: np.random.Generator, frames: Array, boxes: Array
) -> tuple[Array, Array]:
    """Frames `[T, H, W, C]` and boxes `[T, 4]` moved by the same pixels."""
    height, width = frames.shape[1:3]
    corner, end = boxes[:, :2].min(0), (boxes[:, :2] + boxes[:, 2:]).max(0)
    low, high = np.ceil(-corner), np.floor((width, height) - end)
    room = np.maximum(low, high)
    x, y = (int(n) for n in random.integers(low, room + 1))
    return np.roll(frames, (y, x), (1, 2)), boxes + np.array([x, y, 0, 0])
