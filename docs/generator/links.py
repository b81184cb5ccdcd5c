"""Make the links of the repository's pages into links of the site's pages."""

import posixpath
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from generator.public_names import Entry, Reference

REPOSITORY = "https://github.com/keras-attend/keras_attend"
LINK = re.compile(r"(!?\[[^\]]*\]\(|^:::+\{figure\} )([^)\s]+)(\)|$)", re.MULTILINE)
FENCE = re.compile(r"^ *(`{3,}|~{3,}).*?^ *\1 *$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"(?<![`}\\])`([^`\n]+)`(?!`)")
PICTURES = {".png", ".gif", ".jpg", ".svg"}


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Change a text, but not its fenced blocks, nor the blocks that are indented."""
    parts, end = [], 0
    for fence in FENCE.finditer(text):
        parts += [_unindented(text[end : fence.start()], change), fence[0]]
        end = fence.end()
    return "".join([*parts, _unindented(text[end:], change)])


def _unindented(text: str, change: Callable[[str], str]) -> str:
    """Change the paragraphs of a text that are not code by their indentation."""
    paragraphs = re.split(r"(\n{2,})", text)
    return "".join(p if p.startswith("    ") else change(p) for p in paragraphs)


class Links:
    """The pages of the site, by the files of the repository that they are made of.

    Args:
        root: the repository's root.
        out: the folder of the site's sources; pictures are copied into it.
        pages: the page of each file, `{"zoo/README.md": "presets/results.md"}`; of a
            folder, the page that is about it.
    """

    def __init__(self, root: Path, out: Path, pages: Mapping[str, str]) -> None:
        self.root, self.out, self.pages = root, out, pages

    def rewrite(self, text: str, source: str, page: str) -> str:
        """Return a file's Markdown with links that work on its page of the site."""

        def changed(match: re.Match[str]) -> str:
            before, target, after = match.groups()
            return before + self.target(target, source, page) + after

        return outside_code(text, lambda part: LINK.sub(changed, part))

    def target(self, link: str, source: str, page: str) -> str:
        """Return where a link of a file must point to on its page of the site."""
        if re.match(r"[a-z]+:|#", link):
            return link
        name, hash_, anchor = link.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), name))
        if path in self.pages:
            return _relative(self.pages[path], page) + hash_ + anchor
        if not (self.root / path).exists():
            raise ValueError(f"{source} links to {link}, which does not exist")
        if Path(path).suffix in PICTURES:
            return self.picture(path, page)
        kind = "tree" if (self.root / path).is_dir() else "blob"
        return f"{REPOSITORY}/{kind}/main/{path}{hash_}{anchor}"

    def unlinked(self, text: str) -> str:
        """Return Markdown without its links to files."""
        return re.sub(r"\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", text)

    def picture(self, path: str, page: str) -> str:
        """Copy a picture into the site, and return its address on a page."""
        copy = self.out / "pictures" / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.root / path, copy)
        return _relative(f"pictures/{path}", page)


class Names:
    """Makes links of the names that stand in a text as code.

    Args:
        reference: the public names, which link to their place in the reference.
        documents: the pages, without `.md`, of other names, such as presets.
    """

    def __init__(self, reference: Reference, documents: Mapping[str, str]) -> None:
        self.documents = documents
        self.paths: dict[str, str] = {}
        self.local: dict[str, dict[str, str]] = {}
        for module in reversed(reference.modules):  # `Tracker` is keras_attend's
            known = self.local.setdefault(module.path, {})
            self.paths[module.path] = self.paths[f"ka.{module.short}"] = module.path
            for entry in module.entries:
                known[entry.name] = entry.path
                # Words such as `fit` mean other things too.
                distinct = entry.is_class or "_" in entry.name
                self._add(module.path, entry.name, entry.path, distinct)
                if entry.is_class:
                    self._add_methods(entry, reference)

    def _add_methods(self, entry: Entry, reference: Reference) -> None:
        # The nearest last: its methods are those that are called.
        for owner in (*reversed(reference.public_bases(entry)), entry):
            for method in reference.methods(owner):
                name = f"{entry.name}.{method.name}"
                self._add(entry.module, name, f"{owner.path}.{method.name}", True)

    def _add(self, module: str, name: str, to: str, distinct: bool) -> None:
        """Take in the ways in which a name is written."""
        full = f"{module}.{name}"
        short = full.removeprefix("keras_attend.")
        self.paths[full] = self.paths[f"ka.{short}"] = to
        if short != name:
            self.paths[short] = to
        if distinct:
            self.paths[name] = to

    def link(self, text: str, module: str = "", own: str = "") -> str:
        """Return Markdown in which names link to their place in the reference.

        Args:
            text: the Markdown.
            module: the module whose names are known without its own.
            own: the name that the text is about, which is not linked.
        """
        known = self.paths | self.local.get(module, {})

        def changed(match: re.Match[str]) -> str:
            if page := self.documents.get(match[1]):
                return f"{{doc}}`{match[1]} </{page}>`"
            path = known.get(match[1].removesuffix("()"))
            if path is None or path == own:
                return match[0]
            return f"{{py:obj}}`{match[1]} <{path}>`"

        return outside_code(text, lambda part: _outside_links(part, CODE, changed))


def _outside_links(
    text: str, pattern: re.Pattern[str], change: Callable[[re.Match[str]], str]
) -> str:
    """Replace a pattern, but not in headings, equations and the texts of links."""
    kept = re.compile(r"(^#+ .*$|\[[^\]\n]*\]\([^)\n]*\)|\$\$.*?\$\$)", re.M | re.S)
    parts = kept.split(text)
    parts[::2] = [pattern.sub(change, part) for part in parts[::2]]
    return "".join(parts)


def _relative(target: str, page: str) -> str:
    return posixpath.relpath(target, posixpath.dirname(page) or ".")
