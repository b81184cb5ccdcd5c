"""A training that outlives a kill, in one stage or more."""

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
) -> keras.Model:
    """Train a model, or go on with one, and keep it in a checkpoint.

    Args:
        make: makes the compiled model for a training of so many batches in all.
        data: a `PyDataset` whose `epoch` says which batches come next.
        path: of the checkpoint.
        args: `parse`'s.
        callbacks: of `fit`, beside the checkpoint.
        epochs: how many; `args.epochs` when absent.
    """
    return _alone(_fit(make, data, path, args, callbacks, epochs), path)


def _fit(
    make: Callable[[int], keras.Model],
    data: Any,
    path: Path,
    args: argparse.Namespace,
    callbacks: tuple[keras.callbacks.Callback, ...] = (),
    epochs: int | None = None,
) -> keras.Model:
    """As `fit`; the model stays with all devices that have trained it."""
    epochs = epochs or args.epochs
    steps = min(args.steps or len(data), len(data))
    with scope():
        model = Checkpoint.resume(path) if args.resume else None
        if model is None:
            model = make(steps * epochs)
        data.epoch = int(ops.convert_to_numpy(model.optimizer.iterations)) // steps
        if data.epoch < epochs:
            model.fit(
                prepare(model, data),
                epochs=epochs,
                initial_epoch=data.epoch,
                steps_per_epoch=steps if args.steps else None,
                shuffle=False,  # `data` does
                verbose=2 if cluster().first else 0,
                callbacks=[Checkpoint(path, every=args.checkpoint_every), *callbacks],
            )
    return model


def _alone(model: keras.Model, path: Path) -> Any:
    """The model on one device: read again, where several have trained it."""
    if cluster().strategy is None:
        return model
    wait(path.name)  # the first worker may still be writing
    return Checkpoint.resume(path)


class Stage(NamedTuple):
    """A stage of a tracker's training, on clips of one length.

    `first` frames of a clip count at the start, one more every `every` epochs (all,
    when `every` is 0). The rate falls from `rate` to its share `end`. `compile` holds
    more arguments of the model's `compile`, `views` those of the clips.
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
        """Arguments of the stage's datasets."""
        sizes = {"batch_size": self.batch_size, "frames": self.frames}
        return sizes | dict(self.views)


def fit_stages(
    make: Callable[[], keras.Model],
    stages: Sequence[Stage],
    clips: Callable[[Stage], Any],
    args: argparse.Namespace,
    name: str,
) -> tuple[Any, list[Path]]:
    """Train a tracker in stages, each from where the last one ended.

    Args:
        make: makes the model.
        stages: in their order; `args.epochs`, if given, is the most of each.
        clips: the data of a stage.
        args: `parse`'s.
        name: of the checkpoints, which also have their stages' names.

    Returns:
        The model, and the checkpoints.
    """
    model: Any = None
    paths = []
    for stage in stages:

        def compiled(
            steps: int, stage: Stage = stage, last: Any = model
        ) -> keras.Model:
            found = make() if last is None else last
            rate = falling_rate(steps, stage.end, stage.rate)
            found.compile(rate, **stage.compile)
            return found

        data = clips(stage)
        longer = LengthCurriculum(data, stage.first, max(stage.every, 1))
        epochs = min(stage.epochs, args.epochs or stage.epochs)
        paths.append(args.runs / f"{name}_{stage.name}.keras")
        curriculum = (longer,) if stage.every else ()
        model = _fit(compiled, data, paths[-1], args, curriculum, epochs)
    return _alone(model, paths[-1]), paths


def falling_rate(steps: int, end: float = 0.0, rate: float = 1e-3) -> Any:
    """Adam for a training of so many batches: a warm rate that falls to a share.

    Args:
        steps: batches in all; the rate rises over the first 50.
        end: the last rate, as a share of the greatest.
        rate: the greatest.
    """
    warm = min(50, steps // 2)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 50, steps - warm, alpha=end, warmup_target=rate, warmup_steps=warm
    )
    return keras.optimizers.Adam(schedule, global_clipnorm=1.0)


def start_from(model: keras.Model, other: keras.Model, width: float = 1.0) -> None:
    """Give a `models.RAM` the weights of another one.

    Layers that differ in size keep what they have, but for the first of the glimpse
    network: scales that the other one lacks start with no effect.

    Args:
        model: built here where it is not.
        other: of the same task's size, with as many scales or fewer.
        width: of `model`'s canvas in widths of `other`'s. Locations are fractions of
            the canvas: they are rescaled so that both look as many pixels away.
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
