"""`keras-attend list` and `info`: print all presets in short, or one in full."""

import argparse
import json
import sys
from dataclasses import asdict

from keras_attend import zoo
from keras_attend.commands.parsers import JSON_HELP, NAME_HELP, Commands, add_command
from keras_attend.zoo.presets import ModelInfo
from keras_attend.zoo.results import headline
from keras_attend.zoo.tables import aligned, metric, number

LIST_EXAMPLES = """
keras-attend list           a line for each preset
keras-attend list --json    the same for a program
"""
INFO_EXAMPLES = """
keras-attend info ram_mnist          its description, input and scores
keras-attend info ram_mnist --json   the same for a program, with every baseline
keras-attend info my/folder          a preset of your own
"""


def add_list(commands: Commands) -> None:
    """Add the subcommand `list`."""
    summary = "print the presets, and what they score"
    parser = add_command(commands, "list", print_list, summary, LIST_EXAMPLES)
    parser.add_argument("--json", action="store_true", help=JSON_HELP)


def add_info(commands: Commands) -> None:
    """Add the subcommand `info`."""
    summary = "print what a preset says of itself"
    parser = add_command(commands, "info", print_info, summary, INFO_EXAMPLES)
    parser.add_argument("name", metavar="NAME", help=NAME_HELP)
    parser.add_argument("--json", action="store_true", help=JSON_HELP)


def print_list(options: argparse.Namespace) -> int:
    """Print a line for each preset, with its `headline` result."""
    presets, damaged = [], {}
    for name in zoo.list_models():
        try:
            presets.append(zoo.info(name))
        except (OSError, ValueError) as error:  # the others are listed all the same
            damaged[name] = " ".join(str(error).split())
    if options.json:
        listed = [_summary(preset) for preset in presets]
        wrong = [{"name": name, "error": why} for name, why in damaged.items()]
        print(json.dumps([*listed, *wrong], indent=2))
        return 0
    for name, why in damaged.items():
        print(f"keras-attend: {name} is left out. {why}", file=sys.stderr)
    rows = []
    for preset in presets:
        result = headline(preset.metrics)
        scores = ["not evaluated", "", "", ""]
        if result:
            scores = [metric(result), result.protocol]
            scores += [number(result.value), number(result.paper)]
        size = f"{preset.size_bytes / 1e6:.2f}"
        rows.append([preset.name, preset.task, f"{preset.parameters:,}", size, *scores])
    columns = ["name", "task", "parameters", "MB"]
    print(aligned([*columns, "metric", "protocol", "ours", "paper"], rows))
    return 0


def _summary(preset: ModelInfo) -> dict[str, object]:
    result = headline(preset.metrics)
    scores = asdict(result) if result else None
    if scores:
        del scores["baselines"]
    fields = ("name", "description", "task", "parameters", "size_bytes")
    return {field: getattr(preset, field) for field in fields} | {"result": scores}


def print_info(options: argparse.Namespace) -> int:
    """Print all that a preset says of itself."""
    info = zoo.info(options.name)
    if options.json:
        print(json.dumps(asdict(info) | {"folder": str(info.folder)}, indent=2))
        return 0
    print(f"{info.name}: {info.description}")
    for label, value in {
        "task": info.task,
        "paper": info.paper,
        "input": info.input,
        "licence": info.licence,
        "model": f"{info.model}, {info.parameters:,} parameters",
        "weights": f"{info.size_bytes / 1e6:.2f} MB",
        "folder": info.folder,
    }.items():
        print(f"  {label + ':':9}{value}")
    for note in info.notes:
        print(f"  note:    {note}")
    for result in info.metrics:
        paper = "" if result.paper is None else f"; paper {result.paper:g}"
        print(
            f"  {metric(result)}, {result.protocol}: {result.value:.4g} "
            f"({result.min:.4g} to {result.max:.4g}, n={result.n}{paper})"
        )
    return 0
