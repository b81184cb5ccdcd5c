"""`keras-attend download` and `publish`: presets on the Hugging Face Hub."""

import argparse
from pathlib import Path

from keras_attend import zoo
from keras_attend.commands.parsers import Commands, add_command

DOWNLOAD_EXAMPLES = """
keras-attend download ram_mnist                  so that it loads without a network
keras-attend download hf://org/name              somebody's
keras-attend download hf://org/name@REVISION     as it was at a branch, tag or commit
"""
PUBLISH_EXAMPLES = """
keras-attend verify my_ram                              look before
keras-attend publish my_ram me/my-ram --private         for yourself
keras-attend publish my_ram org/my-ram --create-pr      for its owner to accept
keras-attend publish my_ram me/my-ram --overwrite       over what is there
"""
PUBLISH_MORE = """
It needs a token that may write: `hf auth login`, or the variable HF_TOKEN. A token is
not taken on the command line, where others can read it."""


def add_download(commands: Commands) -> None:
    """The subcommand `download`."""
    summary = "fetch a preset, for later use without a network"
    parser = add_command(commands, "download", download, summary, DOWNLOAD_EXAMPLES)
    parser.add_argument("name", metavar="NAME", help="a preset, or hf://org/name")


def add_publish(commands: Commands) -> None:
    """The subcommand `publish`."""
    summary = "put a preset on the Hugging Face Hub"
    parser = add_command(
        commands, "publish", publish, summary, PUBLISH_EXAMPLES, PUBLISH_MORE
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the preset's")
    parser.add_argument("repo", metavar="ORG/NAME", help="where it goes")
    parser.add_argument("--private", action="store_true", help="for you alone to see")
    parser.add_argument("--create-pr", action="store_true", help="as a pull request")
    parser.add_argument("--revision", help="a branch (default: main)")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace files and card that are there"
    )


def download(options: argparse.Namespace) -> int:
    """Fetch it, and say where it is."""
    print(zoo.download(options.name))
    return 0


def publish(options: argparse.Namespace) -> int:
    """Upload it, and say where it is."""
    address = zoo.publish(
        options.folder,
        options.repo,
        private=options.private,
        create_pr=options.create_pr,
        revision=options.revision,
        overwrite=options.overwrite,
        token=None,
    )
    print(address)
    return 0
