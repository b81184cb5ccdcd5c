"""How agents that play Catch are trained, a stage at a time."""

import argparse
from pathlib import Path
from typing import Any

import keras

from keras_attend.datasets import Games
from keras_attend.models.ram import RAMAgent
from keras_attend.training.stages import fit

BATCH, BATCHES = 256, 100  # of an epoch; a game has 24 frames


def train_agent(
    path: Path,
    args: argparse.Namespace,
    rate: float,
    epochs: int,
    start: keras.Model | None = None,
    **arguments: Any,
) -> Any:
    """Train a `RAMAgent` by games, or go on from its checkpoint.

    Args:
        path: the checkpoint's file.
        args: what `parse` returns.
        rate: Adam's at first; it falls along a cosine.
        epochs: of `BATCHES` batches.
        start: gives the weights to begin with.
        **arguments: of the agent.
    """

    def make(batches: int) -> keras.Model:
        agent = RAMAgent(**arguments)
        if start is not None:
            agent.build(agent.serving_shape)
            agent.set_weights(start.get_weights())
        schedule = keras.optimizers.schedules.CosineDecay(rate, batches)
        agent.compile(keras.optimizers.Adam(schedule, global_clipnorm=1.0))
        return agent

    keras.utils.set_random_seed(args.seed)
    games = Games(batch_size=BATCH, batches=BATCHES, seed=args.seed)
    return fit(make, games, path, args, epochs=epochs)
