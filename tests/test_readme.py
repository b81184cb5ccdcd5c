"""README's code runs as written."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.packaging
def test_first_lines_run(tmp_path):
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL).group(1)
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    rates = re.findall(r"^(?:0\.\d+|1\.0)$", found.stdout, re.MULTILINE)
    assert len(rates) == 2
    assert all(float(rate) > 0.9 for rate in rates)
    assert (tmp_path / "glimpses.png").stat().st_size > 10_000


def test_names_and_links_exist():
    import keras_attend as ka

    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link
    for name in re.findall(r"^\| `([\w.]+)`", README, re.MULTILINE):
        thing = ka
        for part in name.split("."):
            thing = getattr(thing, part)
