"""Measure a preset's results again, to compare them with its `results.json`.

The preset's `results.json` names the protocols and describes the test sets (see
`keras_attend.evaluation.test_sets`). Where a result cannot be measured, a `Measured`
says why.
"""

import os
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_attend import evaluation
from keras_attend.datasets.settings import DATA, data_folder
from keras_attend.evaluation.test_sets import (
    CatchGames,
    DigitImages,
    DrawnClips,
    DrawnPictures,
    DrawnVideos,
    Videos,
    from_description,
)
from keras_attend.evaluation.tracking import Track
from keras_attend.tracking import Tracker
from keras_attend.types import Array
from keras_attend.zoo.results import Result, Results

PASSES: dict[str, dict[str, Any]] = {
    "single": {},
    "mc10": {"episodes": 10, "location": "sample"},
}
ATTRIBUTES = {  # the attributes of the evaluation's scores, by metric
    "mean_iou": "mean_iou",
    "mean_iou_with_first": "mean_iou_with_first",
    "mean_iou_last": "last_iou",
    "center_error_px": "center_error",
    "success_auc": "success_auc",
    "precision_20": "precision_20",
    "refound_rate": "refound_rate",
    "presence_auc": "presence_auc",
    "calibration_error": "calibration_error",
    "count_accuracy": "count_accuracy",
    "found_rate": "found_rate",
    "elbo_nats": "elbo_nats",
    "drawn_outside": "drawn_outside",
    "identity_switches": "identity_switches",
}
IMAGES, GAMES = 1000, 1000  # the number of images, and of games, of a sample
# A sample of clips has so many parts, of so many clips each. The parts' spread gives
# the sample's standard error.
PARTS, PART = 8, 8
ERRORS, SHARE = 4, 0.02  # standard errors and share of the value that are tolerated


class CannotMeasureError(ValueError):
    """Why a protocol has no value here."""


@dataclass(frozen=True)
class Measured:
    """A published result, and the value that is measured now.

    Attributes:
        result: the result in `results.json`.
        value: the value that is measured; None where it cannot be.
        tolerance: how far the two may be apart: four standard errors of the sample,
            the spread of the published runs, or 2 % of the published value, whichever
            is most.
        reason: why there is no value.
    """

    result: Result
    value: float | None = None
    tolerance: float | None = None
    reason: str = ""

    @property
    def differs(self) -> bool:
        """Whether the measured value is too far from the published one."""
        if self.value is None or self.tolerance is None:
            return False
        return not abs(self.value - self.result.value) <= self.tolerance  # or NaN


def remeasure(
    model: keras.Model,
    results: Results,
    *,
    data: Path | None = None,
    quick: bool = False,
    download: bool = True,
) -> Iterator[Measured]:
    """Measure a preset's results again, one after the other.

    Args:
        model: the preset's model, which is not changed.
        results: the content of its `results.json`.
        data: the folder of the test data; `KERAS_ATTEND_DATA` unless given.
        quick: measure by a sample of the test data. Real videos' clips are so few that
            all are measured; whole videos are left out.
        download: download MNIST if there is no folder of test data.
    """
    judge = _Judge(model, results.test_sets, quick, download)
    for result in results.results:
        try:
            with _data_folder(data) as folder:
                value, error = judge.measure(result, folder)
        except (ValueError, ImportError, OSError) as problem:
            yield Measured(result, reason=" ".join(str(problem).split()))
            continue
        spread = result.max - result.min
        tolerance = max(ERRORS * error, spread, SHARE * abs(result.value))
        yield Measured(result, round(value, 4), round(tolerance, 4))


class _Judge:
    """Measures a model by its test sets, on each of which it is run only once."""

    def __init__(
        self,
        model: keras.Model,
        test_sets: dict[str, dict[str, Any]],
        quick: bool,
        download: bool,
    ) -> None:
        self.model, self.quick, self.download = model, quick, download
        self.test_sets = test_sets
        self._known: dict[tuple[str, ...], Any] = {}
        self._track: Track | None = None

    def measure(self, result: Result, folder: Path | None) -> tuple[float, float]:
        """Measure a value and its standard error, which is 0 without sampling."""
        data, _, name = result.protocol.partition("/")
        clips = re.fullmatch(r"(\d+_frames)(|_with_first|_last)", name)
        key = f"{data}/{clips[1]}" if clips else data
        if key not in self.test_sets:
            raise CannotMeasureError(
                "results.json does not describe its test set. The recipe measures it."
            )
        found = from_description(self.test_sets[key])
        if folder is None and not (self.download or isinstance(found, CatchGames)):
            raise CannotMeasureError(f"{DATA} must name the folder of the data")
        if isinstance(found, DigitImages):
            return self._digits(found, name, result.value)
        if isinstance(found, CatchGames):
            return self._catch(found, result.value)
        if isinstance(found, DrawnClips):
            attribute = result.metric + (clips[2] if clips else "")
            scores = self._once((key,), lambda: self._clips(found))
        elif isinstance(found, DrawnPictures | DrawnVideos):
            attribute = result.metric
            scores = self._once((key,), lambda: self._objects(found))
        else:
            attribute = result.metric
            scores = [
                self._once((key, name), lambda: self._videos(found, name, folder))
            ]
        attribute = ATTRIBUTES.get(attribute, "")
        if not hasattr(scores[0], attribute):
            raise CannotMeasureError(f"{name} knows no {result.metric}")
        return _mean([np.mean(getattr(score, attribute)) for score in scores])

    def _once(self, key: tuple[str, ...], measure: Callable[[], Any]) -> Any:
        if key not in self._known:
            self._known[key] = measure()
        return self._known[key]

    def _digits(
        self, found: DigitImages, name: str, published: float
    ) -> tuple[float, float]:
        if name not in PASSES:
            raise CannotMeasureError("the preset does not hold the weights measured")
        images, labels = self._once(("images",), found.load)
        repeats = 5
        if self.quick:
            step = max(1, len(images) // IMAGES)
            images, labels, repeats = images[::step], labels[::step], 1
        errors = evaluation.error_percent(
            self.model, images, labels, repeats=repeats, **PASSES[name]
        )
        return float(errors.mean()), 100 * self._error(published / 100, len(images))

    def _catch(self, found: CatchGames, published: float) -> tuple[float, float]:
        games, repeats = (GAMES, 1) if self.quick else (found.count, 5)
        rates = evaluation.catch_rate(self.model, games=games, repeats=repeats)
        return float(rates.mean()), self._error(published, games)

    def _error(self, share: float, count: int) -> float:
        """Compute the standard error of a share of `count` draws, never quite 0."""
        variance = max(share * (1 - share), 1 / count)
        return float(np.sqrt(variance / count)) if self.quick else 0.0

    def _clips(self, found: DrawnClips) -> list[Any]:
        """Score all clips at once, or each part of a sample."""
        if not self.quick:
            return [evaluation.score_clips(self.model, found.load())]
        clips = found.load(PART, PARTS)
        return [evaluation.score_clips(self.model, [clips[i]]) for i in range(PARTS)]

    def _objects(self, found: DrawnPictures | DrawnVideos) -> list[Any]:
        """Score all pictures or videos at once, or each batch of a sample."""
        pictures = isinstance(found, DrawnPictures)
        score = evaluation.score_pictures if pictures else evaluation.score_videos
        if not self.quick:
            return [score(self.model, found.load())]
        data = found.load(min(PART, found.batches))
        return [score(self.model, [data[i]]) for i in range(len(data))]

    def _videos(self, found: Videos, name: str, folder: Path | None) -> Any:
        if folder is None:
            raise CannotMeasureError(f"--data or {DATA} must name the videos' folder")
        clips = re.fullmatch(r"(\d+)_frame_clips", name)
        if not clips and name not in ("ope", "hidden_clips"):
            raise CannotMeasureError("no protocol of this name is known")
        if name == "ope" and self.quick:
            raise CannotMeasureError("whole videos are not part of a sample")
        videos = found.load(folder)
        if name == "hidden_clips":
            track = evaluation.sure_track(Tracker(self.model))
            return evaluation.hidden_clips(track, videos)
        if self._track is None:
            self._track = _remembering(Tracker(self.model).track)
        if clips:
            return evaluation.video_clips(self._track, videos, int(clips[1]))
        return evaluation.one_pass(self._track, videos)


def _mean(parts: list[Any]) -> tuple[float, float]:
    """Compute the mean of a sample's parts, and its standard error."""
    count = len(parts)
    error = np.std(parts, ddof=1) / np.sqrt(count) if count > 1 else 0.0
    return float(np.mean(parts)), float(error)


def _remembering(track: Track) -> Track:
    """Make a tracker that runs once on a clip that several protocols share."""
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
    """Set the environment variable by which `datasets.mnist` finds a folder."""
    before = {key: value for key, value in os.environ.items() if key == DATA}
    if folder is not None:
        os.environ[DATA] = str(folder)
    try:
        yield data_folder()
    finally:
        os.environ.pop(DATA, None)
        os.environ.update(before)
