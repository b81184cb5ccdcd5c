"""RAM's tables 1 and 2 in the paper's setting, and the networks beside it.

Paper     Mnih et al. 2014, "Recurrent Models of Visual Attention", arXiv:1406.6247,
          tables 1a, 1b, 2a and 2b: 24 rows
Command   KERAS_BACKEND=jax python zoo/papers/ram.py --only 1a_ram_6
          (`--only 1a` for the rows of a table; `--validate` to choose settings)
Makes     the row's number in zoo/papers/measured/ram.json, and of 2a_ram_8 a picture of
          its gaze, ram_gaze.png; then `make papers`
Expected  see docs/papers/ram.md

As the paper has it: a linear location network, a reward of 1 for a right answer, a
baseline that is learned from the state alone, one random first location, and MNIST's
digits as they are. The paper's optimizer is gradient descent with momentum, whose
settings a random search has found; here it is Adam, whose rate falls along a cosine.
Canvases are drawn anew in each epoch. Among clutter, the losses of policy and baseline
train the core, too (the paper does not say whether they do). Without this the state
hardly tells where the digit is.

The networks beside it see whole images; that of table 1a leaves units out in training,
which the paper does not say of its own.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

import keras_attend as ka
from keras_attend import plots, training
from keras_attend.callbacks import Checkpoint
from keras_attend.datasets import ClutteredDigits, Digits, cluttered_mnist, mnist
from keras_attend.evaluation.rows import row as result_row
from keras_attend.training.papers import record
from keras_attend.training.papers.rows import Row, read_paper

HERE = Path(__file__).parent
CANVAS: dict[str, Any] = {
    "1a": None,
    "1b": {"side": 60, "pieces": 0},
    "2a": {"side": 60, "pieces": 4},
    "2b": {"side": 100, "pieces": 8},
}
PROTOCOLS = {
    "1a": "mnist_test",
    "1b": "translated_mnist",
    "2a": "cluttered_mnist",
    "2b": "cluttered_mnist_100",
}
# The sensor of each table, and the locations' deviation, of which the paper says only
# that it is fixed.
SENSORS: dict[str, Any] = {
    "1a": {"size": 8, "scales": 1, "std": 0.11},
    "1b": {"size": 12, "scales": 3, "std": 0.15},
    "2a": {"size": 12, "scales": 3, "std": 0.12},
    "2b": {"size": 12, "scales": 4, "std": 0.08},
}
TRAINS_CORE = {"2a", "2b"}
EPOCHS = {"1a": 200, "1b": 150, "2a": 200, "2b": 100}
RATES = {"2a": 2e-3, "2b": 2e-3}  # of RAMs, else 1e-3
DROPOUT = {"1a": 0.3}  # of the networks that see digits as they are, epoch by epoch
WIDTHS = {"2b": 86}  # of the convolutional network's dense layer, else 256
POLICY_WEIGHT = 0.1
SHOWN = "2a_ram_8"  # whose gaze is drawn, as figure 3


@dataclass(frozen=True)
class Task:
    """A row as it is trained: its table, and what kind of network it is."""

    row: Row

    @property
    def table(self) -> str:
        """The table's name, "1a"."""
        return self.row.key.split("_")[0]

    @property
    def kind(self) -> str:
        """What is trained: "ram", "fc" or "conv"."""
        return self.row.key.split("_")[1]

    @property
    def number(self) -> int:
        """The number of glimpses, or of units."""
        return int(self.row.key.split("_")[2])

    @property
    def differences(self) -> tuple[str, ...]:
        """What differs from the paper all the same."""
        left_out = self.kind == "fc" and self.table in DROPOUT
        return (
            "units are left out in training (paper: it does not say so)",
        ) * left_out

    def make(self, batches: int) -> keras.Model:
        """Make the network, compiled for a training of so many batches."""
        model: keras.Model
        rate = 1e-3
        if self.kind == "ram":
            credit = ka.models.Credit(
                policy_weight=POLICY_WEIGHT,
                policy_trains_core=self.table in TRAINS_CORE,
            )
            rate = RATES.get(self.table, rate)
            sensor = SENSORS[self.table]
            model = ka.models.PaperRAM(glimpses=self.number, credit=credit, **sensor)
        elif self.kind == "fc":
            units, share = (self.number, self.number), DROPOUT.get(self.table, 0.0)
            model = ka.models.Feedforward(units, dropout=share)
        else:
            units = WIDTHS.get(self.table, 256)
            model = ka.models.Feedforward((units,), filters=8)
        schedule = keras.optimizers.schedules.CosineDecay(rate, batches)
        model.compile(keras.optimizers.Adam(schedule, global_clipnorm=5.0))
        return model

    def data(self, seed: int, held_out: int) -> Digits:
        """Make the training batches, without some of the training digits."""
        digits = mnist("train", validation=held_out)
        more = {"batch_size": 256, "seed": seed}
        canvas = CANVAS[self.table]
        if canvas is None:
            return Digits(*digits, **more)
        return ClutteredDigits(*digits, **canvas, **more)

    def held_out(self, split: str) -> Any:
        """Load the images and labels of a split."""
        canvas = CANVAS[self.table]
        return mnist(split) if canvas is None else cluttered_mnist(split, **canvas)


def train(task: Task, seed: int, epochs: int, args: argparse.Namespace) -> Any:
    """Train a row's network by one seed; return it and its checkpoint."""
    keras.utils.set_random_seed(seed)
    path = args.runs / f"{task.row.key}_{seed}.keras"
    data = task.data(seed, held_out=6000 if args.validate else 0)
    return training.fit(task.make, data, path, args, (), epochs), path


def main() -> None:
    """Train the rows that are asked for, measure and record them."""
    parser = training.parser(__doc__, HERE)  # epochs: each row's own
    parser.set_defaults(runs=Path("runs") / "papers_ram")
    parser.add_argument("--only", help="a table, or a row's key, such as 2a_ram_6")
    parser.add_argument("--seeds", type=int, default=1)
    args = training.parse(parser)
    rows = [Task(r) for r in read_paper(HERE.parent, "ram").rows if r.key[0] in "12"]
    for task in rows:
        if args.only not in (None, task.table, task.row.key):
            continue
        print("==", task.row.key, task.row.name, flush=True)
        images, labels = task.held_out("validation" if args.validate else "test")
        errors, seconds = [], 0.0
        epochs = args.epochs or EPOCHS[task.table]
        for seed in range(args.seed, args.seed + args.seeds):
            model, path = train(task, seed, epochs, args)
            found = ka.evaluation.error_percent(model, images, labels)
            errors.append(float(found.mean()) if args.seeds > 1 else found)
            seconds += Checkpoint.seconds_spent(path)
        if task.row.key == SHOWN and not (args.validate or args.epochs):
            shown, path = (images[:4], labels[:4]), args.out / "ram_gaze.png"
            plots.plot_glimpses(model, *shown, path=path)
        values = errors if args.seeds > 1 else errors[0]
        written = result_row(
            "error_percent",
            f"{PROTOCOLS[task.table]}/single",
            values,
            task.row.paper,
            {},
            setting="paper",
            differences=task.differences,
            trained_on="MNIST's 60,000 training digits as they are",
            chosen_on="the last 6,000 of them, which the final training includes",
        )
        print(task.row.key, written, flush=True)
        if not (args.validate or args.epochs):
            several = "passes of one seed" if args.seeds == 1 else "seeds"
            n = f"{written.n} {several}" if written.n > 1 else "1 seed"
            runs = f"{n}, {epochs} epochs"
            record("ram", task.row.key, written, args, runs=runs, seconds=seconds)


if __name__ == "__main__":
    main()
