"""The rows of the papers' tables, and where our numbers of them are stored.

`zoo/papers/NAME.json` holds a paper's rows; its numbers come from the paper. Ours are
read from what evaluations have written: a preset's `results.json`, or a table. What was
measured in the paper's own setting is in `zoo/papers/measured/NAME.json` (`record`).
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_attend.zoo.results import METRICS, Result, read_results

PAPERS = ("ram", "ratm", "hart", "drlt")


@dataclass(frozen=True)
class Score:
    """A number of ours, and how it came about.

    Attributes:
        value, min, max: the mean over `runs`, the least and the greatest of these.
        runs: what they are, such as "3 seeds".
        differences: what differs from the paper.
        command: trains and measures it again.
        link: the path of a preset's card from the repository's root, if it is one's.
        protocol: by which it was measured in the paper's setting, if it is known.
    """

    value: float
    min: float
    max: float
    runs: str = ""
    differences: tuple[str, ...] = ()
    command: str = ""
    link: str = ""
    protocol: str = ""


@dataclass(frozen=True)
class Row:
    """A row of a paper's table.

    Attributes:
        key: its name in files and commands.
        name: the paper's name of it.
        metric: one of `zoo.results.METRICS`, or "frames_per_second".
        paper: the paper's number, if it has one.
        editions: other published numbers, by the heading of their column.
        ours: where our number is stored, if there is one; see `Sources.ours`.
        differences: what differs in ours, where it is not a preset's.
        our_command: makes ours again, where it is not a preset's.
        command: makes the number in the paper's setting again.
        note: what else there is to say.
        no_data: why the paper's data cannot be had, and what is nearest to them.
    """

    key: str
    name: str
    metric: str
    paper: float | None = None
    editions: dict[str, float | str] = field(default_factory=dict)
    ours: dict[str, Any] | None = None
    differences: tuple[str, ...] = ()
    our_command: str = ""
    command: str = ""
    note: str = ""
    no_data: str = ""

    @property
    def can_be_compared(self) -> bool:
        """Whether the paper has a number, of data and of hardware like ours."""
        return self.paper is not None and self.metric in METRICS and not self.no_data

    def reaches(self, score: Score | None) -> bool:
        """Whether a number of ours is at least as good as the paper's."""
        if score is None or self.paper is None or not self.can_be_compared:
            return False
        if METRICS[self.metric].higher_is_better:
            return score.value >= self.paper
        return score.value <= self.paper


@dataclass(frozen=True)
class Section:
    """A table of a paper: its rows, their data, and what is to be said above them.

    Where `only_order` is true our data are not the paper's, so that only the order of
    the rows can be compared.
    """

    heading: str
    data: str
    rows: tuple[Row, ...]
    about: str = ""
    only_order: bool = False


@dataclass(frozen=True)
class Paper:
    """A paper: its tables and its figures.

    A figure has a name and words, and may have a `picture` in our setting and a
    `paper_picture` in the paper's, which need not be drawn yet.
    """

    key: str
    title: str
    paper: str
    about: tuple[str, ...]
    sections: tuple[Section, ...]
    figures: tuple[dict[str, str], ...]

    @property
    def rows(self) -> list[Row]:
        """The rows of all tables."""
        return [row for section in self.sections for row in section.rows]


def read_paper(zoo: Path, key: str) -> Paper:
    """Read a paper's rows from the folder of presets."""
    content = json.loads((zoo / "papers" / f"{key}.json").read_text("utf-8"))
    sections = []
    for section in content.pop("sections"):
        metric = section.pop("metric")
        rows = [Row(**{"metric": metric, **row}) for row in section.pop("rows")]
        sections.append(Section(rows=tuple(rows), **section))
    return Paper(key=key, **{**content, "sections": tuple(sections)})


class Sources:
    """Looks up our numbers.

    Args:
        zoo: the folder of presets, in the repository's root.
    """

    def __init__(self, zoo: Path) -> None:
        self.zoo, self.root = zoo, zoo.parent
        self.results: dict[str, Sequence[Result]] = {}

    def measured(self, paper: str) -> dict[str, Any]:
        """Read what was measured in a paper's own setting, by the rows' keys."""
        path = self.zoo / "papers" / "measured" / f"{paper}.json"
        return json.loads(path.read_text("utf-8")) if path.is_file() else {}

    def in_papers_setting(self, paper: str, row: Row) -> Score | None:
        """Return the number in the paper's setting, None if there is none yet."""
        found = self.measured(paper).get(row.key)
        if found is None:
            preset = self._of_preset(row) if row.ours else None
            return preset[1] if preset and preset[0].setting == "paper" else None
        result = Result(**found["result"])
        ends, told = (result.min, result.max), (found["runs"], result.differences)
        return Score(result.value, *ends, *told, protocol=result.protocol)

    def ours(self, row: Row) -> Score | None:
        """Return our best number.

        `row.ours` names a preset, its protocol and metric; or a CSV file, a row in it
        (`where`) and a column (`value`); or a Markdown table's row, by its first cell,
        and column (and the columns of its `ends`, and what the `runs` are); or a place
        in a JSON file (`at`).
        """
        source = row.ours
        if source is None:
            return None
        if "preset" in source:
            result, score = self._of_preset(row)
            return None if result.setting == "paper" else score
        told = (tuple(row.differences), row.our_command)
        if "csv" in source:
            found = self._csv_row(source["csv"], source["where"])
            value = float(found[source.get("value", "value")])
            low, high = (float(found.get(name) or value) for name in ("min", "max"))
            n = int(found.get("n") or 1)
            return Score(value, low, high, f"{n} passes" if n > 1 else "", *told)
        if "table" in source:
            columns = [source["column"], *source.get("ends", [source["column"]] * 2)]
            value, low, high = self._of_table(source["table"], source["row"], columns)
            return Score(value, low, high, source.get("runs", ""), *told)
        stored = json.loads((self.root / source["json"]).read_text("utf-8"))
        for step in source["at"]:
            stored = stored[step]
        value = float(stored)
        return Score(value, value, value, "", *told)

    def _of_preset(self, row: Row) -> Any:
        """Return a preset's result and the same as a score; None for another source."""
        source: Mapping[str, Any] = row.ours or {}
        name = source.get("preset")
        if name is None:
            return None
        if name not in self.results:
            found = read_results(self.zoo / name)
            self.results[name] = found.results if found else ()
        metric = source.get("metric", row.metric)
        for r in self.results[name]:
            if (r.protocol, r.metric) == (source["protocol"], metric):
                runs = r.runs if r.n > 1 else ""
                command = f"python zoo/{name}/recipe.py"
                link = f"zoo/{name}/README.md"
                told = (r.differences, command, link)
                return r, Score(r.value, r.min, r.max, runs, *told)
        raise ValueError(
            f"zoo/{name}/results.json must have the row that {row.key} names. "
            f"Received: none of {source['protocol']}, {metric}"
        )

    def _csv_row(self, path: str, where: Mapping[str, str]) -> dict[str, str]:
        with (self.root / path).open(newline="") as file:
            rows = [r for r in csv.DictReader(file) if where.items() <= r.items()]
        if len(rows) != 1:
            raise ValueError(
                f"{path} must have one row with {where}. Received: {len(rows)}"
            )
        return rows[0]

    def _of_table(self, path: str, row: str, columns: Sequence[int]) -> list[float]:
        """Return numbers of a row in the Markdown tables of a file."""
        for line in (self.root / path).read_text("utf-8").splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if cells[0] == row and len(cells) > max(columns):
                return [float(cells[column].replace(",", "")) for column in columns]
        raise ValueError(f"{path} must have a table with a row {row!r}.")


def as_written(zoo: Path) -> dict[tuple[str, str, str], float]:
    """Return the numbers in the papers' settings, by preset, protocol and metric.

    Of those rows that a preset has too, by the same protocol. A folder of presets
    without papers has none.
    """
    found, sources = {}, Sources(zoo)
    for key in PAPERS:
        if not (zoo / "papers" / f"{key}.json").is_file():
            continue
        for row in read_paper(zoo, key).rows:
            source = row.ours or {}
            score = sources.in_papers_setting(key, row)
            if score is None or "preset" not in source:
                continue
            if score.protocol in ("", source["protocol"]):
                metric = source.get("metric", row.metric)
                found[source["preset"], source["protocol"], metric] = score.value
    return found
