"""RAM plays Catch as the paper has it, and with a critic that sees what the agent sees.

Paper     Mnih et al. 2014, "Recurrent Models of Visual Attention", section 4.2: the
          ball is caught in 85 % of the games after 20 million frames
Command   KERAS_BACKEND=jax python zoo/papers/catch.py
          (`--only paper` or `--only glimpses`; `--validate` judges by games that
          neither the training nor the test has)
Makes     the row "catch" of zoo/papers/measured/ram.json, and zoo/papers/catch.json;
          then `make papers`
Expected  not measured yet
Time      about an hour of one CPU core for each, with JAX

"paper" learns by REINFORCE from the final reward, with a baseline that is learned from
the agent's own state, a linear location network, and no bonus for entropy. "glimpses"
has a critic with a glimpse network and a core of its own, which sees the glimpses that
the agent has had and nothing else of the game, credits by the lambda-return, and draws
the gaze around the centre in the first third of the training, as `ram_catch` does.
After a kill, the same command with `--resume` goes on.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import keras_attend as ka
from keras_attend import disk, training
from keras_attend.callbacks import Checkpoint
from keras_attend.datasets import VALIDATION_SEED
from keras_attend.evaluation.rows import row as result_row
from keras_attend.training.papers import record

HERE = Path(__file__).parent
PAPER = 0.85
EPOCHS = 32  # of 25,600 games of 24 frames: 19.7 million frames
AS_WRITTEN = ka.models.AgentCredit(baseline="state", trace=1.0, entropy=0.0)
CRITIC = ka.models.AgentCredit(baseline="glimpses", trace=0.5)
# The stages of each training: its share of the epochs, its rate, and the agent's.
STAGES: dict[str, list[tuple[float, float, dict[str, Any]]]] = {
    "paper": [(1.0, 1e-3, {"credit": AS_WRITTEN, "locator": "linear"})],
    "glimpses": [
        (1 / 3, 2e-3, {"credit": CRITIC, "gaze": "around", "std": 0.25}),
        (2 / 3, 3e-4, {"credit": CRITIC}),
    ],
}


def train(name: str, args: argparse.Namespace) -> tuple[Any, float]:
    """Train an agent; return it, and how many seconds that took."""
    agent, seconds = None, 0.0
    for number, (share, rate, arguments) in enumerate(STAGES[name]):
        path = args.runs / f"{name}_{args.seed}_{number}.keras"
        epochs = max(round(share * args.epochs), 1)
        more = {"start": agent, "size": 6, "scales": 3, **arguments}
        agent = training.train_agent(path, args, rate, epochs, **more)
        seconds += Checkpoint.seconds_spent(path)
    return agent, seconds


def main() -> None:
    """Train, measure, write."""
    parser = training.parser(__doc__, HERE, epochs=EPOCHS)
    parser.set_defaults(runs=Path("runs") / "papers_catch")
    parser.add_argument("--only", choices=tuple(STAGES))
    args = training.parse(parser)
    for name in [args.only] if args.only else STAGES:
        agent, seconds = train(name, args)
        games = 500 if args.steps else 10_000
        seed = {"seed": VALIDATION_SEED} if args.validate else {}
        rates = ka.evaluation.catch_rate(agent, games=games, **seed)
        print(name, rates, flush=True)
        if args.validate or args.steps:
            continue
        if name == "paper":
            written = result_row(
                "catch_rate",
                "catch/10000_games",
                rates,
                PAPER,
                {},
                setting="paper",
                trained_on="games of Catch, drawn anew",
                chosen_on="nothing",
            )
            runs = f"{len(rates)} rounds of one seed, {args.epochs} epochs"
            record("ram", "catch", written, args, runs=runs, seconds=seconds)
        else:
            found = {"rate": round(float(np.mean(rates)), 4), "seconds": seconds}
            disk.write(HERE / "catch.json", json.dumps({name: found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
