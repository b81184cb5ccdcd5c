"""`keras-attend export`: write a preset as a file that runs without Keras."""

import argparse
from pathlib import Path

from keras_attend import zoo
from keras_attend.commands.parsers import NAME_HELP, Commands, add_command

EXAMPLES = """
keras-attend export hart_person hart.onnx --format onnx --uint8
keras-attend export hart_street street.onnx --format onnx --uint8 --many
keras-attend export drlt_mnist drlt.tflite --format litert --size 100x100 --int8
keras-attend export ram_mnist ram --first 0,0
"""
MORE = """
A tracker becomes two functions, init and step, for one object, or with --many for any
number of them; RAM and Feedforward become one. docs/export.md says how to run each
format."""
FORMATS = ("saved_model", "onnx", "litert")


def add_export(commands: Commands) -> None:
    """Add the subcommand `export`."""
    summary = "write a preset as ONNX, LiteRT or a SavedModel"
    parser = add_command(commands, "export", run, summary, EXAMPLES, MORE)
    add = parser.add_argument
    add("name", metavar="NAME", help=NAME_HELP)
    add("out", type=Path, metavar="OUT", help="the file or folder to write")
    add("--format", choices=FORMATS, default="saved_model", help="OUT's format")
    add("--size", type=_size, metavar="HxW", help="the frames' size (default: any)")
    add("--uint8", action="store_true", help="take frames of bytes, not of floats")
    add("--int8", action="store_true", help="store large weights in eight bits")
    add("--many", action="store_true", help="follow several objects in one call")
    add("--first", type=_first, metavar="X,Y", help="where a RAM looks first, in -1..1")


def run(options: argparse.Namespace) -> int:
    """Load the preset, write OUT, and print its size."""
    from keras_attend.exporters import export

    path = export(
        zoo.load(options.name),
        options.out,
        options.format,
        size=options.size,
        uint8=options.uint8,
        int8=options.int8,
        first_location=options.first,
        many=options.many,
    )
    files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]
    total = sum(file.stat().st_size for file in files)
    print(f"{path}: {total / 1e6:.1f} MB")
    return 0


def _size(text: str) -> tuple[int, int]:
    height, width = (int(number) for number in text.split("x"))
    return height, width


def _first(text: str) -> tuple[float, float]:
    x, y = (float(number) for number in text.split(","))
    return x, y
