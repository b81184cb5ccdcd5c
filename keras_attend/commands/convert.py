"""`keras-attend convert`: a preset from somebody's published weights."""

import argparse
from pathlib import Path

from keras_attend import zoo
from keras_attend.commands.parsers import Commands, add_command
from keras_attend.zoo import convert

EXAMPLES = """
keras-attend convert hart model.ckpt-347346 hart_published
keras-attend track in.mp4 --box 120,40,50,90 --model hart_published --out out.mp4
"""


def add_convert(commands: Commands) -> None:
    """The subcommand `convert`."""
    summary = "make a preset from published weights"
    parser = add_command(commands, "convert", convert_hart, summary, EXAMPLES)
    parser.add_argument("model", choices=["hart"], help="whose weights they are")
    parser.add_argument("path", type=Path, metavar="PATH", help="the checkpoint")
    parser.add_argument("out", type=Path, metavar="OUT", help="the preset's folder")


def convert_hart(options: argparse.Namespace) -> int:
    """A preset of HART's authors' checkpoint."""
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
