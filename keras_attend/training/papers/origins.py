"""What a preset's setting is, and what of it differs from the paper's.

`zoo/papers/origins.json` says for each preset on what it was trained and chosen, and
names the paper's task. What can be read from the preset's configuration is compared
with what the file says of that task, `as_written`; what cannot is listed there.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from keras_attend.zoo.presets import list_models, presets_folder
from keras_attend.zoo.results import Result, read_results

FILE = Path("papers") / "origins.json"
ANYTHING = "*"  # in the place of the paper's value: any but none


def read(zoo: Path | None = None) -> dict[str, Any]:
    """Read `origins.json` of a folder of presets; nothing where there is none."""
    path = (zoo or presets_folder()) / FILE
    if not path.is_file():
        return {"as_written": {}, "presets": {}}
    return json.loads(path.read_text("utf-8"))


def argument(config: Any, path: str) -> Any:
    """Return an argument of a saved model, None where it has none.

    Args:
        config: the model's `config.json`.
        path: names of arguments, of the model and of the objects among them, such as
            "cell.size".
    """
    for name in path.split("."):
        config = config.get("config", config) if isinstance(config, dict) else {}
        config = config.get(name)
        if config is None:
            return None
    return config


def differences(
    config: Mapping[str, Any], as_written: Sequence[Sequence[Any]]
) -> list[str]:
    """List in words where a configuration is not the paper's.

    Args:
        config: the model's `config.json`.
        as_written: for each argument its path, the paper's value and the words that say
            what differs, in which `{ours}` is replaced by our value.
    """
    found = []
    for path, paper, words in as_written:
        ours = argument(config, path)
        same = ours is not None if paper == ANYTHING else ours == paper
        if not same:
            found.append(words.replace("{ours}", str(ours)))
    return found


def labelled(
    name: str,
    config: Mapping[str, Any],
    results: Sequence[Result],
    origins: Mapping[str, Any],
) -> list[Result]:
    """Return a preset's results with setting, differences, and data.

    Rows of a preset that `origins` does not name stay as they are.
    """
    about = origins["presets"].get(name)
    if about is None:
        return list(results)
    task = about.get("task")
    words = differences(config, origins["as_written"][task]) if task else []
    words += about.get("differences", ())
    labels = {
        "setting": "ours" if words else "paper",
        "differences": tuple(words),
        "trained_on": about["trained_on"],
        "chosen_on": about["chosen_on"],
    }
    rows = about.get("rows", {})
    return [replace(r, **{**labels, **rows.get(r.protocol, {})}) for r in results]


def relabelled(zoo: Path) -> dict[Path, str]:
    """Return what the `results.json` of each preset must hold, by its path."""
    origins, files = read(zoo), {}
    for name in list_models(zoo):
        path = zoo / name / "results.json"
        found = read_results(path.parent)
        if found is not None:
            config = json.loads((zoo / name / "config.json").read_text("utf-8"))
            rows = labelled(name, config, found.results, origins)
            files[path] = replace(found, results=tuple(rows)).to_json()
    return files


def label(folder: Path, results: Sequence[Result]) -> list[Result]:
    """Return the results of the preset in a folder with their labels.

    Args:
        folder: that of the preset, with its `config.json`.
        results: what it scored.
    """
    config = json.loads((folder / "config.json").read_text("utf-8"))
    return labelled(folder.resolve().name, config, results, read())
