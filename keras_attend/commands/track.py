"""`keras-attend track`: follow objects through a video, into a video and a table."""

import argparse
from pathlib import Path
from typing import Any

from keras_attend.commands.parsers import NAME_HELP, Commands, add_command
from keras_attend.commands.track_tables import LAYOUTS

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
    """Follow the objects, and return the exit status."""
    from keras_attend.commands.track_run import follow

    return follow(options)
