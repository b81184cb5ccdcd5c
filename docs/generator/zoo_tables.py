"""Write the tables of the chooser into its page, from what the zoo says.

python docs/generator/zoo_tables.py            write them into docs/*.md
python docs/generator/zoo_tables.py --check    fail if one is out of date
"""

import argparse
import posixpath
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from generator.presets import Preset, presets

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("docs/choose.md", "docs/papers/air.md")
MARKED = re.compile(
    r"(<!-- generated: ([\w ]+) -->\n).*?(<!-- end of generated -->)", re.DOTALL
)
# The columns of the chooser for real videos: what is measured, and how it is called.
REAL_VIDEOS = {
    ("videos_test/60_frame_clips", "mean_iou"): "overlap, clips of 60 frames",
    ("videos_test/ope", "mean_iou"): "overlap, whole videos",
    ("videos_test/hidden_clips", "refound_rate"): "found again",
    ("videos_test/hidden_clips", "presence_auc"): "knows when it is lost",
}
SPEED = "frames_per_second"
PAPERS_OWN = "paper, in its own setting"


class ZooTables:
    """The tables about presets.

    Args:
        root: the repository's root.
    """

    def __init__(self, root: Path) -> None:
        self.presets = presets(root / "zoo")

    def fill(self, text: str, source: str) -> str:
        """Write the tables of a file, `docs/choose.md`, between their marks."""
        makers = {
            "real videos": self.real_videos,
            "drawn clips": self.drawn_clips,
            "images": self.images,
            "games": self.games,
            "objects": self.objects,
        }

        def made(match: re.Match[str]) -> str:
            begin, name, end = match.groups()
            return f"{begin}\n{makers[name](source)}\n\n{end}"

        return MARKED.sub(made, text)

    def link(self, preset: Preset, source: str) -> str:
        """Return a link from a file to a preset's card."""
        card = f"zoo/{preset.name}/README.md"
        return f"[{preset.name}]({posixpath.relpath(card, posixpath.dirname(source))})"

    def real_videos(self, source: str) -> str:
        """Make the table of trackers on videos that none was trained on, best first."""
        rows: dict[str, dict[tuple[str, str], float]] = {}
        sizes: dict[str, str] = {}
        columns = dict(REAL_VIDEOS)
        for preset in self.presets:
            if not preset.result(*next(iter(REAL_VIDEOS))):
                continue
            name = f"**{self.link(preset, source)}**"
            sizes[name] = f"{preset.about['parameters']:,}"
            for result in preset.results:
                key = (result["protocol"], result["metric"])
                if result["metric"] == SPEED:
                    columns[key] = "frames/s, one core"
                rows.setdefault(name, {})[key] = result["value"]
                for other, value in result["baselines"].items():
                    rows.setdefault(other, {})[key] = value
        first = next(iter(columns))
        named = sorted(rows, key=lambda name: -rows[name].get(first, -1.0))
        best = {key: max(rows[n].get(key, -1.0) for n in named) for key in columns}
        cells = [
            [n, *(score(rows[n].get(k), best[k]) for k in columns), sizes.get(n, "")]
            for n in named
            if first in rows[n]
        ]
        return table(["tracker", *columns.values(), "parameters"], cells)

    def drawn_clips(self, source: str) -> str:
        """Make the table of trackers of digits and balls."""
        rows = []
        for preset in self.presets:
            real = preset.result(*next(iter(REAL_VIDEOS)))
            if preset.about["task"] != "tracking" or real:
                continue
            ious = [r for r in preset.of_paper() if r["metric"] == "mean_iou"]
            rows.append(self._row(preset, source, ious[0], "static box"))
        columns = ["preset", "what it does", "overlap", PAPERS_OWN, "static box"]
        return table([*columns, "parameters"], rows)

    def images(self, source: str) -> str:
        """Make the table of classifiers."""
        task = "image classification"
        return self._of_task(source, task, "error (%)", "random glimpses")

    def games(self, source: str) -> str:
        """Make the table of agents that play games."""
        return self._of_task(source, "playing a game", "balls caught", "random play")

    def _of_task(self, source: str, task: str, score: str, baseline: str) -> str:
        rows = [
            self._row(preset, source, preset.of_paper()[0], baseline)
            for preset in self.presets
            if preset.about["task"] == task
        ]
        columns = ["preset", "what it does", score, PAPERS_OWN, baseline]
        return table([*columns, "parameters"], rows)

    def objects(self, source: str) -> str:
        """Make the table of models that find objects without labels."""
        rows = []
        for preset in self.presets:
            if not preset.about["task"].startswith("finding"):
                continue
            first: dict[str, float] = {}  # of the pictures that it was trained for
            for result in preset.results:
                first.setdefault(result["metric"], result["value"])
            shown = [first["count_accuracy"], first["mean_iou"], first["found_rate"]]
            about = preset.about
            words = [self.link(preset, source), about["description"].rstrip(".")]
            parameters = f"{about['parameters']:,}"
            rows.append([*words, *map(number, shown), parameters])
        columns = ["preset", "what it does", "right counts", "overlap", "found"]
        return table([*columns, "parameters"], rows)

    def _row(
        self, preset: Preset, source: str, result: dict[str, Any], baseline: str
    ) -> list[str]:
        about = preset.about
        scores = (result["paper"], result["baselines"].get(baseline))
        return [
            self.link(preset, source),
            about["description"].rstrip("."),
            f"**{number(result['value'])}**",
            *map(number, scores),
            f"{about['parameters']:,}",
        ]


def number(value: float | None) -> str:
    """Return a number of three digits or so."""
    if value is None:
        return ""
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"


def score(value: float | None, best: float) -> str:
    """Return a number, bold if it is the best."""
    return f"**{number(value)}**" if value == best else number(value)


def are_numbers(cells: Iterable[str]) -> bool:
    """Whether a column holds numbers alone."""
    return all(re.fullmatch(r"[\d.,*]*", cell) for cell in cells)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown, with numbers to the right."""
    rows = list(rows)
    columns_of_cells = zip(*rows, strict=True)
    rules = ["---:" if are_numbers(cells) else "---" for cells in columns_of_cells]
    lines = [columns, rules, *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> int:
    """Write the tables, or check them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check: bool = parser.parse_args().check
    stale, tables = 0, ZooTables(ROOT)
    for name in PAGES:
        text = (ROOT / name).read_text("utf-8")
        filled = tables.fill(text, name)
        if filled == text:
            continue
        stale += 1
        print(f"{'out of date' if check else 'written'}: {name}")
        if not check:
            (ROOT / name).write_text(filled, "utf-8")
    return int(check and stale > 0)


if __name__ == "__main__":
    raise SystemExit(main())
