"""Batches of short videos, as trackers take them."""

from abc import ABC, abstractmethod
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_attend.arguments import check_positive_integers

Array = NDArray[Any]
Batch = tuple[dict[str, Array], dict[str, Array]]


class ClipBatches(keras.utils.PyDataset, ABC):
    """Batches of short videos with a box in each frame.

    A subclass draws them. What a batch holds depends on `(seed, epoch, index)` alone.
    Pass `shuffle=False` to `fit` for the batches to come in order too.

    Args:
        batch_size: clips in a batch.
        batches: of an epoch.
        frames: of a clip, $T$.
        seed: of the draws; give an evaluation one that no training has.
        shortest: if given, each clip ends after a number of frames that is drawn
            from `shortest` to all.
        **kwargs: of `keras.utils.PyDataset` (`workers`, ...).

    Yields what trackers take and what they are to find:
    `({"frames": [B, T, H, W, C], "box": [B, 4]}, {"boxes": [B, T, 4], "present":
    [B, T], "judged": [B, T]})`. Boxes are `xywh` in pixels, the first is the input's.
    `judged` is 0 after a clip's end, and from frame `self.judged` on, which is `frames`
    unless a `callbacks.LengthCurriculum` sets it; `present` is 0 there too, and where
    the object is not there.
    """

    def __init__(
        self,
        batch_size: int,
        batches: int,
        frames: int,
        seed: int = 0,
        shortest: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive_integers(batch_size=batch_size, batches=batches, frames=frames)
        if shortest is not None and not 1 <= shortest <= frames:
            raise ValueError(
                "`shortest` must be at least 1 and at most `frames`. "
                f"Received: shortest={shortest}, frames={frames}"
            )
        self.batch_size = batch_size
        self.batches = batches
        self.frames = self.judged = frames
        self.seed = seed
        self.shortest = shortest
        self.epoch = 0

    @abstractmethod
    def draw(self, random: Any) -> tuple[Array, dict[str, Array]]:
        """Frames `[B, T, H, W, C]` and targets, among them `boxes` `[B, T, 4]`."""

    def random(self, index: int) -> Any:
        """What a batch is drawn from: a stream that NumPy promises never to change."""
        entropy = np.random.SeedSequence([self.seed, self.epoch, index])
        return np.random.RandomState(np.random.MT19937(entropy))

    def on_epoch_end(self) -> None:
        """Go on to the next epoch's clips."""
        self.epoch += 1

    def __len__(self) -> int:
        return self.batches

    def __getitem__(self, index: int) -> Batch:
        if not 0 <= index < len(self):
            raise IndexError(f"There are {len(self)} batches. Received: index={index}")
        frames, targets = self.draw(self.random(index))
        present = targets.get("present", np.ones(frames.shape[:2])).astype("float32")
        ends = np.full(len(frames), self.judged)
        if self.shortest is not None:
            # A stream of their own: the clips are the same with and without.
            lengths = np.random.default_rng([self.seed, self.epoch, index, 1])
            shortest = min(self.shortest, self.judged)
            ends = lengths.integers(shortest, self.judged + 1, len(frames))
        judged = np.arange(self.frames) < ends[:, None]
        inputs = {"frames": frames, "box": targets["boxes"][:, 0]}
        targets |= {"present": present * judged, "judged": judged.astype("float32")}
        return inputs, targets
