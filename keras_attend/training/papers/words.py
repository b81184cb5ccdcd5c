"""Numbers inside the words of a paper's page, read from where they are stored."""

import json
import re
from pathlib import Path

from keras_attend.zoo.results import read_results
from keras_attend.zoo.tables import number

# `{ram_mnist:mnist_test/single:error_percent}` is a preset's number, by its protocol
# and metric; `{zoo/papers/a.json:b:0}` is what a JSON file has there.
PLACE = re.compile(r"\{([\w/.]+):([^{}]+)\}")


def filled(words: str, zoo: Path) -> str:
    """Put numbers in the places of words that name them.

    Args:
        words: of `zoo/papers/NAME.json`.
        zoo: the folder of presets, in the repository's root.
    """

    def told(place: re.Match[str]) -> str:
        source, steps = place[1], place[2].split(":")
        if source.endswith(".json"):
            return number(_stored(zoo.parent / source, steps))
        return number(_measured(zoo / source, *steps))

    return PLACE.sub(told, words)


def _stored(path: Path, steps: list[str]) -> float:
    found = json.loads(path.read_text("utf-8"))
    for step in steps:
        found = found[int(step) if isinstance(found, list) else step]
    return float(found)


def _measured(preset: Path, protocol: str, metric: str) -> float:
    stored = read_results(preset)
    for row in stored.results if stored else ():
        if (row.protocol, row.metric) == (protocol, metric):
            return row.value
    raise ValueError(
        f"{preset.name}/results.json must have the row that a page's words name. "
        f"Received: none of {protocol}, {metric}"
    )
