"""`keras-attend convert`: make a preset from weights that others have published."""

import argparse
from pathlib import Path

from keras_attend import zoo
from keras_attend.commands.parsers import Commands, add_command

EXAMPLES = """
keras-attend convert hart model.ckpt-347346 hart_published
keras-attend track in.mp4 --box 120,40,50,90 --model hart_published --out out.mp4
"""


def add_convert(commands: Commands) -> None:
    """Add the subcommand `convert`."""
    summary = "make a preset from published weights"
    parser = add_command(commands, "convert", convert_hart, summary, EXAMPLES)
    add = parser.add_argument
    add("model", choices=["hart"], help="the model whose weights they are")
    add("path", type=Path, metavar="PATH", help="the checkpoint")
    add("out", type=Path, metavar="OUT", help="the preset's folder, to be written")


def convert_hart(options: argparse.Namespace) -> int:
    """Write a preset with the weights of the HART authors' checkpoint."""
    from keras_attend.zoo import convert

    zoo.save_preset(
        convert.hart(options.path),
        options.out,
        description="HART with its authors' weights",
        paper="Kosiorek et al. 2017",
        task="tracking",
        input="frames [B, T, H, W, 3], uint8 or float in 0..1, and a box [B, 4]",
        licence="GPL-3.0, as the authors' code",
    )
    print(f"{options.out}: load it with keras_attend.zoo.load({str(options.out)!r})")
    return 0
