"""The site that `make docs` has built: its links, its names, and what it asks for."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from generator.public_names import Reference
from sphinx.util.inventory import InventoryFile

ROOT = Path(__file__).parents[1]
HTML = ROOT / "docs" / "_build" / "html"
# The page in the browser, which `make site` puts into the site, is not Sphinx's.
WEB = HTML / "web"
PAGES = sorted(path for path in HTML.rglob("*.html") if WEB not in path.parents)
# Attributes by which a browser fetches what a page needs, without being asked.
FETCHES = {"src", "srcset", "poster", "data"}


class Page(HTMLParser):
    """The addresses in a page, and the names of its places."""

    def __init__(self, path):
        super().__init__()
        self.links, self.fetched, self.places = [], [], {""}
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        given = {name: value or "" for name, value in attrs}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        if tag == "link" and given.get("rel") not in ("canonical",):
            self.fetched.append(given["href"])
        elif tag == "a" and "href" in given:
            self.links.append(given["href"])
        self.fetched += [given[name] for name in FETCHES & given.keys()]


@pytest.fixture(scope="module")
def pages():
    assert PAGES, "`make docs` builds the site first"
    return {path: Page(path) for path in PAGES}


def test_links_lead_somewhere(pages):
    """Every link inside the site, and the place on the page that it names."""
    broken = []
    for path, page in pages.items():
        for link in page.links + page.fetched:
            if re.match(r"https?:|mailto:|data:", link):
                continue
            name, place = urldefrag(link)
            file = (path.parent / unquote(name.split("?")[0])).resolve()
            file = path if not name else file / "index.html" if file.is_dir() else file
            found = file.is_file() and HTML in file.parents
            if found and file.suffix == ".html" and place:
                found = unquote(place) in pages[file].places
            if not found:
                broken.append(f"{path.relative_to(HTML)}: {link}")
    assert not broken


def test_pages_ask_no_other_host(pages):
    foreign = {
        f"{path.relative_to(HTML)}: {address}"
        for path, page in pages.items()
        for address in page.fetched
        if re.match(r"https?:|//", address)
    }
    assert not foreign
    for path in [*HTML.rglob("*.css"), *PAGES]:
        text = path.read_text(encoding="utf-8")
        asked = re.findall(r"url\(\s*[\"']?(?:https?:)?//|@import[^;]*//", text)
        assert not asked, path
    for path in (path for path in HTML.rglob("*.js") if WEB not in path.parents):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"jsdelivr|cdnjs|unpkg|googleapis", text), path


def test_the_start_page_leads_to_the_page_in_the_browser(pages):
    """To the page itself where it is in the site, and else to how it is built."""
    links = pages[HTML / "index.html"].links
    assert ("web/index.html" in links) == WEB.exists()
    assert "guides/in-the-browser.html" in links
    if WEB.exists():
        fetched = Page(WEB / "index.html").fetched
        assert len(fetched) > 2
        assert all((WEB / address).is_file() for address in fetched)


def test_every_public_name_is_described():
    with (HTML / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda base, name: name)
    known = {name: item for kind in inventory for name, item in inventory[kind].items()}
    missing = [entry.path for entry in Reference(ROOT) if entry.path not in known]
    assert not missing


def test_equations_and_markup_are_rendered(pages):
    """No Markdown is left in the text, except in code and in the equations' TeX."""
    for path, page in pages.items():
        text = re.sub(r"<(script|style)\b.*?</\1>", "", page.text, flags=re.DOTALL)
        text = re.sub(r"<pre\b.*?</pre>|<code\b.*?</code>", "", text, flags=re.DOTALL)
        text = re.sub(r'<dt class="sig .*?</dt>', "", text, flags=re.DOTALL)
        text = re.sub(r'<(div|span) class="math[^>]*>.*?</\1>', "", text, flags=re.S)
        text = re.sub(r"<[^>]*>", "", text)
        left = re.findall(r".{0,30}(?:\$|\{py:|\{doc\}|::::|\*\*).{0,30}", text)
        assert not left, path


def test_outputs_of_hart_are_two_clicks_away(pages):
    """From the start page to what "window" is, and in which unit."""
    start = pages[HTML / "index.html"]
    assert "reference/models/HART.html" in {urldefrag(link)[0] for link in start.links}
    page = pages[HTML / "reference" / "models" / "HART.html"]
    assert "outputs" in page.places
    outputs = page.text.partition('id="outputs"')[2].partition("</section>")[0]
    outputs = re.sub(r"<[^>]*>", "", outputs)
    for name, unit in (("window", "pixels"), ("region", "pixels")):
        entry = rf"{name}\s+\[B, T, \d\](?:(?!\n\n).)*{unit}"
        assert re.search(entry, outputs, re.DOTALL), name
