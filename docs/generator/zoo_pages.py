"""Write the chooser, the gallery and the presets' pages, from what the zoo says."""

import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from generator.links import Links
from generator.presets import Preset, presets

PAPERS = {
    "Mnih": ("ram", "RAM", "Recurrent Models of Visual Attention (Mnih et al. 2014)"),
    "Kahou": (
        "ratm",
        "RATM",
        "RATM: Recurrent Attentive Tracking Model (Kahou et al. 2015)",
    ),
    "Kosiorek": (
        "hart",
        "HART",
        "Hierarchical Attentive Recurrent Tracking (Kosiorek et al. 2017)",
    ),
    "Eslami": (
        "air",
        "AIR",
        "Attend, Infer, Repeat (Eslami et al. 2016)",
    ),
    "Zhang": (
        "drlt",
        "DRLT",
        "Deep Reinforcement Learning for Visual Object Tracking in Videos "
        "(Zhang et al. 2017)",
    ),
}
# The columns of the chooser for real videos: what is measured, and how it is called.
REAL_VIDEOS = {
    ("videos_test/60_frame_clips", "mean_iou"): "overlap, clips of 60 frames",
    ("videos_test/ope", "mean_iou"): "overlap, whole videos",
    ("videos_test/hidden_clips", "refound_rate"): "found again",
    ("videos_test/hidden_clips", "presence_auc"): "knows when it is lost",
}
SPEED = "frames_per_second"
PAPERS_OWN = "paper, in its own setting"


class ZooPages:
    """The pages and tables about presets.

    Args:
        root: the repository's root.
        links: copies pictures, and knows the pages.
    """

    def __init__(self, root: Path, links: Links) -> None:
        self.links = links
        self.presets = presets(root / "zoo")
        captions = root / "docs" / "captions.toml"
        self.captions = tomllib.loads(captions.read_text("utf-8"))
        shown = {preset.name for preset in self.presets if preset.picture}
        if shown != set(self.captions):
            raise ValueError(
                "docs/captions.toml must say what the picture of each preset shows. "
                f"Received: {sorted(shown ^ set(self.captions))} in one of the two"
            )

    def insert(self, text: str, page: str) -> str:
        """Replace `<!-- generated: NAME -->` in a page by the table of that name.

        A link before it, which leads readers of the file to the site, is left out.
        """
        makers = {
            "real videos": self.real_videos,
            "drawn clips": self.drawn_clips,
            "images": self.images,
            "games": self.games,
            "objects": self.objects,
            "gallery": self.gallery,
        }

        def made(match: re.Match[str]) -> str:
            return makers[match[1]](page)

        link = r"(?:\[This table is on the site\.\]\(\S+\) )?"
        return re.sub(rf"{link}<!-- generated: ([\w ]+) -->", made, text)

    def link(self, preset: Preset, page: str) -> str:
        """Return a link to a preset's page."""
        target = self.links.target("README.md", f"zoo/{preset.name}/README.md", page)
        return f"[{preset.name}]({target})"

    def real_videos(self, page: str) -> str:
        """Make the table of trackers on videos that none was trained on, best first."""
        rows: dict[str, dict[tuple[str, str], float]] = {}
        sizes: dict[str, str] = {}
        columns = dict(REAL_VIDEOS)
        for preset in self.presets:
            if not preset.result(*next(iter(REAL_VIDEOS))):
                continue
            name = f"**{self.link(preset, page)}**"
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
            [n, *(_score(rows[n].get(k), best[k]) for k in columns), sizes.get(n, "")]
            for n in named
            if first in rows[n]
        ]
        return _table(["tracker", *columns.values(), "parameters"], cells)

    def drawn_clips(self, page: str) -> str:
        """Make the table of trackers of digits and balls."""
        rows = []
        for preset in self.presets:
            real = preset.result(*next(iter(REAL_VIDEOS)))
            if preset.about["task"] != "tracking" or real:
                continue
            ious = [r for r in preset.of_paper() if r["metric"] == "mean_iou"]
            rows.append(self._row(preset, page, ious[0], "static box"))
        columns = ["preset", "what it does", "overlap", PAPERS_OWN, "static box"]
        return _table([*columns, "parameters"], rows)

    def images(self, page: str) -> str:
        """Make the table of classifiers."""
        rows = [
            self._row(preset, page, preset.of_paper()[0], "random glimpses")
            for preset in self.presets
            if preset.about["task"] == "image classification"
        ]
        columns = ["preset", "what it does", "error (%)", PAPERS_OWN, "random glimpses"]
        return _table([*columns, "parameters"], rows)

    def games(self, page: str) -> str:
        """Make the table of agents that play games."""
        rows = [
            self._row(preset, page, preset.of_paper()[0], "random play")
            for preset in self.presets
            if preset.about["task"] == "playing a game"
        ]
        columns = ["preset", "what it does", "balls caught", PAPERS_OWN, "random play"]
        return _table([*columns, "parameters"], rows)

    def objects(self, page: str) -> str:
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
            words = [self.link(preset, page), about["description"].rstrip(".")]
            parameters = f"{about['parameters']:,}"
            rows.append([*words, *map(_number, shown), parameters])
        columns = ["preset", "what it does", "right counts", "overlap", "found"]
        return _table([*columns, "parameters"], rows)

    def _row(
        self, preset: Preset, page: str, result: dict[str, Any], baseline: str
    ) -> list[str]:
        about = preset.about
        scores = (result["paper"], result["baselines"].get(baseline))
        return [
            self.link(preset, page),
            about["description"].rstrip("."),
            f"**{_number(result['value'])}**",
            *map(_number, scores),
            f"{about['parameters']:,}",
        ]

    def figure(self, preset: Preset, page: str, heading: str = "") -> str:
        """Return a preset's picture with its caption."""
        path = f"zoo/{preset.name}/{preset.picture.name}" if preset.picture else ""
        return "\n".join(
            [
                f":::{{figure}} {self.links.picture(path, page)}",
                f":alt: What {preset.name} does",
                *([":figclass: wide"] if preset.about["task"] == "tracking" else []),
                ":loading: lazy",
                "",
                heading + self.captions[preset.name],
                ":::",
            ]
        )

    def gallery(self, page: str) -> str:
        """Make the gallery: the pictures of the presets, by their papers."""
        parts = []
        for key, (_, short, title) in PAPERS.items():
            parts += [f"## {short}", f"{title}."]
            for preset in self.presets:
                if preset.picture and preset.about["paper"].startswith(key):
                    parts.append(f"### {self.link(preset, page)}")
                    parts.append(self.figure(preset, page))
        return "\n\n".join(parts)

    def card(self, preset: Preset, text: str, page: str) -> str:
        """Return a preset's page: its card, whose picture gets a caption."""
        text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
        picture = re.compile(r"!\[What [^\]]*\]\([^)]*picture\.\w+\)")
        return picture.sub(lambda _: self.figure(preset, page), text)

    def index(self, page: str) -> str:
        """Make the list of all presets."""
        rows = [
            [
                self.link(preset, page),
                f"{{py:obj}}`{preset.about['model']} "
                f"<keras_attend.models.{preset.about['model']}>`",
                preset.about["description"].rstrip("."),
                f"{preset.about['parameters']:,}",
            ]
            for preset in self.presets
        ]
        table = _table(["preset", "model", "what it does", "parameters"], rows)
        names = [preset.name for preset in self.presets]
        toctree = [
            "```{toctree}",
            ":hidden:",
            "",
            "All results <results>",
            *names,
            "```",
        ]
        return "\n\n".join(
            [
                "# The presets",
                '`keras_attend.zoo.load("NAME")` loads one: weights, compiled for '
                "`fit`, and ready for `predict`. Each page says what the preset scores "
                "beside other methods, and what to know before it is used. "
                "{doc}`All results in one page <results>`; "
                "{doc}`how to choose </choose>`.",
                table,
                "\n".join(toctree),
            ]
        )

    def below_paper(self, page: str) -> str:
        """Return the list of pages below a paper's, each with more of its tables."""
        name = Path(page).stem
        if page != f"papers/{name}.md":
            return ""
        targets = sorted(
            Path(target).stem
            for target in self.links.pages.values()
            if target.startswith(f"papers/{name}_")
        )
        if not targets:
            return ""
        heading = "\n\n## More of its tables\n\n"
        return heading + "\n".join(["```{toctree}", "", *targets, "```", ""])


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"


def _score(value: float | None, best: float) -> str:
    return f"**{_number(value)}**" if value == best else _number(value)


def _are_numbers(cells: Iterable[str]) -> bool:
    return all(re.fullmatch(r"[\d.,*]*", cell) for cell in cells)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rows = list(rows)
    columns_of_cells = zip(*rows, strict=True)
    rules = ["---:" if _are_numbers(cells) else "---" for cells in columns_of_cells]
    lines = [columns, rules, *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
