"""The rows of the RAM paper's tables 1 and 2, with the data and model of each."""

from dataclasses import dataclass, field
from typing import Any

import keras

import keras_attend as ka
from keras_attend import training
from keras_attend.datasets import ClutteredDigits, Digits, cluttered_mnist, mnist

CANVAS: dict[str, Any] = {
    "1a": None,
    "1b": {"side": 60, "pieces": 0},
    "2a": {"side": 60, "pieces": 4},
    "2b": {"side": 100, "pieces": 8},
}
TITLES = {
    "1a": "28x28 MNIST",
    "1b": "60x60 Translated MNIST",
    "2a": "60x60 Cluttered Translated MNIST",
    "2b": "100x100 Cluttered Translated MNIST",
}
EPOCHS = {"1a": 60, "1b": 40, "2a": 40, "2b": 24}
# Convolutional networks are trained longer, for they are compared with the presets.
LONG = {"1b": 150, "2a": 150, "2b": 80}
FINE = {"size": 8, "scales": 1, "std": 0.11}
FINE_CREDIT = ka.models.Credit(reward="log_prob", policy_weight=0.01)
WIDE = {"size": 12, "scales": 3, "std": 0.12}
WIDE_CREDIT = ka.models.Credit(
    reward="log_prob",
    baseline="answer",
    trace=0.3,
    policy_weight=0.2,
    policy_trains_core=True,
)
WIDEST = WIDE | {"scales": 4, "std": 0.08}


@dataclass(frozen=True)
class Row:
    """A row of the paper's tables, and how it is trained.

    Attributes:
        table: "1a", "1b", "2a" or "2b".
        paper: the paper's error in percent.
        arguments: those of `models.Feedforward` if `units` is among them, else those of
            `models.RAM`.
        preset: the name of the preset whose results this row takes, if there is one.
    """

    table: str
    paper: float
    arguments: dict[str, Any] = field(default_factory=dict)
    preset: str = ""

    @property
    def is_ram(self) -> bool:
        """Whether this is a RAM, not a network that sees the whole image."""
        return "units" not in self.arguments

    @property
    def epochs(self) -> int:
        """The number of epochs of its training."""
        epochs = LONG if self.arguments.get("filters") else EPOCHS
        return epochs[self.table]

    @property
    def name(self) -> str:
        """The paper's name of the row."""
        given = self.arguments
        if given.get("filters"):
            return "Convolutional, 2 layers"
        if not self.is_ram:
            return f"FC, 2 layers ({given['units'][0]} hiddens each)"
        size, scales = given["size"], given["scales"]
        sensor = f"{size} x {size}, {scales} scale{'s' * (scales > 1)}"
        if given["glimpses"] == 1:
            return f"1 random glimpse, {sensor}"
        return f"RAM, {given['glimpses']} glimpses, {sensor}"

    @property
    def key(self) -> str:
        """The name of its files, such as "2a_ram_6"."""
        if self.is_ram:
            return f"{self.table}_ram_{self.arguments['glimpses']}"
        kind = "conv" if self.arguments.get("filters") else "fc"
        return f"{self.table}_{kind}_{self.arguments['units'][0]}"


def ram(table: str, errors: dict[int, float], presets: dict[int, str]) -> list[Row]:
    """Make a table's rows of RAM, from errors and presets by the number of glimpses."""
    sensor = {"1a": FINE, "1b": WIDE, "2a": WIDE, "2b": WIDEST}[table]
    return [
        Row(table, error, {"glimpses": n, **sensor}, presets.get(n, ""))
        for n, error in errors.items()
    ]


ROWS = [
    Row("1a", 1.35, {"units": (256, 256)}),
    *ram(
        "1a",
        {1: 42.85, 2: 6.27, 3: 2.7, 4: 1.73, 5: 1.55, 6: 1.29, 7: 1.47},
        {6: "ram_mnist"},
    ),
    Row("1b", 7.56, {"units": (64, 64)}),
    Row("1b", 3.7, {"units": (256, 256)}),
    Row("1b", 2.31, {"units": (256,), "filters": 8}),
    *ram("1b", {4: 2.29, 6: 1.86, 8: 1.84}, {8: "ram_translated_mnist"}),
    Row("2a", 28.96, {"units": (64, 64)}),
    Row("2a", 13.2, {"units": (256, 256)}),
    Row("2a", 7.83, {"units": (256,), "filters": 8}),
    *ram("2a", {4: 7.1, 6: 5.88, 8: 5.23}, {8: "ram_cluttered_mnist"}),
    Row("2b", 16.51, {"units": (86,), "filters": 8}),
    *ram("2b", {4: 14.95, 6: 11.58, 8: 10.83}, {8: "ram_cluttered_mnist_100"}),
]


def data(row: Row, seed: int, validate: bool) -> Digits:
    """Make the training digits of a row."""
    digits = mnist("train", validation=6000 if validate else 0)
    warps = {"rotation": 8.0, "scale": 0.08, "shear": 0.08}
    canvas = CANVAS[row.table]
    if canvas is None:
        return Digits(*digits, batch_size=256, seed=seed, shift=1.0, **warps)
    return ClutteredDigits(*digits, **canvas, batch_size=256, seed=seed, **warps)


def held_out(row: Row, split: str) -> Any:
    """Load the images and labels by which a row is measured."""
    canvas = CANVAS[row.table]
    return mnist(split) if canvas is None else cluttered_mnist(split, **canvas)


def make(row: Row, batches: int) -> keras.Model:
    """Make a row's model, compiled for a training of so many batches."""
    if row.is_ram:
        credit = FINE_CREDIT if row.table == "1a" else WIDE_CREDIT
        model = ka.models.RAM(credit=credit, **row.arguments)
        rate = 1e-3 if row.table == "1a" else 2e-3
        if row.table != "1a":
            start = ka.zoo.load("ram_translated_mnist")
            width = CANVAS[row.table]["side"] / CANVAS["1b"]["side"]
            training.start_from(model, start, width)
    else:
        model = ka.models.Feedforward(**row.arguments)
        rate = 1e-3
    return compiled(model, batches, rate)


def compiled(model: keras.Model, batches: int, rate: float = 1e-3) -> keras.Model:
    """Compile a model for a training of so many batches."""
    schedule = keras.optimizers.schedules.CosineDecay(rate, batches)
    model.compile(keras.optimizers.Adam(schedule, global_clipnorm=5.0))
    return model


def from_preset(row: Row) -> dict[str, Any] | None:
    """Take a row's results from its preset; None if there is no such preset."""
    if row.preset not in ka.zoo.list_models():
        return None
    info = ka.zoo.info(row.preset)
    by_protocol = {m.protocol.rpartition("/")[2]: m for m in info.metrics}
    single = by_protocol["single"]
    return {
        "value": single.value,
        "min": single.min,
        "max": single.max,
        "n": single.n,
        "mc10": by_protocol["mc10"].value,
        "random_glimpses": single.baselines["random glimpses"],
        "parameters": info.parameters,
    }
