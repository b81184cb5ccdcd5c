"""The version has one source, and what repeats it agrees."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import keras_attend

pytestmark = pytest.mark.packaging
ROOT = Path(__file__).parents[1]


def test_one_version():
    log = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    (_, _), (version, date) = re.findall(r"^## \[(.+?)\](?: - (.+))?$", log, re.M)[:2]
    assert "## [Unreleased]\n" in log and version == keras_attend.__version__
    assert f"\n[{version}]: https://" in log and f"/v{version}\n" in log
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["version"]) == version
    assert citation["date-released"].isoformat() == date


@pytest.mark.parametrize("folder", ["", "runtime"])
def test_projects_read_it(folder):
    project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())
    path = project["tool"]["hatch"]["version"]["path"]
    assert "version" in project["project"]["dynamic"]
    assert (ROOT / folder / path).resolve() == ROOT / "keras_attend" / "__init__.py"


def test_one_address():
    """Of the repository, wherever it is named."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    home = project["urls"]["Homepage"]
    for file in ("CHANGELOG.md", "CITATION.cff", ".github/ISSUE_TEMPLATE/config.yml"):
        named = re.findall(r"https://github\.com/[^/]+/\w+", (ROOT / file).read_text())
        assert set(named) == {home}, file


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda path: path.stem
)
def test_workflows_and_forms_are_yaml(path):
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for item in content.get("body", []):
        assert item["type"] in ("textarea", "input", "markdown", "dropdown")
    for command in re.findall(r"make (?:PYTHON=\S+ )?([\w-]+)$", path.read_text()):
        assert f"\n{command}:" in (ROOT / "Makefile").read_text()
