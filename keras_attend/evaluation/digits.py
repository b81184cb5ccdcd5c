"""Evaluate RAM on digits and Catch, by the protocols of `keras_attend.evaluation`."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from keras_attend.datasets.catch import Games
from keras_attend.datasets.settings import TEST_SEED
from keras_attend.evaluation.rows import row
from keras_attend.models.ram import Feedforward
from keras_attend.zoo.loading import override
from keras_attend.zoo.results import Result


def error_percent(
    model: keras.Model,
    images: NDArray[Any],
    labels: NDArray[Any],
    *,
    episodes: int = 1,
    location: str = "mean",
    repeats: int = 5,
    batch_size: int = 500,
    seed: int = 0,
) -> NDArray[Any]:
    """Measure the share of a digit model's wrong answers, in percent.

    Args:
        model: a `models.RAM`, or a `models.Feedforward`; it is not changed.
        images: `[N, H, W, C]`.
        labels: `[N]`.
        episodes: passes for each image, whose log probabilities are averaged.
        location: each further location is the policy's "mean" or a "sample" of it,
            "random", or the "first" one again.
        repeats: how often to measure, each time from other first locations.
        batch_size: the number of images in a batch.
        seed: the seed of all draws.

    Returns:
        The errors, `[repeats]`; `[1]` of a `Feedforward`, which draws nothing.
    """
    if len(images) != len(labels) or len(images) == 0:
        raise ValueError(
            "`images` and `labels` must be of one length, and not empty. Received: "
            f"{len(images)} images, {len(labels)} labels"
        )
    if repeats < 1:
        raise ValueError(f"`repeats` must be positive. Received: repeats={repeats}")
    keras.utils.set_random_seed(seed)
    arguments: dict[str, Any] = {"episodes": episodes, "location": location}
    if isinstance(model, Feedforward):
        arguments, repeats = {}, 1
    judged = with_arguments(model, **arguments)
    judged.compile()
    errors = []
    for _ in range(repeats):
        scores = judged.evaluate(
            images, labels, batch_size=batch_size, verbose=0, return_dict=True
        )
        right = round(scores["accuracy"] * len(labels))  # undo float32's mean
        errors.append(100.0 * (len(labels) - right) / len(labels))
    return np.array(errors)


def with_arguments(model: Any, **arguments: Any) -> Any:
    """Copy a model and its weights, but give the copy other constructor arguments.

    As in `zoo.load`, these are arguments of the model or of its cell.
    """
    config = keras.saving.serialize_keras_object(model)
    override(config, arguments)
    again = type(model).from_config(config["config"])
    again.build(model.serving_shape)
    for old, new in zip(model.variables, again.variables, strict=True):
        if "seed_generator" not in old.path:
            # A copy: JAX hands a buffer over to the training that it enters.
            new.assign(ops.convert_to_numpy(old))
    return again


def with_new_draws(model: Any) -> Any:
    """Copy a model and compile the copy: the draws of all such copies are the same."""
    keras.utils.set_random_seed(TEST_SEED)
    judged = with_arguments(model)
    judged.compile()
    return judged


def digit_results(
    models: Sequence[keras.Model],
    images: NDArray[Any],
    labels: NDArray[Any],
    *,
    data: str,
    paper: float | None = None,
) -> list[Result]:
    """Measure a digit task by all of its protocols, for `zoo.write_results`.

    Args:
        models: the trained model, then those of further training seeds.
        images, labels: the test set.
        data: its name in the protocols' names.
        paper: the paper's error in percent.
    """
    first = models[0]
    single = error_percent(first, images, labels)
    baselines = {
        f"{name} glimpses": error_percent(
            first, images, labels, location=location
        ).mean()
        for name, location in (("random", "random"), ("unmoving", "first"))
    }
    errors = {"single": single}
    if len(models) > 1:
        others = [error_percent(m, images, labels).mean() for m in models[1:]]
        errors["single_seeds"] = np.array([single.mean(), *others])
    errors["mc10"] = error_percent(
        first, images, labels, episodes=10, location="sample"
    )
    return [
        row("error_percent", f"{data}/{name}", values, paper, baselines, decimals=2)
        for name, values in errors.items()
    ]


def catch_rate(
    agent: keras.Model, *, games: int = 10_000, repeats: int = 5, seed: int = TEST_SEED
) -> NDArray[Any]:
    """Measure the share of balls that a `models.RAMAgent` catches, `[repeats]`.

    Args:
        agent: it is not changed.
        games: the number of games that are played each time.
        repeats: how often to measure, each time by other games.
        seed: the seed of the games and of all draws; one that no training has.
    """
    keras.utils.set_random_seed(seed)
    judged = with_arguments(agent)
    judged.compile()
    data = Games(batch_size=games // 10, batches=10, seed=seed)
    rates = []
    for repeat in range(repeats):
        data.epoch = repeat
        scores = judged.evaluate(data, verbose=0, return_dict=True)
        rates.append(scores["reward"])
    return np.array(rates)


def catch_results(
    agent: keras.Model, whole_screen: keras.Model, *, paper: float | None = None
) -> list[Result]:
    """Measure an agent by the protocol of Catch, for `zoo.write_results`.

    Args:
        agent: the trained agent.
        whole_screen: an agent that sees the whole screen, as a baseline.
        paper: the paper's rate.
    """
    baselines = {
        "random play": catch_rate(with_arguments(agent, play="random")).mean(),
        "whole screen": catch_rate(whole_screen).mean(),
    }
    rates = catch_rate(agent)
    return [row("catch_rate", "catch/10000_games", rates, paper, baselines)]


def commit() -> str:
    """Find the commit of this package's code, "unknown" outside its own repository.

    A package that is installed in the folder of another repository is not part of it.
    """
    package = Path(__file__).resolve().parents[1]
    top, head = _git(package, "--show-toplevel"), _git(package, "--short=12", "HEAD")
    own = bool(top) and Path(top).resolve() == package.parent
    return head if own and head else "unknown"


def _git(folder: Path, *arguments: str) -> str:
    """Run `git rev-parse` in a folder; an empty string where it fails."""
    # A hook of git's sets these, and they would lead to the hook's repository.
    kept = {
        k: v for k, v in os.environ.items() if k not in ("GIT_DIR", "GIT_WORK_TREE")
    }
    command = ["git", "-C", str(folder), "rev-parse", *arguments]
    try:
        found = subprocess.run(command, capture_output=True, text=True, env=kept)
    except OSError:  # there is no git
        return ""
    return found.stdout.strip()
