"""A tracker that is updated very often keeps no memory, and stays a number."""

import subprocess
import sys
from pathlib import Path

import pytest
import updates


def test_presets_that_track():
    names = {folder.name for folder in updates.trackers()}
    assert {"drlt_otb", "hart_kitti", "hart_street", "ratm_balls"} <= names
    assert not {"ram_mnist", "ram_catch", "ratm_kth"} & names


@pytest.mark.hostile
@pytest.mark.packaging
@pytest.mark.parametrize("name", [folder.name for folder in updates.trackers()])
def test_updates(name):
    script = Path(updates.__file__)
    found = subprocess.run(
        [sys.executable, str(script), name], capture_output=True, text=True
    )
    assert found.returncode == 0, found.stdout + found.stderr[-2000:]
    assert found.stdout.startswith(f"{name}: 10000 updates")
