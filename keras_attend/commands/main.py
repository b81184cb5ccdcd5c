"""Run the `keras-attend` command."""

import argparse
import sys
from collections.abc import Sequence

from keras_attend import startup
from keras_attend.commands.convert import add_convert
from keras_attend.commands.demo import add_demo
from keras_attend.commands.evaluate import add_evaluate
from keras_attend.commands.export import add_export
from keras_attend.commands.hub import add_download, add_publish
from keras_attend.commands.show import add_info, add_list
from keras_attend.commands.toolkits import add_results, add_trax
from keras_attend.commands.track import add_track
from keras_attend.commands.train import add_train
from keras_attend.commands.verify import add_verify

EPILOG = """begin with:
  keras-attend demo               classify digits, and draw where the model looks
  keras-attend list               the presets, and what they score
  keras-attend COMMAND --help     what a command takes, with examples

exit status: 0 for success, 1 after an error (one line on stderr), 2 for wrong usage.
The backend is Keras's: KERAS_BACKEND=jax keras-attend ...
KERAS_ATTEND_VERBOSE=1 shows the messages of TensorFlow that are left out otherwise.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="keras-attend",
        description="Recurrent visual attention in Keras.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (
        *(add_demo, add_list, add_info, add_track, add_evaluate, add_train),
        *(add_verify, add_download, add_publish, add_convert, add_export),
        *(add_results, add_trax),
    ):
        add(commands)
    options = parser.parse_args(arguments)
    try:
        startup.check_environment()
        status: int = options.run(options)
    except (ImportError, OSError, ValueError) as error:
        print(f"keras-attend: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return status
