"""`keras-attend list` and `info`: what there is, and all about one."""

import argparse
from dataclasses import asdict

from keras_attend import zoo
from keras_attend.commands.parsers import (
    Commands,
    add_command,
    add_json,
    add_name,
    print_json,
)
from keras_attend.zoo.presets import ModelInfo
from keras_attend.zoo.results import headline
from keras_attend.zoo.tables import aligned, metric, number

LIST_EXAMPLES = """
keras-attend list           a line for each preset
keras-attend list --json    the same for a program
"""
INFO_EXAMPLES = """
keras-attend info ram_mnist          what it is, what it takes, what it scored
keras-attend info ram_mnist --json   the same for a program, with every baseline
keras-attend info my/folder          of a preset of your own
"""


def add_list(commands: Commands) -> None:
    """The subcommand `list`."""
    parser = add_command(
        commands, "list", print_list, "the presets, and what they score", LIST_EXAMPLES
    )
    add_json(parser)


def add_info(commands: Commands) -> None:
    """The subcommand `info`."""
    parser = add_command(
        commands, "info", print_info, "all about a preset", INFO_EXAMPLES
    )
    add_name(parser)
    add_json(parser)


def print_list(options: argparse.Namespace) -> int:
    """A line for each preset, with the result that the paper has too."""
    presets = [zoo.info(name) for name in zoo.list_models()]
    if options.json:
        print_json([_summary(preset) for preset in presets])
        return 0
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
    scores: dict[str, object] = {}
    if result:
        scores = asdict(result)
        del scores["baselines"]
    return {
        "name": preset.name,
        "description": preset.description,
        "task": preset.task,
        "parameters": preset.parameters,
        "size_bytes": preset.size_bytes,
        "result": scores or None,
    }


def print_info(options: argparse.Namespace) -> int:
    """All that a preset says of itself."""
    info = zoo.info(options.name)
    if options.json:
        print_json(asdict(info) | {"folder": str(info.folder)})
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
