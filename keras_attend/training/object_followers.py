"""What the recipes of `SequentialAIR` share: train, measure, write the preset."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras

from keras_attend import evaluation, plots, zoo
from keras_attend.callbacks import Checkpoint
from keras_attend.datasets import MovingObjects
from keras_attend.evaluation.test_sets import DrawnVideos
from keras_attend.models import Foresight, SequentialAIR
from keras_attend.training.cluster import scope
from keras_attend.training.found_places import FoundPlaces
from keras_attend.training.object_finders import CLIP
from keras_attend.training.stages import falling_rate, fit
from keras_attend.training.writing import print_results, round_weights, write_preset

WARM = 50  # batches over which the learning rate rises
EPOCH = 100  # batches


class VideoStage(NamedTuple):
    """A stage of a training, on videos of one length."""

    frames: int
    batch_size: int
    epochs: int
    warm_up: int = 0  # as of `SequentialAIR.compile`
    keep_dynamics: bool = False  # as of `SequentialAIR.compile`
    rate: float = 1e-3
    sizes: tuple[float, float] = (1.0, 1.0)  # of the digits, as of `MovingObjects`

    def fit(
        self,
        model: Any,
        data: MovingObjects,
        path: Path,
        args: argparse.Namespace,
        spread: bool,
    ) -> Any:
        """Train a model further; `spread` is as of `training.fit`."""

        def compiled(batches: int) -> Any:
            rate = falling_rate(
                batches, 0.05, self.rate, warm=WARM, global_clipnorm=CLIP
            )
            warm_up = min(self.warm_up, batches)
            model.compile(rate, warm_up=warm_up, keep_dynamics=self.keep_dynamics)
            return model

        epochs = min(self.epochs, args.epochs or self.epochs)
        return fit(compiled, data, path, args, epochs=epochs, spread=spread)


class ForesightStage(NamedTuple):
    """A stage in which a model's `Dynamics` alone is trained, see `Foresight`."""

    frames: int
    batch_size: int
    epochs: int
    videos: int = 1000
    ahead: int = 5
    rate: float = 2e-3
    sizes: tuple[float, float] = (1.0, 1.0)

    def fit(
        self,
        model: Any,
        data: MovingObjects,
        path: Path,
        args: argparse.Namespace,
        spread: bool,
    ) -> Any:
        """Train the `Dynamics` of a model; `spread` is as of `training.fit`."""

        def compiled(batches: int) -> Any:
            foresight = Foresight(model.frame_cell.dynamics, self.ahead)
            foresight.compile(falling_rate(batches, 0.05, self.rate, warm=WARM))
            return foresight

        looked_at = -(-self.videos // data.batch_size)
        if args.steps:
            looked_at = min(args.steps, looked_at)
        places = FoundPlaces(model, data, self.batch_size, data.seed, looked_at)
        epochs = min(self.epochs, args.epochs or self.epochs)
        trained = fit(compiled, places, path, args, epochs=epochs, spread=spread)
        learned = trained.dynamics.get_weights()
        model.frame_cell.dynamics.set_weights(learned)
        return model


def follower_of(air: str) -> SequentialAIR:
    """An untrained `SequentialAIR` with an `AIR` that knows single frames.

    Args:
        air: a preset, or a `.keras` file.
    """
    is_file = air.endswith(".keras")
    known: Any = keras.saving.load_model(air) if is_file else zoo.load(air)
    return SequentialAIR(known)


def train_object_follower(
    make: Callable[[], Any],
    videos: DrawnVideos,
    stages: tuple[VideoStage | ForesightStage, ...],
    seed: int,
    args: argparse.Namespace,
) -> list[Path]:
    """Train a `SequentialAIR` by one seed on videos like those it is judged by.

    Args:
        make: makes the model, whose `AIR` knows single frames.
        videos: whose background the videos have; the training draws its own digits.
        stages: one after the other.
        seed: of the weights, of the videos and of all draws.
        args: what `parse` returns.

    Returns:
        The checkpoints' files.
    """
    stages = stages[: args.stages]
    if not isinstance(stages[-1], VideoStage):
        raise ValueError(
            "The last stage must be a `VideoStage`, whose checkpoint is of the whole "
            f"model. Received: {len(stages)} stages, the last {stages[-1]!r:.40}"
        )
    keras.utils.set_random_seed(seed)
    with scope():
        model = make()
    paths = []
    for number, stage in enumerate(stages):
        data = MovingObjects(
            "train",
            stage.batch_size,
            stage.frames,
            sizes=stage.sizes,
            background=videos.background,
            seed=1000 * seed + number,
            length=EPOCH,
        )
        paths.append(Path(args.runs) / f"seed_{seed}_{number + 1}.keras")
        model = stage.fit(model, data, paths[-1], args, stage is not stages[-1])
    return paths


def publish_object_follower(
    make: Callable[[], Any],
    test_sets: Mapping[str, DrawnVideos],
    stages: tuple[VideoStage | ForesightStage, ...],
    args: argparse.Namespace,
    *,
    seeds: int,
    **about: Any,
) -> None:
    """Train a `SequentialAIR` by several seeds, measure all, and write seed 0.

    With `--seed` that one is only trained; with `--validate` it is judged by videos of
    validation digits.

    Args:
        make, stages: as of `train_object_follower`.
        test_sets: by their names in the protocols; the training's videos have the
            background of the first.
        args: what `parse` returns.
        seeds: how many seeds are trained. Weights are rounded to float16 before they
            are measured.
        **about: as of `write_preset`.
    """
    videos = next(iter(test_sets.values()))

    def trained(seed: int) -> list[Path]:
        return train_object_follower(make, videos, stages, seed, args)

    def results(models: list[Any], split: str) -> list[Any]:
        batches = 1 if args.steps else None  # which rehearses a recipe
        return [
            result
            for name, found in test_sets.items()
            for result in evaluation.object_video_results(
                models, found.load(batches, split), data=name
            )
        ]

    if args.seed is not None or args.validate:
        paths = trained(args.seed or 0)
        if args.validate:
            print_results(results([Checkpoint.resume(paths[-1])], "validation"))
        return
    checkpoints = [trained(seed) for seed in range(seeds)]
    models = [round_weights(Checkpoint.resume(paths[-1])) for paths in checkpoints]
    measured = results(models, "test")
    clips, true = videos.load(1)[0]
    busiest = true["count"].sum(axis=1).argmax()  # in it there is something to see
    shown = clips["frames"][busiest]

    def draw(folder: Path) -> None:
        plots.plot_followed(models[0], shown, path=folder / "picture.png")

    write_preset(
        models[0],
        measured,
        args,
        *checkpoints[0],
        picture=draw,
        half=True,
        test_sets=test_sets,
        task="finding and following objects without labels",
        **about,
    )
