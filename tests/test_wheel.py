"""The wheel holds all that it needs, and works from anywhere."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging
ROOT = Path(__file__).parents[1]
PRESETS = sorted(path.parent.name for path in ROOT.glob("zoo/*/preset.json"))


def built(project, out):
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    subprocess.run([*command, "--outdir", str(out), str(project)], check=True)
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return built(ROOT, tmp_path_factory.mktemp("dist"))


def test_wheel_holds_everything(wheel):
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
    assert {
        "keras_attend/py.typed",
        "keras_attend/datasets/sample_digits.npz",
        "keras_attend/datasets/sample_digits.txt",
        *(f"keras_attend/video/page/page.{kind}" for kind in ("html", "css", "js")),
    } <= names
    for preset in PRESETS:
        for name in ("config.json", "model.weights.h5", "preset.json", "README.md"):
            assert f"keras_attend/presets/{preset}/{name}" in names
    modules = {
        path.relative_to(ROOT).as_posix() for path in ROOT.glob("keras_attend*/**/*.py")
    }
    assert modules <= names
    tops = {name.split("/")[0] for name in names}
    assert len(tops) == 3  # the package, its runtime, and its metadata
    for licence in ("LICENSE", "NOTICE"):
        assert any(name.endswith(f"licenses/{licence}") for name in names)


def test_wheel_works_from_an_empty_folder(wheel, tmp_path):
    target, empty = tmp_path / "target", tmp_path / "empty"
    empty.mkdir()
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*install, "--target", str(target), str(wheel)], check=True)
    code = f"""
import keras_attend
from keras_attend import zoo
from keras_attend.commands import main as cli
from keras_attend.datasets import sample_digits
assert keras_attend.__file__.startswith({str(target)!r}), keras_attend.__file__
assert zoo.list_models() == {PRESETS!r}, zoo.list_models()
for name in zoo.list_models():
    zoo.load(name)
assert len(sample_digits()[0]) == 50
assert cli.main(["list"]) == 0
"""
    environment = os.environ | {"PYTHONPATH": str(target)}
    subprocess.run([sys.executable, "-c", code], cwd=empty, env=environment, check=True)


def test_the_small_wheel_needs_no_keras(wheel, tmp_path):
    path = built(ROOT / "runtime", tmp_path)
    with zipfile.ZipFile(path) as small, zipfile.ZipFile(wheel) as whole:
        names = {n for n in small.namelist() if n.endswith(".py")}
        modules = (ROOT / "keras_attend_runtime").glob("*.py")
        assert names == {f"keras_attend_runtime/{m.name}" for m in modules}
        for name in names:  # the same in both: either may be installed
            assert small.read(name) == whole.read(name)
        (about,) = (n for n in small.namelist() if n.endswith("METADATA"))
        lines = small.read(about).decode().splitlines()
    needed = [x.split()[-1] for x in lines if x.startswith("Requires-Dist")]
    assert [re.match(r"\w+", x).group() for x in needed] == ["numpy", "onnxruntime"]
    assert path.name.split("-")[1] == wheel.name.split("-")[1]  # the version
