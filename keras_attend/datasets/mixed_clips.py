"""Clips of several kinds in one batch."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from keras_attend.datasets.video_batches import Clip, VideoBatches


class MixedClips(VideoBatches):
    """Batches whose clips are drawn by several datasets, each by a share of its own.

    What a batch holds depends on `(seed, epoch, index)` alone. Pass `shuffle=False` to
    `fit` for the batches to come in order too.

    Args:
        parts: pairs of a dataset (`Clips`, `StillClips` or `RenderedKITTI`) and its
            share of the clips, relative to the other shares. All have the same
            `frames`, `size`, `grey` and `cut`. Their batch sizes and seeds are not
            used.
        batch_size: B, the number of clips in a batch.
        seed: the seed of all draws.
        batches: the number of batches in an epoch.
        **kwargs: `shortest`, the fewest frames after which a clip may end; and those
            of `keras.utils.PyDataset` (`workers`, ...).

    A batch holds what `clips.ClipBatches` says, as one of its parts does.
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
        # No photometric change here: each part makes its own.
        super().__init__(
            batch_size, frames, size, seed, batches, 0, grey=grey, cut=cut, **kwargs
        )
        self.parts = tuple(part for part, _ in given)
        self._until = np.cumsum(shares / shares.sum())[:-1]

    def draw_clip(self, random: np.random.Generator) -> Clip:
        """Draw frames `[T, H, W, C]` uint8, boxes `[T, 4]` and present `[T]` bool."""
        part = self.parts[np.searchsorted(self._until, random.random(), side="right")]
        pixels, boxes, present = part.draw_clip(random)
        return part.relit(pixels, random), boxes, present
