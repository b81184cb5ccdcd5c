import keras
import numpy as np
import pytest
from blobs import blobs
from few_batches import FEW_BATCHES
from keras import ops

from keras_attend.models import RAM, Credit

SMALL = {"glimpses": 3, "size": 4, "scales": 2, "glimpse_units": 8, "units": 16}


@pytest.fixture(scope="module")
def trained():
    """One model, trained once for all checks, and its data."""
    keras.utils.set_random_seed(0)
    images, labels = blobs(np.random.default_rng(0))
    model = RAM(classes=2, **SMALL)
    model.compile(keras.optimizers.Adam(0.01), jit_compile=True)
    history = model.fit(images, labels, batch_size=64, epochs=15, verbose=0)
    return model, images, labels, history.history


def test_learns(trained):
    """Under XLA; it is right about images that it was not trained on."""
    model, _, _, history = trained
    assert model.jit_compile
    assert history["loss"][-1] < 0.6 * history["loss"][0]
    others = blobs(np.random.default_rng(1))
    assert model.evaluate(*others, verbose=0, return_dict=True)["accuracy"] > 0.9


def test_outputs(trained):
    model, images, _, _ = trained
    found = model.predict(images[:7], verbose=0)
    assert {name: x.shape for name, x in found.items()} == {
        "logits": (7, 2),
        "episode_logits": (7, 2),
        "locations": (7, 3, 2),
        "glimpses": (7, 3, 4, 4, 2),
        "baselines": (7, 2),
    }
    assert model(images[:7], training=True)["log_probs"].shape == (7, 2)
    assert (np.abs(found["locations"]) <= 1).all()
    # What it saw is what the retina shows where it looked.
    seen = model.retina(images[:7], found["locations"][:, 1])
    np.testing.assert_allclose(found["glimpses"][:, 1], seen, atol=1e-6)


def test_equals_numpy(trained):
    """The paper's equations, from the same first location."""
    model, images, _, _ = trained
    w = {v.path.split("/", 1)[-1]: np.asarray(ops.convert_to_numpy(v))
         for v in model.weights}  # fmt: skip

    def linear(name, x):
        return x @ w[f"{name}/kernel"] + w[f"{name}/bias"]

    def rect(x):
        return np.maximum(x, 0)

    l = first = np.random.default_rng(1).uniform(-1, 1, (5, 2)).astype("float32")
    h = np.zeros((5, 16), "float32")
    found = model(images[:5], first_location=first)
    for t in range(3):
        np.testing.assert_allclose(found["locations"][:, t], l, atol=1e-5)
        rho = ops.convert_to_numpy(model.retina(images[:5], l)).reshape(5, -1)
        h_g = rect(linear("glimpse/what_hidden", rho))
        h_l = rect(linear("glimpse/where_hidden", l))
        g = rect(linear("glimpse/what_out", h_g) + linear("glimpse/where_out", h_l))
        h = rect(linear("core_input", g) + linear("core_recurrent", h))
        if t < 2:
            baseline = linear("baseline", h)[:, 0]
            np.testing.assert_allclose(found["baselines"][:, t], baseline, atol=1e-5)
        l = np.clip(np.tanh(linear("location", h)), -1, 1)
    np.testing.assert_allclose(found["logits"], linear("action", h), atol=1e-4)


def test_log_probs_are_of_the_draws(trained):
    """The density of N(f_l(h_t), sigma^2) at each location, before it is clipped."""
    model, images, _, _ = trained
    found = model.episode(ops.convert_to_tensor(images[:5]), None, "sample")
    mu = ops.convert_to_numpy(model.locator(found["hidden"]))[:, :-1]
    l_t = ops.convert_to_numpy(found["choices"])[:, :-1]
    z = (l_t - mu) / model.policy.std
    log_pi = (-0.5 * z**2 - np.log(model.policy.std * np.sqrt(2 * np.pi))).sum(-1)
    np.testing.assert_allclose(found["log_probs"], log_pi, atol=1e-3)
    np.testing.assert_allclose(found["locations"][:, 1:], np.clip(l_t, -1, 1))
    assert np.abs(z).max() > 0.1  # they are draws


def test_loss_by_hand(trained):
    model = trained[0]
    y_pred = {
        "episode_logits": ops.log(ops.convert_to_tensor([[0.75, 0.25], [0.75, 0.25]])),
        "baselines": ops.convert_to_tensor([[0.5, 1.0], [0.0, 0.5]]),
        "log_probs": ops.convert_to_tensor([[-1.0, -2.0], [-3.0, 1.0]]),
    }
    # Right (R = 1): -log .75 + (.25 + 0) / 2 + .01 * (1 * .5 + 2 * 0)
    # Wrong (R = 0): -log .25 + (0 + .25) / 2 + .01 * (3 * 0 - 1 * -.5)
    each = np.array([-np.log(0.75) + 0.13, -np.log(0.25) + 0.13])
    y = ops.convert_to_tensor(np.array([0, 1], "int32"))
    loss = model.compute_loss(None, y, y_pred)
    np.testing.assert_allclose(float(loss), each.mean(), rtol=1e-5)
    model = RAM(classes=2, credit=Credit(reward="log_prob"), **SMALL)
    # R = log p: -log p + ((b_0 - R)^2 + (b_1 - R)^2) / 2 - .01 * log pi . (R - b)
    R, b = np.log([[0.75], [0.25]]), np.array([[0.5, 1.0], [0.0, 0.5]])
    log_pi = np.array([[-1.0, -2.0], [-3.0, 1.0]])
    by_hand = -R[:, 0] + ((b - R) ** 2).mean(1) - 0.01 * (log_pi * (R - b)).sum(1)
    loss_ = model.compute_loss(None, y, y_pred)
    np.testing.assert_allclose(float(loss_), by_hand.mean(), rtol=1e-5)
    model = RAM(classes=2, credit=Credit(trace=0.0), **SMALL)
    # A location is credited with what is expected after the next glimpse: b_1, then R.
    G, R = np.array([[1.0, 1.0], [0.5, 0.0]]), np.array([[1.0], [0.0]])
    by_hand = each - 0.13 + ((b - R) ** 2).mean(1) - 0.01 * (log_pi * (G - b)).sum(1)
    loss_ = model.compute_loss(None, y, y_pred)
    np.testing.assert_allclose(float(loss_), by_hand.mean(), rtol=1e-5)
    model = trained[0]
    loss = model.compute_loss(None, y[:, None], y_pred, np.array([1.0, 0.0]))
    np.testing.assert_allclose(float(loss), each[0] / 2, rtol=1e-5)


@pytest.mark.parametrize("label", [-1, 2])
def test_labels_out_of_range(trained, label):
    """An array is refused; in a stream of batches the loss turns NaN."""
    model, images, labels, _ = trained
    wrong = labels.copy()
    wrong[3] = label
    for function in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=rf"labels .* 0\.\.1. Received: .*{label}"):
            function(images, wrong, verbose=0)
    y_pred = model(images[:4])
    assert np.isnan(float(model.compute_loss(None, wrong[:4], y_pred)))


@pytest.mark.slow
def test_locations_learn_by_reinforce_alone(trained):
    """The classification loss moves no weight of the locator, the policy's only it."""
    _, images, labels, _ = trained

    def gradient_norms(policy_weight, trains_core):
        keras.utils.set_random_seed(3)
        credit = Credit(policy_weight=policy_weight, policy_trains_core=trains_core)
        model = RAM(classes=2, credit=credit, **SMALL)
        model.compile(keras.optimizers.SGD(1.0))
        model.build((None, 12, 12, 1))
        before = model.get_weights()
        paths = [v.path for v in model.weights]
        model.train_on_batch(images[:64], labels[:64])
        after = model.get_weights()
        moved = zip(paths, before, after, strict=True)
        return {p.split("/", 1)[-1]: np.abs(a - b).max() for p, b, a in moved}

    silent = gradient_norms(0.0, False)
    assert silent["location/kernel"] == 0
    assert silent["glimpse/what_hidden/kernel"] > 0
    policy = gradient_norms(1.0, False)
    assert policy["location/kernel"] > 0
    np.testing.assert_allclose(
        policy["core_input/kernel"], silent["core_input/kernel"], rtol=1e-4
    )
    both = gradient_norms(1.0, True)
    assert abs(both["core_input/kernel"] - silent["core_input/kernel"]) > 1e-4


def test_mean_is_deterministic_sample_is_not(trained):
    model, images, _, _ = trained
    first = np.zeros((4, 2), "float32")

    def locations(location):
        again = RAM.from_config({**model.get_config(), "location": location})
        again.build((None, 12, 12, 1))
        again.set_weights(model.get_weights())
        runs = [again(images[:4], first_location=first) for _ in range(2)]
        return [ops.convert_to_numpy(run["locations"]) for run in runs]

    a, b = locations("mean")
    np.testing.assert_array_equal(a, b)
    a, b = locations("sample")
    np.testing.assert_array_equal(a[:, 0], b[:, 0])
    assert (a[:, 1:] != b[:, 1:]).any()


@pytest.mark.long
def test_first_location_is_uniform(trained):
    model, images, _, _ = trained
    first = model.predict(np.repeat(images[:1], 2000, 0), verbose=0)["locations"][:, 0]
    np.testing.assert_allclose(first.mean(0), 0, atol=0.06)
    np.testing.assert_allclose((first**2).mean(0), 1 / 3, atol=0.04)


@pytest.mark.long
def test_episodes(trained):
    model, images, labels, _ = trained
    many = RAM.from_config({**model.get_config(), "episodes": 5, "location": "sample"})
    many.compile("adam")
    many.fit(images[:64], labels[:64], verbose=0)  # trains by the same call
    many.set_weights(model.get_weights())
    found = many.predict(images[:6], verbose=0)
    assert found["logits"].shape == (6, 2)
    assert found["locations"].shape == (6, 5, 3, 2)
    assert found["glimpses"].shape == (6, 5, 3, 4, 4, 2)
    log_p = np.asarray(ops.log_softmax(found["episode_logits"])).mean(1)
    np.testing.assert_allclose(found["logits"], log_p, atol=1e-5)
    # Each episode belongs to its own image.
    seen = model.retina(images[:6], found["locations"][:, 4, 2])
    np.testing.assert_allclose(found["glimpses"][:, 4, 2], seen, atol=1e-6)


def test_any_image_size_uint8_and_float_agree(trained):
    model, _, _, _ = trained
    first = np.full((2, 2), 0.1, "float32")
    for height, width in ((12, 12), (30, 17), (3, 2)):
        pixels = np.random.default_rng(0).integers(0, 256, (2, height, width, 1))
        pixels = pixels.astype("uint8")
        a = model(pixels, first_location=first)
        b = model(pixels.astype("float32") / 255, first_location=first)
        np.testing.assert_allclose(a["logits"], b["logits"], atol=1e-5)


def test_save_load_and_fine_tune(trained, tmp_path):
    model, images, labels, _ = trained
    first = np.zeros((8, 2), "float32")
    expected = model(images[:8], first_location=first)["logits"]
    model.save(tmp_path / "ram.keras")
    again = keras.saving.load_model(tmp_path / "ram.keras")
    found = again(images[:8], first_location=first)["logits"]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    again.run_eagerly = bool(FEW_BATCHES)
    history = again.fit(images, labels, batch_size=64, epochs=1, verbose=0).history
    assert history["loss"][0] < 0.7  # goes on where it was


def test_export(trained, tmp_path):
    """A SavedModel for any batch and any image size."""
    import tensorflow as tf

    model, images, _, _ = trained
    model.export(tmp_path / "saved", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "saved"))
    for batch in (images[:3], np.zeros((1, 40, 21, 1), "float32")):
        found = served.serve(tf.constant(batch))
        assert found["logits"].shape == (len(batch), 2)
        assert np.isfinite(found["logits"]).all()
    predicted = np.argmax(served.serve(tf.constant(images[:64]))["logits"], -1)
    assert (predicted == trained[2][:64]).mean() > 0.8


@pytest.mark.slow
def test_mixed_float16(trained):
    _, images, labels, _ = trained
    keras.utils.set_random_seed(0)
    model = RAM(classes=2, dtype="mixed_float16", **SMALL)
    model.compile(keras.optimizers.Adam(0.01))
    history = model.fit(images, labels, batch_size=64, epochs=8, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    found = model.predict(images[:2], verbose=0)
    assert found["glimpses"].dtype == np.float16
    assert found["locations"].dtype == found["logits"].dtype == np.float32


@pytest.mark.parametrize("batch", [0, 1])
def test_small_batches(trained, batch):
    model, images, _, _ = trained
    found = model(images[:batch])
    assert found["logits"].shape == (batch, 2)
    assert found["locations"].shape == (batch, 3, 2)


@pytest.mark.slow
def test_one_glimpse_several_channels():
    model = RAM(classes=3, glimpses=1, size=5, channels=3, units=8, glimpse_units=4)
    model.compile()
    images = np.random.default_rng(0).random((8, 9, 11, 3), dtype="float32")
    loss = model.train_on_batch(images, np.arange(8) % 3)
    assert np.isfinite(loss).all()
    assert model(images, training=True)["log_probs"].shape == (8, 0)
    many = RAM.from_config({**model.get_config(), "episodes": 2})
    many.compile()
    assert np.isfinite(many.evaluate(images, np.arange(8) % 3, verbose=0)).all()
    assert many(images)["baselines"].shape == (8, 2, 0)


def test_linear_locator_is_clipped():
    """A linear locator may point outside; a draw is scored before it is clipped."""
    model = RAM(locator="linear", **SMALL)
    model.build((None, 12, 12, 1))
    model.locator.bias.assign([5.0, -5.0])
    found = model(np.zeros((2, 12, 12, 1), "float32"), training=True)
    np.testing.assert_allclose(found["locations"][:, 1:], [[[1, -1]] * 2] * 2)
    # Near its mean; where it was clipped to, log pi is about -1300.
    assert (np.asarray(found["log_probs"]) > -20).all()


@pytest.mark.parametrize(
    "kwargs, message",
    [
        ({"classes": 0}, "`classes` must be a positive integer"),
        ({"glimpses": -1}, "`glimpses` must be a positive integer"),
        ({"episodes": 1.5}, "`episodes` must be a positive integer"),
        ({"std": 0.0}, "`std` must be positive"),
        ({"location": "centre"}, "`location` must be one of"),
        ({"locator": "relu"}, "`locator` must be one of"),
        ({"credit": 0.1}, "`credit` must be a Credit"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        RAM(**kwargs)


@pytest.mark.parametrize(
    "kwargs, message",
    [
        ({"reward": "much"}, "`reward` must be one of"),
        ({"baseline": "game"}, "`baseline` must be one of"),
        ({"trace": 1.5}, "trace=1.5"),
        ({"policy_weight": -1.0}, "`policy_weight` must not be negative"),
    ],
)
def test_bad_credit(kwargs, message):
    with pytest.raises(ValueError, match=message):
        Credit(**kwargs)


def test_bad_inputs(trained):
    model, images, _, _ = trained
    for bad in (images[..., 0], np.repeat(images, 3, -1), images[:, :0]):
        with pytest.raises(ValueError, match=r"`images` must .*Received"):
            model(bad[:2])
    with pytest.raises(ValueError, match="`first_location` must have shape"):
        model(images[:2], first_location=np.zeros(2, "float32"))
    with pytest.raises(ValueError, match="RAM has its own loss"):
        model.compile(loss="mse")


def test_a_baseline_for_each_answer():
    """The loss takes the label's; its gradient reaches no other."""
    keras.utils.set_random_seed(0)
    credit = Credit(baseline="answer")
    model = RAM(3, glimpses=3, size=4, units=8, glimpse_units=8, credit=credit)
    images = np.random.default_rng(0).random((4, 9, 9, 1), "float32")
    labels = np.array([0, 2, 2, 0])
    outputs = model(images, training=True)
    assert outputs["baselines"].shape == (4, 2, 3)
    b_t = ops.convert_to_numpy(outputs["baselines"])
    b_t = b_t[np.arange(4)[:, None], np.arange(2), labels[:, None]]
    right = ops.convert_to_numpy(outputs["logits"]).argmax(-1) == labels
    R = right.astype("float32")[:, None]
    log_p = ops.convert_to_numpy(ops.log_softmax(outputs["logits"]))
    log_pi = ops.convert_to_numpy(outputs["log_probs"])
    expected = -log_p[np.arange(4), labels] + ((b_t - R) ** 2).mean(-1)
    expected -= 0.01 * (log_pi * (R - b_t)).sum(-1)
    found = model.compute_loss(y=labels, y_pred=outputs)
    np.testing.assert_allclose(found, expected.mean(), rtol=1e-5)
    model.compile(keras.optimizers.SGD(0.1), **FEW_BATCHES)
    before = ops.convert_to_numpy(model.baseline.bias)
    model.fit(images, labels, verbose=0)
    moved = ops.convert_to_numpy(model.baseline.bias) != before
    assert moved.tolist() == [True, False, True]
