"""Clips of several kinds in one batch."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_attend.datasets.sequences import Sequence, read_frames
from keras_attend.datasets.video_clips import Clip, StillClips, VideoBatches

Array = NDArray[Any]


class MixedClips(VideoBatches):
    """Each clip is drawn by one of several datasets, as often as its share says.

    What a batch holds depends on `(seed, epoch, index)` alone. Pass `shuffle=False` to
    `fit` for the batches to come in order too.

    Args:
        parts: pairs of a dataset (`Clips`, `StillClips`, `RenderedKITTI`) and its
            share. All have the same `frames`, `size`, `grey` and `cut`; their batches
            and seeds do not count.
        batch_size: clips in a batch.
        seed: of all draws.
        batches: of an epoch.
        **kwargs: `shortest`, the fewest frames after which a clip ends (all have
            `frames` when absent); and of `keras.utils.PyDataset` (`workers`, ...).

    Yields what its parts do.
    """

    def __init__(
        self,
        parts: Iterable[tuple[VideoBatches, float]],
        batch_size: int,
        seed: int = 0,
        batches: int = 100,
        **kwargs: Any,
    ) -> None:
        given = tuple(parts)
        kinds = {(part.frames, part.size, part.grey, part.cut) for part, _ in given}
        if len(kinds) != 1:
            raise ValueError(
                "`parts` must be datasets of the same frames, size, grey and cut, at "
                f"least one. Received: (frames, size, grey, cut) {sorted(kinds)}"
            )
        shares = np.array([share for _, share in given])
        if not ((shares >= 0).all() and shares.sum() > 0):
            raise ValueError(
                "The shares of `parts` must not be negative, nor all 0. "
                f"Received: {shares.tolist()}"
            )
        ((frames, size, grey, cut),) = kinds
        # Each part has a light of its own.
        super().__init__(
            batch_size, frames, size, seed, batches, 0, grey=grey, cut=cut, **kwargs
        )
        self.parts = tuple(part for part, _ in given)
        self._until = np.cumsum(shares / shares.sum())[:-1]

    def draw_clip(self, random: np.random.Generator) -> Clip:
        """A clip: frames `[T, *size, C]`, boxes `[T, 4]`, present `[T]`."""
        part = self.parts[np.searchsorted(self._until, random.random(), side="right")]
        pixels, boxes, present = part.draw_clip(random)
        return part.relit(pixels, random), boxes, present


def still_clips(
    sequences: Iterable[Sequence], every: int = 4, **kwargs: Any
) -> StillClips:
    """`StillClips` of videos' frames.

    Args:
        sequences: of `otb` or `got10k`.
        every: take each so many-th frame that shows the object.
        **kwargs: of `StillClips`.
    """
    images: list[Array] = []
    boxes: list[Array] = []
    for sequence in sequences:
        chosen = np.flatnonzero(sequence.present)[::every]
        images += list(read_frames(sequence, chosen))
        boxes += list(sequence.boxes[chosen])
    return StillClips(images, np.array(boxes), **kwargs)
