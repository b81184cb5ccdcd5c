"""Section 5 of the RAM paper: an agent that stops, and one that chooses its zoom.

Paper     Mnih et al. 2014, "Recurrent Models of Visual Attention", section 5, which
          proposes both and reports no numbers.
Command   KERAS_BACKEND=jax python zoo/ram_tables/section5.py
Makes     section5.json and section5.png in this folder, and a part of README.md

The first agent takes up to 8 glimpses of a 28x28 digit and pays for each: the higher
the price, the sooner it answers. Whether to stop is learned by draws, as the paper
proposes. The agent takes all glimpses then, or stops at random. `--decision enumerate`
learns it by the sum over all that may happen, for as many epochs as table 1a's rows;
that is not measured yet. The second agent sees a 60x60 canvas through one patch of
12x12 pixels and chooses how wide a part of the canvas that patch covers: 12, 24 or 48
pixels. After a kill, the same command with `--resume` goes on.
"""

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import page
from rows import FINE, WIDE, WIDE_CREDIT, Row, data, held_out

import keras_attend as ka
from keras_attend import training

HERE = Path(__file__).parent
PRICES = (0.01, 0.03, 0.1, 0.3)
STOPPER = FINE | {"glimpses": 8}
STOPPER |= {"credit": dataclasses.replace(WIDE_CREDIT, policy_weight=0.01)}
EPOCHS = {"drawn": 12, "enumerate": 60}
ZOOMER = WIDE | {"scales": 1, "glimpses": 6, "credit": WIDE_CREDIT}


def trained(
    row: Row,
    name: str,
    untrained: Callable[[], ka.models.RAM],
    args: argparse.Namespace,
) -> keras.Model:
    """Train a RAM on a row's digits."""

    def make(batches: int) -> keras.Model:
        model = untrained()
        schedule = keras.optimizers.schedules.CosineDecay(1e-3, batches)
        model.compile(keras.optimizers.Adam(schedule, global_clipnorm=5.0))
        return model

    print(f"== {name}", flush=True)
    keras.utils.set_random_seed(args.seed)
    digits = data(row, args.seed, args.validate)
    epochs = epochs_of(args)
    return training.fit(make, digits, args.runs / f"{name}.keras", args, epochs=epochs)


def epochs_of(args: argparse.Namespace) -> int:
    """How many epochs an agent is trained."""
    return int(args.epochs or EPOCHS[args.decision])


def stop(price: float, args: argparse.Namespace) -> dict[str, Any]:
    """Train an agent that stops; measure its error and how many glimpses it takes."""
    row = Row("1a", 0.0)

    def untrained() -> ka.models.RAM:
        decision = args.decision
        return ka.models.StoppingRAM(price=price, decision=decision, **STOPPER)

    name = f"stop_{args.decision}_{price:g}_{args.seed}"
    model = trained(row, name, untrained, args)
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


def zoom(zooms: int, args: argparse.Namespace) -> dict[str, Any]:
    """Train an agent that chooses widths; measure its error and what it chooses."""
    row = Row("1b", 0.0)

    def untrained() -> ka.models.RAM:
        if zooms == 1:  # nothing to choose
            return ka.models.RAM(**ZOOMER)
        return ka.models.ZoomingRAM(zooms=zooms, **ZOOMER)

    model = trained(row, f"zoom_{zooms}_{args.seed}", untrained, args)
    images, labels = held_out(row, "validation" if args.validate else "test")
    found = {
        "widths": [ZOOMER["size"] * 2**k for k in range(zooms)],
        "value": error(model, images, labels),
        "epochs": epochs_of(args),
    }
    if zooms > 1:
        chosen = model.predict(images, batch_size=500, verbose=0)["zooms"]  # [N, T]
        found["share"] = [
            (chosen == k).mean(axis=0).round(4).tolist() for k in range(zooms)
        ]
        # The same network, made to choose one width: its score is above all others.
        model.zoomer.kernel.assign(np.zeros(model.zoomer.kernel.shape))
        found["held"] = []
        for score in np.eye(zooms):
            model.zoomer.bias.assign(score)
            found["held"].append(error(model, images, labels))
    return found


def error(model: keras.Model, images: Any, labels: Any) -> float:
    """Measure the error in percent, in one pass; the mean of five."""
    return round(float(ka.evaluation.error_percent(model, images, labels).mean()), 3)


def main() -> None:
    """Train, measure, draw."""
    parser = training.parser(__doc__, HERE)
    parser.add_argument("--decision", choices=tuple(EPOCHS), default="drawn")
    parser.add_argument("--prices", type=float, nargs="*", default=PRICES)
    parser.add_argument("--zooms", type=int, nargs="*", default=(1, 3))
    args = training.parse(parser)
    found = {
        "stop": [stop(price, args) for price in args.prices],
        "zoom": [zoom(zooms, args) for zooms in args.zooms],
    }
    print(json.dumps(found, indent=1))
    if not (args.validate or args.steps):
        known = json.loads(page.SECTION_5.read_text("utf-8"))
        found = {kind: merged(known[kind], rows) for kind, rows in found.items()}
        page.SECTION_5.write_text(json.dumps(found, indent=1) + "\n")
        page.write(args.runs)


def merged(known: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[Any]:
    """Put what was measured in the place of what was known of the same agents."""

    def agent(row: dict[str, Any]) -> tuple[Any, ...]:
        if "widths" in row:
            return (len(row["widths"]),)
        return row.get("decision", "drawn"), row["price"]

    rows = {agent(row): row for row in (*known, *found)}
    return [rows[key] for key in sorted(rows)]


if __name__ == "__main__":
    main()
