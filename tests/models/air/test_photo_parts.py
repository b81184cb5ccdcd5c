"""What `AIR` needs on photographs: vivid colours, blurred backgrounds, maps."""

import colorsys

import keras
import numpy as np
import pytest
from few_batches import FEW_BATCHES
from keras import ops
from slow_on import slow_on

from keras_attend.models import AIR, GridBackground, ObjectPrior
from keras_attend.models.air import elbo, vivid
from keras_attend.models.air.look import summarised
from keras_attend.models.air.search_map import CELL, SearchMap

PHOTO = {
    "size": 16,
    "channels": 3,
    "steps": 2,
    "window": 4,
    "what": 7,
    "units": 8,
    "background": "grid",
    "paint": "vivid",
    "search": "map",
    "prior": ObjectPrior(side=5.0),
}


def numpy(x):
    return ops.convert_to_numpy(x)


def tensor(x):
    return ops.convert_to_tensor(np.asarray(x, "float32"))


def pictures(random, n=16):
    """Dull pictures `[n, 16, 16, 3]`, each with a vivid square of 4x4 pixels."""
    images = random.uniform(0.4, 0.5, (n, 16, 16, 3)).astype("float32")
    for image in images:
        y, x = random.integers(0, 12, 2)
        image[y : y + 4, x : x + 4] = colorsys.hsv_to_rgb(random.uniform(), 0.9, 0.9)
    return images


def test_vivid_colors(random):
    """They are HSV's, have all hues, and none of them is dull."""
    z = random.normal(size=(2000, 4))
    colors = numpy(vivid.vivid_color(tensor(z)))
    hsv = np.array([colorsys.rgb_to_hsv(*color) for color in colors])
    sigmoid = 1 / (1 + np.exp(-z[:, 2:]))
    np.testing.assert_allclose(hsv[:, 1], 0.6 + 0.4 * sigmoid[:, 0], atol=1e-4)
    np.testing.assert_allclose(hsv[:, 2], 0.8 + 0.2 * sigmoid[:, 1], atol=1e-4)
    hue = np.arctan2(z[:, 1], z[:, 0]) / (2 * np.pi) % 1
    assert np.abs((hsv[:, 0] - hue + 0.5) % 1 - 0.5).max() < 0.02
    assert np.histogram(hsv[:, 0], 6, (0, 1))[0].min() > 250


def test_hues_come_back(random):
    """`hue_of` a vivid colour gives that colour's hue; of grey, it is no NaN."""
    z = tensor(random.normal(size=(50, 4)))
    colors = numpy(vivid.vivid_color(z))
    numbers = ops.concatenate([vivid.hue_of(colors), z[:, 2:]], axis=-1)
    np.testing.assert_allclose(numpy(vivid.vivid_color(numbers)), colors, atol=0.05)
    assert np.isfinite(numpy(vivid.hue_of(tensor([[0.5, 0.5, 0.5]])))).all()


def test_foreign_color_is_of_what_is_vivid_and_left():
    """Not of what is explained, nor of what is dull."""
    patch = np.full((1, 4, 4, 3), 0.5, "float32")
    left = np.zeros_like(patch)
    patch[0, 0] = (0.9, 0.1, 0.1)  # red, which is explained
    patch[0, 1] = (0.1, 0.2, 0.9)  # blue, which is not
    left[0, 1] = patch[0, 1] - 0.5
    left[0, 2] = 0.5  # grey, which is not explained
    color = vivid.foreign_color(tensor(patch), tensor(left))
    np.testing.assert_allclose(numpy(color)[0], (0.1, 0.2, 0.9), atol=0.01)
    alike = numpy(vivid.likeness(tensor(patch), color))[0]
    assert alike[1].min() > 0.99 and np.delete(alike, 1, 0).max() < 0.05


def test_grid_is_a_blurred_picture_without_what_is_vivid():
    layer = GridBackground(32, cells=4)
    ramp = np.linspace(0.2, 0.7, 32, dtype="float32")[None, :, None, None]
    image = np.broadcast_to(ramp, (1, 32, 32, 3)).copy()
    plain = image.copy()
    image[0, 9:15, 9:15] = (0.9, 0.1, 0.1)
    noise = ops.zeros((1, layer.latents))
    drawn, costs, ratio, _ = layer(summarised(tensor(image)), noise)
    inside = np.s_[0, 4:28, 4:28]  # where cells are interpolated
    np.testing.assert_allclose(numpy(drawn)[inside], plain[inside], atol=0.08)
    assert float(costs[0]) > 0 and np.isfinite(numpy(ratio)).all()
    again = GridBackground.from_config(layer.get_config())
    assert (again.cells, again.dull) == (4, layer.dull)


def test_grid_knows_how_far_pixels_are_from_it(random):
    """Little in a clear sky, also where an object is in it; much in a meadow."""
    layer = GridBackground(32, cells=4)
    images = np.full((2, 32, 32, 3), 0.5, "float32")
    images[0, 9:13, 9:13] = (0.9, 0.1, 0.1)
    meadow = random.normal(0.5, 0.2, (16, 1, 16, 1, 1))  # of blocks, which are averaged
    images[1] = np.broadcast_to(meadow, (16, 2, 16, 2, 3)).reshape(32, 32, 3)
    noise = ops.zeros((2, layer.latents))
    drawn, _, _, spread = layer(summarised(tensor(images)), noise)
    sky, rough = numpy(spread)[..., 0]
    assert sky.max() < 0.1
    off = (images[1] - numpy(drawn)[1]).std()
    assert rough.mean() == pytest.approx(off, rel=0.25)


def test_mixture_against_numpy(random):
    """A pixel shows one thing; its probability is summed over which."""
    B, N, H, W, C = 3, 2, 4, 5, 3
    spread = random.uniform(0.1, 0.4, size=(B, H, W, 1))
    images, behind = random.uniform(size=(2, B, H, W, C))
    masks = random.uniform(size=(B, N, H, W, 1))
    colors = random.uniform(size=(B, N, 1, 1, C))

    def p(mean, s=0.2):
        each = np.exp(-((images - mean) ** 2) / (2 * s**2)) / np.sqrt(2 * np.pi) / s
        return each.prod(-1)

    a, b = masks[:, 0, :, :, 0], masks[:, 1, :, :, 0]
    none = p(behind, spread)
    one = a * p(colors[:, 0]) + (1 - a) * none
    two = b * p(colors[:, 1]) + (1 - b) * one
    expected = np.log(np.stack([none, one, two], 1)).sum((2, 3))
    given = [tensor(x) for x in (images, behind, spread, masks, colors)]
    found = elbo.mixture_log_likelihood(*given, "normal", 0.2)
    np.testing.assert_allclose(numpy(found), expected, rtol=1e-4)


def test_a_faint_object_explains_nothing(random):
    """Where colours are blended it does: it mends the background's."""
    behind = np.full((1, 6, 6, 3), 0.5, "float32")
    color = np.array([0.9, 0.1, 0.1], "float32").reshape(1, 1, 1, 1, 3)
    image = behind + 0.2 * (color[0] - behind)
    masks = np.full((1, 1, 6, 6, 1), 0.2, "float32")
    given = [tensor(x) for x in (image, behind, np.array(0.1), masks, color)]
    L = numpy(elbo.mixture_log_likelihood(*given, "normal", 0.1))[0]
    assert L[1] < L[0]
    blended = elbo.log_likelihood(given[0], given[0], "normal", 0.1)
    assert numpy(blended)[0] > L[0] + 10


def test_exact_counts(random):
    """No other distribution of counts has a greater bound."""
    L, K, log_p = random.normal(size=(3, 1, 4))
    q, value = (numpy(x)[0] for x in elbo.exact_value(*map(tensor, (L, K, log_p))))
    f = (L - K + log_p)[0]
    np.testing.assert_allclose(q, np.exp(f) / np.exp(f).sum(), rtol=1e-4)
    np.testing.assert_allclose((q * (f - np.log(q))).sum(), value, rtol=1e-4)
    for other in random.dirichlet(np.ones(4), 20):
        assert (other * (f - np.log(other))).sum() < value


def test_map_is_a_convolution(random):
    """Its blocks have steps as wide as their kernels, and the last layers see 3x3."""
    images = random.normal(size=(2, 20, 30, 5)).astype("float32")
    layer = SearchMap(5, 6, 0.35, "glorot_uniform")
    layer.build()
    ratings, best, h = layer(tensor(images))
    assert ratings.shape == (2, 3, 4, 7) and h.shape == (2, 6)
    x = tensor(np.pad(images, ((0, 0), (0, 4), (0, 2), (0, 0))))
    for block in layer.blocks:
        kernel = ops.reshape(block.kernel, (2, 2, x.shape[-1], -1))
        x = ops.relu(ops.conv(x, kernel, 2) + block.bias)
    for mix in layer.mixes:
        kernel = ops.reshape(mix.kernel, (3, 3, x.shape[-1], -1))
        y = ops.relu(ops.conv(x, kernel, 1, "same") + mix.bias)
        x = y if mix is layer.mixes[0] else x + y
    expected = numpy(layer.rate(x))
    found = numpy(ratings)
    np.testing.assert_allclose(found[..., [0, 1]], expected[..., [0, 1]], atol=1e-5)
    np.testing.assert_allclose(found[..., 4:], expected[..., 4:], atol=1e-5)
    for n in range(2):
        i, j = np.unravel_index(found[n, ..., 0].argmax(), (3, 4))
        np.testing.assert_allclose(numpy(best)[n], found[n, i, j], atol=1e-5)
        np.testing.assert_allclose(numpy(h)[n], numpy(x)[n, i, j], atol=1e-5)


def test_places_of_a_map_are_its_cells_middles():
    prior = ObjectPrior()
    layer = SearchMap(3, 4, prior.center_std, "zeros")
    ratings, _, _ = layer(np.zeros((1, 24, 16, 3), "float32"))
    middles = numpy(prior.middle(ratings[..., 1:4], (24, 16)))[0]
    assert middles.shape == (3, 2, 2)
    np.testing.assert_allclose(middles[0, :, 0], [CELL / 2, 3 * CELL / 2], atol=1e-4)
    np.testing.assert_allclose(middles[:, 0, 1], [4.0, 12.0, 20.0], atol=1e-4)
    # A window there is read about the same point.
    window = numpy(prior.window(ratings[0, 2, 1:, 1:4], (24, 16), 4))
    np.testing.assert_allclose(window[0, :2], [19.5, 11.5], atol=1e-4)


@slow_on("tensorflow")
@pytest.mark.long
def test_learns_under_xla_and_comes_back(random, tmp_path):
    """Each of its weights is trained, and a saved model gives what it gave."""
    images = pictures(random)
    model = AIR(**PHOTO)
    model.compile(keras.optimizers.Adam(0.01), explore=0.2, crisp=3, jit_compile=True)
    model.build(model.serving_shape)
    before = model.get_weights()
    history = model.fit(images, batch_size=8, epochs=3, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert history["elbo"][-1] > history["elbo"][0]
    for variable, old in zip(model.weights, before, strict=True):
        assert np.abs(numpy(variable) - old).max() > 0, variable.path
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert (again.explore, again.crisp) == (0.2, 3)
    found, expected = (m.predict(images, verbose=0) for m in (again, model))
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-4)
    assert model.generate(2).shape == (2, 16, 16, 3)


@slow_on("jax")
def test_half_precision(random):
    """Under a policy that computes in half precision, results are float32."""
    model = AIR(**PHOTO, dtype="mixed_float16")
    found = model.explain(pictures(random, 2), drawn=True, more=True)
    for name, value in found.items():
        assert keras.backend.standardize_dtype(value.dtype) in ("float32", "int32")
        assert np.isfinite(numpy(value)).all(), name


@slow_on("jax")
def test_exploring_adds_a_share_of_equal_counts(random):
    """As long as the prior is annealed, and not in evaluation."""
    model = AIR(**PHOTO)
    model.compile("adam", anneal=4, explore=0.5, jit_compile=False)
    L, K = random.normal(size=(2, 1, 3))
    logits = random.normal(size=(1, 2))
    log_p = numpy(model.prior.log_count_probs(2))
    y_pred = {"L": L, "K": K, "logits": logits, "log_prior": log_p}
    y_pred = {name: tensor(value) for name, value in y_pred.items()}
    plain = model.sample_losses(None, None, y_pred)
    added = model.sample_losses(None, None, y_pred | {"explore": 0.5})
    expected = numpy(plain) - 0.5 * (L - K).mean()
    np.testing.assert_allclose(numpy(added), expected, rtol=1e-5)
    images, losses = pictures(random, 4), {}
    for explore in (0.0, 0.5):
        keras.utils.set_random_seed(0)
        model = AIR(**PHOTO)
        still = keras.optimizers.SGD(0.0)
        model.compile(still, anneal=1, explore=explore, **FEW_BATCHES)
        history = model.fit(images, epochs=2, shuffle=False, verbose=0).history
        losses[explore] = [*history["loss"], model.evaluate(images, verbose=0)[0]]
    first, *later = np.transpose([losses[0.0], losses[0.5]])
    assert first[0] != pytest.approx(first[1], rel=1e-4)
    for one, other in later:  # the second batch, and the evaluation
        assert one == pytest.approx(other, rel=1e-6)


def test_crisp_batches_come_first(random):
    """What is maximised changes after them, and what is reported does not."""
    images = pictures(random, 4)
    losses = {}
    for crisp in (0, 1):
        keras.utils.set_random_seed(0)
        model = AIR(**PHOTO)
        model.compile(keras.optimizers.SGD(0.0), anneal=0, crisp=crisp, **FEW_BATCHES)
        history = model.fit(images, epochs=2, shuffle=False, verbose=0).history
        losses[crisp] = np.array(history["loss"])
        assert "L_crisp" not in model.predict(images, verbose=0)
    assert losses[0][0] != pytest.approx(losses[1][0], rel=1e-4)
    assert losses[0][1] == pytest.approx(losses[1][1], rel=1e-6)


def test_the_drawing_stays(random, tmp_path):
    """In the training, and in one that goes on from a saved model."""
    images = pictures(random)
    model = AIR(**PHOTO)
    model.compile("adam", keep_drawing=True, **FEW_BATCHES)
    model.fit(images[:8], verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for one in (model, again):
        before = {v.path: numpy(v) for v in one.weights}
        one.fit(images, batch_size=8, verbose=0)
        changed = {v.path for v in one.weights if (numpy(v) != before[v.path]).any()}
        drawing = {v.path for layer in one.cell.drawing() for v in layer.weights}
        assert len(drawing) == 4 and not changed & drawing
        assert changed | drawing == set(before)
    again.compile("adam")
    assert all(v.trainable for layer in again.cell.drawing() for v in layer.weights)
    again.cell.shape.trainable = False  # who freezes a layer finds it frozen
    again.compile("adam")
    assert not again.cell.shape.trainable_variables


@pytest.mark.parametrize("arguments", [{"paint": "pixels"}, {"background": "none"}])
def test_crisp_needs_objects_of_one_color_before_something(arguments):
    model = AIR(**PHOTO | arguments)
    with pytest.raises(ValueError, match="With `crisp`, objects must have one colour"):
        model.compile("adam", crisp=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": 1}, '`paint="vivid"`, `channels` must be 3'),
        ({"what": 4}, "`what` more than 4"),
        ({"search": "tree"}, "`search` must be"),
        ({"blend": False, "paint": "pixels"}, "With `blend=False`, objects must have"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        AIR(**PHOTO | arguments)


def test_cells_divide_the_picture():
    with pytest.raises(ValueError, match="`cells` must divide half of the picture's"):
        GridBackground(20, cells=8)
