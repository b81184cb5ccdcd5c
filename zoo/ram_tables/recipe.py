"""ram_tables: every row of the RAM paper's tables 1 and 2, and its game.

Paper     Mnih et al. 2014, "Recurrent Models of Visual Attention", arXiv:1406.6247.
Command   KERAS_BACKEND=jax python zoo/ram_tables/recipe.py
          (`--only 2a` for the rows of one table, `--page` for the page alone)
Makes     results.csv, README.md and glimpses.png in this folder

Each row is trained in the same way: MNIST's 60,000 training digits, turned, scaled
and sheared a little, on canvases that are new in each epoch; batches of 256; Adam
with a rate that falls along a cosine. RAMs on canvases begin with the weights of
`ram_translated_mnist`, whatever their number of glimpses: without clutter and from
random weights, a RAM of 4 glimpses had 3.7 %. Rows for which there is a preset take its
results. With `--resume` finished rows are not trained again, and a killed one goes on.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import keras
import page
from rows import ROWS, Row, data, held_out, make

import keras_attend as ka
from keras_attend import training
from keras_attend.callbacks import Checkpoint

HERE = Path(__file__).parent


def measure(row: Row, args: argparse.Namespace) -> dict[str, Any]:
    """Train a row's model, and measure its errors."""
    keras.utils.set_random_seed(args.seed)
    digits = data(row, args.seed, args.validate)
    path = args.runs / f"{row.key}_{args.seed}.keras"
    epochs = args.epochs or row.epochs
    model = training.fit(
        lambda batches: make(row, batches), digits, path, args, epochs=epochs
    )
    images, labels = held_out(row, "validation" if args.validate else "test")
    if args.steps:  # a rehearsal
        images, labels = images[:200], labels[:200]
    single = ka.evaluation.error_percent(model, images, labels)
    found = {
        "value": round(float(single.mean()), 3),
        "min": round(float(single.min()), 3),
        "max": round(float(single.max()), 3),
        "n": len(single),
        "parameters": model.count_params(),
        "epochs": epochs,
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


def main() -> None:
    """Train what is missing, measure it, write the page."""
    parser = training.parser(__doc__, HERE)  # epochs: each row's own
    parser.add_argument("--only", help="a table, or a row's key, such as 2a_ram_6")
    parser.add_argument("--page", action="store_true", help="train nothing")
    args = training.parse(parser)
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
        page.write(args.runs)


if __name__ == "__main__":
    main()
