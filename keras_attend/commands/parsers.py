"""What the subcommands' parsers share."""

import argparse
import json
from collections.abc import Callable
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    examples: str,
    more: str = "",
) -> argparse.ArgumentParser:
    """A subcommand whose `--help` teaches.

    Args:
        commands: where it goes.
        name: the subcommand's.
        run: does it, with the options as given; returns the exit status.
        summary: one line.
        examples: command lines, each with what it does.
        more: paragraphs that the summary has no room for.
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


def add_name(parser: argparse.ArgumentParser) -> None:
    """The argument NAME."""
    parser.add_argument("name", metavar="NAME", help="a preset, or its folder")


def add_json(parser: argparse.ArgumentParser) -> None:
    """The flag `--json`."""
    parser.add_argument("--json", action="store_true", help="for a program to read")


def print_json(content: object) -> None:
    """A JSON text on stdout."""
    print(json.dumps(content, indent=2))
