"""`keras-attend track`: follow an object through a video, into a video and a table."""

import argparse
import signal
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from keras_attend.boxes import check_box
from keras_attend.tracking import Tracker
from keras_attend.video import Frame, VideoWriter, annotate, read_video

BAR = 30  # characters


def add_track_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `keras-attend track`."""
    parser.add_argument(
        "input", metavar="INPUT", help="a video, a folder of images, or camera:0"
    )
    parser.add_argument(
        "--box",
        required=True,
        metavar="X,Y,W,H",
        help="the object in the first frame, in pixels, the top-left corner first "
        "(--box=-5,0,40,30 where it begins outside)",
    )
    parser.add_argument(
        "--model", required=True, metavar="NAME", help="a preset, or its folder"
    )
    parser.add_argument(
        "--out", type=Path, metavar="MP4", help="write the video, with the boxes drawn"
    )
    parser.add_argument(
        "--boxes", type=Path, metavar="CSV", help="write frame,x,y,w,h,present"
    )


def track(
    source: str, box: str, model: str, out: Path | None, boxes: Path | None
) -> int:
    """Run `keras-attend track`; the exit status.

    Nothing is written before the first frame has been read, the box checked and the
    model loaded. What is written stays when something goes wrong later.

    Args:
        source: for `read_video`.
        box: "x,y,w,h".
        model: a preset's name or folder.
        out: the video to write.
        boxes: the table to write.
    """
    first_box = _parsed(box)
    _check_outputs(source, out, boxes)
    video = read_video(source)
    with ExitStack() as stack:
        frames = stack.enter_context(closing(iter(video)))
        first = next(frames)
        check_box(first_box, *first.shape[:2])
        writer = VideoWriter(out, video.fps) if out else None
        tracker = Tracker(model)
        tracker.init(first, first_box)

        interrupt = stack.enter_context(_Interrupt())
        if writer:
            stack.enter_context(writer)
        # A line at a time: a table that can be read while it grows.
        table = boxes and stack.enter_context(
            boxes.open("w", encoding="utf-8", buffering=1)
        )
        results = _Results(tracker, writer, table or None)
        progress = stack.enter_context(_Progress(video.length))
        try:
            results.write(first, first_box, True)
            progress.step()
            for frame in frames:
                if interrupt.signal:
                    break
                present, found = tracker.update(frame)
                results.write(frame, found, present)
                progress.step()
        except (OSError, ValueError) as error:
            kept = f"The first {results.count} are in {_names(out, boxes)}."
            raise ValueError(f"{error} {kept}") from error
    end = "stopped after " if interrupt.signal else ""
    print(f"{end}{progress.summary()}: {_names(out, boxes)}", file=sys.stderr)
    return 128 + interrupt.signal if interrupt.signal else 0


def _parsed(box: str) -> tuple[float, ...]:
    try:
        x, y, w, h = (float(number) for number in box.split(","))
    except ValueError as error:
        raise ValueError(
            f"--box must be four numbers, x,y,w,h. Received: {box!r}"
        ) from error
    return x, y, w, h


def _check_outputs(source: str, out: Path | None, boxes: Path | None) -> None:
    if not (out or boxes):
        raise ValueError("Nothing to write: give --out or --boxes, or both.")
    paths = [path for path in (Path(source), out, boxes) if path]
    if len({path.resolve() for path in paths}) < len(paths):
        raise ValueError("INPUT, --out and --boxes must be different files.")
    if boxes and boxes.is_dir():
        raise ValueError(f"--boxes must be a file. Received the folder {boxes}")
    if boxes and not boxes.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {boxes.parent}.")


def _names(*paths: Path | None) -> str:
    return " and ".join(str(path) for path in paths if path)


class _Results:
    """Where the boxes go; `count` frames so far."""

    def __init__(
        self, tracker: Tracker, writer: VideoWriter | None, table: TextIO | None
    ) -> None:
        self.tracker, self.writer, self.table = tracker, writer, table
        self.count = 0
        if table:
            table.write("frame,x,y,w,h,present\n")

    def write(self, frame: Frame, box: Iterable[Any], present: bool) -> None:
        """Add a frame and its box."""
        box = tuple(float(number) for number in box)
        if self.table:
            numbers = ",".join(f"{number:.2f}" for number in box)
            self.table.write(f"{self.count},{numbers},{int(present)}\n")
        if self.writer:
            outputs = self.tracker.outputs
            window, glimpse = outputs.get("window"), outputs.get("glimpse")
            self.writer.write(
                annotate(frame, box, None if glimpse is None else window, glimpse)
            )
        self.count += 1


class _Interrupt:
    """Ctrl-C becomes a number to look at between frames: none is half written."""

    def __init__(self) -> None:
        self.signal = 0
        self._old: dict[int, Any] = {}

    def __enter__(self) -> Self:
        # Python hands signals to the main thread alone.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._old[number] = signal.signal(number, self._note)
        return self

    def _note(self, number: int, _: Any) -> None:
        self.signal = number

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)


class _Progress:
    """A bar on stderr, where that is a terminal."""

    def __init__(self, length: int | None) -> None:
        self.length, self.count = length, 0
        self._terminal = sys.stderr.isatty()
        self._start = self._now = time.perf_counter()
        self._shown = 0.0

    def step(self) -> None:
        """Count a frame."""
        self.count += 1
        self._now = time.perf_counter()
        if self._terminal and self._now - self._shown > 0.1:
            self._show()

    def summary(self, of: str = "") -> str:
        """Frames, and frames a second."""
        rate = self.count / max(self._now - self._start, 1e-9)
        return f"{self.count}{of} frames, {rate:.1f} frames/s"

    def _show(self) -> None:
        self._shown = self._now
        bar, of = "", ""
        if self.length:
            full = BAR * min(self.count, self.length) // self.length
            bar, of = f"[{'#' * full}{' ' * (BAR - full)}] ", f"/{self.length}"
        # Over the last one; what was longer is erased.
        sys.stderr.write(f"\r{bar}{self.summary(of)}\x1b[K")
        sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._terminal:
            self._show()
            sys.stderr.write("\n")
