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
    """Add a subcommand whose `--help` shows examples, and return its parser.

    Args:
        commands: the subcommands of `keras-attend`.
        name: the name of the new one.
        run: takes the parsed options and returns the exit status.
        summary: one line about what it does.
        examples: command lines, each with what it does.
        more: paragraphs of help below the summary.
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
