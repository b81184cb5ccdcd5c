"""Add a subcommand to the parser of `keras-attend`."""

import argparse
from collections.abc import Callable
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

NAME_HELP = "a preset's name or folder"
JSON_HELP = "print JSON, for a program"


def add_command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    examples: str,
    more: str = "",
) -> argparse.ArgumentParser:
    """Add a subcommand, which calls `run` with its options; return its parser.

    Its `--help` shows the summary (one line), `more` (paragraphs) and the examples.
    """
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.\n{more}".strip(),
        epilog=f"examples:\n{examples.strip()}".replace("\n", "\n  "),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser
