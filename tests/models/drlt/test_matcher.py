import keras
import numpy as np
import pytest
from keras import ops
from layer_check import gradients
from slow_on import slow_on
from square_clips import clips

from keras_attend.models import (
    DRLT,
    CandidateChoice,
    DRLTCell,
    MatchBoxes,
    Matcher,
    MatcherCell,
)
from keras_attend.models.base import fitted_images
from keras_attend.models.drlt.candidate_choice import STAY

SIZE = (32, 48)  # of images: 4 x 6 places


def numpy(x):
    return ops.convert_to_numpy(x)


@pytest.fixture(scope="module")
def layer():
    layer = MatchBoxes(filters=8, candidates=3)
    layer.build((None, *SIZE, 2))
    return layer


def test_remember(layer, random):
    """The mean features of the box's parts, in cells of 8 pixels."""
    images = random.random((2, *SIZE, 2)).astype("float32")
    phi = numpy(layer.features(images))  # [2, 4, 6, 8]
    # From cell 3 to 6 across, a cell for each part; the first three rows down.
    location = np.array([[4.5 / 6, 1.5 / 4, 3 / 6, 3 / 4]] * 2, "float32")

    def remembered():
        template = numpy(layer.remember(images, location))
        np.testing.assert_array_equal(template[:, -4:], location)
        return template[:, :-4].reshape(2, 10, 8)

    found = remembered()
    np.testing.assert_allclose(found[:, 0], phi.mean((1, 2)), atol=1e-5)
    parts = phi[:, :3, 3:].reshape(2, 9, 8)
    np.testing.assert_allclose(found[:, 1:], parts, atol=1e-4)
    # Half of a cell each way: means of neighbours.
    location[:, 0] -= 0.5 / 6
    means = (phi[:, :3, 2:5] + phi[:, :3, 3:]) / 2
    np.testing.assert_allclose(remembered()[:, 1:], means.reshape(2, 9, 8), atol=1e-4)
    # Outside the image there is its border.
    location[:, 0] = 1.5
    border = phi[:, :3, 5:].repeat(3, axis=2).reshape(2, 9, 8)
    np.testing.assert_allclose(remembered()[:, 1:], border, atol=1e-4)


def test_votes(layer, random):
    """Around each place, the means of a part's matches where the part would be."""
    r = random.random((1, 24, 9)).astype("float32")
    # A box of 3 x 3 places: at scale 1 its parts are the place and its neighbours.
    location = np.array([[0.5, 0.5, 3 / 6, 3 / 4]], "float32")
    v = numpy(layer._votes(ops.convert_to_tensor(r), location, (4, 6)))
    v = v.reshape(4, 6, 3, 3, 3)  # the second scale is 1
    maps = np.pad(r.reshape(4, 6, 3, 3), ((1, 1), (1, 1), (0, 0), (0, 0)), "edge")
    for i in range(3):
        for j in range(3):
            expected = maps[i : i + 4, j : j + 6, i, j]
            np.testing.assert_allclose(v[:, :, 1, i, j], expected, atol=1e-4)


def test_candidates_one_after_another(layer):
    """The best place, then the best outside its box's middle."""
    m = np.full((1, 24), -5.0, "float32")
    m[0, [3, 4, 20]] = 2.0, 3.0, 1.0  # 3 and 4 are neighbours
    boxes = np.zeros((1, 24, 4), "float32")
    boxes[0, :, 0] = (np.arange(24) % 6 + 0.5) / 6
    boxes[0, :, 1] = (np.arange(24) // 6 + 0.5) / 4
    boxes[0, :, 2:] = 0.7, 0.5
    found = numpy(layer.best(ops.convert_to_tensor(m), boxes)).reshape(3, 6)
    np.testing.assert_allclose(found[0, :4], boxes[0, 4])
    np.testing.assert_allclose(found[1, :4], boxes[0, 20])
    np.testing.assert_allclose(found[:2, 4], [0.3, 0.1], atol=1e-6)
    p = np.exp(m[0]) / np.exp(m[0]).sum()
    np.testing.assert_allclose(found[:2, 5], p[[4, 20]], rtol=1e-4)


@slow_on("jax")
def test_depends_on_the_template(layer, random):
    images = random.random((2, *SIZE, 2)).astype("float32")
    here = np.array([[0.2, 0.3, 0.2, 0.3], [0.8, 0.6, 0.2, 0.4]], "float32")
    there = here[::-1].copy()
    one, other = (
        numpy(layer(images, layer.remember(images, at))) for at in (here, there)
    )
    assert one.shape == (2, 18)
    assert abs(one - other).max() > 1e-3


class Squares(keras.layers.Layer):
    """Maps 8 pixels apart that somebody else has trained: one weight."""

    channels = 4

    def build(self, input_shape):
        self.gain = self.add_weight((), "ones", name="gain")

    def call(self, images):
        means = ops.average_pool(images, 8, 8)
        return self.gain * ops.concatenate([means, ops.square(means)], axis=-1)

    def compute_output_shape(self, input_shape):
        batch, rows, cols, channels = input_shape
        return (batch, rows // 8, cols // 8, 2 * channels)


def test_maps_of_another_network(random):
    r"""They are mixed to $\phi$, and stay as they are when all else is trained."""
    layer = MatchBoxes(filters=8, candidates=3, maps=Squares())
    layer.build((None, *SIZE, 2))
    images = random.random((2, *SIZE, 2)).astype("float32")
    kernel, bias = layer.features.layers[1].get_weights()
    means = images.reshape(2, 4, 8, 6, 8, 2).mean((2, 4))
    want = np.concatenate([means, means**2], -1) @ kernel[0, 0] + bias
    np.testing.assert_allclose(numpy(layer.features(images)), want, atol=1e-5)
    trained = [v.path for v in layer.trainable_variables]
    assert len(trained) == 10 and not any("gain" in path for path in trained)
    at = np.array([[0.2, 0.3, 0.2, 0.3]] * 2, "float32")
    assert layer(images, layer.remember(images, at)).shape == (2, 18)


def test_maps_are_compared_as_they_are(random, monkeypatch):
    """Cosines of what the maps say with the template's, and their votes."""
    layer = MatchBoxes(filters=8, candidates=3, maps=Squares(), plain=True)
    layer.build((None, *SIZE, 2))
    images = random.random((2, *SIZE, 2)).astype("float32")
    at = np.array([[0.25, 0.375, 0.5, 0.75], [0.7, 0.5, 0.3, 0.5]], "float32")
    template = layer.remember(images, at)
    assert template.shape == (2, layer.memory_size) == (2, 10 * (8 + 4) + 4)
    head, seen = layer.head, []
    monkeypatch.setattr(layer, "head", lambda x: (seen.append(numpy(x)), head(x))[1])
    m, boxes = layer.matches(images, template)
    assert m.shape == (2, 24) and boxes.shape == (2, 24, 4)
    # phi and its products, then of both kinds ten cosines and 27 votes.
    assert seen[0].shape == (2, 4, 6, 2 * 8 + 2 * (10 + 27))
    T = numpy(template)[:, :-4].reshape(2, 10, 12)[..., 8:]
    V = numpy(layer.maps(images)).reshape(2, 24, 4)
    lengths = [np.linalg.norm(n, axis=-1) for n in (V, T)]
    r = V @ T.transpose(0, 2, 1) / (lengths[0][:, :, None] * lengths[1][:, None])
    found = seen[0].reshape(2, 24, -1)[..., 16 + 37 :]
    np.testing.assert_allclose(found[..., :10], r, atol=1e-4)
    votes = layer._votes(ops.convert_to_tensor(r[..., 1:]), at, (4, 6))
    np.testing.assert_allclose(found[..., 10:], numpy(votes), atol=1e-4)
    with pytest.raises(ValueError, match="`plain` needs `maps`"):
        MatchBoxes(plain=True)


def test_scales_must_be_positive():
    with pytest.raises(ValueError, match="Received: scales"):
        MatchBoxes(scales=(1.0, -1.0))
    with pytest.raises(ValueError, match="Received: width"):
        Matcher(width=0)


def test_loss_is_least_at_the_truth(random):
    """Score and box as they should be, against others."""
    model = Matcher(MatcherCell(MatchBoxes(8), channels=1, size=SIZE))
    x = {"frames": np.zeros((1, 1, *SIZE, 1), "uint8")}
    y = {"boxes": np.array([[[10.0, 9, 12, 10]]], "float32")}
    truth = np.array([16 / 48, 14 / 32, 12 / 48, 10 / 32], "float32")
    p_x, p_y = np.meshgrid((np.arange(6) + 0.5) / 6, (np.arange(4) + 0.5) / 4)
    # Half a place is more than 0.15 of these sides.
    away = ((p_x - truth[0]) * 12) ** 2 + ((p_y - truth[1]) * 8) ** 2
    right = {
        "scores": (-0.5 * away).reshape(1, 1, 24).astype("float32"),
        "found": np.tile(truth, (1, 1, 24, 1)),
    }

    def loss(**changed):
        return float(numpy(model.sample_losses(x, y, right | changed))[0])

    np.testing.assert_allclose(loss(), 0, atol=1e-5)
    # A tenth of a side to the right at every place: by hand.
    moved = right["found"] + np.array([0.1 * truth[2], 0, 0, 0], "float32")
    np.testing.assert_allclose(loss(found=moved), 1 - 0.9 / 1.1 + 0.05, atol=1e-4)
    assert loss(scores=0 * right["scores"]) > 0.5
    slope, _ = gradients(
        lambda found, scores: model.sample_losses(
            x, y, {"found": found, "scores": scores}
        ),
        moved,
        right["scores"],
    )
    assert np.isfinite(slope).all() and slope[..., 0].max() > 0


@pytest.mark.parametrize("size", [(10, 21), (7, 5), (40, 33)])
def test_fitted_images(size, random):
    """As Keras scales them."""
    images = random.random((2, 20, 11, 3)).astype("float32")
    expected = ops.image.resize(images, size, antialias=True)
    found = fitted_images(ops.convert_to_tensor(images), size)
    np.testing.assert_allclose(numpy(found), numpy(expected), atol=1e-5)


@pytest.fixture(scope="module")
def matcher():
    """Trained for eight epochs, for several checks; what other clips had before."""
    keras.utils.set_random_seed(0)
    x, y = clips(np.random.default_rng(0), n=16)
    model = Matcher(MatcherCell(MatchBoxes(8), channels=1, size=24))
    model.compile(keras.optimizers.Adam(1e-2))
    before = model.evaluate(*others(), verbose=0, return_dict=True)
    model.fit(x, y, batch_size=8, epochs=8, verbose=0)
    return model, x, y, before


def others():
    """Clips that the matcher is not trained on."""
    return clips(np.random.default_rng(1), n=32)


def test_learns(matcher):
    model, _, _, before = matcher
    after = model.evaluate(*others(), verbose=0, return_dict=True)
    assert after["loss"] < 0.7 * before["loss"]
    assert after["center_error"] < 0.5 * before["center_error"]


@slow_on("jax")
def test_saves_and_steps(matcher, tmp_path):
    """The same boxes after loading, and one frame at a time."""
    model, x, _, _ = matcher
    expected = numpy(model(x)["boxes"])
    model.save(tmp_path / "matcher.keras")
    again = keras.saving.load_model(tmp_path / "matcher.keras")
    np.testing.assert_allclose(numpy(again(x)["boxes"]), expected, atol=1e-3)
    state = again.cell.initial_state(x["frames"][:, 0], x["box"])
    outputs, _ = again.cell.step(x["frames"][:, 1], state)
    np.testing.assert_allclose(numpy(outputs["box"]), expected[:, 1], atol=1e-3)


@pytest.mark.long
def test_xla(matcher):
    """Compiled, it gives the same of clips, and is trained."""
    known, x, y, _ = matcher
    model = Matcher(MatcherCell(MatchBoxes(8), channels=1, size=24))
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=True)
    model.build(known.serving_shape)
    model.set_weights(known.get_weights())
    expected = known.evaluate(*others(), verbose=0, return_dict=True)
    found = model.evaluate(*others(), verbose=0, return_dict=True)
    assert found == pytest.approx(expected, rel=1e-3)
    model.fit(x, y, batch_size=8, verbose=0)
    after = model.evaluate(*others(), verbose=0, return_dict=True)
    assert np.isfinite(after["loss"]) and after["loss"] != found["loss"]


# What DRLT makes of them.


def test_choice(random):
    """One of the candidates or the last place, moved: by hand."""
    h = random.normal(size=(2, 5)).astype("float32")
    i = random.uniform(0.1, 1, (2, 12)).astype("float32")
    last = random.uniform(0.1, 1, (2, 4)).astype("float32")
    choice = CandidateChoice(2)
    choice.build((None, 5))
    choice.weigh.bias.assign([0.3, 0.0, -0.2])
    choice.importance.assign(np.log([0.3, 0.1, 0.4]))  # of halves
    c = np.stack([last, i[:, :4], i[:, 6:10]], 1)  # [2, 3, 4]
    delta = (c[..., :2] - c[:, :1, :2]) / c[:, :1, 2:]
    sigma = np.log(c[..., 2:] / c[:, :1, 2:])
    e = 0.6 * np.log(np.stack([np.ones(2), i[:, 5], i[:, 11]], 1))
    e -= 0.2 * np.log(1 + (delta**2).sum(-1)) + 0.8 * (sigma**2).sum(-1)
    e += h @ numpy(choice.weigh.kernel) + numpy(choice.weigh.bias)
    alpha = np.exp(e)
    mean = np.einsum("bk,bkn->bn", alpha / alpha.sum(-1, keepdims=True), c)
    d = 0.1 * np.clip(h @ numpy(choice.move.kernel), -1, 1)
    expected = [mean[:, :2] + mean[:, 2:] * d[:, :2], mean[:, 2:] * np.exp(d[:, 2:])]
    found = numpy(choice(h, i, last))
    np.testing.assert_allclose(found, np.concatenate(expected, -1), rtol=1e-3)


def test_choice_begins_with_likely_ones_nearby():
    """Not with the likeliest, if that is far away; and it never stays."""
    choice = CandidateChoice(2)
    choice.build((None, 5))
    last = np.array([[0.5, 0.5, 0.1, 0.1]], "float32")
    near, far = [0.52, 0.5, 0.1, 0.1, 0.1, 0.3], [0.9, 0.1, 0.1, 0.1, 0.2, 0.7]
    found = numpy(choice(np.zeros((1, 5)), np.array([far + near], "float32"), last))
    np.testing.assert_allclose(found[0], near[:4], atol=4e-3)


def test_choice_begins_so_where_fit_builds_it(random):
    """What a layer assigns while Keras builds a model within `fit` would be lost."""
    model = DRLT(DRLTCell(MatchBoxes(8, 2), 4, 1, size=24, head="choice"), episodes=2)
    model.compile(keras.optimizers.SGD(0.0))
    box = np.array([[8.0, 8.0, 8.0, 8.0]], "float32")
    x = {"frames": random.integers(0, 256, (1, 2, 24, 24, 1)).astype("uint8")}
    y = {"boxes": np.repeat(box[:, None], 2, axis=1), "present": np.ones((1, 2))}
    model.fit(x | {"box": box}, y, verbose=0)
    np.testing.assert_equal(numpy(model.cell.choice.weigh.bias), [STAY, 0, 0])


def test_choice_sees_from_the_last_place():
    choice = CandidateChoice(2)
    last = np.array([[0.5, 0.5, 0.2, 0.1]], "float32")
    near, far = [0.6, 0.45, 0.2, 0.2, 0.7, 0.9], [0.5, 0.5, 0.1, 0.1, 0.2, 0.1]
    found = numpy(choice.seen(np.array([near + far], "float32"), last))
    expected = [0.5, -0.5, 0, np.log(2), 0.7, 0.9, 0, 0, -np.log(2), 0, 0.2, 0.1]
    np.testing.assert_allclose(found[0], expected, atol=1e-5)


def test_choice_needs_candidates():
    with pytest.raises(ValueError, match="needs an `observation` with candidates"):
        DRLTCell(head="choice")
    with pytest.raises(ValueError, match="needs `location='box'` and `given=True`"):
        DRLTCell(MatchBoxes(8), head="choice", given=False)


@pytest.mark.long
def test_observes_for_drlt(matcher, tmp_path):
    """It trains, is saved, and its candidates serve in the place of frames."""
    observer, x, y, _ = matcher
    observation = observer.cell.observation
    cell = DRLTCell(observation, units=8, channels=1, size=24, head="choice")
    model = DRLT(cell, episodes=3)
    observation.trainable = False
    before = [numpy(w) for w in observation.weights]
    model.compile()
    model.fit(x, y, batch_size=8, verbose=0)
    for old, new in zip(before, observation.weights, strict=True):
        np.testing.assert_array_equal(old, numpy(new))
    model.save(tmp_path / "drlt.keras")
    again = keras.saving.load_model(tmp_path / "drlt.keras")
    assert len(again.trainable_variables) == len(model.trainable_variables)  # frozen
    expected = numpy(model(x)["boxes"])
    np.testing.assert_allclose(numpy(again(x)["boxes"]), expected, atol=1e-3)
    seen = again.features(x)
    assert seen["features"].shape == (*y["boxes"].shape[:2], 24)
    found = again.predict(seen, verbose=0)["boxes"]
    np.testing.assert_allclose(found, expected, atol=1e-3)
    state = model.cell.initial_state(x["frames"][:, 0], x["box"])
    for t in range(2):  # one frame at a time
        outputs, state = model.cell.step(x["frames"][:, t], state)
        np.testing.assert_allclose(numpy(outputs["box"]), expected[:, t], atol=1e-3)
