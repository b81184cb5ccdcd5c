"""`keras-attend results` and `trax`: what other toolkits check trackers by."""

import argparse
from pathlib import Path

from keras_attend.commands.parsers import NAME_HELP, Commands, add_command

LAYOUTS = ("got10k", "otb")
RESULTS_EXAMPLES = """
keras-attend results hart_person --layout otb results/OTB2015 --data DIR
keras-attend results hart_person --layout got10k results/GOT-10k --data DIR
"""
RESULTS_MORE = """
For each of the six videos of DIR/tracking_test there is a file with a line x,y,w,h for
each frame, in pixels whose first one is 1, 1 (as in the videos' groundtruth_rect.txt),
and a file with the seconds that each frame took. FOLDER/NAME holds them in the layout
of the raw results of GOT-10k's toolkit, or of its experiment on OTB, whose `report`
reads them."""
TRAX_EXAMPLES = """
keras-attend trax hart_person        a tracker of vot-toolkit's trackers.ini
keras-attend trax hart.onnx
"""
TRAX_MORE = """
A client such as VOT's toolkit starts the command and talks to it on its standard
streams, by the TraX protocol. docs/toolkits.md says how to set up a workspace."""


def add_results(commands: Commands) -> None:
    """Add the subcommand `results`."""
    summary = "write a tracker's boxes on the test videos, for others to check"
    parser = add_command(
        commands, "results", results, summary, RESULTS_EXAMPLES, RESULTS_MORE
    )
    add = parser.add_argument
    add("name", metavar="NAME", help=NAME_HELP)
    add("folder", type=Path, metavar="FOLDER", help="the toolkit's folder of results")
    add("--layout", choices=LAYOUTS, required=True, help="whose layout results have")
    text = "the folder that holds tracking_test/ (default: $KERAS_ATTEND_DATA)"
    add("--data", type=Path, metavar="DIR", help=text)


def results(options: argparse.Namespace) -> int:
    """Write the boxes, and print the name of each file of boxes."""
    from keras_attend.adapters.got10k import Tracker
    from keras_attend.adapters.raw_results import write_raw_results
    from keras_attend.datasets.settings import DATA, data_folder
    from keras_attend.training.video_trackers import VIDEO_SETS

    data = options.data or data_folder()
    if data is None:
        raise ValueError(f"--data or {DATA} must name the folder of the videos.")
    videos = VIDEO_SETS["videos_test"].load(data)
    tracker = Tracker(options.name)
    for path in write_raw_results(tracker, videos, options.folder, options.layout):
        print(path, flush=True)
    return 0


def add_trax(commands: Commands) -> None:
    """Add the subcommand `trax`."""
    summary = "serve a tracker to VOT's toolkit, by the TraX protocol"
    parser = add_command(commands, "trax", trax, summary, TRAX_EXAMPLES, TRAX_MORE)
    parser.add_argument("name", metavar="NAME", help=f"{NAME_HELP}, or an .onnx file")


def trax(options: argparse.Namespace) -> int:
    """Serve until the client hangs up."""
    from keras_attend.adapters.trax import serve

    serve(options.name, Path(options.name).stem)
    return 0
