"""Callbacks of the recipes."""

import os
import time
from pathlib import Path
from typing import Any

import keras


class Checkpoint(keras.callbacks.Callback):
    """Keep the whole model, optimizer and all, so that a killed training goes on.

    The file is replaced in one step: whenever the process dies, the last whole
    checkpoint is there. `Checkpoint.resume(path)` reads it. The seconds spent so far
    are kept in the file beside it, `<path>.seconds`.

    Args:
        path: the `.keras` file.
        every: seconds between two checkpoints, at the least; one is also made at
            the end. They are made between epochs.
    """

    def __init__(self, path: str | Path, every: float = 30.0) -> None:
        super().__init__()
        self.path = Path(path)
        if self.path.suffix != ".keras":
            raise ValueError(f"`path` must end in .keras. Received: path={path}")
        self.every = every
        self.seconds = 0.0
        self._last = 0.0

    @staticmethod
    def resume(path: str | Path) -> Any | None:
        """The model of the last checkpoint, ready to go on; None if there is none.

        How far it came is in its optimizer: `int(model.optimizer.iterations)`.
        """
        path = Path(path)
        return keras.saving.load_model(path) if path.exists() else None

    @staticmethod
    def seconds_spent(path: str | Path) -> float:
        """The training time behind the last checkpoint."""
        clock = Path(f"{path}.seconds")
        return float(clock.read_text()) if clock.exists() else 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Start the clock where the last run stopped."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._last = time.monotonic()
        self._start = self._last - self.seconds_spent(self.path)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Save, if it is time."""
        if time.monotonic() - self._last >= self.every:
            self._save()

    def on_train_end(self, logs: Any = None) -> None:
        """Save the last state."""
        self._save()

    def _save(self) -> None:
        self.seconds = time.monotonic() - self._start
        partial = self.path.with_name(f".{self.path.stem}.partial.keras")
        self.model.save(partial)
        os.replace(partial, self.path)
        Path(f"{self.path}.seconds").write_text(f"{self.seconds:.1f}\n")
        self._last = time.monotonic()
