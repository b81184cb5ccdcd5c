"""Kill trainings ten times at random, and compare what they end with.

    python tests/hostile/kills.py                           all recipes, both ways
    python tests/hostile/kills.py ram_mnist --by steps --runs FOLDER
    python tests/hostile/kills.py --table --runs FOLDER     what was found so far
    python tests/hostile/kills.py --record --runs FOLDER    the same, into kills.json

Each recipe is trained twice, as shortly as `--steps` and `--epochs` say: once from
beginning to end, and once killed (SIGKILL) at random moments and gone on with
`--resume`. All numbers in the checkpoints must be the same: weights, optimizer, seeds.
On JAX that is bit for bit, on TensorFlow to 1e-5.

A training by `steps` has many epochs of a few batches, one by `epochs` has two of many.
A kill comes while the process starts, or within an epoch, or while a checkpoint is
written. Whatever is in the folder of `--runs` is not done again, so that this can be
stopped at any time too. The exit status is 1 if a training differs or fails.
"""

import argparse
import json
import os
import re
import runpy
import shutil
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import numpy as np
from checkpoint_numbers import batches, checkpoints, difference, iterations

import keras_attend as ka
from keras_attend import datasets, evaluation, training

ZOO = Path(__file__).parents[2] / "zoo"
RECORD = Path(__file__).with_name("kills.json")  # what was found, of all recipes
# How many trainings a recipe consists of, and what it is told besides. (`ratm_kth`
# needs KTH's videos and trains a model a fold; `drlt_otb`, `hart_kitti` and
# `hart_person` need torch.)
ONE = """
air_grid_mnist air_mnist air_noisy_mnist drlt_mnist drlt_mnist_noisy
drlt_mnist_scaled ram_cluttered_mnist ram_cluttered_mnist_100 ram_mnist
ram_translated_mnist ratm_balls_last ratm_mnist ratm_mnist_multi ratm_person
"""
RECIPES: dict[str, tuple[int, list[str]]] = {name: (1, []) for name in ONE.split()} | {
    "air_photo_digits": (2, []),
    "drlt_otb": (2, ["--tracker-epochs", "3", "--clips", "1"]),
    "hart_kitti": (3, []),
    "hart_person": (3, []),
    "hart_street": (5, []),
    "ram_catch": (3, []),
    "ram_tables": (1, ["--only", "2a_ram_6"]),
    "ratm_balls": (2, []),
    "sequential_air_mnist": (4, []),
    "sequential_air_noisy": (4, []),
}
# Whether compiled programs are kept for the next life: `make test-kills` does that.
KEPT = (
    "JAX_COMPILATION_CACHE_DIR" in os.environ
    or "persistent_cache" in os.environ.get("TF_XLA_FLAGS", "")
)
TOLERANCE = {"jax": 0.0, "tensorflow": 1e-5}
EPOCH = re.compile(rb"^Epoch (\d+)/(\d+)$", re.MULTILINE)
BATCHES = re.compile(rb"^(\d+)/\1 - ", re.MULTILINE)


@dataclass
class Found:
    """What is known of the two trainings of a recipe."""

    batches: int = 0  # of all epochs; 0 until the whole training is done
    epochs: int = 0
    startup: float = 0.0  # seconds until the first epoch, and of an epoch
    first: float = 0.0
    later: float = 0.0
    kills: list[str] = field(default_factory=list)
    difference: float | None = None


class Training:
    """A recipe's trainings in a folder.

    Each life is a fork of this process, which has imported everything and computed
    nothing: importing takes longer than most of the epochs do.
    """

    def __init__(self, recipe, by, args):
        self.recipe, self.backend = recipe, keras.backend.backend()
        self.folder = args.runs / f"{recipe}_{by}_{self.backend}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.kills, self.seed = args.kills, args.seed
        self.trainings, more = RECIPES[recipe]
        epochs = -(-args.epochs // self.trainings) if by == "steps" else 2
        self.flags = ["--epochs", str(epochs), "--checkpoint-every", "0", *more]
        self.flags += ["--validate", "--resume", "--seed", "0"]
        self.flags += ["--steps", str(args.steps if by == "steps" else args.batches)]
        self.notes = self.folder / "found.json"
        known = json.loads(self.notes.read_text()) if self.notes.exists() else {}
        self.found = Found(**known)

    def run(self):
        """Do what is missing, and again what ended before its last kill."""
        found = self.found
        if found.difference is not None and len(found.kills) < self.kills:
            shutil.rmtree(self.folder / "killed")
            found.kills, found.difference = [], None
        if not found.batches:
            # A program that was kept rounds differently from one that was just
            # compiled: the first time fills the folder.
            for _ in range(2 if KEPT else 1):
                shutil.rmtree(self.folder / "whole", ignore_errors=True)
                self.live("whole", lambda log: self.ended("whole", log))
            found.batches = batches(self.folder / "whole")
            self.keep()
        while len(found.kills) < self.kills and self.done() < found.batches:
            moment = self.kill(self.kills - len(found.kills))
            if moment is None:
                break  # the training ended before
            found.kills.append(moment)
            self.keep()
        if found.difference is None:
            self.live("killed", lambda log: self.done() == found.batches)
            found.difference = difference(self.folder / "whole", self.folder / "killed")
            self.keep()

    def keep(self):
        """Write what is known."""
        new = self.notes.with_suffix(".new")
        new.write_text(json.dumps(asdict(self.found), indent=1) + "\n")
        new.replace(self.notes)

    def done(self):
        """Return how many batches the killed training has behind it."""
        return batches(self.folder / "killed")

    def kill(self, kills):
        """Kill a life at a random moment; return when that was, or None."""
        found = self.found
        chance = np.random.default_rng([self.seed, len(found.kills)])
        left = round((1 - self.done() / found.batches) * found.epochs)
        # Epochs that this life may end, so that the kills to come find some to disturb.
        spare = min(2, int((left - 1) / kills + chance.random()))
        if chance.random() < 0.2:
            epoch, seconds = 0, chance.uniform(0, found.startup)
        else:
            epoch = int(chance.integers(1, 2 + spare))
            short = 0.8 * min(found.first, found.later)
            long = 1.2 * chance.choice([found.first, found.later])
            seconds = chance.uniform(0, short if epoch in (1 + spare, left) else long)
        since = time.monotonic() if epoch == 0 else None

        def over(log):
            nonlocal since
            begun = len(EPOCH.findall(log))
            if since is None and begun >= epoch:
                since = time.monotonic()
            late = since is not None and time.monotonic() - since >= seconds
            return late or begun > 1 + spare

        killed = self.live("killed", over)
        return f"{epoch}+{seconds:.2f}s: {self.done()}" if killed else None

    def live(self, name, over):
        """Train in a child until `over(log)`, then kill it; return whether it was."""
        log = self.folder / f"{name}.log"
        log.unlink(missing_ok=True)  # the last life's
        child = os.fork()
        if child == 0:
            runs = ["--runs", str(self.folder / name)]
            become(ZOO / self.recipe / "recipe.py", [*self.flags, *runs], log)
        os.setpgid(child, child)  # the child does too: whoever comes first
        begin, epochs, times, ended = time.monotonic(), 0, [], 0
        while not over(content := log.read_bytes() if log.exists() else b""):
            if len(EPOCH.findall(content)) > epochs:
                epochs = len(EPOCH.findall(content))
                times.append(time.monotonic())
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended and status:
                raise SystemExit(f"{self.recipe} has failed: see {log}")
            if ended:
                break
            time.sleep(0.02)
        else:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
        self.measure(begin, times, name)
        return not ended

    def measure(self, begin, times, name):
        """Note how long a life took to start, and for an epoch."""
        found = self.found
        if name == "whole":
            found.epochs = len(times)
        if times:
            found.startup = times[0] - begin
        if len(times) > 1:
            found.first = times[1] - times[0]
            # Of two epochs none is later; and what was kept is soon compiled.
            found.later = found.first if name == "whole" else found.later
        if len(times) > 2:
            found.later = float(np.median(np.diff(times)[1:]))

    def ended(self, name, log):
        """Whether the last training is over, as the log and its checkpoint say."""
        last = [m for m in EPOCH.finditer(log) if m[1] == m[2]]
        if len(last) < self.trainings:
            return False
        steps = BATCHES.search(log, last[-1].end())
        paths = sorted(checkpoints(self.folder / name), key=os.path.getmtime)
        if steps is None or len(paths) < self.trainings:
            return False
        return iterations(paths[-1]) == int(steps[1]) * int(last[-1][2])


def become(recipe, flags, log):
    """Run the recipe, as `python recipe.py` would, in this process and no further."""
    os.setpgid(0, 0)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(file, stream)
    sys.stdout.reconfigure(line_buffering=True)
    sys.argv = [str(recipe), *flags]
    sys.path.insert(0, str(recipe.parent))
    status = 1
    try:
        runpy.run_path(str(recipe), run_name="__main__")
        status = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def table(runs, kills):
    """Print what the folder of `--runs` holds; return whether all of it is right."""
    right = True
    print("recipe, by, backend | batches | epochs | kills | greatest difference")
    for notes in sorted(runs.glob("*/found.json")):
        found = Found(**json.loads(notes.read_text()))
        name, backend = notes.parent.name.rsplit("_", 1)
        recipe, by = name.rsplit("_", 1)
        same = found.difference is not None and found.difference <= TOLERANCE[backend]
        same = same and len(found.kills) >= kills
        word = "not done" if found.difference is None else f"{found.difference:.1e}"
        right = right and same
        print(
            f"{recipe}, {by}, {backend} | {found.batches} | {found.epochs} | "
            f"{len(found.kills)} | {word}{'' if same else '  <--'}"
        )
    return right


def record(runs, kills):
    """Put what is done in the folder of `--runs` into `RECORD`, beside the rest."""
    known = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    for notes in runs.glob("*/found.json"):
        found = Found(**json.loads(notes.read_text()))
        if found.difference is not None and len(found.kills) >= kills:
            known[notes.parent.name] = {
                "batches": found.batches,
                "epochs": found.epochs,
                "kills": len(found.kills),
                "difference": found.difference,
            }
    RECORD.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("recipes", nargs="*", help="names; all when absent")
    add("--by", choices=("steps", "epochs"), help="both when absent")
    add("--steps", type=int, default=3, help="batches of an epoch, by steps")
    add("--batches", type=int, default=30, help="of an epoch, by epochs, at most")
    add("--epochs", type=int, default=12, help="of all stages, by steps")
    add("--kills", type=int, default=10)
    add("--seed", type=int, default=0, help="of the moments")
    add("--runs", type=Path, default=Path("runs") / "kills")
    add("--table", action="store_true", help="train nothing")
    add("--record", action="store_true", help="train nothing")
    args = parser.parse_args()
    args.runs = args.runs.resolve()
    if args.record:
        record(args.runs, args.kills)
    for recipe in () if args.table or args.record else args.recipes or RECIPES:
        for by in (args.by,) if args.by else ("steps", "epochs"):
            Training(recipe, by, args).run()
    return int(not table(args.runs, args.kills))


if __name__ == "__main__":
    # Imported once, for all lives.
    warm = (ka.models, ka.Tracker, datasets, evaluation, training)
    sys.exit(main())
