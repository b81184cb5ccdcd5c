"""Callbacks for long trainings: checkpoints, growing clips, a change of reward."""

import json
import tempfile
import time
import warnings
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_attend import disk, distributed
from keras_attend.arguments import check_not_negative, check_positive_integers

NOTES = "keras_attend.json"  # in the archive that a `.keras` file is


class Checkpoint(keras.callbacks.Callback):
    """Save the model and its optimizer, so that a killed training can be resumed.

    Each checkpoint replaces the one before in a single step: whenever the process dies,
    there is a complete one, which `Checkpoint.resume(path)` reads. Within the file are
    also the seconds of training so far and the state of the model's random numbers,
    which Keras leaves out: a training that goes on ends with the same weights as one
    that was never interrupted. While one process trains, no other can with this path.

    Args:
        path: the `.keras` file.
        every: the least number of seconds between two checkpoints. They are made after
            an epoch, and one always at the end of training. With several workers
            worker 0 makes one after each epoch.
    """

    def __init__(self, path: str | Path, every: float = 30.0) -> None:
        super().__init__()
        self.path = Path(path)
        if self.path.suffix != ".keras":
            raise ValueError(f"`path` must end in .keras. Received: path={path}")
        self.every = every
        self._began = self._saved = 0.0  # seconds, by the monotonic clock
        self._lock: Any = None

    @staticmethod
    def resume(path: str | Path) -> Any | None:
        """Load the model of the last checkpoint, ready to be trained on.

        It returns None if there is no checkpoint. The model's optimizer knows how many
        batches it was trained on: `int(model.optimizer.iterations)`. It is an error if
        the model that is loaded does not train what the saved one trained, such as a
        part whose `trainable` was False and whose layer does not keep that.
        """
        if not Path(path).exists():
            return None
        states = _notes(path)["seeds"]
        with warnings.catch_warnings():
            # Keras would go on with a new optimizer, and without a word of the rest.
            skipped = "Skipping variable loading for optimizer"
            warnings.filterwarnings("error", message=skipped)
            model = keras.saving.load_model(path)
        for seed, state in zip(distributed.seeds(model), states, strict=True):
            seed.assign(np.array(state, seed.dtype))
        return model

    @staticmethod
    def seconds_spent(path: str | Path) -> float:
        """Return how many seconds of training led to the last checkpoint."""
        return float(_notes(path)["seconds"]) if Path(path).exists() else 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Count the seconds on from those of the checkpoint that was resumed."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if distributed.cluster().first:
            self._lock = disk.locked(self.path)
        self._saved = time.monotonic()
        self._began = self._saved - self.seconds_spent(self.path)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Make a checkpoint if the last one is old enough."""
        if epoch + 1 == self.params.get("epochs"):
            return  # first the optimizer may put averages in the weights' place
        # On TensorFlow all workers must save together, and their clocks differ.
        several = distributed.cluster().workers > 1
        if several or time.monotonic() - self._saved >= self.every:
            self._save()

    def on_train_end(self, logs: Any = None) -> None:
        """Make the last checkpoint."""
        self._save()
        if self._lock is not None:
            self._lock.close()

    def _save(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            if not distributed.cluster().first:
                # On TensorFlow all workers must save; one of them keeps the file.
                self.model.save(Path(folder) / self.path.name)
                return
        seeds = [np.asarray(seed).tolist() for seed in distributed.seeds(self.model)]
        notes = {"seconds": round(time.monotonic() - self._began, 1), "seeds": seeds}
        with disk.replacing(self.path) as new:
            self.model.save(new)
            with zipfile.ZipFile(new, "a") as archive:
                archive.writestr(NOTES, json.dumps(notes))
        self._saved = time.monotonic()


class LengthCurriculum(keras.callbacks.Callback):
    """Train a tracker on clips that grow longer from epoch to epoch.

    It sets `data.judged`, the number of frames of a clip that count in the loss: in the
    frames after these `present` is 0. (The model runs over the whole clip all the same,
    since each new shape would have to be compiled.) RATM's authors add a frame every 20
    epochs up to 30 frames, HART's every 13 epochs.

    Args:
        data: the training data, such as `datasets.BouncingBalls`; its clips have
            `data.frames` frames.
        first: how many frames count in the first epoch.
        every: after how many epochs the number grows.
        step: how many frames it grows by.
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
        """Set the length for this epoch; epochs are counted from 0."""
        length = self.first + epoch // self.every * self.step
        self.data.judged = min(self.data.frames, length)


class RewardSwitch(keras.callbacks.Callback):
    """Switch DRLT's reward from the distance between boxes to their overlap.

    A box far from its object does not overlap it, whatever small step it takes. Zhang
    et al. (2017) train 300 epochs with the distance and then 200 with the overlap.

    Args:
        epoch: the first epoch, counted from 0, in which the reward is the overlap.
    """

    def __init__(self, epoch: int) -> None:
        super().__init__()
        check_not_negative(epoch=epoch)
        self.epoch = epoch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Choose the reward for this epoch."""
        self.model.overlap.assign(float(epoch >= self.epoch))


def _notes(path: str | Path) -> dict[str, Any]:
    """Read what is noted within a checkpoint."""
    try:
        with zipfile.ZipFile(path) as archive:
            notes = json.loads(archive.read(NOTES))
            return {"seconds": notes["seconds"], "seeds": notes["seeds"]}
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"`path` must be a file that `Checkpoint` has written. Received: {path} "
            f"({error})"
        ) from error
