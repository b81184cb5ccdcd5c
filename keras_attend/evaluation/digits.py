"""Digits and Catch: RAM's tasks. The protocols stand in `keras_attend.evaluation`."""

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
    """The share of a digit model's wrong answers, in percent.

    Args:
        model: a `models.RAM`, or a `models.Feedforward`, which always answers alike;
            nothing of it changes.
        images: `[N, H, W, C]`.
        labels: `[N]`.
        episodes: passes for each image, averaged in log probability.
        location: "mean" or "sample" of the policy, or "random" or "first".
        repeats: how often to measure, each time from other first locations.
        batch_size: images at a time.
        seed: of all draws.

    Returns:
        `[repeats]`, one error for each time (one alone of what always answers alike).
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
    """A copy of a model, with its weights, under other constructor arguments.

    The arguments are the model's or its cell's, as those of `zoo.load`.
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


def digit_results(
    models: Sequence[keras.Model],
    images: NDArray[Any],
    labels: NDArray[Any],
    *,
    data: str,
    paper: float | None = None,
) -> list[Result]:
    """All protocols of a digit task, for `zoo.write_results`.

    Args:
        models: the trained model, then those of further training seeds.
        images: the test set.
        labels: its labels.
        data: the name of the test set in the protocols' names.
        paper: the paper's error.
    """
    first = models[0]
    single = error_percent(first, images, labels)
    baselines = {
        f"{name} glimpses": float(
            error_percent(first, images, labels, location=location).mean()
        )
        for name, location in (("random", "random"), ("unmoving", "first"))
    }
    results = [_result(f"{data}/single", single, paper, baselines)]
    if len(models) > 1:
        others = [error_percent(m, images, labels).mean() for m in models[1:]]
        seeds = np.array([single.mean(), *others])
        results.append(_result(f"{data}/single_seeds", seeds, paper, baselines))
    ten = error_percent(first, images, labels, episodes=10, location="sample")
    results.append(_result(f"{data}/mc10", ten, paper, baselines))
    return results


def catch_rate(
    agent: keras.Model, *, games: int = 10_000, repeats: int = 5, seed: int = TEST_SEED
) -> NDArray[Any]:
    """The share of balls that a `models.RAMAgent` catches, `[repeats]`.

    Args:
        agent: nothing of it changes.
        games: how many, each time others.
        repeats: how often to measure.
        seed: of the games and of all draws; one that no training has.
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
    """The protocol of Catch, for `zoo.write_results`.

    Args:
        agent: the trained agent.
        whole_screen: one that sees everything.
        paper: the paper's rate.
    """
    baselines = {
        "random play": catch_rate(with_arguments(agent, play="random")).mean(),
        "whole screen": catch_rate(whole_screen).mean(),
    }
    found = catch_rate(agent)
    return [
        Result(
            metric="catch_rate",
            protocol="catch/10000_games",
            value=round(float(found.mean()), 4),
            min=round(float(found.min()), 4),
            max=round(float(found.max()), 4),
            n=len(found),
            paper=paper,
            baselines={name: round(float(r), 4) for name, r in baselines.items()},
        )
    ]


def _result(
    protocol: str,
    errors: NDArray[Any],
    paper: float | None,
    baselines: dict[str, float],
) -> Result:
    return Result(
        metric="error_percent",
        protocol=protocol,
        value=round(float(errors.mean()), 4),
        min=round(float(errors.min()), 4),
        max=round(float(errors.max()), 4),
        n=len(errors),
        paper=paper,
        baselines={name: round(error, 2) for name, error in baselines.items()},
    )


def commit() -> str:
    """The commit of this package's code; "unknown" where it is in no own checkout.

    A package that is installed inside of another repository's folder is not part of
    that repository.
    """
    package = Path(__file__).resolve().parents[1]
    top, head = _git(package, "--show-toplevel"), _git(package, "--short=12", "HEAD")
    own = bool(top) and Path(top).resolve() == package.parent
    return head if own and head else "unknown"


def _git(folder: Path, *arguments: str) -> str:
    """What `git rev-parse` says in a folder; nothing where it fails."""
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
