"""Each format gives what Keras gives; what one cannot do is an error."""

import functools
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import keras_attend as ka
from keras_attend.datasets import MovingDigits
from keras_attend.models import (
    AIR,
    DRLT,
    HART,
    RAM,
    RATM,
    DRLTCell,
    Feedforward,
    HARTCell,
    MatchBoxes,
    RATMCell,
    SequentialAIR,
)
from tests.tiny_tracker import CentroidCell, TrackerModel

ROOT = Path(__file__).parents[2]
T, SIZE, BOX = 60, (48, 64), (20.0, 15.0, 18.0, 16.0)
FORMATS = ["saved_model", "onnx", "litert"]
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="`export` is by TensorFlow"
)


def tracker(family):
    keras.utils.set_random_seed(0)
    model = {
        "ratm": lambda: RATM(RATMCell(8, 6, 1, attention="affine")),
        "bilinear": lambda: RATM(RATMCell(8, 6, 1, read="transformer")),
        "points": lambda: DRLT(DRLTCell(units=6, channels=1, size=24)),
        "hart": lambda: HART(HARTCell(8, 6, 1, maps=2, filters=(4, 4, 4))),
        "drlt": lambda: DRLT(
            DRLTCell(MatchBoxes(8, 2), 6, channels=1, size=24, head="choice")
        ),
    }[family]()
    model.build()
    for variable in model.cell.variables:
        # Heads begin with steps of nearly 0: boxes shall go somewhere.
        if variable.path.endswith(("attend/kernel", "last/kernel")):
            variable.assign(variable * (20 if family == "ratm" else 60))
    return model


def video(size=SIZE, channels=1):
    """Noise, and a bright thing that moves over it."""
    frames = np.random.default_rng(0).integers(0, 60, (T, *size, channels), "uint8")
    for t, frame in enumerate(frames):
        frame[15 + t // 6 : 31 + t // 6, 20 + t // 3 : 38 + t // 3] += 150
    return frames


def followed(path, format, frames, box=BOX):
    """The boxes `[T, 4]` of an exported tracker."""
    if format == "onnx":
        return ka.Tracker(path).track(frames, box)
    if format == "saved_model":
        import tensorflow as tf

        functions = tf.saved_model.load(str(path)).signatures
        constant = tf.constant
    else:
        from ai_edge_litert.interpreter import Interpreter

        interpreter, constant = Interpreter(str(path)), np.asarray
        functions = {n: interpreter.get_signature_runner(n) for n in ("init", "step")}
    first = constant(np.float32([box]))
    state = functions["init"](frame=constant(frames[:1]), box=first)
    boxes = []
    for t in range(len(frames)):
        found = functions["step"](frame=constant(frames[t : t + 1]), **state)
        state = {k: constant(v) for k, v in found.items() if k.startswith("state_")}
        boxes.append(np.array(found["box"])[0])
    return np.float32([box, *boxes[1:]])


slow = pytest.mark.slow
# Each family in each format; fixed and dynamic, floats and bytes.
CASES = [
    pytest.param("ratm", "saved_model", None, False, marks=slow),
    pytest.param("ratm", "onnx", SIZE, True, marks=slow),
    pytest.param("ratm", "onnx", None, False, marks=slow),
    pytest.param("ratm", "litert", SIZE, False),
    pytest.param("hart", "saved_model", SIZE, True, marks=slow),
    pytest.param("hart", "onnx", SIZE, False),
    pytest.param("hart", "litert", SIZE, True, marks=slow),
    pytest.param("drlt", "saved_model", None, True),
    pytest.param("drlt", "onnx", None, True),
    pytest.param("drlt", "litert", None, False, marks=slow),
]
ENDINGS = {"saved_model": "", "onnx": ".onnx", "litert": ".tflite"}


@functools.cache
def expected(family, size=SIZE):
    """A family's model and its boxes, of bytes."""
    model = tracker(family)  # the same weights each time
    boxes = ka.Tracker(model).track(video(size), BOX)
    assert np.ptp(boxes, axis=0).max() > 5, "what hardly moves is no test of parity"
    return model, boxes


@pytest.mark.parametrize(("family", "format", "size", "uint8"), CASES)
def test_trackers_in_each_format(tmp_path, family, format, size, uint8):
    model, boxes = expected(family)
    path = tmp_path / f"model{ENDINGS[format]}"
    found = ka.export(model, path, format, size=size, uint8=uint8)
    assert found == path
    frames = video() if uint8 else video().astype("float32") / 255
    # LiteRT's exponentials are coarser: there, of the frame's width.
    atol = 1e-4 * (SIZE[1] if format == "litert" else 1)
    np.testing.assert_allclose(followed(path, format, frames), boxes, atol=atol)
    if size is None:  # another size, by the same file
        other = video((40, 52))
        seen = other if uint8 else other.astype("float32") / 255
        boxes = expected(family, (40, 52))[1]
        np.testing.assert_allclose(followed(path, format, seen), boxes, atol=atol)
    about = metadata(path, format)
    assert about["family"] == type(model).__name__ and about["channels"] == 1
    assert about["size"] == (list(size) if size else None)
    assert about["dtype"] == ("uint8" if uint8 else "float32")
    assert about["presence"] is (family == "hart")
    assert about["keras_attend"] == ka.__version__


def metadata(path, format):
    if format == "onnx":
        import onnx

        (entry,) = onnx.load(path).metadata_props
        return json.loads(entry.value)
    if format == "litert":
        return json.loads(zipfile.ZipFile(path).read("keras_attend.json"))
    return json.loads((path / "assets.extra" / "keras_attend.json").read_text())


def classified(path, format, **inputs):
    if format == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path))
        names = [x.name for x in session.get_outputs()]
        return dict(zip(names, session.run(None, inputs), strict=True))
    if format == "litert":
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter(str(path)).get_signature_runner()(**inputs)
    import tensorflow as tf

    function = tf.saved_model.load(str(path)).signatures["serving_default"]
    found = function(**{k: tf.constant(v) for k, v in inputs.items()})
    return {k: v.numpy() for k, v in found.items()}


@pytest.mark.parametrize("format", FORMATS)
def test_classifiers_in_each_format(tmp_path, random, format):
    path = tmp_path / f"model{ENDINGS[format]}"
    images = random.integers(0, 256, (5, 20, 24, 1), "uint8")
    where = random.uniform(-1, 1, (5, 2)).astype("float32")
    keras.utils.set_random_seed(0)
    ram = RAM(4, 2, 4, glimpse_units=6, units=8)
    expected = ram(images, first_location=where)
    ka.export(ram, path, format, uint8=True)
    found = classified(path, format, images=images, first_location=where)
    assert set(found) == set(expected)
    for name in found:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-4)

    plain = Feedforward((6,), 4, filters=2, kernel_size=5)
    images = images.astype("float32") / 255
    expected = plain(images)["logits"]
    ka.export(plain, path, format)
    found = classified(path, format, images=images)["logits"]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_first_location_in_the_file(tmp_path, random):
    images = random.random((2, 20, 24, 1), "float32")
    ram = RAM(4, 2, 4, glimpse_units=6, units=8)
    expected = ram(images, first_location=np.float32([[0.5, -0.5]] * 2))
    path = tmp_path / "ram"
    ka.export(ram, path, size=(20, 24), first_location=(0.5, -0.5))
    found = classified(path, "saved_model", images=images)
    np.testing.assert_allclose(found["logits"], expected["logits"], atol=1e-4)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A tiny tracker in ONNX, of bytes, for frames of any size."""
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    return ka.export(tracker("drlt"), path, "onnx", uint8=True)


def test_runtime_takes_frames_as_tracker_does(file):
    model, boxes = expected("drlt")
    frames = video()
    run = ka.Tracker(file)
    assert run.channels == 1
    np.testing.assert_allclose(run.track(frames[..., 0], BOX), boxes, atol=1e-4)
    floats = frames.astype("float64") / 255
    np.testing.assert_allclose(run.track(floats, BOX), boxes, atol=1e-4)
    colour = video(channels=3)[:6]
    ours = ka.Tracker(model)
    many = [BOX, (5, 6, 20, 10)]
    np.testing.assert_allclose(
        run.track(colour, many), ours.track(colour, many), atol=1e-4, rtol=1e-5
    )
    a, b = run.update(colour[0]), ours.update(colour[0])
    np.testing.assert_array_equal(a[0], b[0])
    np.testing.assert_allclose(a[1], b[1], atol=1e-4, rtol=1e-5)
    assert set(run.outputs) == set(ours.outputs)
    for name, x in ours.outputs.items():
        np.testing.assert_allclose(run.outputs[name], x, atol=1e-4)


SEVERAL = np.float32([BOX, (5, 6, 20, 10), (30, 20, 12, 14)])


@pytest.mark.long
@pytest.mark.parametrize(
    ("family", "size"),
    [
        ("ratm", None),
        pytest.param("bilinear", SIZE, marks=slow),
        ("hart", SIZE),
        ("drlt", None),
        pytest.param("points", SIZE, marks=slow),
    ],
)
def test_several_objects_in_one_call(tmp_path, family, size):
    """One frame and N boxes go in; what comes out is what each object has alone."""
    import onnxruntime

    model, frames = tracker(family), video()[:20]
    path = ka.export(model, tmp_path / "x.onnx", "onnx", size=size, many=True)
    ka.export(model, tmp_path / "one.onnx", "onnx", size=size)
    assert metadata(path, "onnx")["objects"] is None
    assert metadata(tmp_path / "one.onnx", "onnx")["objects"] == 1
    frames = frames.astype("float32") / 255
    one = ka.Tracker(tmp_path / "one.onnx")
    alone = np.stack([one.track(frames, box) for box in SEVERAL])
    assert np.ptp(alone, axis=1).max() > 2
    run = ka.Tracker(path)
    for count in (3, 1, 2):  # any number, by the same file
        boxes = run.track(frames, SEVERAL[:count])
        np.testing.assert_allclose(boxes, alone[:count], atol=2e-4)
    one.track(frames, SEVERAL[:2])
    assert set(run.outputs) == set(one.outputs)
    for name, x in one.outputs.items():
        np.testing.assert_allclose(run.outputs[name], x, atol=2e-4)

    session = onnxruntime.InferenceSession(str(path))
    states = metadata(path, "onnx")["states"]
    given = {name: np.zeros((3, *s[1:]), "float32") for name, s in states.items()}
    given |= {"first": np.array(True), "first_box": SEVERAL, "frame": frames[:1]}
    (found,) = session.run(["box"], given)  # of frame 0
    assert found.shape == (3, 4)


def test_several_objects_of_a_cell_that_wants_copies(tmp_path):
    model, frames = TrackerModel(), video()[:8]
    model.build()
    how = {"size": SIZE, "uint8": True, "many": True}
    path = ka.export(model, tmp_path / "x.onnx", "onnx", **how)
    boxes = ka.Tracker(path).track(frames, SEVERAL)
    expected = ka.Tracker(model).track(frames, SEVERAL)
    np.testing.assert_allclose(boxes, expected, atol=1e-3)  # sums over whole frames


ALONE = """
import sys
import numpy as np
from keras_attend_runtime import Tracker
tracker = Tracker(sys.argv[1])
tracker.init(np.zeros((48, 64), "uint8"), (20, 15, 18, 16))
present, box = tracker.update(np.zeros((48, 64), "uint8"))
assert box.shape == (4,)
loaded = {"tensorflow", "keras", "jax", "keras_attend"} & set(sys.modules)
assert not loaded, loaded
"""


def test_runtime_needs_no_keras(file):
    subprocess.run(
        [sys.executable, "-c", ALONE, str(file)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
    )


def test_runtime_errors(file, tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        ka.Tracker(tmp_path / "none.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(file.read_bytes()[:500])
    with pytest.raises(ValueError, match="cannot read"):
        ka.Tracker(broken)
    ram = RAM(4, 1, 4, glimpse_units=6, units=8)
    ram.build((None, 20, 20, 1))
    ka.export(ram, tmp_path / "ram.onnx", "onnx", size=(20, 20))
    with pytest.raises(ValueError, match=r"must be a tracker.*Received"):
        ka.Tracker(tmp_path / "ram.onnx")


def test_a_file_of_one_size_refuses_others(tmp_path):
    ka.export(expected("drlt")[0], tmp_path / "x.onnx", "onnx", size=SIZE)
    run = ka.Tracker(tmp_path / "x.onnx")
    with pytest.raises(ValueError, match=r"\(48, 64\).*Received.*\(40, 52, 1\)"):
        run.init(video((40, 52))[0], BOX)


@pytest.mark.parametrize(
    "format", [*(pytest.param(f, marks=slow) for f in FORMATS[::2]), "onnx"]
)
def test_eight_bits(tmp_path, format):
    """Smaller, and a trained tracker follows a walking digit as well as before."""
    model = ka.zoo.load("drlt_mnist")
    x, y = MovingDigits(*ka.datasets.sample_digits(), 2, 1, 30, seed=3)[0]
    paths = [tmp_path / f"{name}{ENDINGS[format]}" for name in ("whole", "small")]
    for path, int8 in zip(paths, (False, True), strict=True):
        ka.export(model, path, format, size=(100, 100), int8=int8)
    sizes = [
        sum(f.stat().st_size for f in [path, *path.rglob("*")] if f.is_file())
        for path in paths
    ]
    assert sizes[0] - sizes[1] > 0.6 * 4 * model.count_params()
    whole, small = (
        np.stack(
            [
                followed(path, format, np.float32(frames) / 255, box)
                for frames, box in zip(x["frames"], x["box"], strict=True)
            ]
        )
        for path in paths
    )
    assert (whole != small).any()
    scores = [np.asarray(ka.boxes.iou(b, y["boxes"])).mean() for b in (whole, small)]
    assert scores[0] > 0.9 and abs(scores[0] - scores[1]) < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_eight_bits_of_presets(tmp_path, format):
    """Within one point of what the weights score."""
    from keras_attend.datasets import BouncingBalls, mnist

    path = tmp_path / f"ram{ENDINGS[format]}"
    model = ka.zoo.load("ram_mnist")
    images, labels = (x[:2000] for x in mnist("test"))
    where = np.random.default_rng(0).uniform(-1, 1, (2000, 2)).astype("float32")
    expected = np.asarray(model(images, first_location=where)["logits"])
    ka.export(model, path, format, size=(28, 28), int8=True, uint8=True)
    found = classified(path, format, images=images, first_location=where)["logits"]
    right = [(x.argmax(-1) == labels).mean() for x in (expected, found)]
    assert abs(right[0] - right[1]) <= 0.01

    path = tmp_path / f"ratm{ENDINGS[format]}"
    model = ka.zoo.load("ratm_balls")
    x, y = BouncingBalls(20, 1, seed=1)[0]
    size = x["frames"].shape[2:4]
    if format == "litert":
        with pytest.raises(ValueError, match=r"would lose too much.*recurrent_map"):
            ka.export(model, path, format, size=size, int8=True)
        return
    ka.export(model, path, format, size=size, int8=True)
    scores = []
    whole = model.predict(x, verbose=0)["boxes"]
    small = [
        followed(path, format, np.float32(frames), box)
        for frames, box in zip(x["frames"], x["box"], strict=True)
    ]
    for boxes in (whole, np.stack(small)):
        scores.append(np.asarray(ka.boxes.iou(boxes, y["boxes"]))[:, 1:].mean())
    assert abs(scores[0] - scores[1]) <= 0.01


def test_what_cannot_be_exported(tmp_path):
    ratm, ram = tracker("ratm"), RAM(4, 2, 4, glimpse_units=6, units=8)

    def refused(match, model=ratm, path="x.onnx", format="onnx", **options):
        with pytest.raises(ValueError, match=match):
            ka.export(model, tmp_path / path, format, **options)

    refused("`format` must be one of", format="tflite")
    refused(r"must end with '.onnx'.*Received", path="x.tflite")
    refused("must be a tracker.*Received", model=keras.Sequential())
    air = AIR(size=16, steps=1, window=6, what=2, units=4)
    air.build(air.serving_shape)
    refused("must be a tracker.*Received", model=air)
    refused("must be a tracker.*Received", model=SequentialAIR(air))
    refused("must have its weights", model=RATM(RATMCell(8, 6)))
    refused("must have its weights", model=ram)
    refused("`size` must be", size=(0, 4))
    refused("where a RAM looks first", first_location=(0, 0))
    refused("`many` is for trackers", path="x.tflite", format="litert", many=True)
    ram.build((None, 20, 20, 1))
    refused("`many` is for trackers", model=ram, many=True)
    refused(r"in -1..1", model=ram, first_location=(0, 3))
    for location in ("sample", "random"):
        model = RAM(4, 2, 4, glimpse_units=6, units=8, location=location)
        model.build((None, 20, 20, 1))
        refused("no random numbers.*Received", model=model)
    model = RAM(4, 2, 4, glimpse_units=6, units=8, episodes=3)
    model.build((None, 20, 20, 1))
    refused("`model.episodes` must be 1", model=model)
    half = RATM(dtype="mixed_float16")
    half.build()
    refused("float32", model=half)
    plain = Feedforward((6,), 4)
    plain.build((None, 20, 20, 1))
    refused("one size", model=plain, size=(10, 10))


class ShrinkingCell(CentroidCell):
    """It resizes by an operation that only TensorFlow has."""

    def step(self, frame, state):
        outputs, state = super().step(frame, state)
        small = ops.image.resize(self.scaled(frame), (4, 4), antialias=True)
        return outputs | {"glimpse": small}, state


@pytest.mark.parametrize("format", ["onnx", "litert"])
def test_what_a_format_cannot_do(tmp_path, format):
    model = TrackerModel(ShrinkingCell())
    model.build()
    path = tmp_path / f"x{ENDINGS[format]}"
    with pytest.raises(ValueError, match=f"cannot be written as '{format}'"):
        ka.export(model, path, format, size=(20, 20))
    assert not path.exists()
    assert ka.export(model, tmp_path / "x", size=(20, 20)).is_dir()


@slow
def test_commands_and_code_of_the_docs(tmp_path, monkeypatch, capsys):
    from keras_attend.commands.main import main

    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "export.md").read_text()
    for line in re.findall(r"^keras-attend (.*)$", page, re.MULTILINE):
        assert main(line.split()) == 0
    assert capsys.readouterr().out.count("MB") == 3
    for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(code, {})
    assert capsys.readouterr().out.count("[[") == 10  # boxes


def test_command(tmp_path, capsys):
    from keras_attend.commands.main import main

    out = str(tmp_path / "ram")
    options = ["--size", "28x28", "--first", "0,0", "--int8", "--uint8"]
    assert main(["export", "ram_mnist", out, *options]) == 0
    assert re.fullmatch(rf"{out}: [\d.]+ MB\n", capsys.readouterr().out)
    images, labels = ka.datasets.sample_digits()
    found = classified(out, "saved_model", images=np.uint8(images))
    assert (found["logits"].argmax(-1) == labels).mean() > 0.9
    assert main(["export", "ram_mnist", out, "--format", "onnx"]) == 1
    assert "must end with" in capsys.readouterr().err
