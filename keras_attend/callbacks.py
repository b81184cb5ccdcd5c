"""Callbacks of the recipes."""

import json
import os
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_attend import distributed
from keras_attend.arguments import check_positive_integers


class Checkpoint(keras.callbacks.Callback):
    """Keep the whole model, optimizer and all, so that a killed training goes on.

    The file is replaced in one step: whenever the process dies, the last whole
    checkpoint is there, and `Checkpoint.resume(path)` reads it. Beside it, in
    `<path>.json`, are the seconds spent so far and the state of the model's random
    numbers, which Keras's file leaves out.

    Args:
        path: the `.keras` file.
        every: seconds between two checkpoints, at the least; one is also made at
            the end. They are made between epochs. Of several workers the first one
            writes, after each epoch.
    """

    def __init__(self, path: str | Path, every: float = 30.0) -> None:
        super().__init__()
        self.path = Path(path)
        if self.path.suffix != ".keras":
            raise ValueError(f"`path` must end in .keras. Received: path={path}")
        self.every = every
        self._start = self._last = 0.0

    @staticmethod
    def resume(path: str | Path) -> Any | None:
        """The model of the last checkpoint, ready to go on; None if there is none.

        How far it came is in its optimizer: `int(model.optimizer.iterations)`.
        """
        if not Path(path).exists():
            return None
        model = keras.saving.load_model(path)
        states = _notes(path).get("seeds", [])
        for seed, state in zip(distributed.seeds(model), states, strict=False):
            seed.assign(np.array(state, seed.dtype))
        return model

    @staticmethod
    def seconds_spent(path: str | Path) -> float:
        """The training time behind the last checkpoint."""
        return float(_notes(path).get("seconds", 0.0))

    def on_train_begin(self, logs: Any = None) -> None:
        """Start the clock where the last run stopped."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._last = time.monotonic()
        self._start = self._last - self.seconds_spent(self.path)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Save, if it is time."""
        # Workers' clocks differ, and on TensorFlow saving is done by all or none.
        several = distributed.cluster().workers > 1
        if several or time.monotonic() - self._last >= self.every:
            self._save()

    def on_train_end(self, logs: Any = None) -> None:
        """Save the last state."""
        self._save()

    def _save(self) -> None:
        worker = distributed.cluster().index
        partial = self.path.with_name(f".{self.path.stem}.partial_{worker}.keras")
        self.model.save(partial)
        if worker:
            partial.unlink()
            return
        os.replace(partial, self.path)
        notes = {
            "seconds": round(time.monotonic() - self._start, 1),
            "seeds": [
                np.asarray(seed).tolist() for seed in distributed.seeds(self.model)
            ],
        }
        _notes_path(self.path).write_text(json.dumps(notes) + "\n")
        self._last = time.monotonic()


class LengthCurriculum(keras.callbacks.Callback):
    """Clips that grow longer while a tracker learns.

    Sets `data.judged`, the number of frames of a clip that are judged, beyond which
    `present` is 0: `first` at the start, and `step` more every `every` epochs. RATM's
    authors add a frame every 20 epochs up to 30, HART's every 13. (The tail is
    computed all the same: a shape that changes would be compiled each time.)

    Args:
        data: the training data, such as `datasets.BouncingBalls`; its clips have
            `data.frames` frames.
        first: how many are judged at the start.
        every: epochs at each length.
        step: frames added each time.
    """

    def __init__(self, data: Any, first: int, every: int = 1, step: int = 1) -> None:
        super().__init__()
        check_positive_integers(first=first, every=every, step=step)
        if first > data.frames:
            raise ValueError(
                "`first` must be at most the length of the data's clips, "
                f"{data.frames} frames. Received: first={first}"
            )
        self.data, self.first = data, first
        self.every, self.step = every, step
        self.on_epoch_begin(0)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Set the epoch's length; epochs are counted from 0."""
        length = self.first + epoch // self.every * self.step
        self.data.judged = min(self.data.frames, length)


class RewardSwitch(keras.callbacks.Callback):
    """DRLT's rewards: at first the error's, later the overlap.

    Far from its object a box has no overlap to improve; near it the overlap is what
    counts (Zhang et al. 2017: the first 300 of 500 epochs, then the others).

    Args:
        epoch: the first one with the overlap, counted from 0.
    """

    def __init__(self, epoch: int) -> None:
        super().__init__()
        if epoch < 0:
            raise ValueError(f"`epoch` must not be negative. Received: epoch={epoch}")
        self.epoch = epoch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Choose the epoch's reward."""
        self.model.overlap.assign(float(epoch >= self.epoch))


def _notes_path(path: str | Path) -> Path:
    return Path(f"{path}.json")


def _notes(path: str | Path) -> dict[str, Any]:
    found = _notes_path(path)
    return dict(json.loads(found.read_text())) if found.exists() else {}
