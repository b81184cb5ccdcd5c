"""`keras-attend verify`: is a preset's folder intact, harmless and complete?"""

import argparse
from dataclasses import asdict
from pathlib import Path

from keras_attend.commands.parsers import (
    Commands,
    add_command,
    add_json,
    print_json,
)
from keras_attend.zoo.tables import aligned
from keras_attend.zoo.verify import verify

EXAMPLES = """
keras-attend verify zoo/ram_mnist      a table of checks
keras-attend verify download --json    the same for a program
"""
MORE = """
It looks at the manifest, the sha256 of each file, the classes that the configuration
names, whether the model loads and has as many parameters as it says, the card, and
results.json. Nothing of the preset is run. The exit status is 1 if a check fails."""


def add_verify(commands: Commands) -> None:
    """The subcommand `verify`."""
    summary = "check a preset's folder before you trust or publish it"
    parser = add_command(commands, "verify", run, summary, EXAMPLES, MORE)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the preset's")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Check, print, and fail if a check fails."""
    checks, _ = verify(options.folder)
    failed = [check for check in checks if not check.ok]
    if options.json:
        rows = [asdict(check) for check in checks]
        print_json({"folder": str(options.folder), "ok": not failed, "checks": rows})
    else:
        marks = {True: "ok", False: "FAILS"}
        rows_ = [[check.name, marks[check.ok], check.detail] for check in checks]
        print(aligned(["check", "", "found"], rows_))
    if failed:
        raise ValueError(f"{len(failed)} of {len(checks)} checks of it failed.")
    return 0
