"""Follow objects through a video: what `keras-attend track` does with its options."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import combinations
from pathlib import Path

from keras_attend.boxes import check_box
from keras_attend.commands.track_boxes import (
    THREE_WAYS,
    Boxes,
    as_options,
    drawn_boxes,
    given_boxes,
    window_boxes,
    write_first_frame,
)
from keras_attend.commands.track_results import Results, progress_bar, signals
from keras_attend.commands.track_tables import BoxTable
from keras_attend.tracking import Tracker
from keras_attend.video import Frame, VideoWriter, read_video
from keras_attend.video.page import Page


def follow(options: argparse.Namespace) -> int:
    """Follow the objects, and return the exit status.

    Nothing is written before the first frame has been read, the boxes checked and the
    model loaded. What has been written stays when something fails later.
    """
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
    page: Page | None,
    frames: Iterator[Frame],
    first: Frame,
    given: Boxes | None,
) -> tuple[Tracker, Frame, Boxes]:
    """Return a tracker that knows its objects, their frame, and their boxes in it."""
    if options.select == "cv2":
        given = window_boxes(first)
    if given is not None:
        tracker, boxes = Tracker(options.model), given
    elif page is None:
        raise ValueError(THREE_WAYS)
    else:
        # The model is loaded and compiled while a person draws. A camera goes on, and
        # is shown when all is ready.
        camera = options.input.startswith("camera:")
        if not camera:
            page.ask(first)
        tracker = Tracker(options.model)
        height, width = first.shape[:2]
        tracker.init(first, [[width / 4, height / 4, width / 2, height / 2]])
        first, boxes = drawn_boxes(page, first, frames if camera else None)
    if options.select:
        print(f"Drawn: {as_options(boxes)}", file=sys.stderr, flush=True)
    if page and not options.live:
        page.finish("The objects are followed without this page. It can be closed.")
    tracker.init(first, boxes)
    return tracker, first, boxes


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
