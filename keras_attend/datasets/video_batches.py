"""Batches whose clips are drawn one by one, each in a light of its own."""

from abc import abstractmethod
from typing import Any

import numpy as np

from keras_attend.arguments import check_positive_integers
from keras_attend.datasets.clips import ClipBatches
from keras_attend.datasets.views import cut_at_border
from keras_attend.types import Array

Clip = tuple[Array, Array, Array]  # frames, boxes, present

LUMA = np.array([0.299, 0.587, 0.114], "float32")  # weights of red, green, blue in grey


class VideoBatches(ClipBatches):
    """What `Clips`, `StillClips`, `MixedClips` and `RenderedKITTI` share.

    Args:
        batch_size: B, the number of clips in a batch.
        frames: T, the number of frames in a clip.
        size: (height, width) of a frame in pixels.
        seed: the seed of all draws.
        batches: the number of batches in an epoch.
        photometric: the greatest change of brightness (as a share of white), of
            contrast and of gamma (both relative). All frames of a clip change alike.
        grey: make frames of one channel.
        cut: cut boxes at the frame's border, as KITTI's labels are. Otherwise the box
            of an object that is partly outside the frame goes on beyond the border.
        **kwargs: `shortest` of `ClipBatches`, and those of `keras.utils.PyDataset`.
    """

    def __init__(
        self,
        batch_size: int,
        frames: int,
        size: tuple[int, int],
        seed: int,
        batches: int,
        photometric: float,
        grey: bool = False,
        cut: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(batch_size, batches, frames, seed, **kwargs)
        height, width = size
        check_positive_integers(height=height, width=width)
        if not 0 <= photometric < 1:
            raise ValueError(
                "`photometric` must be at least 0 and less than 1. "
                f"Received: photometric={photometric}"
            )
        self.size = (height, width)
        self.photometric = photometric
        self.grey = grey
        self.cut = cut

    @abstractmethod
    def draw_clip(self, random: np.random.Generator) -> Clip:
        """Draw frames `[T, H, W, C]` uint8, boxes `[T, 4]` and present `[T]` bool."""

    def random(self, index: int) -> np.random.Generator:
        """Make a batch's random generator."""
        return np.random.default_rng([self.seed, self.epoch, index])

    def draw(self, random: np.random.Generator) -> tuple[Array, dict[str, Array]]:
        """Draw frames `[B, T, H, W, C]`, boxes `[B, T, 4]` and present `[B, T]`."""
        clips = []
        for _ in range(self.batch_size):
            pixels, boxes, present = self.draw_clip(random)
            clips.append((self.relit(pixels, random), boxes, present))
        frames, boxes, present = (np.stack(part) for part in zip(*clips, strict=True))
        if self.grey and frames.shape[-1] == 3:
            frames = np.rint(frames @ LUMA).astype("uint8")[..., None]
        if self.cut:
            boxes = cut_at_border(boxes, self.size)
        return frames, {"boxes": boxes.astype("float32"), "present": present}

    def relit(self, frames: Array, random: np.random.Generator) -> Array:
        r"""Change a clip's light by a gamma, a contrast and a brightness that it draws.

        $$v' = (v^\gamma - 1/2)(1 + c) + 1/2 + b$$ for values $v$ in [0, 1].
        """
        if self.photometric == 0:
            return frames
        gamma, contrast, brightness = random.uniform(-1, 1, 3) * self.photometric
        light = np.linspace(0, 1, 256) ** ((1 + self.photometric) ** gamma)
        light = (light - 0.5) * (1 + contrast) + 0.5 + brightness
        table = np.rint(np.clip(light, 0, 1) * 255).astype("uint8")  # [256]
        return np.take(table, frames)
