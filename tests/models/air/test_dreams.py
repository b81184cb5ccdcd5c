"""`AIR` learns to find what it has laid over pictures itself."""

import keras
import numpy as np
import pytest
from keras import ops
from slow_on import slow_on

from keras_attend.models import AIR, ObjectPrior
from keras_attend.models.air.dreams import SURE, overlaid, search_losses, sure_from
from tests.models.air.test_photo_parts import PHOTO, numpy, pictures, tensor

DREAMING = PHOTO | {"size": 32, "blend": False, "sigma": 0.05}
PRIOR = ObjectPrior(side=5.0)


def squares(random, n=16, size=32):
    """Black pictures `[n, size, size, 3]`, each with a vivid square of 4x4 pixels."""
    images = np.zeros((n, size, size, 3), "float32")
    for image in images:
        y, x = random.integers(0, size - 4, 2)
        image[y : y + 4, x : x + 4] = np.roll([0.9, 0.1, 0.1], random.integers(3))
    return images


def seen(random, n=16):
    """Dull pictures with vivid squares, `[n, 32, 32, 3]`."""
    return np.pad(pictures(random, n), ((0, 0), (8, 8), (8, 8), (0, 0)), "edge")


def test_objects_are_cut_out_and_laid_over_pictures(random):
    images = random.uniform(0.4, 0.6, (2, 24, 24, 3)).astype("float32")
    plain = np.zeros((2, 24, 24, 3), "float32")
    mask = np.zeros((2, 2, 24, 24, 1), "float32")
    color = np.full((2, 2, 1, 1, 3), 0.5, "float32")
    red, blue = (0.9, 0.1, 0.1), (0.1, 0.1, 0.9)
    plain[0, 2:8, 3:9], color[0, 0] = red, red
    plain[0, 5, 6] = 0.5 * np.array(red)  # half of it is what is behind
    mask[0, 0, 2:8, 3:9] = 0.8
    mask[0, 1, 12:20, 12:20] = 0.8  # beyond the count
    plain[1, 15:20, 14:20], color[1, 0] = blue, blue
    mask[1, 0, 15:20, 14:20] = 0.8
    plain[1, 0, 0] = 0.7  # not found, and so not cut out
    where = random.normal(size=(2, 2, 3)).astype("float32")
    found = {"mask": mask, "color": color, "where": where}
    found = {name: tensor(value) for name, value in found.items()}
    count = ops.convert_to_tensor([1, 1], "int32")
    drawn, known = overlaid(tensor(images), tensor(plain), found, count)
    expected = images.copy()
    expected[:, 2:8, 3:9], expected[:, 15:20, 14:20] = red, blue
    expected[:, 5, 6] = 0.5 * images[:, 5, 6] + 0.5 * np.array(red)
    np.testing.assert_allclose(numpy(drawn), expected, atol=1e-6)
    np.testing.assert_array_equal(numpy(known["there"]), [[1, 0, 1, 0], [1, 0, 1, 0]])
    np.testing.assert_array_equal(numpy(known["where"])[0, 2:], where[1])


def scene(logit=-9.0):
    """A map of 3x3 cells, and what is known: objects in cells (0, 0) and (2, 2)."""
    ratings = np.zeros((1, 2, 3, 3, 7), "float32")
    ratings[..., 0] = logit
    far = (8.0 / 12.0) / PRIOR.center_std  # from the picture's middle, in z
    where = np.array([[[0, -far, -far], [0, far, far], [0, 0, 0]]], "float32")
    known = {"where": where, "there": np.array([[1, 1, 0]], "float32")}
    return ratings, where, known


def losses(ratings, where, known, sure=1e9, weight=1.0):
    known = {name: tensor(value) for name, value in known.items()}
    more = PRIOR, (24, 24), sure, weight
    return float(search_losses(tensor(ratings), tensor(where), known, *more)[0])


def test_a_map_is_told_what_is_left_to_be_found():
    ratings, where, known = scene()
    ratings[0, :, 2, 2, 0] = 9.0  # both steps rate the second object's cell highly
    ratings[0, 0, 0, 0, 0] = 9.0  # and the first step the first one's
    ratings[0, :, :, :, 1:4] = np.nan_to_num(where[0, 1])
    ratings[0, :, 0, 0, 1:4] = where[0, 0]
    looked = where[:, :2]  # the first step finds the first object
    right = losses(ratings, looked, known)
    places = 3 * 0.1 * 3 * np.log(np.log(1 + np.exp(0.5413)) + 1e-4)
    assert right == pytest.approx(places, abs=0.01)
    wrong = ratings.copy()
    wrong[0, 1, 0, 0, 0] = 9.0  # it is found once more
    assert losses(wrong, looked, known) == pytest.approx(right + 9, abs=0.1)
    assert losses(wrong, looked, known, 0.0) == pytest.approx(right + 9, abs=0.1)
    elsewhere = ratings.copy()
    elsewhere[0, 0, 0, 2, 0] = 9.0  # of what else was there, nobody knows
    assert losses(elsewhere, looked, known) == pytest.approx(right + 9, abs=0.1)
    assert losses(elsewhere, looked, known, 0.0) == pytest.approx(right, abs=0.1)
    missed = ratings.copy()
    missed[0, 0, 0, 0, 0] = -9.0
    more = losses(missed, looked, known, weight=2.0)
    assert more == pytest.approx(right + 18, abs=0.1)
    off = ratings.copy()
    off[0, 0, 0, 0, 2] += 1.0  # beside the object
    assert losses(off, looked, known) == pytest.approx(right + 0.1 / 2, abs=0.01)


def test_the_map_is_believed_later():
    shares = [0.0, 0.4, 0.6, 1.9, 2.1, 9.0]
    found = [float(sure_from(tensor(share))) for share in shares]
    assert found == [1e9, 1e9, 0.0, 0.0, SURE, SURE]


@slow_on("tensorflow")
@pytest.mark.long
def test_fits_dreams_under_xla(random, tmp_path):
    """Each weight but the drawing's is trained, and a saved model goes on."""
    images, plain = seen(random), squares(random)
    model = AIR(**DREAMING)
    model.compile(keras.optimizers.Adam(0.01), anneal=4, explore=0.2, keep_drawing=True)
    given = {"images": images, "plain": plain}
    model.fit(given, batch_size=8, epochs=1, verbose=0)
    before = {v.path: numpy(v) for v in model.weights}
    history = model.fit(given, batch_size=8, epochs=3, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    drawing = {v.path for layer in model.cell.drawing() for v in layer.weights}
    for variable in model.weights:
        changed = (numpy(variable) != before[variable.path]).any()
        assert changed == (variable.path not in drawing), variable.path
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    found, expected = (m.predict(images, verbose=0) for m in (again, model))
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-4)
    again.fit(given, batch_size=8, verbose=0)


def test_losses_of_dreams_against_numpy(random):
    """Maps are told what was laid over pictures; on black, what the bound says."""
    model = AIR(**DREAMING)
    model.compile("adam", jit_compile=False)
    L, K = random.normal(size=(2, 4, 3))
    logits = random.normal(size=(4, 2))
    missed = random.uniform(size=2)  # of the two pictures of which it dreams
    log_p = numpy(model.prior.log_count_probs(2))
    y_pred = {"L": L, "K": K, "logits": logits, "log_prior": log_p, "missed": missed}
    y_pred = {name: tensor(value) for name, value in y_pred.items()}
    found = numpy(model.sample_losses(None, None, y_pred))
    f = L - K + log_p
    best = np.log(np.exp(f).sum(-1))
    exact = np.exp(f - best[:, None])
    pi = 1 / (1 + np.exp(-logits))
    q = np.stack([1 - pi[:, 0], pi[:, 0] * (1 - pi[:, 1]), pi.prod(-1)], axis=-1)
    told = -(exact * np.log(q)).sum(-1)
    expected = np.concatenate([100 * missed, 20 * told[2:]]) - best
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_what_it_cannot_dream_of(random):
    images, plain = seen(random, 2), squares(random, 2)
    model = AIR(**DREAMING)
    model.compile("adam")
    with pytest.raises(ValueError, match="two in a dict, `images` and `plain`"):
        model.fit({"images": images, "black": plain})
    with pytest.raises(ValueError, match="Images of floats must hold numbers"):
        model.fit({"images": images, "plain": 255 * plain})
    for judge in (model.evaluate, model.predict):
        with pytest.raises(ValueError, match="are for `fit` alone"):
            judge({"images": images, "plain": plain}, verbose=0)
    with pytest.raises(ValueError, match="are for `fit` alone"):
        held_out = ({"images": images, "plain": plain}, None)
        model.fit(images, validation_data=held_out, verbose=0)
    for other in ({"search": "lstm"}, {"blend": True}):
        model = AIR(**DREAMING | other)
        model.compile("adam")
        with pytest.raises(ValueError, match='needs `search="map"` and `blend=False`'):
            model.fit({"images": images, "plain": plain})
