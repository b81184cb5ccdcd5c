"""What people expect of a Keras model, of the classifiers and of the trackers."""

import re
import warnings

import keras
import numpy as np
import pytest
from square_clips import clips
from tiny_tracker import CentroidCell

from keras_attend import zoo
from keras_attend.datasets import Digits, sample_digits
from keras_attend.models import DRLT, HART, RATM, Feedforward, HARTCell, WideHART
from keras_attend.models.ram import RAM, Credit, RAMAgent
from keras_attend.models.tracker import RecurrentTracker
from keras_attend.zoo.loading import load_folder

# Keras's habits are the same on both backends; `make test-slow` runs these on JAX too.
pytestmark = [pytest.mark.slow] if keras.backend.backend() == "jax" else []
IMAGES, LABELS = sample_digits()
SMALL = {"glimpses": 2, "size": 4, "glimpse_units": 8, "units": 8}
ABOUT = {"description": "One.", "paper": "none", "task": "none", "input": "images"}
# What is tested here is before and after the steps, which take longer to compile.
EAGER = {"run_eagerly": True, "jit_compile": False}
START = np.zeros((50, 2), "float32")


class TinyTracker(RecurrentTracker):
    """Learns how fast to follow."""

    default_cell = CentroidCell

    def sample_losses(self, x, y, y_pred):
        away = keras.ops.square(y_pred["boxes"] - y["boxes"])
        return keras.ops.mean(away, axis=(1, 2))


def small_ram(**arguments):
    model = RAM(**SMALL | arguments)
    model.compile("adam", **EAGER)
    model.build((None, 28, 28, 1))
    return model


def tracker():
    model = TinyTracker(CentroidCell())
    model.compile("adam", **EAGER)
    return model


@pytest.fixture
def some_clips(random):
    return clips(random, n=4, frames=3)


# Directions of metrics.


def monitors(name, path):
    return (
        keras.callbacks.EarlyStopping(monitor=name),
        keras.callbacks.ModelCheckpoint(path, monitor=name, save_best_only=True),
        keras.callbacks.ReduceLROnPlateau(monitor=name),
    )


def test_callbacks_know_that_accuracy_goes_up(tmp_path):
    callbacks = monitors("val_accuracy", tmp_path / "best.keras")
    small_ram().fit(
        IMAGES, LABELS, validation_data=(IMAGES, LABELS), callbacks=[*callbacks]
    )
    assert [callback.mode for callback in callbacks] == ["max"] * 3
    assert callbacks[0].monitor_op == keras.ops.greater
    assert (tmp_path / "best.keras").is_file()


def test_callbacks_know_that_overlap_goes_up_and_distance_down(some_clips, tmp_path):
    x, y = some_clips
    for name, mode in {"val_iou": "max", "val_center_error": "min"}.items():
        callbacks = monitors(name, tmp_path / f"{name}.keras")
        tracker().fit(x, y, validation_data=(x, y), callbacks=[*callbacks], verbose=0)
        assert [callback.mode for callback in callbacks] == [mode] * 3
        assert (tmp_path / f"{name}.keras").is_file()


def test_a_mode_that_is_given_stays(some_clips):
    callback = keras.callbacks.EarlyStopping(monitor="iou", mode="min")
    tracker().fit(*some_clips, callbacks=callback, verbose=0)
    assert callback.mode == "min"


def test_every_metric_with_a_direction_says_it():
    """But that of how many glimpses there were, of which neither is better."""
    rewards = {m.name: getattr(m, "_direction", None) for m in RAMAgent().metrics}
    assert rewards["reward"] == "up"
    parts = {m.name: getattr(m, "_direction", None) for m in WideHART().metrics}
    assert set(parts.values()) == {"up", "down"}


# Data that would give nonsense.


@pytest.mark.parametrize("model", [small_ram(), Feedforward((8,))], ids=["ram", "ff"])
def test_float_images_in_0_to_255_are_refused(model):
    if not model.compiled:
        model.compile("adam", **EAGER)
    wrong = IMAGES.astype("float32")
    message = r"must hold numbers in 0..1; divide by 255 .* numbers in 0.0..255.0"
    for call in (
        lambda: model.fit(wrong, LABELS),
        lambda: model.fit(IMAGES, LABELS, validation_data=(wrong, LABELS)),
        lambda: model.evaluate(wrong, LABELS),
        lambda: model.predict(wrong),
        lambda: model.predict(Wrong()),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    right = model.predict(wrong / 255, verbose=0)["logits"]
    assert np.isfinite(right).all()


class Wrong(keras.utils.PyDataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        return IMAGES.astype("float32"), LABELS


def test_data_that_are_right_pass():
    model = small_ram()
    data = Digits(IMAGES, LABELS, batch_size=25, shift=1.0)  # floats
    model.fit(data, validation_data=data, verbose=0)
    # Positional arguments, as Keras's own methods have them.
    model.fit(IMAGES, LABELS, 25, 1, 0)
    assert model.evaluate(IMAGES, LABELS, 25, 0)[0] > 0
    assert len(model.predict(IMAGES, 25, 0)["logits"]) == 50


def test_frames_in_0_to_255_are_refused(some_clips):
    x, y = some_clips
    wrong = x | {"frames": 255 * x["frames"]}
    model = tracker()
    for call in (model.predict, lambda x: model.evaluate(x, y)):
        with pytest.raises(ValueError, match=r"`frames` must hold finite numbers"):
            call(wrong)
    assert np.isfinite(model.predict(x, verbose=0)["boxes"]).all()


# Presets.


@pytest.fixture(scope="module", params=["state", "answer"])
def preset(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "small"
    zoo.save_preset(small_ram(credit=Credit(baseline=request.param)), folder, **ABOUT)
    return folder


def test_other_classes_keep_all_weights_but_the_heads(preset, capfd):
    model, ours = zoo.load(preset), zoo.load(preset, classes=26)
    heads = ["action"]
    if model.credit.baseline == "answer":
        heads.append("baseline")
    said = capfd.readouterr().err.splitlines()[-1]
    assert said == (
        f"keras_attend: small has other classes. {' and '.join(map(repr, heads))} of "
        "this model will have to be trained; all its other weights are the preset's."
    )
    assert ours.classes == 26 and ours.classifier.kernel.shape == (8, 26)
    for theirs, mine in zip(model.weights, ours.weights, strict=True):
        if theirs.path.split("/")[1] in heads:
            assert mine.path.endswith("bias") or np.ptp(mine.numpy()) > 0  # not zeros
        else:
            np.testing.assert_array_equal(theirs.numpy(), mine.numpy())
    ours.fit(IMAGES, LABELS + 16, verbose=0)


def test_the_same_classes_change_nothing(preset, capfd):
    zoo.load(preset, classes=10)
    assert "other classes" not in capfd.readouterr().err


def test_other_sizes_are_refused_all_the_same(preset):
    with pytest.raises(ValueError, match="do not fit a model with classes=26, units=9"):
        zoo.load(preset, classes=26, units=9)


def answers(model):
    found = model(IMAGES, first_location=START)["logits"]
    return keras.ops.convert_to_numpy(found)


def test_a_preset_in_half_precision(preset):
    full, half = zoo.load(preset), zoo.load(preset, dtype="mixed_float16")
    assert half.dtype_policy.name == "mixed_float16"
    assert half.core_input.compute_dtype == "float16"
    assert half.core_input.kernel.dtype == "float32"
    np.testing.assert_allclose(answers(half), answers(full), atol=0.02)
    half.fit(IMAGES, LABELS, verbose=0)
    assert keras.config.dtype_policy().name == "float32"


def test_a_preset_follows_the_global_policy(preset):
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        assert zoo.load(preset).classifier.compute_dtype == "bfloat16"
        assert zoo.load(preset, dtype="float32").dtype_policy.name == "float32"
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.long
@pytest.mark.parametrize("name", ["ratm_person", "hart_street", "hart_kitti"])
def test_trackers_in_half_precision(name, random):
    """The whole tracker computes so, and its boxes stay where they were."""
    full, half = zoo.load(name), zoo.load(name, dtype="mixed_float16")
    assert half.cell.compute_dtype == "float16"
    frame = random.integers(0, 255, (1, 1, 60, 80, full.channels), "uint8")
    x = {"frames": frame.repeat(3, 1), "box": np.array([[20, 20, 24, 24]], "float32")}
    boxes = [keras.ops.convert_to_numpy(m(x)["boxes"]) for m in (full, half)]
    np.testing.assert_allclose(*boxes, atol=0.5)


# Files.


@pytest.mark.parametrize("trained", [False, True])
def test_a_keras_file_of_a_preset_loads_in_silence(preset, tmp_path, trained):
    model = zoo.load(preset)
    if trained:
        model.fit(IMAGES, LABELS, verbose=0)
    model.save(tmp_path / "model.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(answers(again), answers(model))
    states = [[v.numpy() for v in m.optimizer.variables] for m in (model, again)]
    assert len(states[0]) == len(states[1])
    for a, b in zip(*states, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_preset_of_a_trained_model_loads_in_silence(tmp_path):
    model = small_ram()
    model.fit(IMAGES, LABELS, verbose=0)
    zoo.save_preset(model, tmp_path / "one", **ABOUT)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_folder(tmp_path / "one").fit(IMAGES, LABELS, verbose=0)


# Summaries.

KERAS_CELLS = {"LSTMCell"}  # Keras knows no shape of its own


def rows(model):
    lines = []
    model.summary(expand_nested=True, line_length=78, print_fn=lines.append)
    found = re.findall(r"^│([^│]+)│([^│]+)│([^│]+)│$", "\n".join(lines), re.MULTILINE)
    table = []
    for name, shape, count in ([cell.strip() for cell in row] for row in found):
        if count:
            table.append([name, shape, count])
        else:  # the rest of a row of several lines
            before = table[-1]
            before[:2] = f"{before[0]} {name}".strip(), f"{before[1]} {shape}".strip()
    return table


@pytest.mark.parametrize(
    ("make", "inside"),
    [
        (small_ram, "└ what_hidden (Dense)"),
        (lambda: HART(HARTCell(16, 8, maps=4, filters=(8, 8, 8))), "└ filter_1"),
        (WideHART, "└ block_10 (MobileBlock)"),
        (RATM, "└ core (IRNNCell)"),
        (DRLT, "└ lstm"),
        (RAMAgent, "└ what_out (Dense)"),
    ],
    ids=["ram", "hart", "wide", "ratm", "drlt", "agent"],
)
def test_summary_shows_layers_and_shapes(make, inside):
    model = make()
    if not model.built:
        model.build(model.serving_shape)
    attributes = set(dir(model))
    found = rows(model)
    assert any(inside in name for name, _, _ in found)
    for name, shape, count in found:
        if not any(f"({cell})" in name for cell in KERAS_CELLS):
            assert shape.startswith(("(", "[")) and "unbuilt" not in count, name
    # A layer that kept its `layers` would be saved under other names.
    layers = model._flatten_layers(include_self=False)
    assert not [x for x in layers if "layers" in vars(x)]
    assert set(dir(model)) == attributes
