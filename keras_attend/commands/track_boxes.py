"""Ask a person which objects to follow: by numbers, in a browser, or in a window."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keras_attend import disk
from keras_attend.boxes import check_box
from keras_attend.video import Frame, gridded, read_video
from keras_attend.video.page import Page, has_screen
from keras_attend.video.window import boxes_from_window

Boxes = NDArray[np.float32]  # [N, 4]

THREE_WAYS = """Say what to follow, in one of three ways: --select, to draw boxes on the
first frame in a browser; --box X,Y,W,H, in pixels; or --first-frame FILE.png, which
writes the first frame with a grid to read the pixels from."""


def given_boxes(options: argparse.Namespace) -> Boxes | None:
    """Return the boxes of `--box`; None where there are none and need be none."""
    if options.select and (options.box or options.first_frame):
        raise ValueError("--select goes without --box and --first-frame.")
    if options.box:
        return np.array([_parsed(box) for box in options.box], "float32")
    if not (options.select or options.first_frame):
        raise ValueError(THREE_WAYS)
    return None


def _parsed(box: str) -> tuple[float, ...]:
    try:
        x, y, w, h = (float(number) for number in box.split(","))
    except ValueError as error:
        raise ValueError(
            f"--box must be four numbers, x,y,w,h. Received: {box!r}"
        ) from error
    return x, y, w, h


def write_first_frame(source: str, path: Path, boxes: Boxes | None) -> int:
    """Write the first frame with a grid of pixels, and return the exit status."""
    if path.suffix.lower() != ".png" or path.is_dir():
        raise ValueError(f"--first-frame must be a file *.png. Received: {path}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent}.")
    frames = iter(read_video(source))
    first = next(frames)
    frames.close()
    if boxes is not None:
        check_box(boxes, *first.shape[:2])
    picture = gridded(first, boxes)
    from PIL import Image  # `gridded` has said so if it is missing

    with disk.replacing(path) as new:
        Image.fromarray(picture).save(new)
    height, width = first.shape[:2]
    print(
        f"{path} shows the first frame, {width} x {height} pixels. An object's box is "
        "--box X,Y,W,H: its left and top edge, its width and its height.",
        file=sys.stderr,
    )
    return 0


def drawn_boxes(
    page: Page, first: Frame, camera: Iterator[Frame] | None
) -> tuple[Frame, Boxes]:
    """Return the frame on which a person has drawn boxes on the page, and the boxes.

    Args:
        page: it shows `first`.
        first: a video's first frame.
        camera: a camera's next frames: the page shows each as it comes, and the boxes
            are of the last one. None for a video, which waits.
    """
    if camera is None:
        return first, page.boxes()
    for first in camera:
        page.ask(first)
        if page.has_boxes:
            break
    return first, page.boxes()


def window_boxes(first: Frame) -> Boxes:
    """Return the boxes that a person draws in a window of OpenCV's."""
    if not has_screen():
        raise ValueError("--select cv2 needs a screen. See --first-frame.")
    hint = "Draw a box, then press Enter; Escape when all are drawn."
    print(hint, file=sys.stderr, flush=True)
    boxes = boxes_from_window(first)
    if not boxes:
        raise ValueError("No box was drawn.")
    return check_box(boxes, *first.shape[:2])


def as_options(boxes: Boxes) -> str:
    """Return the options `--box` that repeat what was drawn."""
    return " ".join("--box " + ",".join(f"{x:g}" for x in box) for box in boxes)
