"""Trainings, of one stage or several, that go on after a kill."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_attend.callbacks import Checkpoint, LengthCurriculum
from keras_attend.distributed import cluster
from keras_attend.training.cluster import prepare, scope, wait


def fit(
    make: Callable[[int], keras.Model],
    data: Any,
    path: Path,
    args: argparse.Namespace,
    callbacks: tuple[keras.callbacks.Callback, ...] = (),
    epochs: int | None = None,
    spread: bool = False,
) -> Any:
    """Train a model and keep it in a checkpoint, or go on from the checkpoint.

    Args:
        make: makes the compiled model, given the number of batches of the training.
        data: a `PyDataset` whose `epoch` says which batches come next.
        path: the checkpoint's file.
        args: what `parse` returns.
        callbacks: callbacks of `fit`, in addition to the checkpoint's.
        epochs: the number of epochs; `args.epochs` unless given.
        spread: return the model on all devices that have trained it, as the next stage
            of the training needs it, and not on one device.
    """
    epochs = epochs or args.epochs
    steps = min(args.steps or len(data), len(data))
    batches = FirstBatches(data, steps)
    with scope():
        model = Checkpoint.resume(path) if args.resume else None
        if model is None:
            model = make(steps * epochs)
        data.epoch = int(ops.convert_to_numpy(model.optimizer.iterations)) // steps
        if data.epoch < epochs:
            model.fit(
                prepare(model, batches),
                epochs=epochs,
                initial_epoch=data.epoch,
                shuffle=False,  # `data` does
                verbose=2 if cluster().first else 0,
                callbacks=[Checkpoint(path, every=args.checkpoint_every), *callbacks],
            )
    if spread or cluster().strategy is None:
        return model
    wait(path.name)  # the first worker may still be writing
    return Checkpoint.resume(path)


class FirstBatches(keras.utils.PyDataset):
    """The first batches of each epoch of other data.

    `fit(steps_per_epoch=...)` would go on, in the next epoch, where the last one ended:
    a training that is resumed would not know where that was.

    Args:
        data: a `PyDataset`.
        count: how many batches an epoch has, at most as many as those of `data`.
    """

    def __init__(self, data: Any, count: int) -> None:
        super().__init__(
            workers=data.workers,
            use_multiprocessing=data.use_multiprocessing,
            max_queue_size=data.max_queue_size,
        )
        self.data, self.count = data, count

    def on_epoch_begin(self) -> None:
        """Pass the call on to the data."""
        self.data.on_epoch_begin()

    def on_epoch_end(self) -> None:
        """Go on to the next epoch of the data."""
        self.data.on_epoch_end()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        return self.data[index]


class Stage(NamedTuple):
    """A stage of a tracker's training, on clips of one length.

    In the first epoch `first` frames of a clip count, and one more after each `every`
    epochs; if `every` is 0, all frames count always. The learning rate falls from
    `rate` to `end * rate`. `compile` holds more arguments of the model's `compile`,
    `views` more arguments of the datasets.
    """

    name: str
    frames: int
    batch_size: int
    epochs: int
    first: int
    every: int = 0
    rate: float = 1e-3
    end: float = 0.0
    compile: Mapping[str, Any] = {}
    views: Mapping[str, Any] = {}

    @property
    def clips(self) -> dict[str, Any]:
        """The arguments of the stage's datasets."""
        sizes = {"batch_size": self.batch_size, "frames": self.frames}
        return sizes | dict(self.views)


def fit_stages(
    make: Callable[[], keras.Model],
    stages: Sequence[Stage],
    clips: Callable[[Stage], Any],
    args: argparse.Namespace,
    name: str,
) -> tuple[Any, list[Path]]:
    """Train a tracker in stages, each with the weights that the last one ended with.

    Args:
        make: makes the model, not compiled.
        stages: the stages in their order. Of these `args.stages` are trained, and none
            takes more than `args.epochs` epochs, if these are given.
        clips: makes the data of a stage.
        args: what `parse` returns.
        name: the beginning of the checkpoints' names; the stage's name follows.

    Returns:
        The model, and the checkpoints' files.
    """
    model: Any = None
    paths = []
    stages = stages[: args.stages]
    for stage in stages:

        def compiled(
            steps: int, stage: Stage = stage, before: Any = model
        ) -> keras.Model:
            found = make() if before is None else before
            rate = falling_rate(steps, stage.end, stage.rate)
            found.compile(rate, **stage.compile)
            return found

        data = clips(stage)
        longer = LengthCurriculum(data, stage.first, max(stage.every, 1))
        epochs = min(stage.epochs, args.epochs or stage.epochs)
        paths.append(args.runs / f"{name}_{stage.name}.keras")
        curriculum = (longer,) if stage.every else ()
        spread = stage is not stages[-1]
        model = fit(compiled, data, paths[-1], args, curriculum, epochs, spread)
    return model, paths


def falling_rate(
    steps: int,
    end: float = 0.0,
    rate: float = 1e-3,
    *,
    warm: int = 50,
    begin: float = 50.0,
    optimizer: type[keras.optimizers.Optimizer] = keras.optimizers.Adam,
    **kwargs: Any,
) -> Any:
    """Make an Adam whose rate rises over some batches and then falls on a cosine.

    Args:
        steps: the number of batches of the training.
        end: the last rate, as a share of the greatest one.
        rate: the greatest rate.
        warm: over how many batches it rises, at most half of all.
        begin: how many times smaller the first rate is than the greatest.
        optimizer: another class than Adam.
        **kwargs: of the optimizer; `global_clipnorm` is 1 unless given.
    """
    warm = min(warm, steps // 2)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / begin, steps - warm, alpha=end, warmup_target=rate, warmup_steps=warm
    )
    return optimizer(schedule, **{"global_clipnorm": 1.0, **kwargs})


def start_from(model: keras.Model, other: keras.Model, width: float = 1.0) -> None:
    """Give a `models.RAM` the weights of another RAM.

    Variables of another shape keep their values, except for the first layer of the
    glimpse network: there the weights of scales that the other one lacks become 0.

    Args:
        model: takes the weights; it is built if it is not yet.
        other: gives them; it has as many scales as `model` or fewer.
        width: the width of `model`'s canvas relative to `other`'s. Locations are
            shares of the canvas; they are rescaled, so that both move their gaze by as
            many pixels.
    """
    if not model.built:
        model.build(model.serving_shape)
    pairs = zip(model.trainable_variables, other.trainable_variables, strict=True)
    for variable, learned in pairs:
        value = ops.convert_to_numpy(learned)
        if "what_hidden/kernel" in variable.path:  # rows: pixel, scale
            units = value.shape[-1]
            old = value.reshape(model.size**2, -1, units)
            new = np.zeros((model.size**2, model.scales * model.channels, units))
            new[:, : old.shape[1]] = old
            value = new.reshape(-1, units)
        elif "where_hidden/kernel" in variable.path:
            value = value * width
        elif "location/" in variable.path:
            value = value / width
        if value.shape == tuple(variable.shape):
            variable.assign(value)
