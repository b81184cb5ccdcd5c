"""Check all presets: their files, what they say of themselves, and their scores.

python -m keras_attend.training.zoo_check              every preset, by a sample
python -m keras_attend.training.zoo_check ram_mnist    one preset
python -m keras_attend.training.zoo_check --no-measure do not measure the results
python -m keras_attend.training.zoo_check --whole      measure by all of the test data

Test data are read from the folder that KERAS_ATTEND_DATA names. A result that cannot be
measured is reported and does not count as a failure. The exit status is 1 if a check
fails.
"""

import argparse
import ast
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_attend import zoo
from keras_attend.training.cards import generated
from keras_attend.training.remeasure import ERRORS, SHARE, Measured, remeasure
from keras_attend.zoo import presets
from keras_attend.zoo.checks.files import MANIFEST, RECIPE
from keras_attend.zoo.results import read_results
from keras_attend.zoo.tables import aligned, metric, number
from keras_attend.zoo.verify import Check, checked, verify

HEADER = ("Paper", "Command", "Expected")  # what a recipe's docstring must say


@dataclass(frozen=True)
class Report:
    """What the checks of a preset have found.

    Attributes:
        name: the preset's.
        checks: of its folder.
        measured: its results, measured again.
    """

    name: str
    checks: tuple[Check, ...]
    measured: tuple[Measured, ...] = ()

    @property
    def problems(self) -> list[str]:
        """A line for each thing that is wrong."""
        lines = [f"{c.name}: {c.detail}" for c in self.checks if not c.ok]
        return lines + [
            f"{m.result.protocol}: {metric(m.result)} is {number(m.value)}, not within "
            f"{number(m.tolerance)} of {number(m.result.value)}"
            for m in self.measured
            if m.differs
        ]


def check_preset(
    name: str, cards: dict[Path, str], *, measure: bool = True, quick: bool = True
) -> Report:
    """Check a preset's folder, card and recipe, and measure its results again.

    Args:
        name: the preset's.
        cards: what `cards.generated` returned.
        measure: whether results are measured, as far as there are data for it.
        quick: whether a sample is measured.
    """
    folder = presets.find(name)
    checks, model = verify(folder)
    checks = [_up_to_date(check, folder, cards) for check in checks]
    checks.append(check_recipe(folder))
    measured: list[Measured] = []
    if model is not None and measure:
        try:
            if results := read_results(folder):
                found = remeasure(model, results, quick=quick, download=False)
                measured.extend(found)
        except Exception as error:
            detail = f"{type(error).__name__}: {' '.join(str(error).split())}"
            checks.append(Check("measured", False, detail))
    return Report(name, tuple(checks), tuple(measured))


def check_recipe(folder: Path) -> Check:
    """Check that the recipe's docstring has the lines that a recipe needs."""
    return checked("recipe", lambda: _recipe(folder))


def _recipe(folder: Path) -> str:
    path = folder / RECIPE
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    said = {
        word: line.removeprefix(word).strip()
        for line in text.splitlines()
        for word in HEADER
        if line.startswith(f"{word} ")
    }
    absent = [word for word in HEADER if not said.get(word)]
    if absent:
        raise ValueError(
            f"{path} must begin with a docstring whose lines begin with "
            f"{', '.join(HEADER)}. Received: none with {', '.join(absent)}"
        )
    name = folder.resolve().name
    if f"{name}/{RECIPE}" not in said["Command"]:
        raise ValueError(
            f"{path} must say how to run {name}/{RECIPE}. "
            f"Received: Command {said['Command']}"
        )
    results = read_results(folder)
    if results and results.results and "not measured" in said["Expected"]:
        raise ValueError(
            f"{path} must say what results.json says. "
            f"Received: Expected {said['Expected']}"
        )
    return said["Expected"]


def _up_to_date(check: Check, folder: Path, cards: dict[Path, str]) -> Check:
    """Let a check fail if the card is out of date or the results are missing."""
    if not check.ok:
        return check
    path = folder / "README.md"
    if check.name == "card" and path.read_text(encoding="utf-8") != cards.get(path):
        return Check("card", False, f"{path} is out of date: run `make zoo`")
    if check.name == "results" and check.detail.startswith("none"):
        return Check("results", False, f"{folder} has no results.json: run its recipe")
    return check


def _tables(cards: dict[Path, str]) -> list[str]:
    """Name the generated tables that are out of date."""
    return [
        f"{path} is out of date: run `make zoo`"
        for path, text in cards.items()
        if not (path.parent / MANIFEST).is_file()  # no preset's card
        and not (path.is_file() and path.read_text(encoding="utf-8") == text)
    ]


def overview(reports: Sequence[Report]) -> str:
    """Make a table with a line for each preset and a column for each check."""
    names = list(dict.fromkeys(c.name for r in reports for c in r.checks))
    rows = []
    for report in reports:
        found: dict[str, bool] = {}
        for check in report.checks:
            found[check.name] = found.get(check.name, True) and check.ok
        marks = {True: "ok", False: "FAILS", None: "-"}
        cells = [marks[found.get(name)] for name in names]
        known = [m for m in report.measured if m.value is not None]
        right = sum(not m.differs for m in known)
        rows.append([report.name, *cells, f"{right} of {len(known)}" if known else "-"])
    return aligned(["preset", *names, "as published"], rows)


def measurements(measured: Sequence[tuple[str, Measured]]) -> str:
    """Make a table of results: published, measured, and how far apart they may be."""
    columns = ["preset", "metric", "protocol", "published", "measured", "within", ""]
    rows = [
        [
            name,
            metric(m.result),
            m.result.protocol,
            number(m.result.value),
            number(m.value),
            number(m.tolerance),
            f"not measured: {m.reason}" if m.reason else "DIFFERS" * m.differs,
        ]
        for name, m in measured
    ]
    return aligned(columns, rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the presets, print the outcome and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_attend.training.zoo_check",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="all unless given")
    parser.add_argument(
        "--no-measure", action="store_true", help="do not measure the results"
    )
    parser.add_argument(
        "--whole", action="store_true", help="measure by all of the test data"
    )
    options = parser.parse_args(arguments)
    names = options.names or zoo.list_models()
    try:
        for name in names:
            presets.find(name)
        cards = generated(presets.presets_folder())
    except (OSError, ValueError) as error:
        print(f"zoo-check: {error}", file=sys.stderr)
        return 1

    start = time.perf_counter()
    reports = []
    for count, name in enumerate(names, start=1):
        print(f"{count}/{len(names)} {name}", file=sys.stderr, flush=True)
        reports.append(
            check_preset(
                name, cards, measure=not options.no_measure, quick=not options.whole
            )
        )
    print(overview(reports))
    measured = [(report.name, m) for report in reports for m in report.measured]
    if measured:
        print(f"\n{measurements(measured)}")
        print(
            f"\nWithin: {ERRORS} standard errors of the sample, the spread of the "
            f"published runs, or {SHARE:.0%} of the value, whichever is most."
        )
    problems = [f"{r.name}: {line}" for r in reports for line in r.problems]
    problems += [] if options.names else _tables(cards)
    print(f"\n{len(names)} presets, {time.perf_counter() - start:.0f} seconds.")
    for line in problems:
        print(f"zoo-check: {line}", file=sys.stderr)
    return int(bool(problems))


if __name__ == "__main__":
    raise SystemExit(main())
