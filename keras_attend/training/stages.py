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
) -> keras.Model:
    """Train a model and keep it in a checkpoint, or go on from the checkpoint.

    Args:
        make: returns the compiled model; it is called with the number of batches of
            the whole training.
        data: a `PyDataset` whose `epoch` says which batches come next.
        path: of the checkpoint, a `.keras` file.
        args: what `parse` returned.
        callbacks: more callbacks for Keras's `fit`.
        epochs: `args.epochs` when absent.
    """
    return _on_one_device(_fit(make, data, path, args, callbacks, epochs), path)


def _fit(
    make: Callable[[int], keras.Model],
    data: Any,
    path: Path,
    args: argparse.Namespace,
    callbacks: tuple[keras.callbacks.Callback, ...] = (),
    epochs: int | None = None,
) -> keras.Model:
    """Do what `fit` does, and return the model as it lies on all its devices."""
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


def _on_one_device(model: keras.Model, path: Path) -> Any:
    """Read a model that several devices have trained from its checkpoint."""
    if cluster().strategy is None:
        return model
    wait(path.name)  # the first worker may still be writing
    return Checkpoint.resume(path)


class Stage(NamedTuple):
    """A stage of a tracker's training, on clips of one length.

    In the first epoch `first` frames of a clip are judged, and one more every `every`
    epochs; all of them if `every` is 0. The learning rate falls from `rate` to
    `rate * end`. `compile` holds more arguments of the model's `compile`, and `views`
    more arguments of the clips.
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
    """Train a tracker in stages, each of which goes on with the last one's weights.

    Args:
        make: returns the model, not compiled.
        stages: in their order; none has more epochs than `args.epochs`, if given.
        clips: returns the data of a stage.
        args: what `parse` returned.
        name: of the checkpoints, before the stage's own name.

    Returns:
        The model, and the paths of the checkpoints.
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
    return _on_one_device(model, paths[-1]), paths


def falling_rate(steps: int, end: float = 0.0, rate: float = 1e-3) -> Any:
    """Adam with a rate that rises over 50 batches and then falls by a cosine.

    Args:
        steps: batches of the whole training.
        end: the last rate, as a share of the highest.
        rate: the highest.
    """
    warm = min(50, steps // 2)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 50, steps - warm, alpha=end, warmup_target=rate, warmup_steps=warm
    )
    return keras.optimizers.Adam(schedule, global_clipnorm=1.0)


def start_from(model: keras.Model, other: keras.Model, width: float = 1.0) -> None:
    """Give a `models.RAM` the weights of another RAM.

    Layers whose sizes differ keep their weights. In the glimpse network's first layer
    the scales that the other RAM lacks get weights of 0.

    Args:
        model: it is built if need be.
        other: with as many scales or fewer.
        width: of `model`'s canvas in widths of `other`'s. Locations are fractions of
            the canvas, and are rescaled so that a step has as many pixels in both.
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
