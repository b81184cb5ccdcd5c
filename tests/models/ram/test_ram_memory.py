"""A RAM whose core is an LSTM, and one that first sees the whole image, coarsely."""

import keras
import numpy as np
import pytest
from few_batches import FEW_BATCHES
from keras import ops

from keras_attend.datasets import sample_digits
from keras_attend.models import RAM, ContextRAM, Credit

SMALL = {"glimpses": 3, "size": 4, "scales": 2, "units": 16, "glimpse_units": 8}
SMALL |= {"core": "lstm", "credit": Credit(policy_weight=0.1)}


def images():
    """Of 28x28 pixels in 0..1, of one kind each."""
    return sample_digits()[0][:6] / np.float32(255)


def made(cls, **kwargs):
    """A model with its weights."""
    keras.utils.set_random_seed(0)
    model = cls(**SMALL, **kwargs)
    model.build(model.serving_shape)
    return model


def arrays(model):
    """The weights, by their paths."""
    return {
        v.path.split("/", 1)[-1]: ops.convert_to_numpy(v).astype("float64")
        for v in model.weights
    }


def linear(w, name, x):
    return x @ w[f"{name}/kernel"] + w[f"{name}/bias"]


def rect(x):
    return np.maximum(x, 0)


def logistic(x):
    return 1 / (1 + np.exp(-x))


def follow(model, x, l, h, c):
    """The locations, all h_t and the scores, by NumPy."""
    w = arrays(model)
    locations, states = [], []
    for _ in range(3):
        locations.append(l)
        rho = ops.convert_to_numpy(model.retina(x, l.astype("float32"))).reshape(6, -1)
        h_g = rect(linear(w, "glimpse/what_hidden", rho))
        h_l = rect(linear(w, "glimpse/where_hidden", l))
        g = linear(w, "glimpse/what_out", h_g) + linear(w, "glimpse/where_out", h_l)
        gates = rect(g) @ w["core/kernel"] + h @ w["core/recurrent_kernel"]
        i, f, candidate, o = np.split(gates + w["core/bias"], 4, axis=1)
        c = logistic(f) * c + logistic(i) * np.tanh(candidate)
        h = logistic(o) * np.tanh(c)
        states.append(h)
        l = np.tanh(linear(w, "location", h))
    return np.stack(locations, 1), np.stack(states, 1), linear(w, "action", h)


def test_lstm_equals_numpy():
    """Its memory is the LSTM's, which begins with nothing."""
    model, x = made(RAM), images()
    first = np.random.default_rng(1).uniform(-1, 1, (6, 2)).astype("float32")
    nothing = np.zeros((6, 16))
    found = model(x, first_location=first)
    l_t, h_t, logits = follow(model, x, first, nothing, nothing)
    np.testing.assert_allclose(found["locations"], l_t, atol=1e-4)
    np.testing.assert_allclose(found["logits"], logits, atol=1e-4)
    b_t = linear(arrays(model), "baseline", h_t)[:, :-1, 0]
    np.testing.assert_allclose(found["baselines"], b_t, atol=1e-4)


def mean_coarse(model, x):
    """What the model makes of the image, before its layers, `[6, 16]`."""
    seen = []
    layer = model.context_hidden
    call, layer.call = layer.call, lambda y: seen.append(y) or call(y)
    model.first_state(ops.convert_to_tensor(x))
    layer.call = call
    return ops.convert_to_numpy(seen[0])


def test_context_is_the_image_in_a_few_pixels():
    model = made(ContextRAM, context=4)
    x = np.zeros((6, 28, 28, 1), "float32")
    x[:, 7:14, 21:] = 1.0  # the second row's last block
    found = mean_coarse(model, x)
    assert (found.argmax(1) == 7).all()
    np.testing.assert_allclose(found.sum(1), 1, rtol=0.2)


def test_context_begins_the_memory_and_chooses_the_first_location():
    """h_0 of the coarse image is the state of the LSTM; l_0 = f_l(h_0)."""
    model, x = made(ContextRAM, context=4), images()
    found = model(x)
    w = arrays(model)
    h_0 = np.tanh(
        linear(
            w, "context_out", rect(linear(w, "context_hidden", mean_coarse(model, x)))
        )
    )
    first = np.tanh(linear(w, "location", h_0))
    l_t, h_t, logits = follow(model, x, first, h_0, h_0)
    np.testing.assert_allclose(found["locations"], l_t, atol=1e-4)
    np.testing.assert_allclose(found["logits"], logits, atol=1e-4)
    states = np.concatenate([h_0[:, None], h_t[:, :-1]], axis=1)
    b_t = linear(w, "baseline", states)[..., 0]
    np.testing.assert_allclose(found["baselines"], b_t, atol=1e-4)
    assert len(np.unique(np.round(first, 4), axis=0)) > 1


@pytest.mark.parametrize("given", [False, True])
def test_context_learns_from_its_first_choice(given):
    """The first log-probability is of the first location, and the draws differ."""
    model, x = made(ContextRAM, context=4), images()
    first = np.full((6, 2), 0.3, "float32") if given else None
    found = model(x, training=True, first_location=first)
    mu = np.tanh(linear(arrays(model), "location", model.first_state(x)))
    z = (ops.convert_to_numpy(found["locations"])[:, 0] - mu) / model.std
    log_pi = (-0.5 * z**2 - np.log(model.std * np.sqrt(2 * np.pi))).sum(-1)
    assert found["log_probs"].shape == (6, 3)
    np.testing.assert_allclose(found["log_probs"][:, 0], log_pi, rtol=1e-3, atol=1e-3)
    assert given or np.abs(z).max() > 0.1


@pytest.mark.parametrize("core", ["lstm", "rectified"])
def test_all_weights_learn_and_are_saved(core, tmp_path):
    keras.utils.set_random_seed(0)
    model = ContextRAM(**{**SMALL, "core": core, "episodes": 2})
    model.compile(keras.optimizers.Adam(3e-3), **FEW_BATCHES)
    digits, labels = sample_digits()
    model.build(model.serving_shape)
    before = [ops.convert_to_numpy(v) for v in model.trainable_variables]
    model.fit(digits, labels, batch_size=25, epochs=2, verbose=0)
    for old, new in zip(before, model.trainable_variables, strict=True):
        assert (old != ops.convert_to_numpy(new)).any(), new.path
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    wanted, found = (m.predict(digits, verbose=0)["logits"] for m in (model, again))
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_refuses_a_core_that_it_does_not_have():
    with pytest.raises(ValueError, match="`core` must be one of"):
        RAM(core="gru")
