import keras
import numpy as np
import pytest

from keras_attend.models import RAM
from keras_attend.recipes import start_from

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
    model = RAM(**SMALL, scales=1, locator="linear", baseline="answer")
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
