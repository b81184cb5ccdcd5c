"""README's code runs as written."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import keras_attend as ka

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


def test_tracking_lines_run():
    code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[1]
    assert "frames = ..." in code
    frames = np.random.default_rng(0).integers(0, 256, (4, 60, 80, 3), "uint8")
    names = {"ka": ka, "given": frames, "x": 20, "y": 10, "w": 24, "h": 30}
    exec(code.replace("frames = ...", "frames = given"), names)
    boxes = np.asarray(names["found"]["boxes"])
    assert boxes.shape == (1, 4, 4)
    np.testing.assert_allclose(boxes[0, 0], [20, 10, 24, 30], atol=1e-3)
    np.testing.assert_allclose(names["box"], boxes[0, -1], atol=1e-2)


def test_names_and_links_exist():
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link
    for name in re.findall(r"^\| `([\w.]+)`", README, re.MULTILINE):
        thing = ka
        for part in name.split("."):
            thing = getattr(thing, part)
