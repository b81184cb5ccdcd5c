"""README's code runs as written, and so does that of the first steps."""

import re
import shlex
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import keras_attend as ka
from keras_attend import startup
from keras_attend.commands.main import main
from keras_attend.training import cards
from keras_attend.zoo.presets import info
from keras_attend.zoo.results import best_peer, read_results, unseen
from keras_attend.zoo.speeds import read_speeds
from keras_attend.zoo.tables import number

ROOT = Path(__file__).parents[1]
LONG = pytest.mark.long
README = (ROOT / "README.md").read_text("utf-8")
DOCS = ROOT / "docs"
STEPS = (DOCS / "guides" / "first-steps.md").read_text("utf-8")
COMMANDS = (DOCS / "guides" / "command-line.md").read_text("utf-8")
INSTALL = (DOCS / "install.md").read_text("utf-8")
INSIDE = (DOCS / "inside.md").read_text("utf-8")
CHOOSE = (DOCS / "choose.md").read_text("utf-8")


def python_of(text):
    """The Python snippets of a page."""
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_readme_is_short():
    """It leads to the pages that have the rest."""
    assert len(README.splitlines()) <= 145
    assert len(python_of(README)) == 3 and README.count("![") == 1


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def installed_by(*extras):
    """The distributions that this package brings with these extras."""
    todo = [Requirement(text) for text in PROJECT["dependencies"]]
    todo += [Requirement(f"keras-attend[{extra}]") for extra in extras]
    seen = set()
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        if name == "keras-attend":
            ours = PROJECT["optional-dependencies"]
            todo += [
                Requirement(text) for extra in wanted.extras for text in ours[extra]
            ]
        elif (key := (name, frozenset(wanted.extras))) not in seen:
            seen.add(key)
            try:
                theirs = metadata.requires(name) or ()
            except metadata.PackageNotFoundError:
                continue
            for needed in map(Requirement, theirs):
                cases = [{"extra": extra} for extra in ("", *wanted.extras)]
                if not needed.marker or any(map(needed.marker.evaluate, cases)):
                    todo.append(needed)
    return {name for name, _ in seen}


# In a process that begins so, nothing can be imported that the extra does not install.
ALONE = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refuse())
"""


def alone(extra):
    installed = installed_by(extra) | {"keras-attend"}
    packages = metadata.packages_distributions().items()
    return ALONE.format(
        names={
            package
            for package, owners in packages
            if not installed & set(map(canonicalize_name, owners))
        }
        - {"keras_attend", "keras_attend_runtime"}
    )


def test_what_all_installs():
    installed = installed_by("all")
    assert {"matplotlib", "av", "jax", "tf2onnx", "tensorflow"} <= installed
    assert not {"pytest", "opencv-contrib-python-headless", "torch"} & installed
    assert "'pytest'" in alone("all") and "'numpy'" not in alone("all")
    refused = [sys.executable, "-c", alone("all") + "import pytest"]
    assert (
        b"No module named 'pytest'"
        in subprocess.run(refused, capture_output=True).stderr
    )


def test_one_line_installs_all_that_the_page_needs():
    """Every extra that is named is in `all`, which is the first thing to install."""
    lines = re.findall(r"^pip install (\S+)", README, re.MULTILINE)
    assert lines == ['".[all]"']
    assert "`pip install ./runtime` instead" in README
    (all_,) = map(Requirement, PROJECT["optional-dependencies"]["all"])
    assert re.findall(r"^pip install (\S+)", INSTALL, re.MULTILINE) == [
        *lines,
        "./runtime",
    ]
    table = INSTALL[INSTALL.index("| extra | for") :].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == all_.extras
    named = set(re.findall(r"`(recipes|toolkits)` has", INSTALL))
    assert named == {"recipes", "toolkits"} <= set(PROJECT["optional-dependencies"])


def test_hints_name_packages_that_an_extra_has():
    """What an error says to install is no extra: it works from a checkout too."""
    named = {
        canonicalize_name(Requirement(text).name)
        for texts in PROJECT["optional-dependencies"].values()
        for text in texts
    } | {"opencv-python"}  # with windows, which no extra's OpenCV has
    hints = []
    for path in [
        *ROOT.glob("keras_attend/**/*.py"),
        *ROOT.glob("keras_attend_r*/*.py"),
    ]:
        text = re.sub(r'"\s*\n\s*f?"', "", path.read_text())  # texts of several lines
        assert not re.search(r"install ['\"]?keras-attend\[", text), path
        hints += re.findall(r"pip install ([a-zA-Z][^'\".,`]*)", text)
    assert len(hints) >= 6
    for hint in hints:
        assert set(map(canonicalize_name, hint.split())) <= named, hint


def test_which_one_is_the_first_table():
    """It says what `results.json` and `speeds.json` say, and nothing else."""
    first = README[README.index("\n| ") + 1 :].partition("<!--")[0]
    folder = ROOT / "zoo"
    presets = [(info(folder / n), read_results(folder / n)) for n in cards.CHOSEN]
    assert first == cards.which_table(presets, folder)
    speeds = read_speeds(folder)
    for (preset, results), line in zip(presets, first.splitlines()[2:], strict=True):
        score = unseen(results.results)
        said = f"**{number(score.value)}** "
        if peer := best_peer(score):
            said += f"({peer[0]} {number(peer[1])})"
        assert line.startswith(f"| {preset.use} | [{preset.name}]")
        assert said in line
        if preset.name in speeds:
            assert f"| {speeds[preset.name].per_second:,.0f} " in line
        for better in score.better_baselines:
            assert f"{better} {number(score.baselines[better])}" in line


def test_one_row_for_each_preset():
    """The score on unseen data, and every baseline that is better."""
    table = README.partition(cards.BEGIN)[2].partition(cards.END)[0]
    rows = table.strip().splitlines()[2:]
    names = ka.zoo.list_models(ROOT / "zoo")
    for name, line in zip(names, rows, strict=True):
        score = unseen(read_results(ROOT / "zoo" / name).results)
        assert line.startswith(f"| [{name}](zoo/{name}/README.md) |")
        assert f"| `{score.protocol}` |" in line
        assert f"| **{number(score.value)}** |" in line
        assert line.endswith(f"| {', '.join(score.better_baselines)} |")


def test_the_choosers_words_have_the_measured_numbers():
    """Its sentences on real videos say what `results.json` says."""
    rows = read_results(ROOT / "zoo" / "hart_kitti").results
    found = {(r.protocol, r.metric): r for r in rows}
    clips = found["videos_test/60_frame_clips", "mean_iou"]
    whole = found["videos_test/ope", "mean_iou"]
    again = found["videos_test/hidden_clips", "refound_rate"]
    knows = found["videos_test/hidden_clips", "presence_auc"]
    nano, text = "TrackerNano", " ".join(CHOOSE.split())
    said = (
        f"over clips of 60 frames ({clips.value:.3f}; {nano}, a network trained on "
        f"much more data, {clips.baselines[nano]:.3f}; CSRT "
        f"{clips.baselines['CSRT']:.3f})",
        f"whole videos ({whole.value:.3f}, {whole.baselines[nano]:.3f} and "
        f"{whole.baselines['CSRT']:.3f})",
        f"(both in {again.baselines[nano]:.0%} of the clips, `hart_kitti` in "
        f"{again.value:.0%})",
        f"AUC of {knows.value:.2f}, {nano}'s score with {knows.baselines[nano]:.2f}",
    )
    said = tuple(words.replace("%", " %") for words in said)
    assert not [words for words in said if words not in text]


@pytest.mark.packaging
@pytest.mark.parametrize(
    ("code", "count"),
    [
        pytest.param(python_of(README)[0], 1, id="README"),
        pytest.param("".join(python_of(STEPS)[:2]), 2, id="first-steps", marks=LONG),
    ],
)
def test_first_lines_run(tmp_path, code, count):
    code = alone("all") + code
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    rates = re.findall(r"^(?:0\.\d+|1\.0)$", found.stdout, re.MULTILINE)
    assert len(rates) == count
    assert all(float(rate) > 0.9 for rate in rates)
    assert (tmp_path / "glimpses.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(python_of(README)[1], id="README"),
        pytest.param(python_of(STEPS)[2], id="first-steps", marks=LONG),
    ],
)
def test_tracking_lines_run(code):
    assert "frames = ..." in code
    frames = np.random.default_rng(0).integers(0, 256, (4, 60, 80, 3), "uint8")
    names = {"ka": ka, "given": frames, "x": 20, "y": 10, "w": 24, "h": 30}
    exec(code.replace("frames = ...", "frames = given"), names)
    boxes = np.asarray(names["found"]["boxes"])
    assert boxes.shape == (1, 4, 4)
    np.testing.assert_allclose(boxes[0, 0], [20, 10, 24, 30], atol=1e-3)
    np.testing.assert_allclose(names["box"], boxes[0, -1], atol=1e-2)


@LONG
def test_objects_are_found_and_balls_caught_in_the_first_steps(capsys):
    find, play = python_of(STEPS)[3:5]
    names = {"ka": ka, "np": np}
    exec(find + play, names)
    assert names["found"]["boxes"].shape == (10, 3, 4)
    assert set(names["found"]["count"]) <= {0, 1, 2}
    assert float(capsys.readouterr().out.split()[-1]) > 0.85


def test_names_and_links_exist():
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link
    names = re.findall(r"^\| `([\w.]+)`", INSIDE, re.MULTILINE)
    assert len(names) > 20
    for name in names:
        thing = ka
        for part in name.split("."):
            thing = getattr(thing, part)


@pytest.mark.parametrize("line", re.findall(r"^keras-attend (.*)$", COMMANDS, re.M))
def test_commands_are_understood(line, monkeypatch):
    """Each line that the page on commands shows is parsed; it goes no further here."""

    def stop():
        raise KeyboardInterrupt

    monkeypatch.setattr(startup, "check_environment", stop)
    assert main(shlex.split(line, comments=True)) == 130
