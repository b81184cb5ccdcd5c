import keras
import numpy as np
import pytest
from keras import layers, ops
from layer_check import gradients, run_layer_test
from slow_on import slow_on
from square_clips import clips

from keras_attend import callbacks
from keras_attend.datasets import GivenClips
from keras_attend.layers import SpatialSoftmax
from keras_attend.models import DRLT, DRLTCell, digit_cnn
from keras_attend.models.drlt.model import error_reward

SMALL = {"units": 12, "channels": 1, "size": 16}


def numpy(x):
    return ops.convert_to_numpy(x)


def net():
    """An observation network of 5 numbers."""
    return keras.Sequential(
        [layers.Conv2D(3, 4, 4, activation="relu"), layers.Flatten(), layers.Dense(5)]
    )


@pytest.fixture(scope="module")
def trained():
    """Version 1, trained once for many checks."""
    keras.utils.set_random_seed(0)
    cell = DRLTCell(
        net(), **SMALL, location="center", side=5 / 16, given=False, core="relu"
    )
    model = DRLT(cell, episodes=4)
    model.compile(keras.optimizers.Adam(5e-3))
    x, y = clips(np.random.default_rng(0), n=256)
    switch = callbacks.RewardSwitch(8)
    history = model.fit(
        x, y, batch_size=32, epochs=12, verbose=0, callbacks=[switch]
    ).history
    return model, x, y, history


# The model.


def test_error_reward_by_hand():
    l_t, g_t = np.array([[1.0, 2.0, 5.0]]), np.array([[1.5, 2.0, 3.0]])
    np.testing.assert_allclose(numpy(error_reward(l_t, g_t)), [-2.5 / 3 - 2])


def test_learns(trained):
    """It finds the square, which it is not told about, in frames of the same kind."""
    model, _, _, history = trained
    x, y = clips(np.random.default_rng(1), n=64)
    found = model.predict(x, verbose=0)["boxes"]
    error = abs(found - y["boxes"])[..., :2].mean()
    static = abs(y["boxes"].mean((0, 1)) - y["boxes"])[..., :2].mean()
    assert error < 0.6 * static
    assert history["iou"][-1] > history["iou"][0] + 0.2
    assert float(numpy(model.overlap)) == 1  # the callback's


def test_equals_numpy(trained):
    """Version 1's recurrence, in ten lines."""
    model, x, _, _ = trained
    x = {name: value[:6] for name, value in x.items()}
    cell, found = model.cell, model(x)
    W_x, b = (numpy(w) for w in cell.lstm.input_map.weights)
    W_h = numpy(cell.lstm.recurrent_map.kernel)
    W_l, b_l = (numpy(w) for w in cell.mean.weights)
    h = c = np.zeros((6, 12))
    for t in range(5):
        i_t = numpy(cell.observation(x["frames"][:, t]))
        i, j, f, o = np.split(i_t @ W_x + h @ W_h + b, 4, axis=1)
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        c = f * c + i * np.maximum(j, 0)
        h = o * np.maximum(c, 0)
        mu = 0.5 + h @ W_l + b_l
        np.testing.assert_allclose(numpy(found["mean"])[:, t], mu, atol=1e-4)
        box = np.concatenate([16 * mu - 2.5, np.full((6, 2), 5.0)], axis=1)
        np.testing.assert_allclose(numpy(found["boxes"])[:, t], box, atol=1e-3)


def test_final_version(random):
    """The last units are the location; the first frame's is given, once."""
    cell = DRLTCell(net(), 12, 1, size=16, head="units")
    cell.build((None, None, None, 1))
    frame = random.random((2, 16, 16, 1)).astype("float32")
    box = np.array([[2, 3, 4, 5], [1, 1, 8, 8]], "float32")
    state = cell.initial_state(frame, box)
    s_1 = [[4 / 16, 5.5 / 16, 4 / 16, 5 / 16], [5 / 16, 5 / 16, 0.5, 0.5]]
    np.testing.assert_allclose(numpy(state["given"]), s_1, rtol=1e-6)
    W, _, b = (numpy(w) for w in cell.lstm.weights)
    outputs, state = cell.step(frame, state)
    o_t = np.concatenate([numpy(cell.observation(frame)), s_1], axis=1)
    i, f, g, o = np.split(o_t @ W + b, 4, axis=1)
    i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
    h = o * np.tanh(i * np.tanh(g))
    np.testing.assert_allclose(numpy(outputs["mean"]), h[:, -4:], atol=1e-5)
    assert (numpy(state["given"]) == 0).all()


def test_a_layer_between_what_is_seen_and_the_memory(random):
    """What the LSTM gets is Rect(Linear(i_t, s_t)), as in the final version."""
    cell = DRLTCell(net(), 12, 1, size=16, head="units", dense=7)
    cell.build((None, None, None, 1))
    frame = random.random((2, 16, 16, 1)).astype("float32")
    state = cell.initial_state(frame, np.array([[2, 3, 4, 5], [1, 1, 8, 8]], "float32"))
    seen = np.concatenate([numpy(cell.observation(frame)), state["given"]], axis=1)
    W, b = (numpy(w) for w in cell.between.weights)
    o_t = np.maximum(seen @ W + b, 0)
    hidden, _ = cell.lstm(o_t, [state["hidden"], state["memory"]])
    outputs, _ = cell.step(frame, state)
    np.testing.assert_allclose(numpy(outputs["mean"]), numpy(hidden)[:, -4:], atol=1e-5)
    again = DRLTCell.from_config(cell.get_config())
    again.build((None, None, None, 1))
    assert [w.shape for w in again.weights] == [w.shape for w in cell.weights]


def test_a_circle_is_a_centre_and_a_radius():
    """In widths of the frame; its box is the square around it."""
    cell = DRLTCell(net(), 12, 1, size=16, location="circle")
    boxes = np.array([[[4.0, 6.0, 8.0, 8.0], [2.0, 2.0, 6.0, 10.0]]], "float32")
    found = numpy(cell.to_location(boxes, (32.0, 64.0)))
    expected = [[[8 / 64, 10 / 32, 4 / 64], [5 / 64, 7 / 32, 4 / 64]]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    square = [[[4, 6, 8, 8], [1, 3, 8, 8]]]
    np.testing.assert_allclose(numpy(cell.to_box(found, (32.0, 64.0))), square, 1e-5)
    cell.build((None, None, None, 1))
    state = cell.initial_state(np.zeros((1, 32, 64, 1), "float32"), boxes[:, 0])
    np.testing.assert_allclose(numpy(state["given"]), expected[0][:1], rtol=1e-6)


@slow_on("jax")
def test_draws_and_losses(trained):
    model, x, y, _ = trained
    x = {name: value[:64] for name, value in x.items()}
    y = {name: value[:64] for name, value in y.items()}
    present = y["present"].copy()
    present[:, 3:] = 0
    boxes = np.where(present[..., None] > 0, y["boxes"], np.nan)
    y = {"boxes": boxes, "present": present}
    found = model(x, training=True)
    noise = numpy(found["samples"]) - numpy(found["mean"])[:, None]  # [B, N, T, D]
    assert noise.shape == (64, 4, 5, 2)
    assert abs(noise.std() - 0.01) < 5e-4 and abs(noise.mean()) < 5e-4
    assert abs(numpy(model(x, training=True)["samples"] - found["samples"])).max() > 0
    # The loss's value is minus the draws' rewards, here overlaps, where it is present.
    from keras_attend.boxes import iou

    drawn = model.cell.to_box(found["samples"], (16.0, 16.0))
    overlap = numpy(iou(drawn[:, :, :3], y["boxes"][:, None, :3] + 0 * drawn[:, :, :3]))
    expected = -overlap.sum(-1).mean(-1)
    np.testing.assert_allclose(numpy(model.sample_losses(x, y, found)), expected, 1e-4)
    still = model(x)
    assert "samples" not in still
    overlap = numpy(iou(still["boxes"][:, :3], y["boxes"][:, :3]))
    np.testing.assert_allclose(
        numpy(model.sample_losses(x, y, still)), -overlap.sum(-1), 1e-4
    )
    # Absent boxes, NaN here, have no gradient.
    mean = numpy(found["mean"])

    def loss(mean):
        return model.sample_losses(x, y, {**found, "mean": mean})

    (slope,) = gradients(loss, mean)
    assert np.isfinite(slope).all()
    assert (slope[:, 3:] == 0).all() and (slope[:, :3] != 0).any((0, 2)).all()


@slow_on("jax")
def test_features_in_place_of_frames(trained):
    """Seen once, used again: the same boxes, and training goes on."""
    model, x, y, _ = trained
    seen = model.features(x, batch_size=50)
    assert seen["features"].shape == (256, 5, 5)
    np.testing.assert_allclose(seen["size"][0], [16, 16])
    boxes = model.predict(x, verbose=0)["boxes"]
    again = model.predict(seen, verbose=0)["boxes"]
    np.testing.assert_allclose(again, boxes, atol=1e-3)
    tail = DRLT.from_config(model.get_config())
    tail.build()
    tail.set_weights(model.get_weights())
    tail.cell.observation.trainable = False
    tail.compile(keras.optimizers.Adam(1e-3), jit_compile=False)
    before = numpy(tail.cell.observation.weights[0])
    videos = [
        {"features": f, "size": s, "boxes": b}
        for f, s, b in zip(seen["features"], seen["size"], y["boxes"], strict=True)
    ]
    tail.fit(GivenClips(videos, frames=5), verbose=0)
    assert (numpy(tail.cell.observation.weights[0]) == before).all()
    assert (numpy(tail.cell.mean.kernel) != numpy(model.cell.mean.kernel)).any()


def test_steps_equal_the_clip(trained):
    model, x, _, _ = trained
    state = model.cell.initial_state(x["frames"][:3, 0], x["box"][:3])
    for t in range(5):
        outputs, state = model.cell.step(x["frames"][:3, t], state)
        np.testing.assert_allclose(
            numpy(outputs["box"]), numpy(model(x)["boxes"])[:3, t], atol=1e-3
        )


def test_any_length_and_size(trained):
    model, x, _, _ = trained
    frames, box = x["frames"][:2], x["box"][:2]
    found = numpy(model({"frames": frames, "box": box})["boxes"])
    large = frames.repeat(2, axis=2).repeat(2, axis=3)
    twice = numpy(model({"frames": large, "box": 2 * box})["boxes"])
    np.testing.assert_allclose(twice, 2 * found, atol=0.8)
    pixels = np.round(frames * 255).astype("uint8")
    found_uint8 = numpy(model({"frames": pixels, "box": box})["boxes"])
    np.testing.assert_allclose(found_uint8, found, atol=0.1)
    long = np.concatenate([frames] * 5, axis=1)
    assert numpy(model({"frames": long, "box": box})["boxes"]).shape == (2, 25, 4)


def test_segments(trained):
    """Gradients end with the segment; the numbers are those of the whole clip."""
    model, x, _, _ = trained
    x = {name: value[:4] for name, value in x.items()}
    parts = DRLT.from_config({**model.get_config(), "segment": 2})
    parts.build()
    parts.set_weights(model.get_weights())
    np.testing.assert_allclose(
        numpy(parts(x)["boxes"]), numpy(model(x)["boxes"]), atol=1e-4
    )
    seen = {name: value for name, value in model.features(x).items()}

    def last(m):
        def mean(features):
            return m({**seen, "features": features})["mean"][:, 4]

        return gradients(mean, seen["features"])[0]

    assert (last(parts)[:, :4] == 0).all() and (last(model)[:, :4] != 0).any()


def test_save_load_export(trained, tmp_path):
    import tensorflow as tf

    model, x, y, history = trained
    model.save(tmp_path / "drlt.keras")
    again = keras.saving.load_model(tmp_path / "drlt.keras")
    expected = numpy(model(x)["boxes"])
    np.testing.assert_allclose(numpy(again(x)["boxes"]), expected, atol=1e-4)
    assert again.evaluate(x, y, verbose=0, return_dict=True)["iou"] > history["iou"][0]
    model.export(tmp_path / "saved", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    found = loaded.serve({name: tf.constant(value[:3]) for name, value in x.items()})
    np.testing.assert_allclose(found["boxes"], expected[:3], atol=1e-3)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"episodes": 1}, "baseline needs 2"),
        ({"std": 0}, "std"),
        ({"returns": "last"}, "returns"),
        ({"segment": 0}, "segment"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        DRLT(**kwargs)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"location": "corner"}, "location"),
        ({"core": "gru"}, "core"),
        ({"head": "two"}, "head"),
        ({"side": 1.5}, "side"),
        ({"units": 3, "head": "units"}, "at least the 4 numbers"),
    ],
)
def test_bad_arguments_of_the_cell(kwargs, message):
    with pytest.raises(ValueError, match=message):
        DRLTCell(**{**SMALL, **kwargs})


def test_reward_switch():
    with pytest.raises(ValueError, match="must not be negative"):
        callbacks.RewardSwitch(-1)


def test_digit_cnn():
    """The paper's numbers of 10,000 on the way."""
    network = digit_cnn(8)
    network.build((None, 100, 100, 1))
    assert network.layers[-1].kernel.shape == (10_000, 8)


def test_spatial_softmax(random, tmp_path):
    maps = random.normal(0, 2, (3, 5, 4, 2)).astype("float32")
    layer = run_layer_test(
        SpatialSoftmax, {}, (maps,), (3, 8), trainable_weights=1, tmp_path=tmp_path
    )
    x, y = np.linspace(-1, 1, 4), np.linspace(-1, 1, 5)[:, None]
    found = numpy(layer(maps))
    for b in range(3):
        for k in range(2):
            m = maps[b, ..., k]
            p = np.exp(m) / np.exp(m).sum()
            at = (p * x).sum(), (p * y).sum()
            spread = np.sqrt((p * ((x - at[0]) ** 2 + (y - at[1]) ** 2)).sum() + 1e-6)
            expected = [*at, spread, (p * m).sum()]
            np.testing.assert_allclose(found[b, k::2], expected, atol=1e-4)
