"""Test sets, as the `results.json` of a preset describes them.

A recipe judges by these, and its preset keeps their descriptions. So
`keras-attend evaluate` draws the same images, clips and games, or reads the same
videos, and does not run the recipe. A description holds numbers and names of this
package's data sets, within limits: a stranger's can neither run code nor fill the
memory.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from keras_attend.datasets import (
    KITTI,
    BouncingBalls,
    MovingDigits,
    cluttered_mnist,
    mnist,
    otb,
)
from keras_attend.datasets import Sequence as Video
from keras_attend.datasets.settings import TEST_SEED

MOST_CLIPS, MOST_FRAMES, MOST_GAMES, MOST_SIDE = 20_000, 1000, 100_000, 512


@dataclass(frozen=True)
class DigitImages:
    """MNIST's test digits: as they are, or each once on a canvas.

    Attributes:
        side: of the canvas in pixels; 28 is MNIST's own image.
        pieces: of other digits, in the canvas' clutter.
    """

    kind: ClassVar[str] = "digit_images"
    side: int = 28
    pieces: int = 0

    def __post_init__(self) -> None:
        _check(self, side=(28, MOST_SIDE), pieces=(0, 100))

    def load(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The images and their labels."""
        if self.side == 28:
            return mnist("test")
        return cluttered_mnist("test", side=self.side, pieces=self.pieces)


@dataclass(frozen=True)
class CatchGames:
    """Games of Catch.

    Attributes:
        count: how many.
        seed: of the games and of all draws.
    """

    kind: ClassVar[str] = "catch_games"
    count: int = 10_000
    seed: int = TEST_SEED

    def __post_init__(self) -> None:
        _check(self, count=(10, MOST_GAMES), seed=(0, 2**31 - 1))


@dataclass(frozen=True)
class DrawnClips:
    """Clips drawn from a seed: bouncing balls, or test digits that walk.

    Attributes:
        source: "bouncing_balls" or "moving_digits".
        frames: of a clip.
        batch_size: clips of a batch.
        batches: how many batches.
        arguments: of `MovingDigits`, beside these: numbers and pairs of numbers.
        seed: of what is drawn.
    """

    kind: ClassVar[str] = "drawn_clips"
    source: str
    frames: int
    batch_size: int
    batches: int
    arguments: dict[str, Any] = field(default_factory=dict)
    seed: int = TEST_SEED

    def __post_init__(self) -> None:
        _check(
            self,
            frames=(2, MOST_FRAMES),
            batch_size=(1, MOST_CLIPS),
            batches=(1, MOST_CLIPS),
            seed=(0, 2**31 - 1),
        )
        if self.batch_size * self.batches > MOST_CLIPS:
            raise ValueError(
                f"A test set must hold at most {MOST_CLIPS} clips. Received: "
                f"{self.batches} batches of {self.batch_size}"
            )
        accepted = {"bouncing_balls": set(), "moving_digits": DIGIT_ARGUMENTS}
        if self.source not in accepted:
            raise ValueError(
                f"`source` must be one of {', '.join(accepted)}. "
                f"Received: source={self.source!r}"
            )
        if not self.arguments.keys() <= accepted[self.source]:
            raise ValueError(
                f"`arguments` of {self.source} must be among "
                f"{sorted(accepted[self.source])}. Received: {sorted(self.arguments)}"
            )
        for value in self.arguments.values():
            numbers = value if isinstance(value, list | tuple) else [value]
            if len(numbers) > 2 or not all(_is_number(n, 10_000) for n in numbers):
                raise ValueError(
                    "`arguments` must be numbers, or pairs of them, up to 10,000. "
                    f"Received: {value!r:.80}"
                )

    def load(self, batch_size: int | None = None, batches: int | None = None) -> Any:
        """The clips, or a sample of them in batches of another size and number."""
        sizes = (batch_size or self.batch_size, batches or self.batches, self.frames)
        if self.source == "bouncing_balls":
            return BouncingBalls(*sizes, seed=self.seed)
        arguments: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in self.arguments.items()
        }
        return MovingDigits(*mnist("test"), *sizes, seed=self.seed, **arguments)


# What a description may say of `MovingDigits`.
DIGIT_ARGUMENTS = {"distractors", "dots", "scale"}


@dataclass(frozen=True)
class Videos:
    """Real videos in a folder of the data: OTB's layout, or KITTI's.

    Attributes:
        folder: "tracking", "tracking_test", or "kitti", of which it is the objects of
            the videos that are held out.
        names: of the videos; all, when empty.
        first_third: whether a video begins at its begin (0) or after its first third
            (1).
    """

    kind: ClassVar[str] = "videos"
    folder: str
    names: tuple[str, ...] = ()
    first_third: int = 0

    def __post_init__(self) -> None:
        if self.folder not in ("tracking", "tracking_test", "kitti"):
            raise ValueError(
                '`folder` must be "tracking", "tracking_test" or "kitti". '
                f"Received: folder={self.folder!r}"
            )
        object.__setattr__(self, "names", tuple(map(str, self.names)))
        _check(self, first_third=(0, 1))

    def load(self, data: Path) -> list[Video]:
        """The videos, below the folder `data`."""
        folder = data / self.folder
        if self.folder == "kitti":
            _, held_out = KITTI(folder, shortest=6).by_video()
            return list(held_out)
        found = {video.name: video for video in otb(folder)}
        absent = sorted({*self.names} - found.keys())
        if absent:
            raise FileNotFoundError(f"{folder} lacks {', '.join(absent)}")
        chosen = [
            v for name, v in found.items() if not self.names or name in self.names
        ]
        return [v.part(self.first_third * len(v) // 3) for v in chosen]


TestSet = DigitImages | CatchGames | DrawnClips | Videos
KINDS: dict[str, type[Any]] = {
    cls.kind: cls for cls in (DigitImages, CatchGames, DrawnClips, Videos)
}


def described(test_sets: Mapping[str, TestSet]) -> dict[str, dict[str, Any]]:
    """What `results.json` keeps of test sets, by their names in the protocols."""
    return {name: {"kind": t.kind, **asdict(t)} for name, t in test_sets.items()}


def test_set(description: Mapping[str, Any]) -> TestSet:
    """The test set of a description, or a `ValueError` that says what is wrong."""
    arguments = dict(description)
    cls = KINDS.get(str(arguments.pop("kind", None)))
    if cls is None:
        raise ValueError(
            f"`kind` must be one of {', '.join(KINDS)}. Received: {description!r:.200}"
        )
    names = {f.name for f in fields(cls)}
    if not arguments.keys() <= names:
        raise ValueError(
            f"A description of {cls.kind} holds {sorted(names)}. "
            f"Received: {sorted(map(str, arguments))}"
        )
    try:
        found: TestSet = cls(**arguments)
    except TypeError as error:
        raise ValueError(f"{cls.kind}: {error}") from error
    return found


def _is_number(value: Any, most: float) -> bool:
    real = isinstance(value, int | float) and not isinstance(value, bool)
    return real and bool(np.isfinite(value)) and abs(value) <= most


def _check(test_set: Any, **ranges: tuple[int, int]) -> None:
    for name, (low, high) in ranges.items():
        value = getattr(test_set, name)
        if type(value) is not int or not low <= value <= high:
            raise ValueError(
                f"`{name}` must be an integer in {low}..{high}. "
                f"Received: {name}={value!r:.40}"
            )
