"""The kit itself: it sorts ends rightly, and a part of its attacks ends safely."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

SORTED = """
import os, signal, time
import harness

def allocate(folder):
    bytearray(2**34)

def fill(folder):
    with (folder / "x").open("wb") as file:
        while True:
            file.write(bytes(2**20))

def hang(folder):
    while True:
        pass

def crash(folder):
    os.kill(os.getpid(), signal.SIGSEGV)

def escape(folder):
    (folder.parent / "code_ran").write_text("x")

def clear(folder):
    raise ValueError("`x` must be positive. Received: x=0")

def unclear(folder):
    raise ValueError("wrong")

def bug(folder):
    {}["x"]

expected = {
    allocate: "unsafe", hang: "unsafe", crash: "unsafe", escape: "unsafe",
    clear: "safe", unclear: "unclear", bug: "unclear",
}
for attack, kind in expected.items():
    end = harness.run("x", attack, seconds=1)
    assert end.kind == kind, (attack, end)
assert "File too large" in harness.run("x", fill).detail
"""


def python(*arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=HERE,
        env=environment(),
        capture_output=True,
        text=True,
    )


def environment():
    paths = [str(HERE.parents[1]), str(HERE.parent), str(HERE)]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def test_ends_are_sorted():
    found = python("-c", SORTED)
    assert found.returncode == 0, found.stderr[-2000:]


def test_some_attacks_end_safely():
    """All of them are a part of their own of `make test-hostile`."""
    found = python("harness.py", "--every", "500")
    assert found.returncode == 0, found.stdout[-5000:] + found.stderr[-2000:]
