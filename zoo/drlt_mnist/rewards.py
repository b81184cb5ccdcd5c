"""How DRLT learns by immediate and by cumulative rewards, with a baseline and without.

Paper     Zhang et al. 2017, "Deep Reinforcement Learning for Visual Object Tracking in
          Videos": its algorithm 1 credits a location with the reward of its own frame,
          its equations 7 and 8 with those of all frames; both subtract a baseline
Command   KERAS_BACKEND=jax python zoo/drlt_mnist/rewards.py
Makes     rewards.csv and rewards.png: the IoU in training, epoch by epoch
Expected  see rewards.png; about 25 minutes on one CPU core, JAX

The model and the data are drlt_mnist's. A draw is not fed back, so that it changes no
later reward: all four have the same gradient in the mean, and differ in its noise.
After a kill, the same command with `--resume` goes on.
"""

import argparse
import csv
from pathlib import Path

import digit_trackers
import keras

from keras_attend import models, plots, training
from keras_attend.callbacks import RewardSwitch

HERE = Path(__file__).parent
DATA = "walking_digit"
WAYS = {  # (returns, baseline)
    "immediate, with baseline": ("immediate", True),
    "immediate, without": ("immediate", False),
    "cumulative, with baseline": ("total", True),
    "cumulative, without": ("total", False),
}


def make(way: tuple[str, bool], steps: int) -> keras.Model:
    """Make drlt_mnist's model, which learns in one of the ways."""
    model = digit_trackers.drlt("center", steps)
    returns, baseline = way
    other = models.DRLT(model.cell, returns=returns, baseline=baseline)
    other.compile(training.falling_rate(steps, rate=2e-3))
    return other


def curve(number: int, args: argparse.Namespace) -> list[float]:
    """Train one of the ways; return the IoU of each epoch."""
    way = list(WAYS.values())[number]
    keras.utils.set_random_seed(args.seed)
    path = args.runs / f"way_{number}_{args.seed}.keras"
    path.parent.mkdir(parents=True, exist_ok=True)
    log = path.with_suffix(".csv")
    if not args.resume:
        log.unlink(missing_ok=True)
    training.fit(
        lambda steps: make(way, steps),
        digit_trackers.given_videos(DATA, args),
        path,
        args,
        (
            RewardSwitch(args.epochs * 2 // 3),
            keras.callbacks.CSVLogger(log, append=True),
        ),
    )
    with log.open(newline="") as file:
        found = {int(row["epoch"]): float(row["iou"]) for row in csv.DictReader(file)}
    return [found[epoch] for epoch in sorted(found)]


def main() -> None:
    """Train all ways, write the table and draw it."""
    parser = training.parser(__doc__, HERE, epochs=12)
    parser.set_defaults(runs=Path("runs") / "drlt_mnist_rewards")
    args = training.parse(parser)
    found = {name: curve(number, args) for number, name in enumerate(WAYS)}
    args.out.mkdir(parents=True, exist_ok=True)
    with (args.out / "rewards.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["epoch", *found])
        for epoch, values in enumerate(zip(*found.values(), strict=True), start=1):
            writer.writerow([epoch, *(f"{value:.4f}" for value in values)])
    plt = plots.common.pyplot()
    figure, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for name, values in found.items():
        style = "-" if name.endswith("baseline") else "--"
        colour = "tab:blue" if name.startswith("immediate") else "tab:orange"
        axis.plot(range(1, 1 + len(values)), values, style, color=colour, label=name)
    axis.axvline(args.epochs * 2 // 3 + 0.5, color="0.7", lw=1)
    axis.set(xlabel="epoch", ylabel="IoU in training", ylim=(0, 1))
    plots.common.plain(axis)
    axis.legend(frameon=False, fontsize=9)
    plots.common.finish(figure, args.out / "rewards.png")


if __name__ == "__main__":
    main()
