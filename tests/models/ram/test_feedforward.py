import keras
import numpy as np
import pytest
from blobs import blobs
from keras import ops

from keras_attend.datasets import sample_digits
from keras_attend.models import Feedforward


@pytest.fixture(scope="module")
def trained():
    keras.utils.set_random_seed(0)
    images, labels = sample_digits()
    model = Feedforward((32,), filters=4)
    model.compile(keras.optimizers.Adam(0.01), jit_compile=True)
    model.fit(images, labels, batch_size=25, epochs=2, verbose=0)
    return model, images, labels


def test_learns(trained):
    """Under XLA; it is right about images that it was not trained on."""
    assert trained[0].jit_compile
    model = Feedforward((16,), classes=2, filters=4, kernel_size=4, strides=2)
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(*blobs(np.random.default_rng(0)), epochs=10, verbose=0)
    others = blobs(np.random.default_rng(1))
    assert model.evaluate(*others, verbose=0, return_dict=True)["accuracy"] > 0.9


def test_uint8_and_floats_are_alike(trained):
    model, images, _ = trained
    found = model(images / np.float32(255))["logits"]
    np.testing.assert_allclose(found, model(images)["logits"], atol=1e-5)


def test_equals_numpy(trained):
    model, images, _ = trained
    w = {v.path.split("/", 1)[-1]: ops.convert_to_numpy(v) for v in model.weights}
    x = images[:3, ..., 0] / np.float32(255)
    cuts = np.lib.stride_tricks.sliding_window_view(x, (10, 10), (1, 2))[:, ::5, ::5]
    kernel = w["convolution/kernel"][:, :, 0]
    h = np.einsum("byxij,ijf->byxf", cuts, kernel) + w["convolution/bias"]
    h = np.maximum(h, 0).reshape(3, -1)
    h = np.maximum(h @ w["hidden_0/kernel"] + w["hidden_0/bias"], 0)
    expected = h @ w["action/kernel"] + w["action/bias"]
    np.testing.assert_allclose(model(images[:3])["logits"], expected, atol=1e-4)


def test_leaves_units_out_in_training_alone():
    """What it says of an image differs from draw to draw; in prediction it does not."""
    images = sample_digits()[0][:20]
    model = Feedforward((64,), dropout=0.5)
    drawn = [model(images, training=True)["logits"] for _ in range(2)]
    assert np.abs(drawn[0] - drawn[1]).mean() > 0.01
    expected = Feedforward((64,))
    expected.build(images.shape)
    expected.set_weights([ops.convert_to_numpy(w) for w in model.trainable_weights])
    np.testing.assert_allclose(
        model(images)["logits"], expected(images)["logits"], atol=1e-5
    )


@pytest.mark.parametrize(
    ("arguments", "side", "parameters"),
    [
        ({"units": (256,), "filters": 8}, 60, 251_442),
        ({"units": (86,), "filters": 8}, 100, 250_132),
        ({"units": (256, 256)}, 28, 269_322),
    ],
)
def test_is_of_the_papers_size(arguments, side, parameters):
    model = Feedforward(**arguments)
    model.build((None, side, side, 1))
    assert model.count_params() == parameters


def test_round_trip(trained, tmp_path):
    model, images, _ = trained
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    expected = model.predict(images[:4], verbose=0)["logits"]
    np.testing.assert_allclose(again.predict(images[:4], verbose=0)["logits"], expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": (0,)}, r"units\[0\]=0"),
        ({"filters": -1}, "filters=-1"),
        ({"dropout": -0.1}, "dropout=-0.1"),
        ({"classes": 0}, "classes=0"),
    ],
)
def test_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        Feedforward(**arguments)


def test_rejects_an_unknown_size():
    with pytest.raises(ValueError, match="of a known size"):
        Feedforward().build((None, None, None, 1))
