"""Section 5 of the RAM paper: an agent that stops, and one that chooses its zoom.

Paper     Mnih et al. 2014, "Recurrent Models of Visual Attention", section 5, which
          proposes both and reports no numbers.
Command   KERAS_BACKEND=jax python zoo/ram_tables/section5.py
Makes     section5.json and section5.png in this folder, and a part of README.md

The first agent takes up to 8 glimpses of a 28x28 digit and pays for each: the higher
the price, the sooner it answers. Whether to stop is learned by draws, as the paper
proposes. The agent takes all glimpses then, or stops at random. `--decision supervised`
learns it by what each stop would have cost, for as many epochs as table 1a's rows: at a
price of 0.01 it takes 4.61 glimpses and errs in 1.80 %, where fixed numbers of 4 and 5
have 2.00 and 1.87; at a price of 0.03 it takes 3.56 and errs in 2.25 %, where 3 have
3.03. The higher prices are not measured yet. (With the sum of all
outcomes' losses, each as often as it happens, it stopped after the first glimpse, from
which it then learned nothing; with answers that learn in all states it never stopped,
for a decision that is sure of itself has no slope in that sum: at a price of 0.01 it
took all 8 glimpses, and erred in 1.58 %.)

The second agent sees digits of 14 to 56 pixels, anywhere on a 60x60 canvas, through one
patch of 12x12 pixels, and chooses how wide a part of the canvas that patch covers: 12,
24 or 48 pixels. Beside it are agents whose patch is always as wide, but for the first
glimpse, which is the widest for all. After a kill, the same command with `--resume`
goes on.
"""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import page
from rows import FINE, WIDE, WIDE_CREDIT, Row, compiled, data, held_out

import keras_attend as ka
from keras_attend import training
from keras_attend.datasets import ClutteredDigits, cluttered_mnist, mnist

HERE = Path(__file__).parent
PRICES = (0.01, 0.03, 0.1, 0.3)
STOPPER = FINE | {"glimpses": 8}
STOPPER |= {"credit": dataclasses.replace(WIDE_CREDIT, policy_weight=0.01)}
# Supervised, a policy that trains the core keeps it from learning to answer.
CREDITS = {
    "drawn": STOPPER["credit"],
    "supervised": dataclasses.replace(STOPPER["credit"], policy_trains_core=False),
}
EPOCHS = {"drawn": 12, "supervised": 60}
ZOOMER = WIDE | {"scales": 1, "glimpses": 6, "credit": WIDE_CREDIT}
ZOOMS, ZOOM_EPOCHS = 3, 60
CANVAS = {"side": 60, "pieces": 0, "sizes": (0.5, 2.0)}


def epochs_of(args: argparse.Namespace) -> int:
    """How many epochs an agent is trained."""
    return int(args.epochs or EPOCHS[args.decision])


def stop(price: float, args: argparse.Namespace) -> dict[str, Any]:
    """Train an agent that stops; measure its error and how many glimpses it takes."""
    row = Row("1a", 0.0)

    def make(batches: int) -> keras.Model:
        how = {"decision": args.decision, "credit": CREDITS[args.decision]}
        model = ka.models.StoppingRAM(price=price, **{**STOPPER, **how})
        return compiled(model, batches)

    name = f"stop_{args.decision}_{price:g}_{args.seed}"
    print(f"== {name}", flush=True)
    keras.utils.set_random_seed(args.seed)
    digits = data(row, args.seed, args.validate)
    path = args.runs / f"{name}.keras"
    model = training.fit(make, digits, path, args, epochs=epochs_of(args))
    images, labels = held_out(row, "validation" if args.validate else "test")
    taken = model.predict(images, batch_size=500, verbose=0)["glimpses_taken"]
    share = np.bincount(taken, minlength=STOPPER["glimpses"] + 1)[1:] / len(taken)
    return {
        "decision": args.decision,
        "price": price,
        "value": error(model, images, labels),
        "glimpses": round(float(taken.mean()), 3),
        "share": share.round(4).tolist(),
        "epochs": epochs_of(args),
    }


def zoom(fixed: int | None, args: argparse.Namespace) -> dict[str, Any]:
    """Train an agent that chooses widths; measure its error and what it chooses.

    With `fixed` it has one width, `12 * 2**fixed` pixels, after the first glimpse.
    """
    keras.utils.set_random_seed(args.seed)
    digits = ClutteredDigits(
        *mnist("train", validation=6000 if args.validate else 0),
        **CANVAS,
        batch_size=256,
        seed=args.seed,
    )

    def make(batches: int) -> keras.Model:
        model = ka.models.ZoomingRAM(zooms=ZOOMS, fixed=fixed, **ZOOMER)
        return compiled(model, batches)

    name = f"zoom_{'chosen' if fixed is None else fixed}_{args.seed}"
    print(f"== {name}", flush=True)
    epochs = int(args.epochs or ZOOM_EPOCHS)
    path = args.runs / f"{name}.keras"
    model = training.fit(make, digits, path, args, epochs=epochs)
    split = "validation" if args.validate else "test"
    images, labels = cluttered_mnist(split, **CANVAS)
    found = {
        "width": None if fixed is None else ZOOMER["size"] * 2**fixed,
        "value": error(model, images, labels),
        "epochs": epochs,
    }
    if fixed is None:
        chosen = model.predict(images, batch_size=500, verbose=0)["zooms"]  # [N, T]
        tall = images[..., 0].any(axis=2).sum(axis=1)  # rows with ink, [N]
        order = np.argsort(tall, kind="stable")
        found["share"] = [
            (chosen == k).mean(axis=0).round(4).tolist() for k in range(ZOOMS)
        ]
        found["by_height"] = [
            {
                "height": round(float(tall[part].mean()), 1),
                "width": round(
                    float(ZOOMER["size"] * (2.0 ** chosen[part, 1:]).mean()), 1
                ),
            }
            for part in np.array_split(order, 5)
        ]
    return found


def error(model: keras.Model, images: Any, labels: Any) -> float:
    """Measure the error in percent, in one pass; the mean of five."""
    return round(float(ka.evaluation.error_percent(model, images, labels).mean()), 3)


def main() -> None:
    """Train, measure, draw."""
    parser = training.parser(__doc__, HERE)
    parser.add_argument("--decision", choices=tuple(EPOCHS), default="drawn")
    parser.add_argument("--prices", type=float, nargs="*", default=PRICES)
    parser.add_argument("--no-zooms", action="store_true")
    args = training.parse(parser)
    zooms = () if args.no_zooms else (*range(ZOOMS), None)
    found = {
        "stop": [stop(price, args) for price in args.prices],
        "zoom": [zoom(fixed, args) for fixed in zooms],
    }
    print(json.dumps(found, indent=1))
    if not (args.validate or args.steps):
        known = json.loads(page.SECTION_5.read_text("utf-8"))
        found["stop"] = merged(known["stop"], found["stop"])
        found["zoom"] = found["zoom"] or known["zoom"]
        page.SECTION_5.write_text(json.dumps(found, indent=1) + "\n")
        page.write(args.runs)


def merged(known: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[Any]:
    """Put what was measured in the place of what was known of the same agents."""

    def agent(row: dict[str, Any]) -> tuple[Any, ...]:
        return row["decision"], row["price"]

    rows = {agent(row): row for row in (*known, *found)}
    return [rows[key] for key in sorted(rows)]


if __name__ == "__main__":
    main()
