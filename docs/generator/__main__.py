"""Build the site: `python docs/generator` writes `docs/_build/html`.

`--web build/web` puts the page in the browser, which `make web` builds, into the site.

The pages are assembled in `docs/_build/source` first: those of `docs/`, other Markdown
of the repository, the notebooks, and what is generated. Sphinx then builds them, and
any warning is an error.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from sphinx.cmd.build import main as sphinx

from generator import reference as api
from generator.citation import bibtex
from generator.links import Links, Names
from generator.mathjax import copy_mathjax
from generator.public_names import Reference
from generator.zoo_pages import ZooPages

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
SOURCE, HTML = DOCS / "_build" / "source", DOCS / "_build" / "html"
# Pages that are files of the repository elsewhere.
ELSEWHERE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "RELEASING.md": "releasing.md",
    "SECURITY.md": "security.md",
    "benchmarks/README.md": "benchmarks.md",
    "docs/export.md": "guides/export.md",
    "docs/scaling.md": "guides/several-devices.md",
    "docs/toolkits.md": "guides/toolkits.md",
    "web/README.md": "guides/in-the-browser.md",
    "zoo/CONTRIBUTING.md": "guides/publishing.md",
    "zoo/README.md": "presets/results.md",
    "zoo/ram_tables/README.md": "papers/ram_tables.md",
    "zoo/ratm_kth/README.md": "papers/ratm_kth.md",
    "zoo/hart_street/table1.md": "papers/hart_table1.md",
    "zoo/drlt_mnist/table.md": "papers/drlt_digits.md",
    "zoo/drlt_otb/tables.md": "papers/drlt_videos.md",
    "zoo/air_mnist/reinforce.md": "papers/air_reinforce.md",
    "zoo/sequential_air_mnist/supervised.md": "papers/air_supervised.md",
}
# Pages that are generated, by the file that a link of the repository's pages names.
GENERATED = {"keras_attend/evaluation/__init__.py": "reference/evaluation.md"}

# How the start page leads to the page in the browser. Sphinx does not know that page,
# and Markdown cannot link to it.
PAGE_MARK = "<!-- generated: page in the browser -->"
WITH_PAGE = (
    '<p><a href="web/index.html">Try it in your browser</a>: draw a box on a video, or '
    "a digit, and watch where the network looks. Nothing is sent anywhere.</p>"
)
WITHOUT_PAGE = (
    "{doc}`A page in the browser <guides/in-the-browser>` lets you draw a box on a "
    "video, or a digit, and watch where the network looks."
)


def layout() -> dict[str, str]:
    """Return the page of each file of the repository that becomes one."""
    pages = dict(ELSEWHERE)
    for path in sorted((ROOT / "zoo").glob("*/preset.json")):
        pages[f"zoo/{path.parent.name}/README.md"] = f"presets/{path.parent.name}.md"
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        pages[f"notebooks/{path.name}"] = f"notebooks/{path.name}"
    for path in sorted(DOCS.rglob("*.md")):
        name = path.relative_to(DOCS).as_posix()
        if not name.startswith("_build/"):
            pages.setdefault(f"docs/{name}", name)
    return pages


def assemble(out: Path, web: bool) -> None:
    """Write the site's sources into an empty folder.

    Args:
        out: the folder.
        web: whether the site has the page in the browser.
    """
    pages = layout()
    zoo = ZooPages(ROOT, links := Links(ROOT, out, pages | GENERATED))
    by_name = {preset.name: preset for preset in zoo.presets}
    reference = Reference(ROOT)
    names = Names(reference, {name: f"presets/{name}" for name in by_name})
    texts = dict(api.pages(reference, names))
    index = "presets/index.md"
    texts[index] = names.link(zoo.index(index))
    for source, page in pages.items():
        content = (ROOT / source).read_text(encoding="utf-8")
        if source == "README.md":
            continue
        if source.endswith(".ipynb"):
            texts[page] = notebook(content, source, page, links, names)
            continue
        content = links.rewrite(content, source, page)
        if Path(page).stem in by_name and page.startswith("presets/"):
            content = zoo.card(by_name[Path(page).stem], content, page)
        content = content.replace("<!-- generated: bibtex -->", bibtex(ROOT))
        content = content.replace(
            "<!-- generated: page in the browser -->",
            WITH_PAGE if web else WITHOUT_PAGE,
        )
        content = zoo.insert(content, page) + zoo.below_paper(page)
        texts[page] = names.link(content)
    for page, text in texts.items():
        path = out / page
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    shutil.copytree(DOCS / "_static", out / "_static")
    copy_mathjax(out / "_static" / "mathjax")


def notebook(content: str, source: str, page: str, links: Links, names: Names) -> str:
    """Return a notebook whose links work on the site; its outputs are as stored."""
    found = json.loads(content)
    for cell in found["cells"]:
        if cell["cell_type"] == "markdown":
            text = links.rewrite("".join(cell["source"]), source, page)
            cell["source"] = names.link(text)
        for output in cell.get("outputs", []):
            # Markdown that was printed, such as a card, is about files of its own.
            if printed := output.get("data", {}).get("text/markdown"):
                output["data"]["text/markdown"] = links.unlinked("".join(printed))
    return json.dumps(found)


def main() -> int:
    """Assemble the sources and build the site from nothing."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--web", type=Path, help="the page in the browser, a folder")
    web: Path | None = parser.parse_args().web
    for folder in (SOURCE, HTML):
        shutil.rmtree(folder, ignore_errors=True)
    SOURCE.mkdir(parents=True)
    assemble(SOURCE, web is not None)
    options = ["--fail-on-warning", "--keep-going", "--quiet", "-b", "html"]
    doctrees = DOCS / "_build" / "doctrees"
    failed = sphinx(
        [*options, "-E", "-d", str(doctrees), "-c", str(DOCS), str(SOURCE), str(HTML)]
    )
    if web is not None:
        shutil.copytree(web, HTML / "web")
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
