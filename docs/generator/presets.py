"""Read what the presets say of themselves, without importing the package."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Preset:
    """A preset's folder, and what its `preset.json` and `results.json` hold."""

    folder: Path
    about: dict[str, Any]
    results: list[dict[str, Any]]

    @property
    def name(self) -> str:
        """The name by which it is loaded."""
        return self.folder.name

    @property
    def picture(self) -> Path | None:
        """Its picture or animation, if it has one."""
        return next(iter(sorted(self.folder.glob("picture.*"))), None)

    def result(self, protocol: str, metric: str) -> dict[str, Any]:
        """Return one result, or an empty dict."""
        rows = (r for r in self.results if r["protocol"] == protocol)
        return next((r for r in rows if r["metric"] == metric), {})

    def of_paper(self) -> list[dict[str, Any]]:
        """Return the results that the paper has as well."""
        return [result for result in self.results if result["paper"] is not None]


def presets(zoo: Path) -> list[Preset]:
    """Read all presets of a folder."""
    found = []
    for path in sorted(zoo.glob("*/preset.json")):
        results = path.with_name("results.json")
        rows = json.loads(results.read_text("utf-8"))["results"]
        found.append(Preset(path.parent, json.loads(path.read_text("utf-8")), rows))
    return found
