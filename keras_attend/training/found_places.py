"""Where a `SequentialAIR` has found objects: what its `Foresight` is trained on."""

from typing import Any

import keras
import numpy as np

from keras_attend.datasets import MovingObjects
from keras_attend.types import Array, OneLine


class FoundPlaces(OneLine, keras.utils.PyDataset):
    """Places and numbers of objects in videos, as a model finds them.

    All videos are looked at once, when the first batch is asked for. Their order is
    drawn by `(seed, epoch)`.

    Args:
        model: a `SequentialAIR`.
        videos: its batches are looked at.
        batch_size: B, the number of videos in a batch; the last videos of an order that
            would not fill a batch are left out.
        seed: of the order.
        limit: how many batches of videos are looked at; all when absent.

    A batch is `{"where": [B, T, N, 3], "ids": [B, T, N]}`.
    """

    def __init__(
        self,
        model: Any,
        videos: MovingObjects,
        batch_size: int,
        seed: int = 0,
        limit: int | None = None,
    ) -> None:
        super().__init__()
        self.model, self.videos, self.batch_size = model, videos, batch_size
        self.seed, self.epoch = seed, 0
        self.looked_at = min(limit or len(videos), len(videos))
        self._places: dict[str, Array] | None = None

    @property
    def places(self) -> dict[str, Array]:
        """Those of all videos."""
        if self._places is None:
            parts = [
                self.model.predict(
                    {"frames": self.videos[n]["frames"]},
                    batch_size=self.videos.batch_size,
                    verbose=0,
                )
                for n in range(self.looked_at)
            ]
            self._places = {
                name: np.concatenate([part[name] for part in parts])
                for name in ("where", "ids")
            }
        return self._places

    def __len__(self) -> int:
        return max(self.looked_at * self.videos.batch_size // self.batch_size, 1)

    def __getitem__(self, index: int) -> dict[str, Array]:
        random = np.random.default_rng([self.seed, self.epoch])
        order = random.permutation(self.looked_at * self.videos.batch_size)
        rows = order[index * self.batch_size :][: self.batch_size]
        return {name: value[rows] for name, value in self.places.items()}

    def on_epoch_end(self) -> None:
        """Go on to the next epoch."""
        self.epoch += 1
