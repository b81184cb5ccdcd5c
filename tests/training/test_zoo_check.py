import os
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_attend import evaluation, training, zoo
from keras_attend.datasets import TEST_SEED, BouncingBalls, Sequence, sample_digits
from keras_attend.evaluation import (
    CatchGames,
    DigitImages,
    DrawnClips,
    DrawnPictures,
    Videos,
)
from keras_attend.evaluation import test_sets as sets_of_evaluation
from keras_attend.evaluation.test_sets import described
from keras_attend.models import AIR, RATM, RATMCell
from keras_attend.models.ram import RAM, RAMAgent
from keras_attend.training import cards, remeasure
from keras_attend.training import zoo_check as check
from keras_attend.zoo import presets
from keras_attend.zoo.results import Results, read_results

ABOUT = {"description": "-", "paper": "-", "task": "-", "input": "-"}
WRITE = {"device": "a CPU", "training_seconds": 1, "commit": "abc"}
RECIPE = '''"""small: a preset.

Paper     of nobody
Command   python zoo/small/recipe.py
Expected  90 %
"""
'''


def published(metric, protocol, value=0.5, spread=0.0):
    return zoo.Result(metric, protocol, value, value - spread, value + spread, 1)


def measured(model, *results, sets=None, **options):
    content = Results(
        "small", **WRITE, results=results, test_sets=described(sets or {})
    )
    return list(remeasure.remeasure(model, content, **{"quick": True, **options}))


# Data that only the recipes can draw, and those that judged other weights.
RECIPES_ALONE = {"rendered_kitti_validation", "rendered_kitti_test", "otb_unseen"}


# What is measured again.


@pytest.fixture(scope="module")
def tracker():
    """A very small RATM, not trained."""
    keras.utils.set_random_seed(0)
    model = RATM(RATMCell(4, 4, channels=1))
    model.build()
    return model


def test_clips_are_a_sample_with_its_error(tracker, quick, monkeypatch):
    monkeypatch.setattr(remeasure, "PARTS", 3)
    monkeypatch.setattr(remeasure, "PART", 2)
    names = "mean_iou", "center_error_px"
    found = measured(
        tracker,
        *(published(name, "bouncing_balls/32_frames") for name in names),
        published("mean_iou", "bouncing_balls/32_frames_with_first"),
        published("mean_iou", "bouncing_balls/32_frames_last"),
        sets={"bouncing_balls/32_frames": DrawnClips("bouncing_balls", 32, 10, 10)},
    )
    data = BouncingBalls(2, 3, 32, seed=TEST_SEED)
    parts = [evaluation.score_clips(tracker, [data[index]]) for index in range(3)]
    for one, attribute in zip(
        found,
        ("mean_iou", "center_error", "mean_iou_with_first", "last_iou"),
        strict=True,
    ):
        values = [getattr(part, attribute) for part in parts]
        assert one.value == pytest.approx(np.mean(values), abs=1e-4)
        error = np.std(values, ddof=1) / np.sqrt(3)
        assert one.tolerance == pytest.approx(max(4 * error, 0.01), abs=1e-4)


@pytest.mark.usefixtures("mnist_file")
def test_pictures_are_a_sample_with_its_error(quick, monkeypatch):
    monkeypatch.setattr(remeasure, "PART", 3)
    model = AIR(size=32, steps=1, window=4, what=2, units=4)
    model.compile()
    pictures = DrawnPictures(size=32, max_digits=1, batch_size=8, batches=5)
    rows = (
        published("count_accuracy", "one_digit/pictures"),
        published("elbo_nats", "one_digit/pictures", -2000.0),
    )
    counts, bounds = measured(model, *rows, sets={"one_digit": pictures})
    parts = [evaluation.score_pictures(model, [pictures.load()[i]]) for i in range(3)]
    found = [part.count_accuracy for part in parts]
    assert counts.value == pytest.approx(np.mean(found), abs=1e-4)
    error = np.std(found, ddof=1) / np.sqrt(3)
    assert counts.tolerance == pytest.approx(max(4 * error, 0.01), abs=1e-4)
    expected = np.mean([part.elbo_nats for part in parts])
    assert bounds.value == pytest.approx(expected, abs=20)  # of other draws
    (whole, _) = measured(model, *rows, sets={"one_digit": pictures}, quick=False)
    assert (
        whole.value == evaluation.score_pictures(model, pictures.load()).count_accuracy
    )


def test_catch(quick, monkeypatch):
    monkeypatch.setattr(remeasure, "GAMES", 50)
    agent = RAMAgent(size=4, scales=1, units=4, glimpse_units=4)
    agent.build(agent.serving_shape)
    result, sets = (
        published("catch_rate", "catch/50_games", 0.2),
        {"catch": CatchGames()},
    )
    (found,) = measured(agent, result, sets=sets)
    assert 0 <= found.value <= 1 and round(50 * found.value, 6) % 1 == 0
    assert found.tolerance == pytest.approx(4 * np.sqrt(0.2 * 0.8 / 50), abs=1e-4)


def test_videos(tracker, quick, monkeypatch, tmp_path):
    """All clips, in a sample too; one that comes again is not tracked again."""
    Image = pytest.importorskip("PIL.Image")
    for name in ("a", "b", "c"):
        folder = tmp_path / "tracking" / name / "img"
        folder.mkdir(parents=True)
        for t in range(4):
            pixels = np.random.default_rng(t).integers(0, 255, (20, 30, 3), "uint8")
            Image.fromarray(pixels).save(folder / f"{t + 1:04d}.png")
        (folder.parent / "groundtruth_rect.txt").write_text("5,5,8,8\n" * 4)
    calls = []

    def follow(frames, box):
        calls.append(len(frames))
        return evaluation.static_box(frames, box) + np.array([1, 1, 0, 0])

    monkeypatch.setattr(remeasure, "Tracker", lambda _: SimpleNamespace(track=follow))
    (tmp_path / "tracking_test").symlink_to(tmp_path / "tracking")
    sets = {
        "videos_validation": Videos("tracking", ("a", "b")),
        "people_validation": Videos("tracking", ("a", "z")),
        "videos_test": Videos("tracking_test", ("c",)),
    }
    before = os.environ.get("KERAS_ATTEND_DATA")
    results = [
        published("center_error_px", "videos_validation/2_frame_clips", 1.4142),
        published("mean_iou", "videos_validation/2_frame_clips"),
        published("mean_iou", "people_validation/2_frame_clips"),
        published("mean_iou", "videos_test/2_frame_clips"),
        published("mean_iou", "videos_validation/ope"),
    ]
    clips, iou, people, test, ope = measured(
        tracker, *results, sets=sets, data=tmp_path
    )
    assert clips.value == 1.4142 and not clips.differs
    assert iou.value == pytest.approx(49 / (2 * 64 - 49), abs=1e-4)
    assert calls == [2, 2]  # both videos hold the same
    assert people.reason == f"{tmp_path / 'tracking'} lacks z"
    assert test.value == iou.value
    (tmp_path / "tracking_test").unlink()
    (test,) = measured(tracker, results[3], sets=sets, data=tmp_path)
    assert "tracking_test" in test.reason
    assert "whole videos" in ope.reason
    (whole,) = measured(tracker, results[-1], sets=sets, data=tmp_path, quick=False)
    assert whole.value == iou.value  # `follow` moves the first box as well
    assert os.environ.get("KERAS_ATTEND_DATA") == before


@pytest.mark.parametrize(
    ("metric", "protocol", "reason"),
    [
        ("error_percent", "mnist_test/single", "must name the folder of the data"),
        ("error_percent", "street_numbers/single", "does not describe its test set"),
        ("mean_iou", "videos_test/ope", "must name the folder of the data"),
        ("mean_iou", "bouncing_balls/33_frames", "does not describe its test set"),
        ("mean_iou", "huge", "must be an integer in 2..1000"),
    ],
)
def test_what_cannot_be_measured(metric, protocol, reason, monkeypatch):
    monkeypatch.delenv("KERAS_ATTEND_DATA", raising=False)
    sets = {"mnist_test": DigitImages(), "videos_test": Videos("tracking_test")}
    content = Results("small", **WRITE, results=(published(metric, protocol),))
    huge = {"kind": "drawn_clips", "source": "bouncing_balls", "frames": 10**9}
    huge |= {"batch_size": 1, "batches": 1}
    object.__setattr__(content, "test_sets", described(sets) | {"huge": huge})
    (found,) = remeasure.remeasure(None, content, download=False)
    assert found.value is None and not found.differs
    assert reason in found.reason


@pytest.mark.parametrize(
    ("value", "differs"), [(0.5, False), (0.609, False), (0.62, True), (np.nan, True)]
)
def test_differs(value, differs):
    found = remeasure.Measured(published("mean_iou", "a/b"), value, tolerance=0.11)
    assert found.differs is differs


def test_every_result_of_the_zoo_is_known(monkeypatch, tmp_path):
    """Each is measured, or it is said why not: none is of an unknown protocol."""
    scores = dict.fromkeys(remeasure.ATTRIBUTES.values(), 1.0)
    stub = SimpleNamespace(
        error_percent=lambda *_, **__: np.ones(1),
        catch_rate=lambda *_, **__: np.ones(1),
        score_clips=lambda *_: SimpleNamespace(**scores),
        score_pictures=lambda *_: SimpleNamespace(**scores),
        score_videos=lambda *_: SimpleNamespace(**scores),
        video_clips=lambda *_: SimpleNamespace(**scores),
        one_pass=lambda *_: SimpleNamespace(**scores),
        hidden_clips=lambda *_: SimpleNamespace(**scores),
        sure_track=lambda _: None,
    )
    nothing = np.zeros((3, 4))
    names = {
        n: Sequence(n, (Path("-"),) * 3, nothing, nothing[:, 0] == 0)
        for n in (*training.VALIDATION, *training.TEST)
    }
    video = SimpleNamespace(part=lambda _: None)
    tracks = SimpleNamespace(by_video=lambda: ((), (video,)))
    monkeypatch.setattr(remeasure, "evaluation", stub)
    monkeypatch.setattr(remeasure, "Tracker", lambda _: SimpleNamespace(track=None))
    for name, value in {
        "mnist": lambda _: sample_digits(),
        "cluttered_mnist": lambda *_, **__: sample_digits(),
        "otb": lambda _: tuple(names.values()),
        "KITTI": lambda *_, **__: tracks,
        "MovingDigits": lambda *_, **__: [None] * 8,
        "MultiDigits": lambda *_, **__: [None] * 8,
        "MovingObjects": lambda *_, **__: [None] * 8,
    }.items():
        monkeypatch.setattr(sets_of_evaluation, name, value)
    unknown = set()
    for name in zoo.list_models():
        results = read_results(zoo.info(name).folder)
        for found in remeasure.remeasure(None, results, data=tmp_path):
            if found.value is None:
                unknown.add(found.result.protocol.partition("/")[0])
                assert "does not hold" in found.reason or "describe" in found.reason
    assert unknown <= {*RECIPES_ALONE, "mnist_test"}  # single_seeds


# All presets.


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The only preset there is, whose card and tables are up to date."""
    root = tmp_path / "zoo"
    model = RAM(glimpses=2, size=4, glimpse_units=4, units=4)
    model.build((None, 28, 28, 1))
    zoo.save_preset(model, root / "small", **ABOUT)
    result = published("error_percent", "mnist_test/single", 90, 5)
    sets = described({"mnist_test": DigitImages()})
    zoo.write_results(root / "small", [result], **WRITE, test_sets=sets)
    (root / "small" / "recipe.py").write_text(RECIPE)
    monkeypatch.setattr(presets, "presets_folder", lambda: root)
    generate(root)
    return root / "small"


def generate(root):
    for path, text in cards.generated(root).items():
        path.write_text(text)


def run(capsys, *arguments):
    """The exit status, the table's cells by column, and stderr."""
    status = check.main(["--no-measure", *arguments])
    printed = capsys.readouterr()
    header, row = (line.split() for line in printed.out.splitlines()[:2])
    return status, dict(zip(header, row, strict=False)), printed.err


def test_check(small, capsys):
    status, cells, error = run(capsys)
    assert status == 0 and error == "1/1 small\n"
    assert cells.pop("preset") == "small"
    columns = "manifest sha256 size classes loads parameters card results recipe"
    assert cells == dict.fromkeys(columns.split(), "ok") | {"as": "-"}


def test_check_measures(small, capsys, monkeypatch):
    monkeypatch.setenv("KERAS_ATTEND_DATA", str(small))
    monkeypatch.setattr(sets_of_evaluation, "mnist", lambda _: sample_digits())
    wrong = np.array([91.0])
    judge = SimpleNamespace(error_percent=lambda *_, **__: wrong)
    monkeypatch.setattr(remeasure, "evaluation", judge)
    assert check.main([]) == 0
    printed = capsys.readouterr().out
    assert "1 of 1" in printed and "Within: 4 standard errors" in printed
    wrong[0] = 20
    assert check.main(["small"]) == 1
    printed = capsys.readouterr()
    assert "0 of 1" in printed.out and "DIFFERS" in printed.out
    assert "zoo-check: small: mnist_test/single: error (%) is 20.00" in printed.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Received: none with Paper, Command, Expected"),
        (RECIPE.replace("Expected  90 %\n", ""), "none with Expected"),
        (RECIPE.replace("zoo/small", "zoo/other"), "must say how to run small/"),
        (RECIPE.replace("90 %", "not measured yet"), "what results.json says"),
    ],
)
def test_a_recipe_without_its_header(text, message, small, capsys):
    (small / "recipe.py").write_text(text)
    status, cells, error = run(capsys)
    assert status == 1 and cells["recipe"] == "FAILS"
    assert message in error


def test_a_stale_card(small, capsys):
    (small / "README.md").write_text("---\nold\n")
    status, cells, error = run(capsys)
    assert status == 1 and cells["card"] == "FAILS"
    assert "out of date: run `make zoo`" in error


def test_a_stale_table(small, capsys):
    (small.parent / "results.csv").write_text("")
    status, _, error = run(capsys)
    assert status == 1 and "results.csv is out of date" in error
    assert run(capsys, "small")[0] == 0  # which is about all presets


def test_a_preset_without_results(small, capsys):
    (small / "results.json").unlink()
    generate(small.parent)
    status, cells, error = run(capsys)
    assert status == 1 and cells["results"] == "FAILS"
    assert "has no results.json: run its recipe" in error


def test_a_damaged_preset(small, capsys):
    weights = small / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:100])
    status, cells, error = run(capsys)
    assert status == 1
    assert {cells[name] for name in ("sha256", "size", "loads")} == {"FAILS"}
    assert "model.weights.h5 is damaged or was changed" in error


def test_an_unknown_preset(small, capsys):
    assert check.main(["smal"]) == 1
    assert "Did you mean 'small'?" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ratm_balls", "ram_catch"])
def test_presets_score_what_they_say(name):
    """Those that need no data."""
    content = read_results(presets.presets_folder() / name)
    found = list(remeasure.remeasure(zoo.load(name), content, quick=True))
    assert not any(one.differs for one in found)
    assert all(one.value is not None for one in found)
