"""Generate the presets' cards and tables from preset.json and results.json.

python -m keras_attend.training.cards           write those of the presets that ship
python -m keras_attend.training.cards --check   fail if one of these is out of date
python -m keras_attend.training.cards FOLDER    write the card of a preset's folder
"""

import argparse
import csv
import io
from collections.abc import Mapping
from pathlib import Path

from keras_attend import disk
from keras_attend.training.papers.rows import as_written
from keras_attend.zoo.card import (
    NOTICE,
    SCORES,
    card,
    results_table,
    row,
    scores,
    setting,
    table,
)
from keras_attend.zoo.presets import (
    ModelInfo,
    info,
    list_models,
    presets_folder,
)
from keras_attend.zoo.results import (
    METRICS,
    UNTRAINED,
    Result,
    Results,
    best_peer,
    read_results,
    unseen,
)
from keras_attend.zoo.speeds import read_speeds
from keras_attend.zoo.tables import number

# The table stands between these in the repository's README too.
BEGIN, END = "<!-- zoo table -->", "<!-- end of zoo table -->"
# And this one, of these presets: one for each thing that people want.
WHICH = ("<!-- which one -->", "<!-- end of which one -->")
CHOSEN = (
    *("hart_kitti", "drlt_mnist_noisy", "ratm_mnist_multi"),
    *("ram_mnist", "ram_cluttered_mnist", "ram_catch"),
    *("air_mnist", "sequential_air_mnist"),
)
COLUMNS = (
    "preset",
    "metric",
    "protocol",
    "source",
    "value",
    "min",
    "max",
    "n",
    "device",
    "training_seconds",
    "commit",
)


def results_csv(presets: list[tuple[ModelInfo, Results | None]]) -> str:
    """Make results.csv: a row for each number, also of the paper and the baselines."""
    text = io.StringIO()
    rows = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    rows.writeheader()
    for preset, results in presets:
        if results is None:
            continue
        for result in results.results:
            row: dict[str, object] = {
                "preset": preset.name,
                "metric": result.metric,
                "protocol": result.protocol,
            }
            ours = {
                "source": "keras_attend",
                "value": result.value,
                "min": result.min,
                "max": result.max,
                "n": result.n,
                "device": results.device,
                "training_seconds": results.training_seconds,
                "commit": results.commit,
            }
            rows.writerow(row | ours)
            for source, value in _others(result).items():
                rows.writerow(row | {"source": source, "value": value})
    return text.getvalue()


def all_results(presets: list[tuple[ModelInfo, Results | None]]) -> str:
    """Make the sections of `zoo/README.md`, with all results of each preset."""
    lines = []
    for preset, results in presets:
        about = f"{preset.description.rstrip('.')}. {preset.parameters:,} parameters."
        lines += [f"## [{preset.name}]({preset.name}/README.md)", "", about, ""]
        lines += [f"* {note}" for note in preset.notes] + [""] * bool(preset.notes)
        speed = read_speeds(preset.folder.parent).get(preset.name)
        lines += results_table(results, speed)
        lines += [*(setting(results.results) if results else []), ""]
    return "\n".join(lines)


def short_table(
    presets: list[tuple[ModelInfo, Results | None]],
    link: str,
    written: Mapping[tuple[str, str, str], float] | None = None,
) -> str:
    """Make the table of the repository's README: a row for each preset.

    It shows the score on `unseen` data.

    Args:
        presets: the presets, with their results.
        link: the path from the README to the presets.
        written: as of `beside_paper`; nothing is known unless given.
    """
    written = written or {}
    metric, protocol, ours, paper, baselines, loses = SCORES
    written_by_us = "paper's setting, by us"
    columns = ["preset", "parameters", metric, protocol, paper, written_by_us, ours]
    lines = table([*columns, "ours differs", baselines, loses])
    for preset, results in presets:
        score = unseen(results.results) if results else None
        cells = [f"[{preset.name}]({link}{preset.name}/README.md)"]
        cells.append(f"{preset.parameters:,}")
        what, where, value, known, others, worse = scores(score, spread=False)
        beside = ["", value, ""]
        if score is not None and score.paper is not None:
            card = f"{link}{preset.name}/README.md"
            beside = beside_paper(preset.name, score, value, written, card)
        lines.append(row([*cells, what, where, known, *beside, others, worse]))
    return "\n".join(lines) + "\n"


def beside_paper(
    preset: str,
    result: Result,
    value: str,
    written: Mapping[tuple[str, str, str], float],
    card: str,
) -> list[str]:
    """Make what stands beside a paper's number: both settings, and what differs.

    Args:
        preset: the preset's name.
        result: its result.
        value: the same as a cell.
        written: the numbers in the papers' settings; see `papers.rows.as_written`.
        card: the address of the preset's card, which lists what differs.
    """
    if result.setting == "paper":
        return [value, "", ""]
    if not result.is_explained:
        raise ValueError(
            f"{preset} must say in `differences` what differs from the paper. "
            f"Received: none for {result.protocol}"
        )
    found = written.get((preset, result.protocol, result.metric))
    paper = "not measured yet" if found is None else number(found)
    count = len(result.differences)
    points = "point" if count == 1 else "points"
    return [paper, value, f"[in {count} {points}]({card})"]


def which_table(presets: list[tuple[ModelInfo, Results | None]], zoo: Path) -> str:
    """Make the README's first table: what `CHOSEN` presets are for.

    The score is on unseen data, with the best peer's beside it; every peer that is
    better is a reason for something else.
    """
    columns = ("use for", "preset", "input", "unseen score", "a second", "instead, if")
    lines, speeds = table(columns), read_speeds(zoo)
    known = {preset.name: (preset, results) for preset, results in presets}
    for name in filter(known.__contains__, CHOSEN):
        preset, results = known[name]
        rows = results.results if results else ()
        score = unseen(rows)
        said = "not evaluated"
        if score is not None:
            said = f"{METRICS[score.metric].words} **{number(score.value)}**"
            if peer := best_peer(score):
                said += f" ({peer[0]} {number(peer[1])})"
        reasons = [preset.instead] if preset.instead else []
        for result in rows:
            if result.metric == "mean_iou" and result.protocol in UNTRAINED:
                better = [
                    f"{peer} {number(result.baselines[peer])}"
                    for peer in result.better_baselines
                ]
                if better:
                    ours = f"where it has {number(result.value)}"
                    reasons.append(f"`{result.protocol}`: {', '.join(better)} {ours}")
        speed = speeds.get(name)
        fast = f"{speed.per_second:,.0f} {speed.what}" if speed else ""
        link = f"[{name}](zoo/{name}/README.md)"
        lines.append(
            row([preset.use, link, preset.input, said, fast, "; ".join(reasons)])
        )
    return "\n".join(lines) + "\n"


def _others(result: Result) -> dict[str, float]:
    paper = {} if result.paper is None else {"paper": result.paper}
    return paper | result.baselines


def generated(zoo: Path) -> dict[Path, str]:
    """What each generated file of a folder of presets must hold."""
    presets = []
    files = {}
    for name in list_models(zoo):
        folder = zoo / name
        preset, results = info(folder), read_results(folder)
        presets.append((preset, results))
        files[folder / "README.md"] = card(preset, results)
    files[zoo / "results.csv"] = results_csv(presets)
    files[zoo / "README.md"] = (
        f"{NOTICE}\n\n# The presets\n\n"
        "`keras_attend.zoo.load(name)` loads one. Each folder holds the weights, the\n"
        "recipe that made them, what they score and a card. The same numbers for\n"
        "machines: [results.csv](results.csv). How one is made, checked and\n"
        "published: [CONTRIBUTING.md](CONTRIBUTING.md).\n\n"
        "These are all rows of all presets. A baseline that scores better than the\n"
        "preset is bold, and named under `loses to`. The protocols are described in\n"
        "`keras_attend.evaluation`.\n\n" + all_results(presets)
    )
    readme = zoo.parent / "README.md"
    if readme.is_file():
        text = readme.read_text(encoding="utf-8")
        tables = {(BEGIN, END): short_table(presets, "zoo/", as_written(zoo))}
        tables[WHICH] = which_table(presets, zoo)
        for (begin, end), content in tables.items():
            before, found, rest = text.partition(begin)
            _, closed, after = rest.partition(end)
            if found and closed:
                text = files[readme] = f"{before}{begin}\n{content}{end}{after}"
    return files


def main(arguments: list[str] | None = None) -> int:
    """Write the cards and tables, or check them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args(arguments)
    check: bool = options.check
    stale = 0
    files = {
        folder / "README.md": card(info(folder), read_results(folder))
        for folder in options.folders
    }
    for path, text in (files or generated(presets_folder())).items():
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        print(f"{'out of date' if check else 'written'}: {path}")
        if not check:
            disk.write(path, text)
    return int(check and stale > 0)


if __name__ == "__main__":
    raise SystemExit(main())
