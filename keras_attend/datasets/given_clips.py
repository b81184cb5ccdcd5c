"""Windows of videos that are arrays in memory."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_attend.arguments import check_positive_integers
from keras_attend.datasets.clips import Batch, check_index
from keras_attend.types import Array, OneLine


class GivenClips(OneLine, keras.utils.PyDataset):
    """Random windows of videos in memory, or of the features of their frames.

    Batches are drawn by `(seed, epoch, index)`, as those of `ClipBatches` are.

    Args:
        videos: for each video of L frames a mapping with "boxes" `[L, 4]`; either
            "frames" `[L, H, W, C]` uint8, or "features" `[L, F]` and "size" `[2]` (see
            `DRLT.features`); and "present" `[L]`, 1 where the object is there, unless
            it is in all frames.
        batch_size: B, the number of windows in a batch. The last batch of an epoch is
            filled up with windows of videos from the epoch's beginning.
        frames: T, the number of frames in a window. It begins with the object present.
            The last frame of a shorter video is repeated, with the object absent.
        windows: how many windows of each video an epoch has.
        shift: move each window's pictures by a random number of whole pixels that
            keeps the boxes inside. Pixels that leave on one side come back on the
            other, so this is for pictures whose background has no meaning.
        flip: mirror half of the windows, left to right.
        reverse: play half of the windows backwards, of those that end with the object.
        seed: the seed of all draws.
        **kwargs: of `keras.utils.PyDataset` (`workers`, ...).

    A batch is `(inputs, targets)`: `{"frames": [B, T, H, W, C] uint8, "box": [B, 4]}`,
    or "features" `[B, T, F]` and "size" `[B, 2]` in place of "frames", and `{"boxes":
    [B, T, 4], "present": [B, T]}`. "box" and the targets are float32. Boxes are in the
    videos' unit; "box" is that of a window's frame 0.
    """

    def __init__(
        self,
        videos: Sequence[Mapping[str, Array]],
        batch_size: int = 32,
        frames: int = 10,
        windows: int = 1,
        shift: bool = False,
        flip: bool = False,
        reverse: bool = False,
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
            if flip and "frames" not in video:
                raise ValueError(
                    "Each of the `videos` must have 'frames' if `flip` is True. "
                    f"Received: number {number} has {sorted(video)}"
                )
            video.setdefault("present", np.ones(len(video["boxes"]), "float32"))
            if not (video["present"][:-1] > 0).any():
                raise ValueError(
                    "Each of the `videos` must show its object in a frame before the "
                    f"last. Received: number {number} does not"
                )
        self.batch_size, self.frames = batch_size, frames
        self.windows, self.shift, self.seed = windows, shift, seed
        self.flip, self.reverse = flip, reverse
        self.epoch = 0

    def on_epoch_end(self) -> None:
        """Go on to the next epoch's windows."""
        self.epoch += 1

    def __len__(self) -> int:
        return -(-len(self.videos) * self.windows // self.batch_size)

    def __getitem__(self, index: int) -> Batch:
        check_index(index, self)
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
        """Draw a window: the video's arrays by their names, T frames of each."""
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
        if self.reverse and clip["present"][-1] > 0 and random.random() < 0.5:
            parts = {name: v for name, v in clip.items() if name != "size"}
            clip |= {name: values[::-1] for name, values in parts.items()}
        if self.flip and random.random() < 0.5:
            _flip(clip)
        if self.shift:
            _shift(random, clip)
        return clip


def _flip(clip: dict[str, Array]) -> None:
    """Mirror frames `[T, H, W, C]` and boxes `[T, 4]`."""
    x, y, w, h = np.moveaxis(clip["boxes"], -1, 0)
    clip["boxes"] = np.stack([clip["frames"].shape[2] - x - w, y, w, h], axis=-1)
    clip["frames"] = clip["frames"][:, :, ::-1]


def _shift(random: np.random.Generator, clip: dict[str, Array]) -> None:
    """Move frames `[T, H, W, C]` and boxes `[T, 4]` by the same random pixels."""
    frames, boxes = clip["frames"], clip["boxes"]
    height, width = frames.shape[1:3]
    corner, end = boxes[:, :2].min(0), (boxes[:, :2] + boxes[:, 2:]).max(0)
    low, high = np.ceil(-corner), np.floor((width, height) - end)
    room = np.maximum(low, high)
    x, y = (int(n) for n in random.integers(low, room + 1))
    clip["frames"] = np.roll(frames, (y, x), (1, 2))
    clip["boxes"] = boxes + np.array([x, y, 0, 0])
