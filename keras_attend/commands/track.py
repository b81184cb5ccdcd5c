"""`keras-attend track`: follow objects through a video, into a video and a table."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_attend.commands.parsers import NAME_HELP, Commands, add_command
from keras_attend.commands.track_tables import LAYOUTS, BoxTable

if TYPE_CHECKING:
    from keras_attend.commands.track_boxes import Boxes
    from keras_attend.tracking import Tracker
    from keras_attend.video import Frame
    from keras_attend.video.page import Page

DEFAULT_MODEL = "hart_kitti"
EXAMPLES = """
keras-attend track in.mp4 --select --out out.mp4
keras-attend track in.mp4 --box 120,40,50,90 --out out.mp4 --boxes boxes.csv
keras-attend track in.mp4 --box 120,40,50,90 --box 300,60,40,80 --boxes boxes.csv
keras-attend track in.mp4 --first-frame first.png
keras-attend track frames/ --select cv2 --boxes boxes.txt --boxes-layout mot
keras-attend track camera:0 --select --live
"""
MORE = """
The objects are those of --box, or those around which you draw a box: --select opens a
page in the browser, which this computer alone can reach. In the video that --out writes
a lost object's box is red and dashed.
"""
BOX_HELP = """an object in the first frame, in pixels from its top-left corner
(--box=-5,0,40,30 for one that begins outside); again for each object"""
SELECT_HELP = """draw the boxes on the first frame: on a page in the browser, or in a
window of OpenCV's (cv2)"""
FIRST_HELP = "write the first frame with a grid of pixels, to read a box from, and end"
LIVE_HELP = "show what is followed while it runs, on a page in the browser"
LAYOUT_HELP = """how --boxes is written: csv has frame,object,x,y,w,h,present,score;
got10k and otb have a file for each object; mot has all objects"""
PORT_HELP = "the page's port (any that is free)"


def add_track(commands: Commands) -> None:
    """Add the subcommand `track`."""
    summary = "follow objects through a video"
    add = add_command(commands, "track", track, summary, EXAMPLES, MORE).add_argument
    add("input", metavar="INPUT", help="a video, a folder of images, or camera:0")
    add("--box", action="append", metavar="X,Y,W,H", help=BOX_HELP)
    ways: dict[str, Any] = {
        "nargs": "?",
        "const": "browser",
        "choices": ("browser", "cv2"),
    }
    add("--select", **ways, help=SELECT_HELP)
    add("--first-frame", type=Path, metavar="PNG", help=FIRST_HELP)
    add(
        "--model",
        default=DEFAULT_MODEL,
        metavar="NAME",
        help=f"{NAME_HELP} (%(default)s)",
    )
    add("--out", type=Path, metavar="MP4", help="write the video, with the boxes drawn")
    add("--boxes", type=Path, metavar="FILE", help="write the boxes as a table")
    add("--boxes-layout", choices=LAYOUTS, default="csv", help=LAYOUT_HELP)
    add("--live", action="store_true", help=LIVE_HELP)
    add("--port", type=int, default=0, metavar="N", help=PORT_HELP)


def track(options: argparse.Namespace) -> int:
    """Follow the objects, and return the exit status.

    Nothing is written before the first frame has been read, the boxes checked and the
    model loaded. What has been written stays when something fails later.
    """
    from keras_attend.boxes import check_box
    from keras_attend.commands.track_boxes import given_boxes, write_first_frame
    from keras_attend.commands.track_results import Results, progress_bar, signals
    from keras_attend.video import VideoWriter, read_video
    from keras_attend.video.page import Page

    given = given_boxes(options)
    if options.first_frame:
        _check_outputs(options.input, [options.first_frame])
        return write_first_frame(options.input, options.first_frame, given)
    if not (options.out or options.boxes or options.live):
        raise ValueError("Nothing to write: give --out, --boxes or --live.")
    outputs = [path for path in (options.out, options.boxes) if path]
    _check_outputs(options.input, outputs)
    _check_table(options.boxes)
    video = read_video(options.input)
    with ExitStack() as stack:
        frames = stack.enter_context(closing(iter(video)))
        first = next(frames)
        if given is not None:
            check_box(given, *first.shape[:2])
        writer = VideoWriter(options.out, video.fps) if options.out else None
        page = None
        if options.live or options.select == "browser":
            page = stack.enter_context(Page(options.port))
        tracker, first, boxes = _begun(options, page, frames, first, given)

        received = stack.enter_context(signals())
        if writer:
            stack.enter_context(writer)
        table = None
        if options.boxes:
            table = BoxTable(options.boxes, options.boxes_layout, len(boxes))
            stack.callback(table.close)
            outputs[-1:] = table.paths
        shown = page if options.live else None
        results = Results(tracker, writer, table, shown, video.length)
        bar = stack.enter_context(progress_bar(video.length))
        try:
            results.write(first, boxes, [True] * len(boxes))
            bar.update()
            for frame in frames:
                if received or results.is_unwanted():
                    break
                present, found = tracker.update(frame)
                results.write(frame, found, present)
                bar.update()
            if writer:
                writer.close()
        except (OSError, ValueError) as error:
            kept = f"The first {results.count} are in {_names(outputs)}."
            raise ValueError(f"{error} {kept if outputs else ''}") from error
        end = "stopped after " if received or results.is_unwanted() else ""
        summary = f"{end}{results.count} frames, {results.rate():.1f} frames/s"
        bar.close()
        results.finish(summary)
    print(f"{summary}: {_names(outputs)}" if outputs else summary, file=sys.stderr)
    return 128 + received[0] if received else 0


def _begun(
    options: argparse.Namespace,
    page: "Page | None",
    frames: "Iterator[Frame]",
    first: "Frame",
    given: "Boxes | None",
) -> "tuple[Tracker, Frame, Boxes]":
    """Return a tracker that knows its objects, their frame, and their boxes in it."""
    from keras_attend.commands.track_boxes import (
        as_options,
        boxes_from_window,
        drawn_boxes,
    )
    from keras_attend.tracking import Tracker

    if options.select == "cv2":
        given = boxes_from_window(first)
    if given is not None or page is None:
        tracker = Tracker(options.model)
    else:
        # The model is loaded and compiled while a person draws. A camera goes on, and
        # is shown when all is ready.
        camera = options.input.startswith("camera:")
        if not camera:
            page.ask(first)
        tracker = Tracker(options.model)
        height, width = first.shape[:2]
        tracker.init(first, [[width / 4, height / 4, width / 2, height / 2]])
        first, given = drawn_boxes(page, first, frames if camera else None)
    if options.select:
        print(f"Drawn: {as_options(given)}", file=sys.stderr, flush=True)
    if page and not options.live:
        page.finish("The objects are followed without this page. It can be closed.")
    tracker.init(first, given)
    return tracker, first, given


def _check_outputs(source: str, outputs: list[Path]) -> None:
    paths = [Path(source), *outputs]
    # A hard link is the same file under another name.
    found = [path for path in paths if path.exists()]
    same = any(a.samefile(b) for a, b in combinations(found, 2))
    if same or len({path.resolve() for path in paths}) < len(paths):
        raise ValueError("INPUT and the files to write must be different files.")


def _check_table(path: Path | None) -> None:
    if path and path.is_dir():
        raise ValueError(f"--boxes must be a file. Received the folder {path}")
    if path and not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent}.")


def _names(outputs: list[Path]) -> str:
    return " and ".join(map(str, outputs))
