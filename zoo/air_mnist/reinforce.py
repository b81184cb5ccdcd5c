"""How often AIR learns: REINFORCE, as in the paper, beside the enumerated count.

Paper     Eslami et al. 2016, "Attend, Infer, Repeat"; it does not say how many of its
          runs failed. The author of a re-implementation reports that about one run
          of five converges
Command   KERAS_BACKEND=jax python zoo/air_mnist/reinforce.py
Makes     reinforce.csv and reinforce.md
Expected  REINFORCE works in 1 run of 5 as the paper has it (0.828 to 0.988 of the
          counts are right), and in 5 where the LSTM sees the residual (0.954 to 0.995);
          enumerated in 4 without the residual (0.872 to 0.992), and in 5 with it (0.987
          to 0.991)
Time      2 hours of one core, with JAX

Each row of the table is a kind of training, with as many batches as the preset's and by
five seeds; counts are the network's own (`counting="logits"`). A run works if the count
is right in at least 90 % of the validation pictures: a model that never or always draws
is right in a third of them. After a kill, the same command with `--resume` goes on.
"""

from pathlib import Path
from typing import Any

import numpy as np

import keras_attend as ka
from keras_attend import training
from keras_attend.callbacks import Checkpoint
from keras_attend.evaluation import DrawnPictures, score_pictures
from keras_attend.training.object_finders import train_object_finder
from keras_attend.training.tables import table, write_table

HERE = Path(__file__).parent
PICTURES = DrawnPictures()
WORKS = 0.9  # of counts are right
# What a row has in other ways than the preset.
ROWS: dict[str, dict[str, Any]] = {
    "enumerated, with the residual (ours)": {},
    "enumerated, without the residual": {"residual": False},
    "REINFORCE, with the residual": {"inference": "reinforce", "residual": True},
    "REINFORCE, without (the paper's)": {"inference": "reinforce"},
}
HEADS = {
    "row": "",
    "works": "runs that work",
    "runs": "of",
    "min": "right counts: worst run",
    "median": "median",
    "max": "best run",
}


def main() -> None:
    """Train each kind by all seeds, measure, write the table."""
    parser = training.parser(__doc__, HERE, epochs=12)
    parser.add_argument("--rows", nargs="+", type=int, default=range(len(ROWS)))
    parser.add_argument("--seeds", type=int, default=5)
    args = training.parse(parser)
    names, runs = list(ROWS), args.runs
    held_out = PICTURES.load(4, split="validation")
    rows = []
    for number in args.rows:
        found = []
        for seed in range(args.seeds):
            args.runs = runs / f"kind_{number}"
            *_, path = train_object_finder(
                lambda name=names[number]: ka.models.AIR(50, steps=3, **ROWS[name]),
                PICTURES,
                seed,
                args,
                anneal=1500,
            )
            scores = score_pictures(Checkpoint.resume(path), held_out)
            found.append(scores.count_accuracy)
            print(names[number], seed, found[-1], flush=True)
        row = {"row": names[number], "works": sum(x >= WORKS for x in found)}
        shares = {"min": min(found), "median": np.median(found), "max": max(found)}
        row |= {"runs": len(found)} | {k: f"{v:.3f}" for k, v in shares.items()}
        rows.append(row)
    text = [
        "# AIR: how often its training works",
        "",
        "Pictures of none, one or two digits, and a model of three steps; shares of",
        f"right counts of {len(held_out) * held_out.batch_size} validation pictures. A",
        f"run works if at least {WORKS:.0%} of its counts are right.",
        "",
        *table(rows, HEADS),
    ]
    write_table(args.out / "reinforce", "zoo/air_mnist/reinforce.py", rows, text)


if __name__ == "__main__":
    main()
