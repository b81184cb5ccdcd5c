"""`keras-attend track`: follow an object through a video, into a video and a table."""

import argparse
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from keras_attend import disk
from keras_attend.commands.parsers import NAME_HELP, Commands, add_command

if TYPE_CHECKING:
    from keras_attend.tracking import Tracker
    from keras_attend.video import Frame, VideoWriter

EXAMPLES = """
keras-attend track in.mp4 --box 120,40,50,90 --model hart_person --out out.mp4
keras-attend track frames/ --box 120,40,50,90 --model hart_person --boxes boxes.csv
keras-attend track camera:0 --box 300,200,80,80 --model hart_kitti --out out.mp4
"""
BOX_HELP = """the object in the first frame, in pixels from its top-left corner
(--box=-5,0,40,30 for one that begins outside)"""


def add_track(commands: Commands) -> None:
    """Add the subcommand `track`."""
    summary = "follow an object through a video"
    add = add_command(commands, "track", track, summary, EXAMPLES).add_argument
    add("input", metavar="INPUT", help="a video, a folder of images, or camera:0")
    add("--box", required=True, metavar="X,Y,W,H", help=BOX_HELP)
    add("--model", required=True, metavar="NAME", help=NAME_HELP)
    add("--out", type=Path, metavar="MP4", help="write the video, with the boxes drawn")
    add("--boxes", type=Path, metavar="CSV", help="write frame,x,y,w,h,present")


def track(options: argparse.Namespace) -> int:
    """Follow the object, and return the exit status.

    Nothing is written before the first frame has been read, the box checked and the
    model loaded. What has been written stays when something fails later.
    """
    from keras_attend.boxes import check_box
    from keras_attend.tracking import Tracker
    from keras_attend.video import VideoWriter, read_video

    source, out, boxes = options.input, options.out, options.boxes
    first_box = _parsed(options.box)
    _check_outputs(source, out, boxes)
    outputs = " and ".join(str(path) for path in (out, boxes) if path)
    video = read_video(source)
    with ExitStack() as stack:
        frames = stack.enter_context(closing(iter(video)))
        first = next(frames)
        check_box(first_box, *first.shape[:2])
        writer = VideoWriter(out, video.fps) if out else None
        tracker = Tracker(options.model)
        tracker.init(first, first_box)

        received = stack.enter_context(_signals())
        if writer:
            stack.enter_context(writer)
        table = None
        if boxes:  # line by line, so that the table can be read while it grows
            table = boxes.open("w", encoding="utf-8", buffering=1)
            stack.callback(_closed, table)
            table.write("frame,x,y,w,h,present\n")
        results = _Results(tracker, writer, table)
        bar = stack.enter_context(_bar(video.length))
        begin = time.perf_counter()
        try:
            results.write(first, first_box, True)
            bar.update()
            for frame in frames:
                if received:
                    break
                present, found = tracker.update(frame)
                results.write(frame, found, present)
                bar.update()
            if writer:
                writer.close()
        except (OSError, ValueError) as error:
            kept = f"The first {results.count} are in {outputs}."
            raise ValueError(f"{error} {kept}") from error
        rate = results.count / (time.perf_counter() - begin)
    end = "stopped after " if received else ""
    summary = f"{end}{results.count} frames, {rate:.1f} frames/s: {outputs}"
    print(summary, file=sys.stderr)
    return 128 + received[0] if received else 0


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
    # A hard link is the same file under another name.
    found = [path for path in paths if path.exists()]
    same = any(a.samefile(b) for a, b in combinations(found, 2))
    if same or len({path.resolve() for path in paths}) < len(paths):
        raise ValueError("INPUT, --out and --boxes must be different files.")
    if boxes and boxes.is_dir():
        raise ValueError(f"--boxes must be a file. Received the folder {boxes}")
    if boxes and not boxes.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {boxes.parent}.")


def _closed(table: TextIO) -> None:
    """Close the table; on a full disk its last line may be half there."""
    with suppress(OSError):
        table.close()


@dataclass
class _Results:
    """Writes frames and boxes to the video and the table; `count` of them so far."""

    tracker: "Tracker"
    writer: "VideoWriter | None"
    table: TextIO | None
    count: int = 0

    def write(self, frame: "Frame", box: Iterable[Any], present: bool) -> None:
        """Write a frame and its box."""
        from keras_attend.video import annotate

        box = tuple(float(number) for number in box)
        if self.table:
            numbers = ",".join(f"{number:.2f}" for number in box)
            with disk.explained(Path(self.table.name)):
                self.table.write(f"{self.count},{numbers},{int(present)}\n")
        if self.writer:
            outputs = self.tracker.outputs
            window, glimpse = outputs.get("window"), outputs.get("glimpse")
            self.writer.write(
                annotate(frame, box, None if glimpse is None else window, glimpse)
            )
        self.count += 1


@contextmanager
def _signals() -> Iterator[list[int]]:
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


def _bar(length: int | None) -> Any:
    """Return a progress bar, which shows on a terminal only."""
    from tqdm.auto import tqdm  # the Hub's client requires it

    form = "[{bar:30}] {n_fmt}/{total_fmt} frames, {rate_fmt}"
    if not length:
        form = "{n_fmt} frames, {rate_fmt}"
    style = {"bar_format": form, "ascii": " #", "unit": " frames"}
    return tqdm(total=length or None, disable=None, **style)
