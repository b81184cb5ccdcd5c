import hashlib
import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_attend import zoo
from keras_attend.datasets import sample_digits
from keras_attend.models.ram import RAM
from keras_attend.training import cards
from keras_attend.zoo import presets
from keras_attend.zoo.results import Result, headline, read_results, unseen
from keras_attend.zoo.saving import describe_preset

ABOUT = {
    "description": "A very small RAM.",
    "paper": "Mnih et al. 2014",
    "task": "classification",
    "input": "images [B, H, W, 1]",
}
IMAGES, LABELS = sample_digits()
IMAGES, LABELS = IMAGES[:8], LABELS[:8]
START = np.zeros((8, 2), "float32")


def small_ram(**arguments):
    keras.utils.set_random_seed(1)
    model = RAM(
        **{"glimpses": 2, "size": 4, "glimpse_units": 8, "units": 8} | arguments
    )
    # XLA takes long to compile on TensorFlow, and is of no interest here.
    on_jax = keras.backend.backend() == "jax"
    model.compile(keras.optimizers.Adam(0.02), jit_compile=on_jax)
    model.build((None, 28, 28, 1))
    return model


def logits(model):
    return keras.ops.convert_to_numpy(model(IMAGES, first_location=START)["logits"])


@pytest.fixture(scope="module")
def model():
    return small_ram()


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("zoo") / "small_ram"
    zoo.save_preset(model, folder, **ABOUT)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """A copy of the preset that a test may damage."""
    return shutil.copytree(saved, tmp_path / "small_ram")


def result(**changes):
    arguments = {
        "metric": "error_percent",
        "protocol": "mnist_test/single",
        "value": 0.8,
        "min": 0.75,
        "max": 0.85,
        "n": 5,
        "paper": 1.29,
        "baselines": {"most common class": 88.65},
        "differences": ["another network"],
    }
    return zoo.Result(**arguments | changes)


# Saving and loading.


def test_a_loaded_preset_predicts_what_was_saved(model, saved):
    np.testing.assert_allclose(logits(zoo.load(saved)), logits(model), atol=1e-6)
    np.testing.assert_allclose(logits(zoo.load(str(saved))), logits(model), atol=1e-6)


def test_a_loaded_preset_is_compiled_and_trains(saved):
    model = zoo.load(saved, glimpses=3)
    assert model.jit_compile == (keras.backend.backend() == "jax")
    assert float(model.optimizer.learning_rate) == pytest.approx(0.02)
    assert int(model.optimizer.iterations) == 0
    before = logits(model)
    history = model.fit(IMAGES, LABELS, verbose=0).history
    assert np.abs(logits(model) - before).max() > 1e-4
    assert "accuracy" in history


def test_keras_loads_the_folder_too(model, saved, tmp_path):
    """In silence, though no optimizer's state is there; and so does a copy of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # Keras's own
        loaded = keras.saving.load_model(saved)
        loaded.save(tmp_path / "copy.keras")
        again = keras.saving.load_model(tmp_path / "copy.keras")
    for one in (loaded, again):
        np.testing.assert_allclose(logits(one), logits(model), atol=1e-6)
        assert float(one.optimizer.learning_rate) == pytest.approx(0.02)


def test_the_folder_holds_no_optimizer(saved):
    import h5py

    with h5py.File(saved / "model.weights.h5") as file:
        groups = list(file)
    assert "optimizer" not in groups and "accuracy" not in groups
    assert not (saved / "results.json").exists()
    names = {path.name for path in saved.iterdir() if path.is_file()}
    assert names == {
        "README.md",
        "config.json",
        "metadata.json",
        "model.weights.h5",
        "preset.json",
    }


def test_without_weights(model, saved):
    fresh, other = zoo.load(saved, weights=False), zoo.load(saved, weights=False)
    assert np.abs(logits(fresh) - logits(model)).max() > 1e-4
    assert np.abs(logits(fresh) - logits(other)).max() > 1e-4
    assert fresh.compiled


def test_without_weights_the_weights_file_is_not_read(folder):
    (folder / "model.weights.h5").unlink()
    zoo.load(folder, weights=False)


def test_half_precision_storage(model, saved, tmp_path):
    zoo.save_preset(model, tmp_path / "half", half=True, **ABOUT)
    loaded = zoo.load(tmp_path / "half")
    assert all(weight.dtype == "float32" for weight in loaded.weights)
    np.testing.assert_allclose(logits(loaded), logits(model), atol=1e-2)
    full, half = zoo.info(saved), zoo.info(tmp_path / "half")
    assert half.size_bytes < full.size_bytes
    assert half.parameters == full.parameters
    np.testing.assert_allclose(
        logits(keras.saving.load_model(tmp_path / "half")), logits(loaded), atol=1e-6
    )


def test_saving_again_keeps_the_recipe_and_drops_stale_results(model, folder):
    (folder / "recipe.py").write_text("pass")
    write = {"device": "a CPU", "training_seconds": 60, "commit": "abc"}
    zoo.write_results(folder, [result()], **write)
    zoo.save_preset(model, folder, **ABOUT)
    assert (folder / "results.json").exists()
    zoo.save_preset(small_ram(), folder, **ABOUT)
    assert not (folder / "results.json").exists()
    assert (folder / "recipe.py").exists()
    zoo.load(folder)


def test_saving_an_unbuilt_model(tmp_path):
    with pytest.raises(ValueError, match="must be built"):
        zoo.save_preset(RAM(), tmp_path / "unbuilt", **ABOUT)


def test_a_model_of_keras_layers(tmp_path):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(2, "relu")(inputs))
    model.compile("sgd", "mse", metrics=["mae"])
    zoo.save_preset(model, tmp_path / "dense", **ABOUT)
    loaded = zoo.load(tmp_path / "dense")
    x = np.ones((3, 4), "float32")
    np.testing.assert_allclose(loaded.predict(x, verbose=0), model(x), atol=1e-6)
    loaded.fit(x, np.ones((3, 2)), verbose=0)
    with pytest.raises(ValueError, match="It accepts: name"):
        zoo.load(tmp_path / "dense", units=3)


# Overrides.


def test_overrides_replace_constructor_arguments(model, saved):
    loaded = zoo.load(saved, glimpses=5, location="sample", episodes=3)
    out = loaded(IMAGES)
    assert tuple(out["locations"].shape) == (8, 3, 5, 2)
    for ours, theirs in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (ours, theirs)))


def test_an_unknown_override(saved):
    with pytest.raises(ValueError, match=r"RAM has no argument 'glimses'.*glimpses"):
        zoo.load(saved, glimses=3)


@pytest.mark.parametrize("override", [{"units": 16}, {"channels": 3}])
def test_an_override_that_changes_the_weights(override, saved):
    with pytest.raises(ValueError, match=r"do not fit a model with.*weights=False"):
        zoo.load(saved, **override)
    zoo.load(saved, weights=False, **override)


def test_a_bad_value_of_an_override(saved):
    with pytest.raises(ValueError, match="Received: glimpses=0"):
        zoo.load(saved, glimpses=0)


# Bad presets.


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def rehash(folder):
    """A manifest that vouches for what the folder holds now."""
    sha256 = {
        file: hashlib.sha256((folder / file).read_bytes()).hexdigest()
        for file in ("config.json", "model.weights.h5")
    }
    edit(folder / "preset.json", sha256=sha256)


@pytest.mark.parametrize("file", ["config.json", "model.weights.h5"])
def test_a_truncated_file(file, folder):
    content = (folder / file).read_bytes()
    (folder / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=f"{file} is damaged or was changed"):
        zoo.load(folder)


@pytest.mark.parametrize("file", ["config.json", "model.weights.h5"])
def test_a_missing_file(file, folder):
    (folder / file).unlink()
    with pytest.raises(FileNotFoundError, match=f"it lacks {file}"):
        zoo.load(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sha256": 3}'])
def test_a_damaged_manifest(text, folder):
    (folder / "preset.json").write_text(text)
    with pytest.raises(ValueError, match=r"preset\.json is damaged"):
        zoo.load(folder)


def test_a_folder_that_is_no_preset(tmp_path):
    with pytest.raises(ValueError, match=r"it holds no preset\.json"):
        zoo.load(tmp_path)


@pytest.mark.parametrize(
    "layer",
    [
        {"module": "os", "class_name": "system", "config": {}},
        {"module": "builtins", "class_name": "__lambda__", "config": {"value": "x"}},
        {"module": "keras.layers", "class_name": "Lambda", "config": {}},
        {"module": "keras.layers", "class_name": "TFSMLayer", "config": {}},
        {"module": "kerasevil", "class_name": "Dense", "config": {}},
        {
            "module": "keras.layers",
            "class_name": "Dense",
            "config": {},
            "registered_name": "other>Dense",
        },
    ],
)
def test_a_foreign_class_is_refused(layer, folder):
    edit(folder / "config.json", extra=[{"deep": layer}])
    rehash(folder)
    with pytest.raises(ValueError, match=f"names '{layer['class_name']}'"):
        zoo.load(folder)


# Names.


def test_an_unknown_name(monkeypatch, saved):
    monkeypatch.setattr(presets, "presets_folder", lambda: saved.parent)
    assert zoo.list_models() == ["small_ram"]
    zoo.load("small_ram")
    with pytest.raises(ValueError, match=r"'smal_ram'\. Did you mean 'small_ram'"):
        zoo.load("smal_ram")
    with pytest.raises(ValueError, match="The presets are: small_ram"):
        zoo.info("xyz")
    with pytest.raises(ValueError, match="is called hf://org/name"):
        zoo.load("hf://small_ram")


# What is said of a preset.


def test_info(folder, model):
    write = {"device": "a CPU", "training_seconds": 60, "commit": "abc"}
    zoo.write_results(folder, [result()], **write)
    info = zoo.info(folder)
    assert info.name == "small_ram"
    assert info.model == "RAM"
    assert info.parameters == model.count_params()
    assert info.size_bytes == (folder / "model.weights.h5").stat().st_size
    assert info.metrics == (result(),)
    assert info.description == "A very small RAM." and info.licence == "Apache-2.0"


def test_results_have_the_shape_that_all_presets_share(folder):
    write = {"device": "a CPU", "training_seconds": 60, "commit": "abc"}
    zoo.write_results(folder, [result()], **write)
    assert json.loads((folder / "results.json").read_text()) == {
        "preset": "small_ram",
        "device": "a CPU",
        "training_seconds": 60,
        "commit": "abc",
        "results": [
            {
                "metric": "error_percent",
                "protocol": "mnist_test/single",
                "value": 0.8,
                "min": 0.75,
                "max": 0.85,
                "n": 5,
                "paper": 1.29,
                "baselines": {"most common class": 88.65},
                "setting": "ours",
                "differences": ["another network"],
                "trained_on": "",
                "chosen_on": "",
            }
        ],
        "test_sets": {},
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": "accuracy"}, "Received: metric='accuracy'"),
        ({"value": 2.0}, "between `min` and `max`"),
        ({"value": float("nan")}, "must be finite numbers. Received: nan"),
        ({"n": 0}, "Received: n=0"),
        ({"setting": "theirs"}, "one of paper, ours. Received: setting='theirs'"),
        ({"differences": "one text"}, "`differences` must be a list"),
    ],
)
def test_a_bad_result(changes, message):
    with pytest.raises(ValueError, match=message):
        result(**changes)


def test_damaged_results(folder):
    (folder / "results.json").write_text('{"preset": "small_ram"}')
    with pytest.raises(ValueError, match=r"results\.json is not a table of results"):
        zoo.info(folder)


def test_results_of_another_preset(folder):
    write = {"device": "a CPU", "training_seconds": 60, "commit": "abc"}
    zoo.write_results(folder, [result()], **write)
    edit(folder / "results.json", preset="other")
    with pytest.raises(ValueError, match="Received: preset='other'"):
        read_results(folder)


# Cards.


def test_cards_are_generated(folder, monkeypatch, capsys):
    write = {"device": "a CPU", "training_seconds": 600, "commit": "abc"}
    zoo.write_results(folder, [result()], **write)
    root = folder.parent
    (root.parent / "README.md").write_text(f"Before\n{cards.BEGIN}{cards.END}\nAfter")
    monkeypatch.setattr(cards, "presets_folder", lambda: root)
    (folder / "picture.gif").touch()
    assert cards.main(["--check"]) == 1
    assert cards.main([]) == 0
    assert cards.main(["--check"]) == 0
    assert "out of date" in capsys.readouterr().out

    card = (folder / "README.md").read_text()
    assert 'ka.zoo.load("small_ram")' in card and "10 minutes" in card
    assert "](picture.gif)" in card
    for page in (card, (root / "README.md").read_text()):
        assert "| **0.800** (0.750 to 0.850, 5 passes) | 1.29 | most common " in page
        assert "88.65 |  |" in page  # a greater error: nothing is lost to it
        assert (
            "These rows are of a setting of ours, which differs from the paper's:"
            in page
        )
        assert "\n* another network\n" in page
    table = (root / "results.csv").read_text().splitlines()
    assert [row.split(",")[3] for row in table[1:]] == [
        "keras_attend",
        "paper",
        "most common class",
    ]
    readme = (root.parent / "README.md").read_text()
    assert readme.startswith("Before\n") and readme.endswith("\nAfter")
    assert readme.count("[small_ram](zoo/small_ram/README.md)") == 1
    assert "| 1.29 | not measured yet | **0.800** | [in 1 point](zoo/small" in readme


def test_a_card_says_what_a_preset_loses_to(folder):
    """By the metric's own direction."""
    write = {"device": "a CPU", "training_seconds": 600, "commit": "abc"}
    others = {"static box": 0.1, "CSRT": 0.6, "MIL": 0.5}
    rows = [
        Result(metric, f"{metric}/ope", 0.5, 0.5, 0.5, 1, None, others)
        for metric in ("mean_iou", "center_error_px")
    ]
    zoo.write_results(folder, rows, **write)
    assert cards.main([str(folder)]) == 0  # of this folder alone
    iou, distance = (
        line
        for line in (folder / "README.md").read_text().splitlines()
        if "ope" in line
    )
    assert iou.endswith("| static box 0.100, CSRT **0.600**, MIL 0.500 | CSRT |")
    assert "| static box **0.100**, CSRT 0.600, MIL 0.500 | static box |" in distance


def test_the_table_shows_videos_that_were_no_part_of_the_training():
    def row(protocol, metric="mean_iou", paper=None):
        return Result(metric, protocol, 0.5, 0.5, 0.5, 1, paper)

    rows = [
        row("otb_first_third/ope", paper=0.6),
        row("otb_unseen/ope", "center_error_px"),
        row("otb_unseen/ope"),
        row("videos_validation/60_frame_clips"),
        row("videos_test/ope"),
    ]
    assert unseen(rows) == rows[2] and unseen(rows[3:]) == rows[4]
    assert unseen(rows[:2]) == rows[0] and unseen([]) is None


def test_notes(model, folder):
    """What a preset cannot do stands on its card; notes are plain short texts."""
    zoo.save_preset(model, folder, **ABOUT, notes=["It loses.", "Often."])
    assert zoo.info(folder).notes == ("It loses.", "Often.")
    card = (folder / "README.md").read_text()
    assert "## Know this\n\n* It loses.\n* Often.\n" in card
    sums = zoo.info(folder).sha256
    about = {"description": "Another.", "paper": "Nobody"}
    describe_preset(folder, **about)
    info = zoo.info(folder)
    assert (info.notes, info.description, info.sha256) == ((), "Another.", sums)
    zoo.load(folder)
    for notes in (["a\nb"], ["x" * 2001], [3], ["x"] * 21):
        with pytest.raises(ValueError, match="`notes`"):
            describe_preset(folder, **about, notes=notes)
        with pytest.raises(ValueError, match="`notes`"):
            zoo.save_preset(model, folder, **ABOUT, notes=notes)
    assert zoo.info(folder).notes == ()
    edit(folder / "preset.json", notes="a text")
    with pytest.raises(ValueError, match="`notes` must be a list"):
        zoo.info(folder)


def test_committed_cards_are_up_to_date():
    assert cards.main(["--check"]) == 0, "run `make zoo`"


@pytest.mark.packaging
def test_committed_tables_of_the_chooser_are_up_to_date():
    script = Path(__file__).parents[2] / "docs" / "generator" / "zoo_tables.py"
    found = subprocess.run([sys.executable, script, "--check"], capture_output=True)
    assert found.returncode == 0, "run `make zoo`"


# Every preset of the repository.


@pytest.mark.parametrize("name", zoo.list_models())
def test_preset(name):
    info = zoo.info(name)
    model = zoo.load(name)
    assert model.count_params() == info.parameters
    assert model.compiled
    assert info.metrics, "it was not evaluated"
    assert (info.folder / "recipe.py").is_file()


def test_headline():
    """What the paper has too, a share rather than a distance."""

    def result(metric, paper=None):
        return Result(metric, "clips/3_frames", 1.0, 1.0, 1.0, 1, paper)

    distance, share = result("center_error_px", 2.0), result("mean_iou", 0.5)
    plain = result("mean_iou")
    assert headline([plain, distance, share]) is share
    assert headline([plain, distance]) is distance
    assert headline([result("center_error_px"), plain]) is plain
    assert headline([]) is None
