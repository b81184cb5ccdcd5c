import json
import sys

import numpy as np
import pytest

from keras_attend import zoo
from keras_attend.cli import main
from keras_attend.models.ram import RAM
from keras_attend.zoo import presets

pytestmark = pytest.mark.packaging


@pytest.fixture
def small_ram(tmp_path, monkeypatch):
    """The only preset there is: an untrained `ram_mnist`."""
    model = RAM(glimpses=2, size=4, glimpse_units=8, units=8)
    model.build((None, 28, 28, 1))
    folder = tmp_path / "presets" / "ram_mnist"
    zoo.save_preset(
        model,
        folder,
        description="A very small RAM.",
        paper="Mnih et al. 2014",
        task="classification",
        input="images [B, H, W, 1]",
    )
    result = zoo.Result("error_percent", "mnist_test/single", 90, 89, 91, 5, 1.29)
    zoo.write_results(
        folder, [result], device="a CPU", training_seconds=0, commit="abc"
    )
    monkeypatch.setattr(presets, "presets_folder", lambda: folder.parent)
    return folder


def test_demo(small_ram, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert main(["demo", "--out", str(tmp_path / "new" / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["digit", "label", "prediction", "confidence"]
    labels = [int(line.split()[1]) for line in lines[1:51]]
    assert labels == np.repeat(np.arange(10), 5).tolist()
    right = sum("wrong" not in line for line in lines[1:51])
    assert lines[51] == f"{right} of 50 right ({2 * right}%)."
    picture = tmp_path / "new" / "out" / "glimpses.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert str(picture) in lines[52]


def test_demo_without_matplotlib(small_ram, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_attend.plots", None)
    assert main(["demo", "--out", str(tmp_path / "out")]) == 0
    assert "pip install 'keras-attend[plots]'" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_list(small_ram, capsys):
    assert main(["list"]) == 0
    assert capsys.readouterr().out == "ram_mnist  A very small RAM.\n"


def test_info(small_ram, capsys):
    assert main(["info", "ram_mnist"]) == 0
    out = capsys.readouterr().out
    assert "task:    classification" in out
    assert "error (%), mnist_test/single: 90 (89 to 91, n=5; paper 1.29)" in out


def test_info_of_a_folder(small_ram, capsys):
    assert main(["info", str(small_ram)]) == 0
    assert "ram_mnist: A very small RAM." in capsys.readouterr().out


def test_an_unknown_preset_is_one_line_not_a_traceback(small_ram, capsys):
    assert main(["info", "ram_mnits"]) == 1
    error = capsys.readouterr().err
    assert "Did you mean 'ram_mnist'?" in error and error.count("\n") == 1


def test_a_damaged_preset(small_ram, capsys):
    manifest = json.loads((small_ram / "preset.json").read_text())
    manifest["sha256"]["model.weights.h5"] = "0"
    (small_ram / "preset.json").write_text(json.dumps(manifest))
    assert main(["demo"]) == 1
    assert "is damaged or was changed" in capsys.readouterr().err
