"""What a preset scores now, beside what its `results.json` says.

The test sets and protocols are those of the recipes and of `keras_attend.evaluation`:

* MNIST's digits, alone or on a canvas: `single` and `mc10`;
* the game of Catch;
* clips of balls and digits that move, drawn anew from the same seed;
* the videos of tracking/, tracking_test/ and kitti/ in the folder of the data.

Of the others a `Measured` says why it has no value.
"""

import os
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_attend import evaluation, training
from keras_attend.datasets import (
    KITTI,
    TEST_SEED,
    BouncingBalls,
    MovingDigits,
    cluttered_mnist,
    mnist,
    otb,
)
from keras_attend.datasets import Sequence as Video
from keras_attend.datasets.settings import DATA, data_folder
from keras_attend.evaluation.tracking import Track
from keras_attend.tracking import Tracker
from keras_attend.training import digit_trackers
from keras_attend.zoo.results import Result

Array = NDArray[Any]

CANVASES: dict[str, dict[str, int]] = {
    "mnist_test": {},
    "translated_mnist": {"side": 60, "pieces": 0},
    "cluttered_mnist": {"side": 60, "pieces": 4},
    "cluttered_mnist_100": {"side": 100, "pieces": 8},
}
PASSES: dict[str, dict[str, Any]] = {
    "single": {},
    "mc10": {"episodes": 10, "location": "sample"},
}
DIGITS: dict[str, dict[str, Any]] = {  # of MovingDigits
    "single_digit": {},
    "two_digits": {"distractors": 1},
    **digit_trackers.DIGITS,
}
# Clips in a batch and batches, by the clips' frames; as the recipes have them.
DRLT = {100: (25, 4), 300: (20, 1)}
CLIPS = {
    "bouncing_balls": {32: (500, 20), 300: (500, 2)},
    "single_digit": {30: (100, 20), 300: (50, 4)},
    "two_digits": {30: (100, 20), 300: (50, 4)},
    "walking_digit": DRLT,
    "scaled_digit": DRLT,
    "noisy_digit": DRLT,
}
VIDEOS = {
    "people_validation": training.PEOPLE,
    "videos_validation": training.VALIDATION,
    "videos_test": training.TEST,
}
FOLDERS = {"videos_test": "tracking_test"}  # of the others it is tracking/
STARTS = {"otb_first_third": 0, "otb_last_two_thirds": 1}  # at which third
ATTRIBUTES = {  # of the evaluation's scores
    "mean_iou": "mean_iou",
    "mean_iou_with_first": "mean_iou_with_first",
    "mean_iou_last": "last_iou",
    "center_error_px": "center_error",
    "success_auc": "success_auc",
    "precision_20": "precision_20",
}
REASONS = {
    "single_seeds": "it needs weights of other seeds, which a preset does not hold",
    "rendered_kitti_validation": "the recipe draws its clips: run that",
    "rendered_kitti_test": "the recipe draws its clips: run it with --measure-test",
    "otb_unseen": "it judges other weights than the preset's",
}
IMAGES, GAMES = 1000, 1000  # of a sample
PARTS, PART = 8, 8  # so many parts of so many clips, whose spread tells their error
ERRORS, SHARE = 4, 0.02  # of the tolerance


class CannotMeasureError(ValueError):
    """Why a protocol has no value here."""


@dataclass(frozen=True)
class Measured:
    """A result and what is measured now.

    Attributes:
        result: what `results.json` says.
        value: what is measured; None where it cannot be.
        tolerance: how far from the published value it may be: four standard errors
            of the sample, the spread of the published runs, or 2 % of the value,
            whichever is most.
        reason: why there is no value.
    """

    result: Result
    value: float | None = None
    tolerance: float | None = None
    reason: str = ""

    @property
    def differs(self) -> bool:
        """Whether it was measured and is not what `results.json` says."""
        if self.value is None or self.tolerance is None:
            return False
        return not abs(self.value - self.result.value) <= self.tolerance  # or NaN


def remeasure(
    model: keras.Model,
    results: Sequence[Result],
    *,
    data: Path | None = None,
    quick: bool = False,
    download: bool = True,
) -> Iterator[Measured]:
    """Measure a preset's results again, one after the other.

    Args:
        model: the preset's; nothing of it changes.
        results: of `zoo.info(name).metrics`.
        data: the folder of the test data; `KERAS_ATTEND_DATA` unless given.
        quick: by a sample. Real videos are measured in all of their clips, for a
            sample of so few would say nothing, and not in one pass.
        download: fetch MNIST where there is no folder.
    """
    judge = _Judge(model, quick, download)
    for result in results:
        try:
            with _data_folder(data) as folder:
                value, error = judge.measure(result, folder)
        except (CannotMeasureError, ImportError, OSError) as problem:
            yield Measured(result, reason=" ".join(str(problem).split()))
            continue
        spread = result.max - result.min
        tolerance = max(ERRORS * error, spread, SHARE * abs(result.value))
        yield Measured(result, round(value, 4), round(tolerance, 4))


class _Judge:
    """A model before its test sets; each is looked at once for all its results."""

    def __init__(self, model: keras.Model, quick: bool, download: bool) -> None:
        self.model, self.quick, self.download = model, quick, download
        self.folder: Path | None = None
        self._known: dict[tuple[Any, ...], Any] = {}
        self._track: Track | None = None

    def measure(self, result: Result, folder: Path | None) -> tuple[float, float]:
        """A value and its standard error, 0 where all is measured."""
        self.folder = folder
        data, _, name = result.protocol.partition("/")
        for key in (data, name):
            if key in REASONS:
                raise CannotMeasureError(REASONS[key])
        if data in CANVASES and name in PASSES and result.metric == "error_percent":
            return self._digits(data, name, result.value)
        if (result.metric, result.protocol) == ("catch_rate", "catch/10000_games"):
            return self._catch(result.value)
        clips = re.fullmatch(r"(\d+)_frames(|_with_first|_last)", name)
        if clips and int(clips[1]) in CLIPS.get(data, {}):
            attribute = ATTRIBUTES.get(result.metric + clips[2])
            scores = self._once(self._clips, data, int(clips[1]))
        else:
            attribute = ATTRIBUTES.get(result.metric)
            scores = [self._once(self._videos, data, name)]
        if attribute is None or not hasattr(scores[0], attribute):
            raise CannotMeasureError(f"{name} knows no {result.metric}")
        return _mean([np.mean(getattr(score, attribute)) for score in scores])

    def _once(self, measure: Any, *arguments: Any) -> Any:
        if arguments not in self._known:
            self._known[arguments] = measure(*arguments)
        return self._known[arguments]

    def _digits(self, data: str, name: str, published: float) -> tuple[float, float]:
        images, labels = self._once(self._images, data)
        repeats = 5
        if self.quick:
            step = max(1, len(images) // IMAGES)
            images, labels, repeats = images[::step], labels[::step], 1
        errors = evaluation.error_percent(
            self.model, images, labels, repeats=repeats, **PASSES[name]
        )
        return float(errors.mean()), 100 * self._error(published / 100, len(images))

    def _images(self, data: str) -> tuple[Array, Array]:
        self._check_mnist()
        canvas = CANVASES[data]
        return cluttered_mnist("test", **canvas) if canvas else mnist("test")

    def _check_mnist(self) -> None:
        if self.folder is None and not self.download:
            raise CannotMeasureError(f"{DATA} must name a folder with mnist.npz")

    def _catch(self, published: float) -> tuple[float, float]:
        games, repeats = (GAMES, 1) if self.quick else (10_000, 5)
        rates = evaluation.catch_rate(self.model, games=games, repeats=repeats)
        return float(rates.mean()), self._error(published, games)

    def _error(self, share: float, count: int) -> float:
        """The standard error of a share of `count` draws, never quite 0."""
        variance = max(share * (1 - share), 1 / count)
        return float(np.sqrt(variance / count)) if self.quick else 0.0

    def _clips(self, data: str, frames: int) -> list[Any]:
        """Scores of all clips at once, or of each part of a sample."""
        batch, batches = (PART, PARTS) if self.quick else CLIPS[data][frames]
        clips: Any
        if data in DIGITS:
            self._check_mnist()
            clips = MovingDigits(
                *mnist("test"), batch, batches, frames, seed=TEST_SEED, **DIGITS[data]
            )
        else:
            clips = BouncingBalls(batch, batches, frames, seed=TEST_SEED)
        if not self.quick:
            return [evaluation.score_clips(self.model, clips)]
        return [
            evaluation.score_clips(self.model, [clips[index]])
            for index in range(len(clips))
        ]

    def _videos(self, data: str, name: str) -> Any:
        videos = self._sequences(data)
        if self._track is None:
            self._track = _remembering(Tracker(self.model).track)
        clips = re.fullmatch(r"(\d+)_frame_clips", name)
        if clips:
            return evaluation.video_clips(self._track, videos, int(clips[1]))
        if name != "ope":
            raise CannotMeasureError("no protocol of this name is known")
        if self.quick:
            raise CannotMeasureError("whole videos are not part of a sample")
        return evaluation.one_pass(self._track, videos)

    def _sequences(self, data: str) -> Sequence[Video]:
        if data not in {*VIDEOS, *STARTS, "kitti_held_out"}:
            raise CannotMeasureError("no data of this name are known")
        if self.folder is None:
            raise CannotMeasureError(f"--data or {DATA} must name the videos' folder")
        if data == "kitti_held_out":
            return KITTI(self.folder / "kitti", shortest=6).by_video()[1]
        place = self.folder / FOLDERS.get(data, "tracking")
        videos = {video.name: video for video in otb(place)}
        if data in VIDEOS:
            if absent := sorted({*VIDEOS[data]} - videos.keys()):
                raise CannotMeasureError(f"{place} lacks {', '.join(absent)}")
            return [v for name, v in videos.items() if name in VIDEOS[data]]
        return [v.part(STARTS[data] * len(v) // 3) for v in videos.values()]


def _mean(parts: list[Any]) -> tuple[float, float]:
    """Mean of the parts of a sample, and its standard error."""
    count = len(parts)
    error = np.std(parts, ddof=1) / np.sqrt(count) if count > 1 else 0.0
    return float(np.mean(parts)), float(error)


def _remembering(track: Track) -> Track:
    """Several protocols share clips: each is tracked once."""
    known: dict[tuple[Any, ...], Array] = {}

    def tracked(frames: Array, box: Array) -> Array:
        pixels = np.ascontiguousarray(frames).data
        key = (frames.shape, zlib.crc32(pixels), box.tobytes())
        if key not in known:
            known[key] = track(frames, box)
        return known[key]

    return tracked


@contextmanager
def _data_folder(folder: Path | None) -> Iterator[Path | None]:
    """The data's folder, where `datasets.mnist` finds it too."""
    before = {key: value for key, value in os.environ.items() if key == DATA}
    if folder is not None:
        os.environ[DATA] = str(folder)
    try:
        yield data_folder()
    finally:
        os.environ.pop(DATA, None)
        os.environ.update(before)
