import keras
import numpy as np
import pytest
from keras import ops

from keras_attend.datasets import sample_digits
from keras_attend.layers import Retina
from keras_attend.models import RAM

# Section 5: how wide to look, and when to stop.


@pytest.fixture(scope="module")
def chooser():
    """A RAM that chooses its zoom and when to stop, trained for a few steps."""
    keras.utils.set_random_seed(0)
    model = RAM(
        glimpses=4,
        size=4,
        scales=2,
        zooms=3,
        stop_price=0.05,
        units=32,
        glimpse_units=16,
        episodes=2,
        policy_weight=0.1,
    )
    model.compile(keras.optimizers.Adam(3e-3))
    images, labels = sample_digits()
    model.fit(images, labels, batch_size=25, epochs=2, verbose=0)
    return model


@pytest.mark.slow
def test_chooser_tells_what_it_chose(chooser):
    images, labels = sample_digits()
    outputs = chooser.predict(images, verbose=0)
    assert outputs["zooms"].shape == (50, 2, 4) and outputs["looks"].shape == (50, 2)
    assert (outputs["zooms"][..., 0] == 2).all()  # the widest comes first
    assert outputs["zooms"].min() >= 0 and outputs["zooms"].max() <= 2
    assert outputs["looks"].min() >= 1 and outputs["looks"].max() <= 4
    scores = chooser.evaluate(images, labels, verbose=0, return_dict=True)
    assert scores["looks"] == pytest.approx(outputs["looks"].mean(), abs=1.5)


@pytest.mark.slow
def test_chooser_sees_what_it_chose(chooser):
    """Each glimpse is the retina's at its location and zoom."""
    images, _ = sample_digits()
    outputs = chooser.predict(images[:10], verbose=0)
    patches = Retina(4, 4)(
        np.repeat(images[:10] / np.float32(255), 8, 0),
        outputs["locations"].reshape(-1, 2),
    )
    patches = np.asarray(patches).reshape(10, 2, 4, 4, 4, 4)
    for index in np.ndindex(10, 2, 4):
        z = outputs["zooms"][index]
        np.testing.assert_allclose(
            outputs["glimpses"][index], patches[index][..., z : z + 2], atol=1e-6
        )


def test_chooser_answers_from_where_it_stopped(chooser):
    """Nothing of the glimpses after the stop reaches the answer or the loss."""
    h_t = np.random.default_rng(0).normal(size=(6, 4, 32)).astype("float32")
    chooser.stopper.bias.assign([0.0, 0.0])
    looks, log_pi = chooser._stop(ops.convert_to_tensor(h_t), "mean")
    looks, log_pi = ops.convert_to_numpy(looks), ops.convert_to_numpy(log_pi)
    kernel = ops.convert_to_numpy(chooser.stopper.kernel)
    scores = h_t @ kernel
    log_p = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    for n, (row, found) in enumerate(zip(scores, log_pi, strict=True)):
        stops = [t for t in range(3) if row[t, 1] > row[t, 0]]
        assert looks[n] == (stops[0] + 1 if stops else 4)
        expected = [
            log_p[n, t, int(t == looks[n] - 1)] if t < min(looks[n], 3) else 0.0
            for t in range(4)
        ]
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.slow
def test_chooser_round_trip(chooser, tmp_path):
    chooser.save(tmp_path / "chooser.keras")
    again = keras.saving.load_model(tmp_path / "chooser.keras")
    assert again.get_config() == chooser.get_config()
    images, _ = sample_digits()
    first = np.zeros((5, 2), "float32")
    for name, value in chooser(images[:5], first_location=first).items():
        np.testing.assert_allclose(
            value, again(images[:5], first_location=first)[name], atol=1e-5
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"zooms": 0}, "Received: zooms=0"),
        ({"stop_price": -0.1}, "Received: stop_price=-0.1"),
        ({"variant": "published", "zooms": 2}, "zooms=2, stop_price=None"),
    ],
)
def test_chooser_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        RAM(**arguments)


def test_a_baseline_for_each_answer():
    """The loss takes the label's; its gradient reaches no other."""
    keras.utils.set_random_seed(0)
    model = RAM(
        classes=3, glimpses=3, size=4, units=8, glimpse_units=8, baseline="answer"
    )
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
    model.compile(keras.optimizers.SGD(0.1))
    before = ops.convert_to_numpy(model.baseline.bias)
    model.fit(images, labels, verbose=0)
    moved = ops.convert_to_numpy(model.baseline.bias) != before
    assert moved.tolist() == [True, False, True]
