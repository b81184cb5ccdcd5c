"""Store what was measured in a paper's own setting."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from keras_attend import disk, evaluation
from keras_attend.zoo.presets import presets_folder
from keras_attend.zoo.results import Result


def record(
    paper: str,
    key: str,
    result: Result,
    args: argparse.Namespace,
    *,
    runs: str,
    seconds: float,
    folder: Path | None = None,
) -> None:
    """Write a row into `zoo/papers/measured/NAME.json`; it replaces the row's last one.

    With `--steps` nothing is written: that only rehearses a recipe.

    Args:
        paper: the paper's name, "ram".
        key: of the row.
        result: of the setting "paper".
        args: what `training.parse` returns.
        runs: what the result's runs are, such as "3 seeds".
        seconds: how long the training took, all runs together.
        folder: that of the measured rows; the presets' unless given.
    """
    if result.setting != "paper":
        raise ValueError(
            f"`result` must be of the setting 'paper'. Received: {result.setting!r}"
        )
    if getattr(args, "steps", None):
        return
    path = (folder or presets_folder() / "papers" / "measured") / f"{paper}.json"
    rows = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    rows[key] = {
        "result": asdict(result),
        "runs": runs,
        "device": args.device,
        "training_seconds": round(seconds, 1),
        "commit": evaluation.commit(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    ordered = dict(sorted(rows.items()))
    disk.write(path, json.dumps(ordered, indent=2) + "\n")
