"""Write the gallery and the presets' pages, from what the zoo says."""

import re
import tomllib
from pathlib import Path

from generator.links import Links
from generator.presets import Preset, presets
from generator.zoo_tables import table

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


class ZooPages:
    """The pages about presets.

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
        """Put the gallery in the place of its mark in a page."""
        return text.replace("<!-- generated: gallery -->", self.gallery(page))

    def link(self, preset: Preset, page: str) -> str:
        """Return a link to a preset's page."""
        target = self.links.target("README.md", f"zoo/{preset.name}/README.md", page)
        return f"[{preset.name}]({target})"

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
        made = table(["preset", "model", "what it does", "parameters"], rows)
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
                made,
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
