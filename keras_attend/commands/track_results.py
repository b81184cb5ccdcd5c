"""Write what `track` finds: into a video, a table, and a page that shows it."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_attend.commands.track_tables import BoxTable, Row
from keras_attend.tracking import Tracker
from keras_attend.video import Frame, VideoWriter, annotate, captioned
from keras_attend.video.page import Page


@dataclass
class Results:
    """Writes frames and boxes to the video, the table and the page.

    Attributes:
        count: how many frames were written so far.
    """

    tracker: Tracker
    writer: VideoWriter | None
    table: BoxTable | None
    page: Page | None
    length: int | None
    count: int = 0
    began: float = field(default_factory=time.perf_counter)
    _last: tuple[Any, ...] | None = None  # what the page has not been given

    def write(self, frame: Frame, boxes: Any, present: Any) -> None:
        """Write a frame `[H, W, 3]` and its boxes `[N, 4]`."""
        outputs = self.tracker.outputs
        scores = outputs.get("presence")
        if self.table:
            self.table.write(
                [
                    Row(
                        self.count,
                        number + 1,
                        [float(side) for side in box],
                        bool(present[number]),
                        None if scores is None else float(scores[number]),
                    )
                    for number, box in enumerate(boxes)
                ]
            )
        found = (self.count, frame, boxes, present, scores, outputs)
        ready = self.page is not None and self.page.is_ready
        self._last = None if ready else found
        if self.writer or ready:
            drawn = _drawn(*found)
            if self.writer:
                self.writer.write(drawn)
            if self.page and ready:
                self.page.show(drawn, self._words(self.count + 1))
        self.count += 1

    def finish(self, words: str) -> None:
        """Have the page show the last frame, and say that all is done."""
        if self.page:
            if self._last:
                self.page.show(_drawn(*self._last), self._words(self.count))
            self.page.finish(words)

    def is_unwanted(self) -> bool:
        """Return whether a person has stopped it, or has closed its only output."""
        if self.page is None:
            return False
        alone = not (self.writer or self.table)
        return self.page.stopped or (alone and self.page.is_closed)

    def rate(self) -> float:
        """Return the frames a second so far."""
        return self.count / max(time.perf_counter() - self.began, 1e-6)

    def _words(self, count: int) -> str:
        of = f" of {self.length}" if self.length else ""
        return f"{count}{of} frames, {self.rate():.1f} frames/s"


def _drawn(
    number: int,
    frame: Frame,
    boxes: Any,
    present: Any,
    scores: Any,
    outputs: dict[str, Any],
) -> Frame:
    """Return a frame with all that was found in it, and a line of text below."""
    glimpse = outputs.get("glimpse")
    window = outputs.get("window", outputs.get("region"))
    if glimpse is None or len(boxes) > 1:  # the windows of several objects hide much
        window = None
    drawn = annotate(frame, boxes, window, glimpse, present)
    here = [bool(x) for x in np.asarray(present)]
    sure = None if scores is None else [float(x) for x in scores]
    seen = glimpse is not None
    return captioned(drawn, number, here, sure, window is not None, seen)


@contextmanager
def signals() -> Iterator[list[int]]:
    """Collect the numbers of signals that end programs: no frame is half written."""
    received: list[int] = []
    handlers: dict[signal.Signals, Any] = {}
    # Python gives signals to the main thread alone.
    if threading.current_thread() is threading.main_thread():
        names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")  # Windows has two of them
        for number in (
            getattr(signal, name) for name in names if hasattr(signal, name)
        ):
            if signal.getsignal(number) is not signal.SIG_IGN:
                handlers[number] = signal.signal(
                    number, lambda number, _: received.append(number)
                )
    try:
        yield received
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def progress_bar(length: int | None) -> Any:
    """Return a progress bar, which shows on a terminal only."""
    from tqdm.auto import tqdm  # the Hub's client requires it

    form = "[{bar:30}] {n_fmt}/{total_fmt} frames, {rate_fmt}"
    if not length:
        form = "{n_fmt} frames, {rate_fmt}"
    style = {"bar_format": form, "ascii": " #", "unit": " frames"}
    return tqdm(total=length or None, disable=None, **style)
