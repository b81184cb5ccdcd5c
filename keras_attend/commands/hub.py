"""`keras-attend download` and `publish`: fetch and send presets of the Hub."""

import argparse
from pathlib import Path

from keras_attend import zoo
from keras_attend.commands.parsers import Commands, add_command

DOWNLOAD_EXAMPLES = """
keras-attend download ram_mnist                  a preset that ships, or is in your zoo
keras-attend download hf://org/name              a preset on the Hugging Face Hub
keras-attend download hf://org/name@REVISION     the same at a branch, tag or commit
"""
PUBLISH_EXAMPLES = """
keras-attend verify my_ram                              check it before
keras-attend publish my_ram me/my-ram --private         only you can see it
keras-attend publish my_ram org/my-ram --create-pr      its owner may accept it
keras-attend publish my_ram me/my-ram --overwrite       replace what is there
"""
PUBLISH_MORE = """
It needs a token that may write: run `hf auth login`, or set the variable HF_TOKEN. No
option takes a token, for others can read the command line."""


def add_download(commands: Commands) -> None:
    """Add the subcommand `download`."""
    summary = "fetch a preset, for later use without a network"
    parser = add_command(commands, "download", download, summary, DOWNLOAD_EXAMPLES)
    parser.add_argument("name", metavar="NAME", help="a preset, or hf://org/name")


def add_publish(commands: Commands) -> None:
    """Add the subcommand `publish`."""
    summary = "put a preset on the Hugging Face Hub"
    texts = (PUBLISH_EXAMPLES, PUBLISH_MORE)
    add = add_command(commands, "publish", publish, summary, *texts).add_argument
    add("folder", type=Path, metavar="FOLDER", help="the preset's folder")
    add("repo", metavar="ORG/NAME", help="its name on the Hub")
    add("--private", action="store_true", help="hide a new repository from others")
    add("--create-pr", action="store_true", help="propose it as a pull request")
    add("--revision", help="the branch to write to (default: main)")
    add("--overwrite", action="store_true", help="replace the files that are there")


def download(options: argparse.Namespace) -> int:
    """Fetch a preset, and print the path of its folder."""
    print(zoo.download(options.name))
    return 0


def publish(options: argparse.Namespace) -> int:
    """Publish a preset, and print the address of the commit."""
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
