"""The `keras-attend` command."""

import argparse
import sys
from collections.abc import Sequence

from keras_attend.commands.convert import add_convert
from keras_attend.commands.demo import add_demo
from keras_attend.commands.evaluate import add_evaluate
from keras_attend.commands.export import add_export
from keras_attend.commands.hub import add_download, add_publish
from keras_attend.commands.parsers import Commands, add_command
from keras_attend.commands.show import add_info, add_list
from keras_attend.commands.track import add_track_arguments, track
from keras_attend.commands.train import add_train
from keras_attend.commands.verify import add_verify

EPILOG = """begin with:
  keras-attend demo               digits, answers, and where the model looked
  keras-attend list               the presets, and what they score
  keras-attend COMMAND --help     what a command takes, with examples

exit status: 0 fine, 1 an error, told in one line on stderr, 2 wrong usage.
The backend is Keras's: KERAS_BACKEND=jax keras-attend ...
"""
TRACK_EXAMPLES = """
keras-attend track in.mp4 --box 120,40,50,90 --model hart_person --out out.mp4
keras-attend track frames/ --box 120,40,50,90 --model hart_person --boxes boxes.csv
keras-attend track camera:0 --box 300,200,80,80 --model hart_kitti --out out.mp4
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; the exit status."""
    parser = argparse.ArgumentParser(
        prog="keras-attend",
        description="Recurrent visual attention in Keras.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_demo(commands)
    add_list(commands)
    add_info(commands)
    _add_track(commands)
    add_evaluate(commands)
    add_train(commands)
    add_verify(commands)
    add_download(commands)
    add_publish(commands)
    add_convert(commands)
    add_export(commands)
    options = parser.parse_args(arguments)
    try:
        status: int = options.run(options)
    except (ImportError, OSError, ValueError) as error:
        print(f"keras-attend: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _add_track(commands: Commands) -> None:
    summary = "follow an object through a video"
    parser = add_command(commands, "track", _track, summary, TRACK_EXAMPLES)
    add_track_arguments(parser)


def _track(options: argparse.Namespace) -> int:
    return track(
        options.input,
        options.box,
        options.model,
        out=options.out,
        boxes=options.boxes,
    )
