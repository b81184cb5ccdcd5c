"""Rules for the files of the page in the browser, which need no browser to check."""

import json
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging
WEB = Path(__file__).parents[1] / "web"
SCRIPTS = [WEB / "keras-attend-web.js", *WEB.glob("model/*.js"), *WEB.glob("page/*.js")]
PAGE = (WEB / "index.html").read_text("utf-8")


def test_files_are_short():
    files = [*SCRIPTS, *WEB.glob("*.html"), *WEB.glob("*.css"), *WEB.glob("*.py")]
    long = {p.name: n for p in files if (n := len(p.read_text().splitlines())) > 300}
    assert len(files) > 15 and not long


def test_the_page_asks_its_own_server_alone():
    """The policy forbids all else; the scripts, styles and pictures name no other."""
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', PAGE)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self' 'wasm-unsafe-eval'"
    allowed = {"'none'", "'self'", "'wasm-unsafe-eval'", "blob:"}
    assert {word for rule in rules.values() for word in rule.split()} <= allowed
    assert not re.findall(r'<(?:script|img|video|iframe)[^>]*"https?:', PAGE)
    assert not re.findall(r"<script(?![^>]*src=)|\bstyle=|\son\w+=", PAGE)
    for path in [*SCRIPTS, WEB / "style.css"]:
        assert not re.findall(r"https?://|innerHTML|\beval\(", path.read_text("utf-8"))


def test_what_the_scripts_look_for_is_in_the_page():
    ids = re.findall(r'\bid="([^"]+)"', PAGE)
    assert len(set(ids)) == len(ids)
    wanted = {
        name
        for path in SCRIPTS
        for name in re.findall(r'find\("([^"]+)"\)', path.read_text())
    }
    assert len(wanted) > 20 and wanted <= set(ids)
    labels = re.findall(r'(?:for|aria-controls|aria-labelledby)="([^"]+)"', PAGE)
    assert set(labels) <= set(ids)
    for tag in re.findall(r"<canvas[^>]*>", PAGE):
        assert "aria-label=" in tag, tag


def test_the_runtime_is_locked():
    """Each package has a hash; where it comes from is the user's configuration."""
    wanted = json.loads((WEB / "package.json").read_text())["dependencies"]
    lock = json.loads((WEB / "package-lock.json").read_text())["packages"]
    assert lock.pop("")["dependencies"] == wanted
    assert list(wanted) == ["onnxruntime-web"]
    assert lock["node_modules/onnxruntime-web"]["version"] == wanted["onnxruntime-web"]
    for name, package in lock.items():
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name
    assert wanted["onnxruntime-web"] in (WEB / "ort" / "LICENSE.txt").read_text()
