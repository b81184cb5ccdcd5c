"""ram_tables: every row of the RAM paper's tables 1 and 2, and its game.

Paper     Mnih et al. 2014, "Recurrent Models of Visual Attention", arXiv:1406.6247.
Command   KERAS_BACKEND=jax python zoo/ram_tables/recipe.py
          (`--only 2a` for the rows of one table, `--page` for the page alone)
Makes     results.csv, README.md and glimpses.png beside this file

Each row is trained in the same way: MNIST's 60,000 training digits, turned, scaled
and sheared a little, on canvases that are new in each epoch; batches of 256; Adam
down a cosine. Rows that a preset stands for take its results. A row that is done is
not done again with `--resume`, and one that was killed goes on.
"""

import argparse
import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

import keras_attend as ka
from keras_attend import recipes
from keras_attend.callbacks import Checkpoint
from keras_attend.datasets import ClutteredDigits, Digits, cluttered_mnist, mnist

HERE = Path(__file__).parent
CANVAS = {
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
FINE = {"size": 8, "scales": 1, "std": 0.11, "policy_weight": 0.01}
WIDE = {"size": 12, "scales": 3, "std": 0.15, "policy_weight": 0.1}
WIDEST = WIDE | {"scales": 4}


@dataclass(frozen=True)
class Row:
    """A line of the paper's tables, and what trains it.

    Attributes:
        table: of the paper.
        paper: its error in percent.
        arguments: of `models.RAM`, or of `models.Feedforward` when they name `units`.
        preset: the preset that is this row, if there is one.
    """

    table: str
    paper: float
    arguments: dict[str, Any] = field(default_factory=dict)
    preset: str = ""

    @property
    def is_ram(self) -> bool:
        """Whether this is a RAM, and not a network that sees everything."""
        return "units" not in self.arguments

    @property
    def name(self) -> str:
        """What the paper calls it."""
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
        """A file name."""
        if self.is_ram:
            return f"{self.table}_ram_{self.arguments['glimpses']}"
        kind = "conv" if self.arguments.get("filters") else "fc"
        return f"{self.table}_{kind}_{self.arguments['units'][0]}"


def ram(table: str, errors: dict[int, float], presets: dict[int, str]) -> list[Row]:
    """Rows of RAM by its number of glimpses."""
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
    """The training digits of a row."""
    digits = mnist("train", validation=6000 if validate else 0)
    warps = {"rotation": 8.0, "scale": 0.08, "shear": 0.08}
    canvas = CANVAS[row.table]
    if canvas is None:
        return Digits(*digits, batch_size=256, seed=seed, shift=1.0, **warps)
    return ClutteredDigits(*digits, **canvas, batch_size=256, seed=seed, **warps)


def held_out(row: Row, split: str) -> Any:
    """Images and labels to judge a row by."""
    canvas = CANVAS[row.table]
    return mnist(split) if canvas is None else cluttered_mnist(split, **canvas)


def make(row: Row, batches: int) -> keras.Model:
    """A row's model, compiled for a training of so many batches."""
    if row.is_ram:
        model = ka.models.RAM(reward="log_prob", **row.arguments)
        rate = 1e-3 if row.table == "1a" else 2e-3
    else:
        model = ka.models.Feedforward(**row.arguments)
        rate = 1e-3
    schedule = keras.optimizers.schedules.CosineDecay(rate, batches)
    model.compile(keras.optimizers.Adam(schedule, global_clipnorm=5.0))
    return model


def measure(row: Row, args: argparse.Namespace) -> dict[str, Any]:
    """Train a row, and judge it."""
    keras.utils.set_random_seed(args.seed)
    digits = data(row, args.seed, args.validate)
    path = args.runs / f"{row.key}_{args.seed}.keras"
    model = recipes.fit(lambda batches: make(row, batches), digits, path, args)
    images, labels = held_out(row, "validation" if args.validate else "test")
    single = ka.evaluation.error_percent(model, images, labels)
    found = {
        "value": round(float(single.mean()), 3),
        "min": round(float(single.min()), 3),
        "max": round(float(single.max()), 3),
        "n": len(single),
        "parameters": model.count_params(),
        "epochs": args.epochs,
        "seconds": round(Checkpoint.seconds_spent(path)),
        "commit": ka.evaluation.commit(),
    }
    if row.is_ram:
        for name, arguments in (
            ("mc10", {"episodes": 10, "location": "sample"}),
            ("random_glimpses", {"location": "random"}),
        ):
            errors = ka.evaluation.error_percent(
                model, images, labels, repeats=2, **arguments
            )
            found[name] = round(float(errors.mean()), 3)
    return found


def from_preset(row: Row) -> dict[str, Any] | None:
    """What a row's preset scored; None while there is no such preset."""
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


COLUMNS = ["table", "row", "paper", "value", "min", "max", "n", "mc10"]
COLUMNS += ["random_glimpses", "parameters", "epochs", "seconds", "commit", "preset"]


def write_csv(runs: Path) -> list[dict[str, Any]]:
    """`results.csv`: rows done now, those of presets, and what stood there before."""
    path = HERE / "results.csv"
    before = {}
    if path.is_file():
        with path.open(newline="") as file:
            before = {(r["table"], r["row"]): r for r in csv.DictReader(file)}
    rows = []
    for row in ROWS:
        done = runs / f"{row.key}.json"
        found = from_preset(row)
        if found is None and done.is_file():
            found = json.loads(done.read_text())
        if found is None:
            found = before.get((row.table, row.name), {})
        given = {"table": row.table, "row": row.name, "paper": row.paper}
        rows.append({**found, **given, "preset": row.preset})
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return rows


def write_page(rows: list[dict[str, Any]]) -> None:
    """`README.md`: the tables, the paper's numbers beside ours."""
    lines = [
        "<!-- Generated by `python zoo/ram_tables/recipe.py --page`. -->",
        "",
        "# RAM: the paper's tables",
        "",
        "Test errors in percent: the paper's (arXiv:1406.6247; the later edition in",
        "the proceedings reports lower ones), and ours in one deterministic pass from",
        "a random first location, the mean and the range of five. *M = 10* averages",
        "ten sampled passes; *random glimpses* is the same network looking anywhere.",
        "Bold where ours is at most the paper's. The numbers for machines:",
        "[results.csv](results.csv); what made them: [recipe.py](recipe.py).",
    ]
    header = ["", "paper", "ours", "range", "M = 10", "random glimpses", "parameters"]
    for table, title in TITLES.items():
        lines += ["", f"## Table {table}: {title}", ""]
        lines += [f"| {' | '.join([*header, 'epochs'])} |", "|---" * 8 + "|"]
        lines += [_line(row) for row in rows if row["table"] == table]
    lines += ["", "![Error over the number of glimpses](glimpses.png)", ""]
    lines += ["## Section 4.2: Catch", "", *_catch()]
    (HERE / "README.md").write_text("\n".join(lines) + "\n")


def _line(row: dict[str, Any]) -> str:
    if row.get("value") in (None, ""):
        return f"| {row['row']} | {row['paper']} | not trained |" + "  |" * 5
    value, paper = float(row["value"]), float(row["paper"])
    ours = f"**{value:.2f}**" if value <= paper else f"{value:.2f}"
    several = int(row["n"]) > 1
    spread = f"{float(row['min']):.2f} to {float(row['max']):.2f}" if several else ""
    ten, random = (
        f"{float(row[name]):.2f}" if row.get(name) not in (None, "") else ""
        for name in ("mc10", "random_glimpses")
    )
    link, epochs = row["row"], row.get("epochs", "")
    if row["preset"] in ka.zoo.list_models():
        link = f"[{link}](../{row['preset']}/README.md)"
        epochs = "preset"
    cells = [link, f"{paper:g}", ours, spread, ten, random]
    return f"| {' | '.join(cells)} | {int(row['parameters']):,} | {epochs} |"


def _catch() -> list[str]:
    lines = ["| | paper | ours | range |", "|---|---|---|---|"]
    if "ram_catch" not in ka.zoo.list_models():
        return [*lines, "| Catch, balls caught | 0.85 | not trained | |"]
    (result,) = ka.zoo.info("ram_catch").metrics
    ours = f"**{result.value:.3f}**" if result.value >= 0.85 else f"{result.value:.3f}"
    lines += [
        f"| [Catch, balls caught](../ram_catch/README.md) | {result.paper} | {ours} "
        f"| {result.min:.3f} to {result.max:.3f} |"
    ]
    lines += [f"| {name} | | {rate:.3f} | |" for name, rate in result.baselines.items()]
    return lines


def plot(rows: list[dict[str, Any]]) -> None:
    """`glimpses.png`: error over the number of glimpses, ours and the paper's."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 4, figsize=(13, 3.2), constrained_layout=True)
    for axis, (table, title) in zip(axes, TITLES.items(), strict=True):
        points = []
        for row, line in zip(ROWS, rows, strict=True):
            if (
                row.table == table
                and row.is_ram
                and line.get("value") not in (None, "")
            ):
                n = row.arguments["glimpses"]
                if n > 1:
                    points.append((n, row.paper, float(line["value"])))
        if points:
            n, paper, ours = zip(*points, strict=True)
            axis.plot(n, paper, "o--", color="0.6", label="paper")
            axis.plot(n, ours, "o-", color="tab:blue", label="keras_attend")
            axis.set_xticks(n)
        axis.set_ylim(bottom=0)
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("glimpses")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("test error (%)")
    axes[0].legend(frameon=False)
    figure.savefig(HERE / "glimpses.png", dpi=110)
    plt.close(figure)


def main() -> None:
    """Train what is missing, measure it, write the page."""
    parser = recipes.parser(__doc__, HERE, epochs=60)
    parser.add_argument("--only", help="a table, or a row's key, such as 2a_ram_6")
    parser.add_argument("--page", action="store_true", help="train nothing")
    args = recipes.parse(parser)
    for row in ROWS:
        done = args.runs / f"{row.key}.json"
        wanted = args.only in (None, row.table, row.key)
        standing = row.preset in ka.zoo.list_models() or (
            args.resume and done.is_file()
        )
        if args.page or not wanted or standing:
            continue
        print(f"== {row.table}: {row.name}", flush=True)
        found = measure(row, args)
        print(json.dumps(found), flush=True)
        if not args.validate:
            done.parent.mkdir(parents=True, exist_ok=True)
            done.write_text(json.dumps(found) + "\n")
    if not args.validate:
        rows = write_csv(args.runs)
        plot(rows)
        write_page(rows)


if __name__ == "__main__":
    main()
