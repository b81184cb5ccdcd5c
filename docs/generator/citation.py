"""Write CITATION.cff as BibTeX."""

from pathlib import Path
from typing import Any

import yaml


def bibtex(root: Path) -> str:
    """Return a fenced block with an entry for the package and for each paper."""
    cited = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    package = cited | {
        "notes": cited["title"].partition(":")[0],
        "year": cited["date-released"].year,
        "url": cited["repository-code"],
    }
    entries = [_entry(source) for source in (package, *cited["references"])]
    return "```bibtex\n" + "\n\n".join(entries) + "\n```"


def _entry(source: dict[str, Any]) -> str:
    kinds = {"software": "software", "conference-paper": "inproceedings"}
    fields = {
        "title": f"{{{source['title']}}}",
        "author": " and ".join(map(_author, source["authors"])),
        "year": source["year"],
        "booktitle": source.get("collection-title"),
        "version": source.get("version"),
        "url": source.get("url"),
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    key = f"{source['notes'].lower()}{source['year']}"
    return "\n".join([f"@{kinds.get(source['type'], 'misc')}{{{key},", *lines, "}"])


def _author(author: dict[str, str]) -> str:
    if "name" in author:
        return f"{{{author['name']}}}"
    return f"{author['family-names']}, {author['given-names']}"
