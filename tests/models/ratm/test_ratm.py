import keras
import numpy as np
import pytest
from few_batches import FEW_BATCHES
from keras import ops
from layer_check import gradients, run_layer_test
from slow_on import slow_on
from square_clips import clips

from keras_attend.boxes import iou
from keras_attend.layers import BilinearGlimpse, GlimpseCNN, GlimpseMatch
from keras_attend.models import (
    RATM,
    PublishedRATM,
    PublishedRATMCell,
    RATMCell,
    RelativeRATMCell,
)
from keras_attend.types import Classifies, Embeds, Remembers
from keras_attend.unroll import unroll
from keras_attend.zoo import convert

SMALL = {"size": 6, "units": 12}
ALL = {
    "pixel": 1.0,
    "feature": 0.1,
    "cosine": 0.01,
    "localisation": 10.0,
    "center": 1.0,
    "classification": 0.01,
    "class_error": 0.01,
    "overlap": 0.3,
}
LOCALISE = {"localisation": 1.0}


def numpy(x):
    return ops.convert_to_numpy(x)


@pytest.fixture(scope="module")
def trained():
    """One model with every objective, trained once for many checks."""
    keras.utils.set_random_seed(0)
    features = GlimpseCNN(filters=(4, 4), kernels=(3, 3), units=8, classes=3)
    cell = RATMCell(**SMALL, features=features)
    model = RATM(cell, objectives=ALL, weight_decay=1e-4)
    model.compile(keras.optimizers.Adam(5e-3))
    x, y = clips(np.random.default_rng(0), n=128)
    history = model.fit(x, y, batch_size=32, epochs=12, verbose=0).history
    return model, x, y, history


def test_learns(trained):
    """On clips that it was not trained on, better than a box that never moves."""
    model, _, _, history = trained
    x, y = clips(np.random.default_rng(1))
    static = numpy(iou(y["boxes"][:, :1] + 0 * y["boxes"], y["boxes"]))[:, 1:].mean()
    found = model.predict(x, verbose=0)["boxes"]
    assert numpy(iou(found, y["boxes"]))[:, 1:].mean() > static + 0.15
    assert history["loss"][-1] < history["loss"][0]


def test_outputs(trained):
    model, x, _, _ = trained
    found = model.predict(x, verbose=0)
    shapes = {name: value.shape for name, value in found.items()}
    assert shapes == {
        "boxes": (128, 5, 4),
        "window": (128, 5, 6),
        "attention": (128, 5, 7),
        "glimpse": (128, 5, 6, 6, 1),
        "embedding": (128, 5, 8),
    }
    # The first window is that of the given box, and a box is its window's grid.
    np.testing.assert_allclose(found["boxes"][:, 0], x["box"], atol=1e-4)
    edge = found["window"][..., 1] - 2.5 * found["window"][..., 3]
    np.testing.assert_allclose(found["boxes"][..., 0], edge, atol=1e-4)


def test_equals_numpy(trained):
    """The recurrence, in ten lines."""
    model, x, _, _ = trained
    cell, found = model.cell, model(x)
    W_in, W_rec = (
        numpy(cell.core.input_map.kernel),
        numpy(cell.core.recurrent_map.kernel),
    )
    W_out = numpy(cell.attend.kernel)
    a, h = numpy(found["attention"])[:, 0], np.zeros((128, 12))
    for t in range(5):
        np.testing.assert_allclose(numpy(found["attention"])[:, t], a, atol=1e-4)
        f = numpy(cell.features(found["glimpse"][:, t]))
        h = np.maximum(0, f @ W_in + h @ W_rec)
        a = a + h @ W_out


def test_any_length_and_size(trained):
    """More frames than in training; uint8 and floats; frames twice as large."""
    model, x, _, _ = trained
    frames, box = x["frames"][:2], x["box"][:2]
    long = np.concatenate([frames, frames[:, ::-1]] * 3, axis=1)
    found = numpy(model({"frames": long, "box": box})["boxes"])
    assert found.shape == (2, 30, 4) and np.isfinite(found).all()
    first = numpy(model({"frames": frames, "box": box})["boxes"])
    np.testing.assert_allclose(found[:, :5], first, atol=1e-4)
    pixels = np.round(frames * 255).astype("uint8")
    found = numpy(model({"frames": pixels, "box": box})["boxes"])
    np.testing.assert_allclose(found, first, atol=0.05)
    larger = frames.repeat(2, axis=2).repeat(2, axis=3)
    found = numpy(model({"frames": larger, "box": 2 * box + 0.5})["boxes"])
    np.testing.assert_allclose(found, 2 * first + 0.5, atol=1.5)


def test_steps_equal_the_clip(trained):
    model, x, _, _ = trained
    state = model.cell.initial_state(x["frames"][:, 0], x["box"])
    outputs, _ = unroll(model.cell.step, state, ops.convert_to_tensor(x["frames"]))
    np.testing.assert_allclose(
        numpy(outputs["box"]), numpy(model(x)["boxes"]), atol=1e-4
    )


@slow_on("jax")
def test_losses_by_hand(trained):
    model, x, y, _ = trained
    x = {name: value[:4] for name, value in x.items()}
    present = np.array(
        [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 1, 0, 1], [1, 0, 0, 0, 0]]
    )
    boxes = np.where(present[..., None] > 0, y["boxes"][:4], np.nan)
    y = {"boxes": boxes, "present": present, "labels": y["labels"][:4]}
    found = model(x)
    losses = model.objective_losses(
        x["frames"], y, np.nan_to_num(boxes, nan=1.0), found
    )
    losses = {name: numpy(value) for name, value in losses.items()}
    steps = sum(weight * losses[name] for name, weight in ALL.items())
    judged = present * [0, 1, 1, 1, 1]
    expected = (steps * judged).sum(1) / np.maximum(judged.sum(1), 1)
    W_in, W_out = model.cell.core.input_map.kernel, model.cell.attend.kernel
    expected = expected + 1e-4 * ((numpy(W_in) ** 2).sum() + (numpy(W_out) ** 2).sum())
    np.testing.assert_allclose(numpy(model.sample_losses(x, y, found)), expected, 1e-4)
    # By hand: the true window of the first clip's last frame.
    p = model.cell.glimpse(
        x["frames"][:1, 4],
        model.cell.to_window(
            model.cell.to_attention(boxes[:1, 4].astype("float32"), (16, 16)), (16, 16)
        ),
    )
    by_hand = ((numpy(found["glimpse"])[0, 4] - numpy(p)[0]) ** 2).mean()
    np.testing.assert_allclose(losses["pixel"][0, 4], by_hand, rtol=1e-4)
    embed = model.cell.features
    e = numpy(embed.embed(embed(p)))[0]
    a = numpy(found["embedding"])[0, 4]
    by_hand = 1 - (a @ e) / (np.linalg.norm(a) * np.linalg.norm(e))
    np.testing.assert_allclose(losses["cosine"][0, 4], by_hand, atol=1e-4)
    np.testing.assert_allclose(
        losses["feature"][0, 4], ((a - e) ** 2).mean(), rtol=1e-4
    )
    # The centre alone, in frame sizes, and the probabilities of the classes.
    middle = boxes[0, 4, :2] + boxes[0, 4, 2:] / 2
    by_hand = ((numpy(found["attention"])[0, 4, :2] - middle / 16) ** 2).mean()
    np.testing.assert_allclose(losses["center"][0, 4], by_hand, rtol=1e-4)
    logits = numpy(model.cell.features.classify(found["embedding"][0, 4:]))[0]
    p = np.exp(logits) / np.exp(logits).sum()
    by_hand = ((p - np.eye(3)[y["labels"][0]]) ** 2).mean()
    np.testing.assert_allclose(losses["class_error"][0, 4], by_hand, rtol=1e-4)
    last = RATM.from_config(
        {**model.get_config(), "penalty": "last", "weight_decay": 0.0}
    )
    last.build()
    last.set_weights(model.get_weights())
    expected = [steps[0, 4], steps[1, 1], steps[2, 4], 0]
    np.testing.assert_allclose(numpy(last.sample_losses(x, y, found)), expected, 1e-4)


def test_absent_boxes_have_no_influence(trained):
    """NaN where there is no object: a finite loss, and training goes on."""
    model, x, y, _ = trained
    again = RATM.from_config(model.get_config())
    again.compile(**FEW_BATCHES)
    y = {name: value.copy() for name, value in y.items()}
    y["present"][:, 3:] = 0
    y["boxes"][:, 3:] = np.nan
    logs = again.train_on_batch(x, y, return_dict=True)
    assert all(np.isfinite(value) for value in logs.values())
    assert all(np.isfinite(numpy(v)).all() for v in again.trainable_variables)


@pytest.mark.long
def test_save_load_and_fine_tune(trained, tmp_path):
    model, x, y, history = trained
    model.save(tmp_path / "ratm.keras")
    again = keras.saving.load_model(tmp_path / "ratm.keras")
    np.testing.assert_allclose(
        numpy(again(x)["boxes"]), numpy(model(x)["boxes"]), atol=1e-4
    )
    assert again.objectives == ALL
    again.run_eagerly = bool(FEW_BATCHES)
    found = again.fit(x, y, batch_size=32, verbose=0).history
    assert found["iou"][0] > history["iou"][0]


@pytest.mark.long
def test_export(trained, tmp_path):
    """A SavedModel for any batch, length and size."""
    import tensorflow as tf

    model, x, _, _ = trained
    model.export(tmp_path / "saved", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    found = loaded.serve({name: tf.constant(value[:3]) for name, value in x.items()})
    np.testing.assert_allclose(found["boxes"], numpy(model(x)["boxes"])[:3], atol=1e-3)
    found = loaded.serve(
        {"frames": tf.zeros((1, 7, 20, 31, 1)), "box": tf.constant([[2.0, 3, 9, 9]])}
    )
    assert found["boxes"].shape == (1, 7, 4) and np.isfinite(found["boxes"]).all()


@pytest.mark.parametrize("start", ["box", "around", "learned"])
@pytest.mark.parametrize("read", ["gaussian", "transformer"])
@pytest.mark.parametrize("attention", ["residual", "affine"])
def test_first_windows(start, read, attention, random):
    model = RATM(
        RATMCell(**SMALL, start=start, read=read, attention=attention, scale=1.5)
    )
    x, _ = clips(random, n=3)
    found = model(x)
    if start == "box":
        np.testing.assert_allclose(numpy(found["boxes"])[:, 0], x["box"], atol=1e-4)
        assert not hasattr(model.cell, "bias")
    elif start == "around":  # its centre, and four fifths of the frame
        window, box = numpy(found["window"])[:, 0], x["box"]
        middle = (box[:, :2] + box[:, 2:] / 2)[:, ::-1]
        np.testing.assert_allclose(window[:, :2], middle, atol=1.0)
        np.testing.assert_allclose(window[:, 2:4], 0.8 * 3, atol=1e-4)
    else:  # the whole frame, from the first pixel to the last
        window = numpy(found["window"])[:, 0]
        np.testing.assert_allclose(window[:, :4], [[8, 8, 3, 3]] * 3, atol=1e-4)
        np.testing.assert_allclose(numpy(model.cell.bias), [0.5, 0.5, 1, 1, 1, 1, 1])
    # The bias stays what it was where the attention is affine.
    assert ("bias" in model.cell.state_spec) == (attention == "affine")


@pytest.mark.parametrize("attention", ["residual", "affine"])
def test_relative_steps(attention, random):
    """An object twice as large, moving twice as far, is followed in the same way."""
    cell = RelativeRATMCell(**SMALL, attention=attention)
    model = RATM(cell, objectives=LOCALISE)
    x, y = clips(random, n=3, side=15)
    model(x)
    weights = [random.normal(0, 0.1, w.shape) for w in model.get_weights()]
    model.set_weights(weights)
    # One pixel becomes two by two; pixel i sits at i, not at i + 1/2.
    large = {"frames": x["frames"].repeat(2, 2).repeat(2, 3), "box": 2 * x["box"]}
    found, twice = (numpy(model(inputs)["boxes"]) for inputs in (x, large))
    assert abs(found - x["box"][:, None])[:, -1].max() > 0.5  # it does move
    np.testing.assert_allclose(twice / 2, found, atol=0.3)

    a = model.cell.to_attention(x["box"], (15, 15))
    step = np.tile(np.array([[1, -2, 0, 9, 0, 0, -9]], "float32"), (3, 1))
    moved = numpy(model.cell.move(a, step))
    a = numpy(a)
    np.testing.assert_allclose(moved[:, 0], a[:, 0] + a[:, 3], rtol=1e-5)
    np.testing.assert_allclose(moved[:, 1], a[:, 1] - 2 * a[:, 6], rtol=1e-5)
    np.testing.assert_allclose(moved[:, 3], 2.0)  # at most twice the frame
    np.testing.assert_allclose(moved[:, 6], a[:, 6] * np.exp(-3), rtol=1e-5)
    # The localisation objective does not change with the scale either.
    lost = 2 * y["boxes"] + [[[200, 0, 0, 0]]]
    losses = [
        numpy(
            model.sample_losses(large, {"boxes": boxes.astype("float32")}, model(large))
        )
        for boxes in (2 * y["boxes"], lost)
    ]
    assert (losses[0] < losses[1]).all() and (losses[1] < 12).all()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"objectives": {"colour": 1.0}}, "objectives"),
        ({"objectives": {"pixel": 0.0}}, "must be positive"),
        ({"objectives": {"feature": 1.0}}, "needs a cell with `features`"),
        ({"penalty": "first"}, "penalty"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        RATM(**kwargs)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"start": "middle"},
        {"attention": "fixed"},
        {"read": "crop"},
        {"scale": 0},
        {"units": 0},
        {"channels": 0},
        {"size": 0},
    ],
)
def test_bad_arguments_of_the_cell(kwargs):
    (name,) = kwargs
    with pytest.raises(ValueError, match=rf"`{name}` must be .*Received: {name}"):
        RATMCell(**{**SMALL, **kwargs})


def test_objectives_need_features_that_have_what_they_compare():
    """A network that remembers but neither embeds nor classifies is refused."""
    cell = RATMCell(16, 8, features=GlimpseMatch((3, 4, 4), maps=2))
    for name in ("feature", "cosine", "classification", "class_error"):
        with pytest.raises(ValueError, match=rf"{name}.* needs a cell with `features`"):
            RATM(cell, objectives={name: 1.0})
    RATM(cell, objectives={"pixel": 1.0})
    assert isinstance(cell.features, Remembers)
    assert not isinstance(cell.features, Embeds)
    assert isinstance(GlimpseCNN(), Classifies)
    assert not isinstance(GlimpseCNN(), Remembers)


def test_bad_inputs(trained):
    model, x, _, _ = trained
    with pytest.raises(ValueError, match="must be a dict"):
        model(x["frames"])
    with pytest.raises(ValueError, match=r"batch, time, height, width, 1"):
        model({**x, "frames": x["frames"].repeat(3, -1)})
    with pytest.raises(ValueError, match=r"\[batch, 4\]"):
        model({**x, "box": x["box"][:, :2]})
    with pytest.raises(ValueError, match="targets must be a dict"):
        model.sample_losses(x, x["box"], model(x))


# The layers.


def test_bilinear_glimpse(random, tmp_path):
    images = random.random((3, 9, 8, 2)).astype("float32")
    params = np.array(
        [[4, 3, 1, 1, 9, 9], [3.5, 4.2, 0.4, 1.3, 0, 0], [0, 7, 2, 2, 1, 1]]
    )
    layer = run_layer_test(
        BilinearGlimpse,
        {"size": (4, 5)},
        (images, params.astype("float32")),
        (3, 4, 5, 2),
        trainable_weights=0,
        tmp_path=tmp_path,
    )
    padded = np.pad(images, ((0, 0), (9, 9), (9, 9), (0, 0)))
    found = numpy(layer(images, params.astype("float32")))
    for b, (cy, cx, dy, dx, _, _) in enumerate(params):
        for r in range(4):
            for k in range(5):
                y, x = cy + dy * (r - 1.5) + 9, cx + dx * (k - 2) + 9
                i, j = int(y), int(x)
                top = padded[b, i, j] * (1 - x + j) + padded[b, i, j + 1] * (x - j)
                low = padded[b, i + 1, j] * (1 - x + j) + padded[b, i + 1, j + 1] * (
                    x - j
                )
                expected = top * (1 - y + i) + low * (y - i)
                np.testing.assert_allclose(found[b, r, k], expected, atol=1e-5)


def test_glimpse_cnn(random, tmp_path):
    run_layer_test(
        GlimpseCNN,
        {"filters": (3, 2), "kernels": (3, 3), "units": 5, "classes": 4, "gain": 2.0},
        (random.random((3, 8, 8, 1)).astype("float32"),),
        (3, 8),
        trainable_weights=8,
        tmp_path=tmp_path,
    )


@slow_on("jax")
@pytest.mark.long
def test_glimpse_match(random, tmp_path):
    glimpses = random.random((3, 16, 16, 2)).astype("float32")
    layer = run_layer_test(
        GlimpseMatch,
        {"filters": (3, 4, 5), "maps": 2},
        (glimpses, random.random((3, 16 * 32)).astype("float32")),
        (3, 4 * 4 * 4),
        trainable_weights=15,
        tmp_path=tmp_path,
    )
    assert layer.memory_size == 16 * 32
    # What is there, and beside it the template's votes.
    template = layer.remember(glimpses)
    assert template.shape == (3, 16 * 32)
    own, others = (
        numpy(layer(glimpses, t)).reshape(3, 4, 4, 4)
        for t in (template, ops.roll(template, 1, axis=0))
    )
    V = layer.v1(glimpses)
    np.testing.assert_allclose(own[..., :2], numpy(layer.readout(V)), atol=1e-5)
    np.testing.assert_allclose(own[..., 2:], numpy(layer.match(V, template)), atol=1e-5)
    np.testing.assert_array_equal(own[..., :2], others[..., :2])
    assert (abs(own - others).max((1, 2, 3)) > 0.01).all()


@pytest.mark.slow
def test_remembers_the_first_glimpse(random, tmp_path):
    """With the same frames after another first one it looks elsewhere."""
    features = GlimpseMatch((3, 4, 4), maps=2)
    cell = RelativeRATMCell(16, 8, features=features, memory=0.5, scale=2.0)
    model = RATM(cell)
    x, y = clips(random, n=4, frames=3)
    model.compile(keras.optimizers.Adam(1e-2), jit_compile=True)
    loss = model.fit(x, y, epochs=2, verbose=0).history["loss"]
    assert np.isfinite(loss).all()
    assert model.cell.state_spec["template"] == features.memory_size
    found = numpy(model(x)["boxes"])
    model.save(tmp_path / "matched.keras")
    again = keras.saving.load_model(tmp_path / "matched.keras")
    np.testing.assert_allclose(numpy(again(x)["boxes"]), found, atol=1e-4)

    first, *later = (x["frames"][:, t] for t in range(3))
    outputs = []
    for start in (first, random.random(first.shape).astype("float32")):
        state = model.cell.initial_state(start, x["box"])
        _, state = model.cell.step(later[0], state)
        outputs.append(numpy(state["hidden"]))
    assert abs(outputs[0] - outputs[1]).max() > 1e-4


# The authors' code.


@pytest.fixture(scope="module")
def published(golden, golden_path):
    data = golden("ratm_full", whole=True)
    network = convert.ratm_person_cnn(golden_path("ratm_human_convnet_weights.npz"))
    return data, network


def relative(found, expected):
    return np.abs(numpy(found) - expected).max() / np.abs(expected).max()


def test_golden_cnn(published):
    data, network = published
    patches = np.moveaxis(data["cnn/patches_nchw"], 1, -1) / 255
    features = network(patches)
    expected = np.moveaxis(data["cnn/relu1"], 1, -1).reshape(8, -1)
    embedding = network.embed(features)
    assert relative(features, expected) < 1e-4
    assert relative(embedding, data["cnn/relu2"]) < 1e-4
    assert relative(network.classify(embedding), data["cnn/fc3"]) < 1e-4


def test_golden_tracker(published):
    """Windows, glimpses, states, cost and gradients of the authors' code."""
    data, network = published
    network.trainable = False
    cell = PublishedRATMCell(28, 32, scale=1.5, features=network)
    model = PublishedRATM(cell, objectives={"feature": 1.0}, weight_decay=0.2)
    model.build()
    kernels = [
        convert.flattened(data["ratm/param:win"], 7, 7, 64),
        data["ratm/param:wrnn"],
        data["ratm/param:wread"],
    ]
    for variable, value in zip(model.trainable_variables, kernels, strict=True):
        variable.assign(value)
    x1, x2, y1, y2 = np.moveaxis(data["ratm/targets_x1x2y1y2"], -1, 0)
    boxes = np.stack([x1, y1, x2 - x1, y2 - y1], axis=-1).astype("float32")
    frames = np.moveaxis(data["ratm/inputs_btchw"], 2, -1) / 255
    x = {"frames": frames.astype("float32"), "box": boxes[:, 0]}
    y = {"boxes": boxes, "present": data["ratm/masks"]}
    found = model(x)
    windows = np.swapaxes(data["ratm/window_params"], 0, 1)
    assert relative(found["attention"], windows) < 1e-4
    glimpses = np.moveaxis(np.swapaxes(data["ratm/patches"], 0, 1), 2, -1) / 255
    assert relative(found["glimpse"], glimpses) < 1e-4
    cost = model.compute_loss(x, y, found)
    assert relative(cost, data["ratm/cost"]) < 1e-4

    def loss(*values):
        pairs = zip(model.trainable_variables, values, strict=True)
        with keras.StatelessScope(pairs):
            return model.compute_loss(x, y, model(x))

    slopes = gradients(loss, *kernels)
    expected = [
        convert.flattened(data["ratm/grad:win"], 7, 7, 64),
        data["ratm/grad:wrnn"],
        data["ratm/grad:wread"],
    ]
    for slope, value in zip(slopes, expected, strict=True):
        assert relative(slope, value) < 3e-4


def test_published_saves(random, tmp_path):
    """With its own window and cost, and no other penalty than on all frames."""
    x, y = clips(random, n=3)
    model = PublishedRATM()
    found = model(x)
    model.save(tmp_path / "published.keras")
    again = keras.saving.load_model(tmp_path / "published.keras")
    assert type(again) is PublishedRATM and type(again.cell) is PublishedRATMCell
    assert again.cell.glimpse.epsilon == 1e-4
    np.testing.assert_allclose(
        numpy(again(x)["glimpse"]), numpy(found["glimpse"]), 1e-4
    )
    # An object in the first frame alone: that counts, as a fifth, there being five.
    only = y | {"present": np.eye(5, dtype="float32")[[0, 0, 0]]}
    found["glimpse"] = found["glimpse"] + 0.5
    losses = model.objective_losses(x["frames"], y, y["boxes"], found)
    expected = numpy(losses["pixel"])[:, 0] / 5
    np.testing.assert_allclose(
        numpy(again.sample_losses(x, only, found)), expected, rtol=1e-4
    )
    with pytest.raises(ValueError, match="`penalty` must be one of"):
        PublishedRATM(penalty="last")
