"""Test sets that the `results.json` of a preset describes.

A recipe measures by them, and writes their descriptions into `results.json`. From these
`keras-attend evaluate` draws the same images, clips and games, or reads the same
videos, without running the recipe. A description holds only numbers and names of this
package's data sets, and the numbers have limits, so that a description from a stranger
can neither run code nor fill the memory.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, get_args

from numpy.typing import NDArray

from keras_attend.datasets import (
    KITTI,
    BouncingBalls,
    MovingDigits,
    MovingObjects,
    MultiDigits,
    cluttered_mnist,
    mnist,
    otb,
)
from keras_attend.datasets import Sequence as Video
from keras_attend.datasets.multi_digits import BACKGROUNDS
from keras_attend.datasets.settings import TEST_SEED

MOST = 20_000  # images, clips or games
DIGIT_ARGUMENTS = {"distractors", "dots", "scale"}  # of `MovingDigits`


@dataclass(frozen=True)
class DigitImages:
    """MNIST's test digits, each once.

    Attributes:
        side: the side of the canvas in pixels; 28 means MNIST's own images.
        pieces: the number of pieces of other digits on the canvas.
    """

    kind: ClassVar[str] = "digit_images"
    side: int = 28
    pieces: int = 0

    def __post_init__(self) -> None:
        _check_integers(side=(self.side, 28, 512), pieces=(self.pieces, 0, 100))

    def load(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Read the images and their labels."""
        if self.side == 28:
            return mnist("test")
        return cluttered_mnist("test", side=self.side, pieces=self.pieces)


@dataclass(frozen=True)
class CatchGames:
    """Games of Catch.

    Attributes:
        count: the number of games.
    """

    kind: ClassVar[str] = "catch_games"
    count: int = 10_000

    def __post_init__(self) -> None:
        _check_integers(count=(self.count, 10, MOST))


@dataclass(frozen=True)
class DrawnClips:
    """Clips of bouncing balls or of walking test digits, drawn with `TEST_SEED`.

    Attributes:
        source: "bouncing_balls" or "moving_digits".
        frames: the number of frames in a clip.
        batch_size: the number of clips in a batch.
        batches: the number of batches.
        arguments: more arguments of `MovingDigits`: numbers and pairs of numbers.
    """

    kind: ClassVar[str] = "drawn_clips"
    source: str
    frames: int
    batch_size: int
    batches: int
    arguments: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_integers(
            frames=(self.frames, 2, 1000), batch_size=(self.batch_size, 1, MOST)
        )
        _check_integers(batches=(self.batches, 1, MOST // self.batch_size))
        accepted = {"bouncing_balls": set[str](), "moving_digits": DIGIT_ARGUMENTS}
        known = self.source in accepted
        if not known or not self.arguments.keys() <= accepted[self.source]:
            raise ValueError(
                "`source` and `arguments` must be 'bouncing_balls' and none, or "
                f"'moving_digits' and some of {sorted(DIGIT_ARGUMENTS)}. "
                f"Received: {self.source!r} and {sorted(self.arguments)}"
            )
        for value in self.arguments.values():
            numbers = value if isinstance(value, list | tuple) else [value]
            if len(numbers) > 2 or not all(_is_number(n) for n in numbers):
                raise ValueError(
                    "`arguments` must be numbers in 0..10,000, or pairs of them. "
                    f"Received: {value!r:.80}"
                )

    def load(self, batch_size: int | None = None, batches: int | None = None) -> Any:
        """Draw the clips; or a sample, in batches of another size and number."""
        sizes = (batch_size or self.batch_size, batches or self.batches, self.frames)
        if self.source == "bouncing_balls":
            return BouncingBalls(*sizes, seed=TEST_SEED)
        arguments: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in self.arguments.items()
        }
        return MovingDigits(*mnist("test"), *sizes, seed=TEST_SEED, **arguments)


@dataclass(frozen=True)
class DrawnPictures:
    """Pictures of several digits, one or none, as `MultiDigits` draws its test split.

    Attributes:
        size: a picture's side in pixels.
        max_digits: the greatest number of digits in a picture.
        background: "black", "noise", "grid" or "photo".
        color: whether they are in colour, digits and shapes.
        overlap: the greatest part of a digit that another one may cover.
        batch_size: the number of pictures in a batch.
        batches: the number of batches.
        min_digits: the least number of digits in a picture.
    """

    kind: ClassVar[str] = "drawn_pictures"
    size: int = 50
    max_digits: int = 2
    background: str = "black"
    color: bool = False
    overlap: float = 0.0
    batch_size: int = 500
    batches: int = 20
    min_digits: int = 0

    def __post_init__(self) -> None:
        digits = (self.max_digits, 1, 10)
        _check_integers(size=(self.size, 28, 512), max_digits=digits)
        _check_integers(batch_size=(self.batch_size, 1, MOST))
        batches = (self.batches, 1, MOST // self.batch_size)
        least = (self.min_digits, 0, self.max_digits)
        _check_integers(batches=batches, min_digits=least)
        if self.background not in BACKGROUNDS or type(self.color) is not bool:
            raise ValueError(
                f"`background` must be one of {BACKGROUNDS}, `color` true or false. "
                f"Received: {self.background!r:.40} and {self.color!r:.40}"
            )
        if not (_is_number(self.overlap) and self.overlap <= 1):
            raise ValueError(
                f"`overlap` must be in 0..1. Received: {self.overlap!r:.40}"
            )

    def load(self, batches: int | None = None, split: str = "test") -> MultiDigits:
        """Draw the pictures, with their labels; or a sample, or of another split."""
        return MultiDigits(
            split,
            self.batch_size,
            self.size,
            self.max_digits,
            self.background,
            self.color,
            self.overlap,
            length=batches or self.batches,
            labels=True,
            min_digits=self.min_digits,
        )


@dataclass(frozen=True)
class DrawnVideos:
    """Videos in which digits come and go, as `MovingObjects` draws its test split.

    Attributes:
        frames: the number of frames in a video.
        background: "black" or "noise".
        sizes: the least and the greatest factor of a digit's size.
        batch_size: the number of videos in a batch.
        batches: the number of batches.
    """

    kind: ClassVar[str] = "drawn_videos"
    frames: int = 10
    background: str = "black"
    sizes: tuple[float, float] = (1.0, 1.0)
    batch_size: int = 100
    batches: int = 5

    def __post_init__(self) -> None:
        _check_integers(
            frames=(self.frames, 6, 1000), batch_size=(self.batch_size, 1, MOST)
        )
        _check_integers(batches=(self.batches, 1, MOST // self.batch_size))
        if self.background not in ("black", "noise"):
            given = f"Received: {self.background!r:.40}"
            raise ValueError(f"`background` must be 'black' or 'noise'. {given}")
        if len(self.sizes) != 2 or not all(_is_number(s) for s in self.sizes):
            raise ValueError(
                f"`sizes` must be two numbers. Received: sizes={self.sizes!r:.40}"
            )

    def load(self, batches: int | None = None, split: str = "test") -> MovingObjects:
        """Draw the videos, with their labels; or a sample, or of another split."""
        return MovingObjects(
            split,
            self.batch_size,
            self.frames,
            sizes=(self.sizes[0], self.sizes[1]),
            background=self.background,
            length=batches or self.batches,
            labels=True,
        )


@dataclass(frozen=True)
class Videos:
    """Real videos, in a folder of the data.

    Attributes:
        folder: "tracking" or "tracking_test", in OTB's layout; or "kitti", of which
            the tracks of the held-out videos are taken.
        names: of the videos; all videos of the folder when empty.
        skipped_thirds: how many thirds of each video are left out at its beginning.
    """

    kind: ClassVar[str] = "videos"
    folder: str
    names: tuple[str, ...] = ()
    skipped_thirds: int = 0

    def __post_init__(self) -> None:
        if self.folder not in ("tracking", "tracking_test", "kitti"):
            raise ValueError(
                "`folder` must be 'tracking', 'tracking_test' or 'kitti'. "
                f"Received: folder={self.folder!r:.80}"
            )
        _check_integers(skipped_thirds=(self.skipped_thirds, 0, 2))

    def load(self, data: Path) -> list[Video]:
        """Find the videos below the folder `data`; their frames are read later."""
        folder = data / self.folder
        if self.folder == "kitti":
            return list(KITTI(folder, shortest=6).by_video()[1])
        found = {video.name: video for video in otb(folder)}
        if absent := sorted({*self.names} - found.keys()):
            raise FileNotFoundError(f"{folder} lacks {', '.join(absent)}")
        chosen = [v for v in found.values() if v.name in (self.names or found)]
        return [v.part(self.skipped_thirds * len(v) // 3) for v in chosen]


TestSet = DigitImages | CatchGames | DrawnClips | DrawnPictures | DrawnVideos | Videos
KINDS: dict[str, type[TestSet]] = {cls.kind: cls for cls in get_args(TestSet)}


def described(test_sets: Mapping[str, TestSet]) -> dict[str, dict[str, Any]]:
    """Describe test sets, by their names in the protocols, for `results.json`."""
    return {name: {"kind": t.kind, **asdict(t)} for name, t in test_sets.items()}


def from_description(description: Mapping[str, Any]) -> TestSet:
    """Make a test set of its description, or raise a `ValueError`."""
    arguments = dict(description)
    cls = KINDS.get(str(arguments.pop("kind", None)))
    try:
        if cls is None:
            raise TypeError(f"`kind` must be one of {', '.join(KINDS)}")
        return cls(**arguments)
    except (TypeError, AttributeError) as error:
        raise ValueError(
            f"A test set must be described as `evaluation.test_sets` does it: {error}. "
            f"Received: {description!r:.200}"
        ) from error


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 10_000  # which NaN is not


def _check_integers(**values: tuple[int, int, int]) -> None:
    """Refuse a value that is no integer between its limits."""
    for name, (value, low, high) in values.items():
        if type(value) is not int or not low <= value <= high:
            raise ValueError(
                f"`{name}` must be an integer in {low}..{high}. "
                f"Received: {name}={value!r:.40}"
            )
