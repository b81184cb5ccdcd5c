"""`keras-attend verify`: check that a preset is intact, harmless and complete."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from keras_attend.commands.parsers import JSON_HELP, Commands, add_command
from keras_attend.zoo.tables import aligned

EXAMPLES = """
keras-attend verify zoo/ram_mnist      a table of checks
keras-attend verify download --json    the same for a program
"""
MORE = """
It checks the manifest, the sha256 of each file, the classes that the configuration
names, whether the model loads and has as many parameters as the manifest says, the
card, and results.json. No code of the preset is run. The exit status is 1 if a check
fails."""


def add_verify(commands: Commands) -> None:
    """Add the subcommand `verify`."""
    summary = "check a preset's folder before you trust or publish it"
    parser = add_command(commands, "verify", run, summary, EXAMPLES, MORE)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a folder")
    parser.add_argument("--json", action="store_true", help=JSON_HELP)


def run(options: argparse.Namespace) -> int:
    """Run the checks, print them, and raise if one fails."""
    from keras_attend.zoo.verify import verify

    checks, _ = verify(options.folder)
    failed = [check for check in checks if not check.ok]
    if options.json:
        rows = [asdict(check) for check in checks]
        content = {"folder": str(options.folder), "ok": not failed, "checks": rows}
        print(json.dumps(content, indent=2))
    else:
        marks = {True: "ok", False: "FAILS"}
        cells = [[check.name, marks[check.ok], check.detail] for check in checks]
        print(aligned(["check", "", "found"], cells))
    if failed:
        raise ValueError(f"{len(failed)} of {len(checks)} checks of it failed.")
    return 0
