"""`keras-attend list` and `info`: print all presets in short, or one in full."""

import argparse
import json
import sys
from dataclasses import asdict

from keras_attend import zoo
from keras_attend.commands.parsers import JSON_HELP, NAME_HELP, Commands, add_command
from keras_attend.zoo import presets as shelf
from keras_attend.zoo.presets import ModelInfo
from keras_attend.zoo.results import best_peer, headline, unseen
from keras_attend.zoo.speeds import read_speeds
from keras_attend.zoo.tables import aligned, metric, number

LIST_EXAMPLES = """
keras-attend list                    a line for each preset
keras-attend list --task tracking    trackers alone
keras-attend list --json             the same for a program, and more
"""
INFO_EXAMPLES = """
keras-attend info ram_mnist          its description, input and scores
keras-attend info ram_mnist --json   the same for a program, with every baseline
keras-attend info my/folder          a preset of your own
"""


def add_list(commands: Commands) -> None:
    """Add the subcommand `list`."""
    summary = "print the presets, what they are for, and what they score"
    more = "Scores are on data that they were not trained on; speeds are of one core."
    parser = add_command(commands, "list", print_list, summary, LIST_EXAMPLES, more)
    parser.add_argument(
        "--task", metavar="TASK", help="such as tracking, or 'image classification'"
    )
    parser.add_argument("--json", action="store_true", help=JSON_HELP)


def add_info(commands: Commands) -> None:
    """Add the subcommand `info`."""
    summary = "print what a preset says of itself"
    parser = add_command(commands, "info", print_info, summary, INFO_EXAMPLES)
    parser.add_argument("name", metavar="NAME", help=NAME_HELP)
    parser.add_argument("--json", action="store_true", help=JSON_HELP)


def print_list(options: argparse.Namespace) -> int:
    """Print a line for each preset: its use, its speed, its score and a peer's."""
    presets, damaged = [], {}
    for name in zoo.list_models(task=options.task):
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
    speeds = read_speeds(shelf.presets_folder())
    rows = []
    for preset in presets:
        result = unseen(preset.metrics)
        scores = ["not evaluated", "", "", ""]
        if result:
            peer = best_peer(result)
            scores = [metric(result), result.protocol, number(result.value)]
            scores.append(f"{peer[0]} {number(peer[1])}" if peer else "")
        speed = speeds.get(preset.name)
        fast = f"{speed.per_second:,.0f} {speed.what}" if speed else ""
        rows.append([preset.name, preset.use or preset.task, fast, *scores])
    columns = ["name", "for", "per second", "metric", "protocol", "ours", "best peer"]
    print(aligned(columns, rows))
    return 0


def _summary(preset: ModelInfo) -> dict[str, object]:
    fields = ("name", "description", "task", "use", "instead", "parameters")
    found: dict[str, object] = {field: getattr(preset, field) for field in fields}
    found["size_bytes"] = preset.size_bytes
    for key, choose in (("result", headline), ("unseen", unseen)):
        result = choose(preset.metrics)
        found[key] = asdict(result) if result else None
    result = unseen(preset.metrics)
    found["best_peer"] = best_peer(result) if result else None
    speed = read_speeds(shelf.presets_folder()).get(preset.name)
    return found | {"speed": asdict(speed) if speed else None}


def print_info(options: argparse.Namespace) -> int:
    """Print all that a preset says of itself."""
    info = zoo.info(options.name)
    if options.json:
        print(json.dumps(asdict(info) | {"folder": str(info.folder)}, indent=2))
        return 0
    print(f"{info.name}: {info.description}")
    for label, value in {
        "task": info.task,
        "use": info.use,
        "instead": info.instead and f"something else, if {info.instead}",
        "paper": info.paper,
        "input": info.input,
        "licence": info.licence,
        "model": f"{info.model}, {info.parameters:,} parameters",
        "weights": f"{info.size_bytes / 1e6:.2f} MB",
        "folder": info.folder,
    }.items():
        if value:
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
