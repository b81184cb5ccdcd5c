"""`keras-attend train`: run the recipe that made a preset."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from keras_attend.commands.parsers import NAME_HELP, Commands, add_command
from keras_attend.zoo import presets
from keras_attend.zoo.checks.files import RECIPE

OUT = Path("trained")  # so that the preset that ships stays as it is
EXAMPLES = """
keras-attend train ratm_balls                       into trained/ratm_balls
keras-attend train ratm_balls --epochs 1 --steps 5  to see that it runs
keras-attend train ratm_balls --resume              go on after an interruption
keras-attend train ram_mnist --data DIR             with DIR/mnist.npz
KERAS_BACKEND=jax keras-attend train ram_mnist      on JAX, as this preset was
"""
MORE = """
A recipe is a Python program, recipe.py in the preset's folder. Read a stranger's before
you run it. Its header says what data and how much time it takes. The preset that it
writes can be loaded, evaluated and published like every other."""


def add_train(commands: Commands) -> None:
    """Add the subcommand `train`."""
    summary = "train a preset again, by its recipe"
    parser = add_command(commands, "train", train, summary, EXAMPLES, MORE)
    add = parser.add_argument
    add("name", metavar="NAME", help=NAME_HELP)
    add("--epochs", type=_positive, metavar="N", help="epochs (default: the recipe's)")
    add(
        "--steps",
        type=_positive,
        metavar="N",
        help="batches of an epoch (default: all)",
    )
    add("--resume", action="store_true", help="go on from the last checkpoint")
    add(
        "--devices",
        type=_positive,
        metavar="N",
        help="devices of each worker (default: 1)",
    )
    add("--workers", type=_positive, metavar="N", help="processes; see docs/scaling.md")
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help=f"where it is written (default: {OUT}/NAME)",
    )
    add("--runs", type=Path, metavar="DIR", help="checkpoints (default: runs/NAME)")
    add("--data", type=Path, metavar="DIR", help="data, as the recipe's header says")


def train(options: argparse.Namespace) -> int:
    """Run the recipe with the given flags."""
    recipe = find_recipe(options.name)
    name = recipe.resolve().parent.name
    flags = ["--out", str(options.out or OUT / name)]
    for flag in ("epochs", "steps", "devices", "workers", "runs", "data"):
        value = getattr(options, flag)
        if value is not None:
            flags += [f"--{flag}", str(value)]
    if options.resume:
        flags.append("--resume")
    # The recipe must import this package, wherever it runs.
    package = str(Path(__file__).parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    status = subprocess.call(
        [sys.executable, str(recipe), *flags],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )
    if status == 2:  # wrong usage, which the recipe has printed
        return 2
    if status:
        raise ValueError(
            f"{recipe} ended with status {status}. Its last checkpoint holds what it "
            "had learned: --resume goes on from there."
        )
    return 0


def find_recipe(name: str) -> Path:
    """Return the path of the recipe of a preset that ships, or of a folder.

    Other names that `zoo.load` takes are refused: no program is fetched to be run.
    """
    shipped = presets.presets_folder() / name / RECIPE
    recipe = Path(name) / RECIPE
    if Path(name).name == name and shipped.is_file():
        return shipped
    if recipe.is_file():
        return recipe
    if name.startswith("hf://"):
        raise ValueError(
            "A recipe from the Hub is a stranger's program: `keras-attend download`, "
            f"read it, then train its folder. Received: {name!r}"
        )
    known = sorted(
        path.parent.name for path in presets.presets_folder().glob(f"*/{RECIPE}")
    )
    raise FileNotFoundError(
        f"There is no {RECIPE} of {name!r}. It is in the folder zoo/NAME of a checkout "
        "of keras_attend, or in the preset's repository on the Hub. Recipes here: "
        f"{', '.join(known) or 'none'}."
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be positive. Received: {text}")
    return number
