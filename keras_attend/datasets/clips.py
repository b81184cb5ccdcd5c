"""Batches of short videos, in the form that trackers take."""

from abc import ABC, abstractmethod
from typing import Any

import keras
import numpy as np

from keras_attend.arguments import check_positive_integers
from keras_attend.types import Array

Batch = tuple[dict[str, Array], dict[str, Array]]


class ClipBatches(keras.utils.PyDataset, ABC):
    """Batches of short videos (clips) with the box of one object in each frame.

    A subclass draws the clips. What a batch holds depends on `(seed, epoch, index)`
    alone. Pass `shuffle=False` to `fit` for the batches to come in order too.

    Args:
        batch_size: B, the number of clips in a batch.
        batches: the number of batches in an epoch.
        frames: T, the number of frames in a clip.
        seed: the seed of all draws. `settings` has those of held-out sets.
        shortest: if given, each clip ends after a number of frames that is drawn
            from `shortest` to `frames`; the frames after that do not count.
        **kwargs: of `keras.utils.PyDataset` (`workers`, ...).

    A batch is `(inputs, targets)`, both of them dictionaries:

        inputs["frames"]     [B, T, H, W, C]  uint8, or float32 in [0, 1]
        inputs["box"]        [B, 4]           float32, the object's box in frame 0
        targets["boxes"]     [B, T, 4]        float32, its box in every frame
        targets["present"]   [B, T]           float32, 1 where the object is there
        targets["judged"]    [B, T]           float32, 1 in the frames that count

    Boxes are `xywh` in pixels. `judged` is 0 after a clip's end, and from frame
    `self.judged` on, which is `frames` unless a `callbacks.LengthCurriculum` sets it.
    Where `judged` is 0, so is `present`.
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
        """Draw frames `[B, T, H, W, C]` and targets, at least `boxes` `[B, T, 4]`."""

    def random(self, index: int) -> Any:
        """Make a batch's random generator, whose stream NumPy has frozen for good."""
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
            # Drawn from a stream of their own, so that they change no picture.
            lengths = np.random.default_rng([self.seed, self.epoch, index, 1])
            shortest = min(self.shortest, self.judged)
            ends = lengths.integers(shortest, self.judged + 1, len(frames))
        judged = np.arange(self.frames) < ends[:, None]
        inputs = {"frames": frames, "box": targets["boxes"][:, 0]}
        targets |= {"present": present * judged, "judged": judged.astype("float32")}
        return inputs, targets
