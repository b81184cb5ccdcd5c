"""Turn a docstring into MyST Markdown.

The docstrings are Markdown already, with equations in dollars. What is added here are
the sections of Google's style ("Args:" and an indented list), and lists of what a model
returns, as definition lists that a page can give a heading.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

HEADINGS = {"Args": "Arguments"}
OUTPUTS = "Outputs"
ITEM = re.compile(r"(\*{0,2}[\w.\"-]+(?:, \*{0,2}[\w.\"-]+)*): +(.+)", re.DOTALL)
OUTPUT = re.compile(
    r"(\"\w+\"(?: `\[[^`]*`)?(?:(?:,| and) \"\w+\"(?: `\[[^`]*`)?)*)"
    r"(?: \(([^)]*)\))?: +(.+)",
    re.DOTALL,
)


class Item(NamedTuple):
    """A name and what is said of it; the name is empty for text without one."""

    term: str
    text: str


@dataclass
class Section:
    """A part of a docstring that has a heading."""

    heading: str
    items: list[Item] = field(default_factory=list)
    intro: str = ""

    @property
    def is_of_arguments(self) -> bool:
        """Whether its items are arguments, of which the signature says more."""
        return self.heading in ("Arguments", "Call arguments", "Attributes")


@dataclass
class Docstring:
    """The text of a docstring, as Markdown, and its sections."""

    text: str
    sections: list[Section]


def parse(docstring: str) -> Docstring:
    """Split a docstring into its text and its sections."""
    kept: list[str] = []
    sections: list[Section] = []
    for block in _blocks(docstring.splitlines()):
        if _begins_section(block):
            sections.append(_section(block))
        elif (items := _outputs(block)) and kept and "return" in kept[-1]:
            sections.insert(0, Section(OUTPUTS, items, kept.pop()))
        else:
            kept.append("\n".join(block))
    return Docstring("\n\n".join(kept), sections)


def markdown(
    section: Section, level: int, notes: Mapping[str, str] | None = None
) -> str:
    """Return a section as Markdown.

    Args:
        section: the section.
        level: of its heading; 0 makes bold text of it.
        notes: what else is said of a name, such as an argument's type.
    """
    heading = section.heading
    parts = [f"{'#' * level} {heading}" if level else f"**{heading}**"]
    parts += [section.intro] if section.intro else []
    for term, text in section.items:
        if not term:
            parts.append(text)
            continue
        about = (notes or {}).get(term, "")
        lines = text.splitlines()
        body = "\n".join(f"  {line}" if line else "" for line in lines[1:])
        parts.append(f"{_code(term)}{about}\n: {lines[0]}" + f"\n{body}" * bool(body))
    return "\n\n".join(parts)


def _blocks(lines: list[str]) -> list[list[str]]:
    """Split lines at empty ones, but keep fences, sections and lists whole."""
    blocks: list[list[str]] = []
    block: list[str] = []
    fenced = False
    for index, line in enumerate(lines):
        if line.startswith("```"):
            fenced = not fenced
        following = next((x for x in lines[index + 1 :] if x), "")
        goes_on = bool(block) and (fenced or following.startswith(" "))
        if line or (goes_on and (_begins_section(block) or block[0][:3] == "```")):
            block.append(line)
        elif block:
            blocks.append(block)
            block = []
    return blocks + [block] * bool(block)


def _begins_section(block: list[str]) -> bool:
    """Whether a block is a heading that ends in a colon, and indented lines."""
    heading, *rest = block
    return (
        heading.endswith(":")
        and heading[:1].isupper()
        and bool(rest)
        and all(line.startswith("    ") or not line for line in rest)
    )


def _section(block: list[str]) -> Section:
    heading = block[0].rstrip(":")
    items: list[Item] = []
    for lines in _by_indentation([line[4:] for line in block[1:]]):
        text = "\n".join([lines[0], *(line[4:] for line in lines[1:])]).strip()
        found = ITEM.fullmatch(text)
        named = found and not text.startswith("`")
        items.append(Item(*found.groups()) if named else Item("", text))
    # Text that was broken into lines is one paragraph.
    if not any(item.term for item in items):
        plain = "\n".join(line[4:] for line in block[1:]).strip()
        items = [Item("", plain)]
    if heading.startswith("Returns a dict"):
        return Section(OUTPUTS, items, f"{heading}:")
    return Section(HEADINGS.get(heading, heading), items)


def _by_indentation(lines: list[str]) -> list[list[str]]:
    """Group lines: each that is not indented begins a group."""
    groups: list[list[str]] = []
    for line in lines:
        if line and not line.startswith(" "):
            groups.append([line])
        elif groups:
            groups[-1].append(line)
    return groups


def _outputs(block: list[str]) -> list[Item]:
    """Return the items of a list in which each one begins with a name in quotes."""
    if not block[0].startswith("* "):
        return []
    items: list[list[str]] = []
    for line in block:
        if line.startswith("* "):
            items.append([line[2:]])
        else:
            items[-1].append(line.strip())
    found = [OUTPUT.fullmatch("\n".join(item)) for item in items]
    return [
        Item(match[1], f"({match[2]}) {match[3]}" if match[2] else match[3])
        for match in found
        if match
    ] * all(found)


def _code(term: str) -> str:
    """Return a term with its names, quoted or not, as code."""
    if '"' in term:
        return re.sub(r"\"(\w+)\"", r"`\1`", term)
    return ", ".join(f"`{name}`" for name in term.split(", "))
