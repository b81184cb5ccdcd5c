"""What all datasets of clips share. A clip is a short video."""

from abc import ABC, abstractmethod
from typing import Any

import keras
import numpy as np

from keras_attend.arguments import check_positive_integers
from keras_attend.datasets.views import cut_at_border
from keras_attend.types import Array, OneLine

Batch = tuple[dict[str, Array], dict[str, Array]]
Clip = tuple[Array, Array, Array]  # frames, boxes, present

LUMA = np.array([0.299, 0.587, 0.114], "float32")  # weights of red, green, blue in grey


class ClipBatches(OneLine, keras.utils.PyDataset, ABC):
    """Batches of clips with the box of one object in each frame.

    What a batch holds depends on `(seed, epoch, index)`
    alone. Pass `shuffle=False` to `fit` for the batches to come in order too.

    Args:
        batch_size: B, the number of clips in a batch.
        batches: the number of batches in an epoch.
        frames: T, the number of frames in a clip.
        seed: the seed of all draws. Evaluate with one that no training has: `settings`
            has two.
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
        batches: int = 100,
        frames: int = 10,
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
        """Make a batch's random generator."""
        return frozen_stream(self.seed, self.epoch, index)

    def on_epoch_end(self) -> None:
        """Go on to the next epoch's clips."""
        self.epoch += 1

    def __len__(self) -> int:
        return self.batches

    def __getitem__(self, index: int) -> Batch:
        check_index(index, self)
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


class VideoBatches(ClipBatches):
    """Batches whose clips are drawn one by one, each in a light of its own.

    Args:
        batch_size: B, the number of clips in a batch.
        size: (height, width) of a frame in pixels.
        photometric: the greatest change of brightness (as a share of white), of
            contrast and of gamma (both relative). All frames of a clip change alike.
        grey: make frames of one channel.
        cut: cut boxes at the frame's border, as KITTI's labels are. Otherwise the box
            of an object that is partly outside the frame goes on beyond the border.
        **kwargs: of `ClipBatches`.
    """

    def __init__(
        self,
        batch_size: int,
        size: tuple[int, int] = (128, 128),
        photometric: float = 0.2,
        grey: bool = False,
        cut: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(batch_size, **kwargs)
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

        $$v' = (v^\gamma - 1/2)(1 + c) + 1/2 + b$$

        for values $v$ in [0, 1].
        """
        if self.photometric == 0:
            return frames
        gamma, contrast, brightness = random.uniform(-1, 1, 3) * self.photometric
        light = np.linspace(0, 1, 256) ** ((1 + self.photometric) ** gamma)
        light = (light - 0.5) * (1 + contrast) + 0.5 + brightness
        table = np.rint(np.clip(light, 0, 1) * 255).astype("uint8")  # [256]
        return np.take(table, frames)


def frozen_stream(*seeds: int) -> np.random.RandomState:
    """Make a random generator whose stream NumPy has frozen for good."""
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence([*seeds])))


def check_index(index: int, batches: keras.utils.PyDataset) -> None:
    """Refuse the index of a batch that a dataset does not have."""
    if not 0 <= index < len(batches):
        raise IndexError(f"There are {len(batches)} batches. Received: index={index}")
