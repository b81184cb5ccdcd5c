import json
import subprocess
import sys

import numpy as np
import pytest

from keras_attend import zoo
from keras_attend.commands.main import main
from keras_attend.datasets import mnist_digits, sample_digits
from keras_attend.models.ram import RAM
from keras_attend.models.ratm import RATM, RATMCell
from keras_attend.zoo import presets
from keras_attend.zoo.speeds import Speed, write_speeds

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
    scored(folder, single=90)
    monkeypatch.setattr(presets, "presets_folder", lambda: folder.parent)
    return folder


def scored(folder, **values):
    """A `results.json` of these protocols, of MNIST's test digits."""
    results = [
        zoo.Result(
            "error_percent",
            f"mnist_test/{name}",
            v,
            v - 1,
            v + 1,
            5,
            1.29,
            differences=["another network"],
        )
        for name, v in values.items()
    ]
    sets = {"mnist_test": {"kind": "digit_images", "side": 28, "pieces": 0}}
    about = {"device": "a CPU", "training_seconds": 0, "commit": "abc"}
    zoo.write_results(folder, results, **about, test_sets=sets)


@pytest.fixture
def fifty_digits(monkeypatch):
    """MNIST is the sample digits."""
    images, labels = sample_digits()
    arrays = {"x_test": images[..., 0], "y_test": labels}
    monkeypatch.setattr(mnist_digits, "_mnist_arrays", lambda: arrays)


def error(capsys):
    """What stderr says, in one line."""
    printed = capsys.readouterr().err
    assert printed.startswith("keras-attend: ") and printed.count("\n") == 1
    return printed


# demo.


@pytest.fixture
def small_ratm(small_ram):
    """A second preset: an untrained `ratm_mnist_multi`."""
    model = RATM(RATMCell(7, 4))
    model.build()
    about = {"description": "A very small RATM.", "paper": "Kahou et al. 2015"}
    folder = small_ram.parent / "ratm_mnist_multi"
    task = {"task": "tracking", "input": "frames [B, T, H, W, 1]"}
    zoo.save_preset(model, folder, **about, **task)
    return folder


def test_demo(small_ratm, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert main(["demo", "--out", str(tmp_path / "new" / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["digit", "label", "prediction", "confidence"]
    labels = [int(line.split()[1]) for line in lines[1:51]]
    assert labels == np.repeat(np.arange(10), 5).tolist()
    right = sum("wrong" not in line for line in lines[1:51])
    assert lines[51] == f"{right} of 50 right ({2 * right}%)."
    assert lines[52].startswith("ratm_mnist_multi follows a digit past another one")
    for line, name in zip(lines[53:], ("glimpses.png", "track.png"), strict=True):
        picture = tmp_path / "new" / "out" / name
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert str(picture) in line


def test_demo_without_matplotlib(small_ratm, tmp_path, capsys, monkeypatch):
    """As a wheel without extras is installed: all but the pictures, and status 0."""
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    assert main(["demo", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "No pictures. Pictures need matplotlib: pip install matplotlib"
    assert said[-2].startswith("ratm_mnist_multi follows")


# list and info.


def test_list(small_ram, small_ratm, capsys):
    edit(small_ram / "preset.json", use="reading digits")
    speed = Speed(1234.0, "images", "28x28", "one core")
    write_speeds(small_ram.parent, {"ram_mnist": speed})
    assert main(["list"]) == 0
    header, row, other = capsys.readouterr().out.splitlines()
    assert header.split() == [
        "name",
        "for",
        "per",
        "second",
        "metric",
        "protocol",
        "ours",
        "best",
        "peer",
    ]
    said = "ram_mnist reading digits 1,234 images error (%) mnist_test/single 90.00"
    assert row.split() == said.split()  # the paper has another setting: no peer
    assert header.index("metric") == row.index("error (%)")
    assert other.split() == ["ratm_mnist_multi", "tracking", "not", "evaluated"]
    assert main(["list", "--task", "tracking"]) == 0
    assert "ram_mnist " not in capsys.readouterr().out
    assert main(["list", "--task", "chess"]) == 1
    assert "`task` must be one of ('classification', 'tracking')" in error(capsys)


def test_list_shows_the_score_on_unseen_videos_and_its_best_peer(small_ram, capsys):
    peers = {"static box": 0.2, "CSRT": 0.7, "KCF": 0.4}
    rows = [("videos_validation", 0.8), ("videos_test", 0.6)]
    results = [
        zoo.Result("mean_iou", f"{name}/60_frame_clips", v, v, v, 1, None, peers)
        for name, v in rows
    ]
    about = {"device": "a CPU", "training_seconds": 0, "commit": "abc"}
    zoo.write_results(small_ram, results, **about)
    assert main(["list"]) == 0
    row = capsys.readouterr().out.splitlines()[1]
    assert row.endswith("mean IoU  videos_test/60_frame_clips  0.600  CSRT 0.700")
    assert main(["list", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["unseen"]["value"] == 0.6 and found["best_peer"] == ["CSRT", 0.7]
    assert found["speed"] is None


def test_list_as_json(small_ram, capsys):
    assert main(["list", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["name"] == "ram_mnist" and row["task"] == "classification"
    assert row["size_bytes"] == (small_ram / "model.weights.h5").stat().st_size
    assert row["result"]["value"] == 90 and row["result"]["paper"] == 1.29


def test_list_of_what_was_not_evaluated(small_ram, capsys):
    (small_ram / "results.json").unlink()
    assert main(["list"]) == 0
    assert capsys.readouterr().out.endswith("  not evaluated\n")


def test_list_of_none(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(presets, "presets_folder", lambda: tmp_path)
    assert main(["list"]) == 0
    assert capsys.readouterr().out.startswith("name  for  per second")


def test_list_in_a_process_of_its_own():
    """Of the presets that ship, and nothing but JSON on stdout."""
    found = subprocess.run(
        [sys.executable, "-m", "keras_attend", "list", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert [row["name"] for row in json.loads(found.stdout)] == zoo.list_models()


def test_info(small_ram, capsys):
    assert main(["info", "ram_mnist"]) == 0
    out = capsys.readouterr().out
    assert "task:    classification" in out
    assert "error (%), mnist_test/single: 90 (89 to 91, n=5; paper 1.29)" in out


def test_info_of_a_folder(small_ram, capsys):
    assert main(["info", str(small_ram)]) == 0
    assert "ram_mnist: A very small RAM." in capsys.readouterr().out


def test_info_as_json(small_ram, capsys):
    assert main(["info", "ram_mnist", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["folder"] == str(small_ram)
    assert found["metrics"][0]["protocol"] == "mnist_test/single"
    assert found["sha256"].keys() == {"config.json", "model.weights.h5"}


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


# evaluate.


def test_evaluate(small_ram, fifty_digits, quick, capsys):
    """It finds a number that is made up, and then the one that it has measured."""
    scored(small_ram, single=10, single_seeds=10)
    status = main(["evaluate", "ram_mnist", "--json"])
    printed = capsys.readouterr()
    assert status == 1
    assert printed.err.endswith(": 1 of 1 results are not what results.json says.\n")
    single, seeds = json.loads(printed.out)["results"]
    assert single["differs"] and single["tolerance"] == 2  # the published spread
    assert seeds["value"] is None
    assert "does not hold the weights" in seeds["reason"]

    scored(small_ram, single=single["value"], single_seeds=10)
    assert main(["evaluate", "ram_mnist", "--quick"]) == 0
    header, row, within, *rest = capsys.readouterr().out.splitlines()
    assert header.split()[-3:] == ["published", "measured", "within"]
    assert row.endswith("as published")
    assert within.startswith("Within: 4 standard errors of the sample")
    why = "Not measured: error (%), mnist_test/single_seeds: the preset does not hold"
    assert rest[0].startswith(why)


def test_evaluate_without_its_data(small_ram, tmp_path, capsys):
    arguments = ["evaluate", "ram_mnist", "--data"]
    assert main([*arguments, str(tmp_path / "none")]) == 1
    assert "--data must be a folder" in error(capsys)
    assert main([*arguments, str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert "must hold mnist.npz" in printed.out
    assert "None of ram_mnist's results can be measured" in printed.err


def test_evaluate_without_results(small_ram, capsys):
    (small_ram / "results.json").unlink()
    assert main(["evaluate", "ram_mnist"]) == 1
    assert "has no results.json" in error(capsys)


# train.

RECIPE = """
import importlib.util, sys
assert importlib.util.find_spec("keras_attend")  # it could import the package
print(sys.argv[1:])
sys.exit({status})
"""


def write_recipe(folder, status=0):
    (folder / "recipe.py").write_text(RECIPE.format(status=status))


def test_train(small_ram, capfd):
    write_recipe(small_ram)
    assert main(["train", "ram_mnist"]) == 0
    assert capfd.readouterr().out == "['--out', 'trained/ram_mnist']\n"
    flags = [
        "--out",
        "o",
        "--epochs",
        "2",
        "--steps",
        "3",
        "--runs",
        "r",
        "--data",
        "d",
        "--resume",
    ]
    assert main(["train", str(small_ram), *flags]) == 0
    assert capfd.readouterr().out == f"{flags}\n"


def test_train_when_the_recipe_fails(small_ram, capfd):
    write_recipe(small_ram, status=3)
    assert main(["train", "ram_mnist"]) == 1
    assert "ended with status 3" in error(capfd)
    write_recipe(small_ram, status=2)
    assert main(["train", "ram_mnist"]) == 2
    with pytest.raises(SystemExit, match="2"):
        main(["train", "ram_mnist", "--steps", "0"])


def test_train_without_a_recipe(small_ram, capsys):
    assert main(["train", "ram_mnist"]) == 1
    assert "in the folder zoo/NAME of a checkout" in error(capsys)
    assert main(["train", "hf://org/name"]) == 1
    assert "a stranger's program" in error(capsys)


# verify.


def verified(folder, capsys):
    """The exit status, and the names of the checks that fail."""
    status = main(["verify", str(folder), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] == (status == 0)
    return status, {row["name"] for row in found["checks"] if not row["ok"]}


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_verify(small_ram, capsys):
    assert main(["verify", str(small_ram)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [
        *("manifest", "sha256", "sha256", "size", "classes", "loads"),
        *("parameters", "card", "results"),
    ]
    assert all(line.split()[1] == "ok" for line in lines[1:])
    (small_ram / "results.json").unlink()
    assert verified(small_ram, capsys) == (0, set())


def test_verify_finds_what_is_wrong(small_ram, capsys):
    (small_ram / "results.json").write_text("{}")
    (small_ram / "README.md").write_text("a card")
    assert verified(small_ram, capsys) == (1, {"results", "card"})
    edit(small_ram / "preset.json", parameters=3, size_bytes=5)
    assert verified(small_ram, capsys)[1] >= {"loads", "size"}
    layer = {"module": "os", "class_name": "system", "config": {}}
    edit(small_ram / "config.json", extra=layer)
    assert verified(small_ram, capsys)[1] >= {"sha256", "classes", "loads"}
    (small_ram / "preset.json").write_text("[]")
    assert verified(small_ram, capsys)[1] == {"manifest", "results", "card"}


def test_verify_stays_in_the_folder(small_ram, capsys):
    sums = json.loads((small_ram / "preset.json").read_text())["sha256"]
    (small_ram.parent / "other").write_text("")
    edit(small_ram / "preset.json", sha256=sums | {"../other": "0"})
    main(["verify", str(small_ram)])
    printed = capsys.readouterr()
    assert "`sha256` must name plain files, not '../other'" in printed.out
    assert printed.err == "keras-attend: 1 of 3 checks of it failed.\n"


def test_verify_of_no_folder(tmp_path, capsys):
    assert main(["verify", str(tmp_path / "none")]) == 1
    assert "There is no folder" in error(capsys)


# The Hub: what reaches `zoo`.


def test_download(monkeypatch, capsys):
    fetch = {"hf://org/name": "folder"}.__getitem__
    monkeypatch.setattr(zoo, "download", fetch, raising=False)
    assert main(["download", "hf://org/name"]) == 0
    assert capsys.readouterr().out == "folder\n"


def test_publish(monkeypatch, tmp_path, capsys):
    asked = []

    def stub(*arguments, **options):
        asked.append((arguments, options))
        return "https://hub/org/name/commit/abc"

    monkeypatch.setattr(zoo, "publish", stub, raising=False)
    command = ["publish", str(tmp_path), "org/name"]
    assert main(command) == 0
    flags = ["--private", "--create-pr", "--revision", "new", "--overwrite"]
    assert main([*command, *flags]) == 0
    assert capsys.readouterr().out == "https://hub/org/name/commit/abc\n" * 2
    plain = {"private": False, "create_pr": False, "revision": None, "overwrite": False}
    given = {"private": True, "create_pr": True, "revision": "new", "overwrite": True}
    assert asked == [
        ((tmp_path, "org/name"), {**plain, "token": None}),
        ((tmp_path, "org/name"), {**given, "token": None}),
    ]


# Help and usage.

COMMANDS = [
    "demo",
    "list",
    "info",
    "track",
    "evaluate",
    "train",
    "verify",
    "download",
    "publish",
    "convert",
    "results",
    "trax",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    text = capsys.readouterr().out
    assert f"keras-attend {command}" in text.partition("examples:")[2]


def test_help_of_all(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(f"    {command} " in text for command in COMMANDS)
    assert "exit status" in text


@pytest.mark.parametrize("arguments", [[], ["lst"], ["info"], ["list", "--jason"]])
def test_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "usage: keras-attend" in capsys.readouterr().err
