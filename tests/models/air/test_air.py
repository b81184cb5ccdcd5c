import keras
import numpy as np
import pytest
from few_batches import FEW_BATCHES
from keras import ops

from keras_attend.models import AIR, ObjectPrior, VAEBackground

TINY = {"size": (12, 13), "steps": 2, "window": 4, "what": 2, "units": 8}
PRIOR = ObjectPrior(side=5.0)


def numpy(x):
    return ops.convert_to_numpy(x)


def squares(random, n=64, channels=1):
    """0, 1 or 2 bright squares of 4x4 pixels, and how many they are."""
    images = np.zeros((n, 12, 13, channels), "float32")
    count = random.integers(0, 3, n)
    for image, some in zip(images, count, strict=True):
        for y in random.permutation([1, 7])[:some]:
            x = random.integers(0, 9)
            image[y : y + 4, x : x + 4] = 0.9
    return images, count.astype("int32")


@pytest.fixture(scope="module")
def trained():
    """One model, trained once for all checks, and its data."""
    keras.utils.set_random_seed(0)
    images, count = squares(np.random.default_rng(0), 256)
    model = AIR(**TINY, prior=PRIOR)
    model.compile(keras.optimizers.Adam(0.01), anneal=80)
    history = model.fit(images, batch_size=32, epochs=20, verbose=0).history
    model.run_eagerly = bool(FEW_BATCHES)
    return model, images, count, history


def test_fits_pictures_alone(trained):
    """The bound rises, and labels are neither needed nor reported."""
    model, _, _, history = trained
    assert set(history) == {"loss", "elbo"}
    assert history["elbo"][-1] > history["elbo"][0] + 5
    # Once the prior has its own value, the loss is minus the bound.
    np.testing.assert_allclose(history["loss"][-1], -history["elbo"][-1], rtol=1e-4)
    assert abs(history["loss"][0] + history["elbo"][0]) > 0.1
    assert float(model.batches) == 160


def test_evaluates_counts(trained):
    """By targets that say them; the bound is of draws, and the model stays."""
    model, images, count, _ = trained
    before = [numpy(v) for v in [*model.trainable_variables, model.batches]]
    scores = model.evaluate(
        images[:64], {"count": count[:64]}, verbose=0, return_dict=True
    )
    found = model.predict(images[:64], verbose=0)["count"]
    assert scores["count_accuracy"] == pytest.approx((found == count[:64]).mean())
    assert scores["loss"] == pytest.approx(-scores["elbo"], rel=1e-4)
    after = [numpy(v) for v in [*model.trainable_variables, model.batches]]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


def test_contract(trained):
    model, images, _, _ = trained
    found = model.predict(images[:7], verbose=0)
    shapes = {
        "count": (7,),
        "count_probs": (7, 3),
        "presence": (7, 2),
        "boxes": (7, 2, 4),
        "where": (7, 2, 3),
        "what": (7, 2, 2),
        "canvas": (7, 12, 13, 1),
        "background": (7, 12, 13, 1),
        "masks": (7, 2, 12, 13, 1),
    }
    assert {name: found[name].shape for name in shapes} == shapes
    np.testing.assert_allclose(found["count_probs"].sum(1), 1, atol=1e-5)
    np.testing.assert_array_equal(found["count"], found["count_probs"].argmax(1))
    at_least = found["count_probs"][:, ::-1].cumsum(1)[:, ::-1][:, 1:]
    np.testing.assert_allclose(found["presence"], at_least, atol=1e-5)
    # Means are drawn: the same again.
    again = model.predict(images[:7], verbose=0)
    np.testing.assert_array_equal(found["where"], again["where"])


def test_what_is_drawn_is_what_is_said(trained):
    """Masks and boxes of the steps that count, whose sum is the canvas."""
    model, images, _, _ = trained
    # Presences that give every count, whatever was learned.
    found = model.explain(images[:3], drawn=False)
    steps = {"logit": ops.convert_to_tensor([[-3.0, 1], [3, -3], [3, 3]])}
    steps["mask"] = ops.convert_to_tensor(
        np.random.default_rng(0).random((3, 2, 12, 13, 1)).astype("float32")
    )
    said = model.reported(steps, found["canvases"], found["L"] - found["K"])
    assert numpy(said["count"]).tolist() == [0, 1, 2]
    masks, boxes = numpy(said["masks"]), numpy(said["boxes"])
    there = np.array([[0, 0], [1, 0], [1, 1]])
    np.testing.assert_array_equal(masks.max((2, 3, 4)) > 0, there)
    np.testing.assert_array_equal(boxes.max(-1) > 0, there)
    for i in range(3):
        np.testing.assert_allclose(said["canvas"][i], found["canvases"][i, i])


def test_saved_models_come_back(trained, tmp_path):
    model, images, _, _ = trained
    model.save(tmp_path / "air.keras")
    again = keras.saving.load_model(tmp_path / "air.keras")
    assert again.prior == PRIOR and again.anneal == 80
    assert float(again.batches) == float(model.batches)
    for name in ("count_probs", "canvas"):
        np.testing.assert_allclose(again(images[:4])[name], model(images[:4])[name])


@pytest.mark.parametrize("kind", ["mean", "vae"])
def test_backgrounds_come_back(kind, random, tmp_path):
    """The layer is saved with what it was built for, and is not built again."""
    model = AIR(**TINY, background=kind, prior=PRIOR)
    model.build(model.serving_shape)
    model.background.set_weights(
        [random.normal(size=w.shape) for w in model.background.weights]
    )
    model.save(tmp_path / "air.keras")
    again = keras.saving.load_model(tmp_path / "air.keras")
    assert len(again.weights) == len(model.weights)
    for old, new in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_uint8_is_scaled(trained):
    model, images, _, _ = trained
    whole = np.rint(images[:4] * 255).astype("uint8")
    as_floats = whole.astype("float32") / 255
    for name in ("L", "where"):
        np.testing.assert_allclose(
            model(whole)[name], model(as_floats)[name], rtol=1e-4, atol=1e-4
        )


@pytest.mark.long
def test_likelihood_is_above_the_bound(trained):
    """More draws give a closer bound of the likelihood."""
    model, images, _, _ = trained
    bound = model.evaluate(images[:16], verbose=0, return_dict=True)["elbo"]
    draws = model.log_likelihood(images[:16], samples=20, batch_size=16)
    assert draws.shape == (16,) and bound < draws.mean() < bound + 100
    one = [model.log_likelihood(images[:16], 1, 16).mean() for _ in range(3)]
    assert len({*one}) == 3 and np.mean(one) < draws.mean()


def test_generates_pictures(trained):
    model = trained[0]
    pictures = model.generate(40, seed=1, count=2)
    assert pictures.shape == (40, 12, 13, 1)
    assert pictures.min() >= 0 and 0.1 < pictures.max() <= 1
    np.testing.assert_array_equal(pictures, model.generate(40, seed=1, count=2))
    assert np.abs(pictures - model.generate(40, seed=2, count=2)).max() > 0.01
    assert model.generate(3, count=0).max() == 0
    empty = (model.generate(500).max((1, 2, 3)) == 0).mean()
    np.testing.assert_allclose(empty, 1 / 1.0101, atol=0.02)  # rho = .01
    with pytest.raises(ValueError, match=r"`count` must be an integer in 0..2"):
        model.generate(3, count=3)


@pytest.mark.long
@pytest.mark.parametrize(
    "arguments",
    [
        {"inference": "reinforce", "likelihood": "laplace"},
        {"background": "vae", "paint": "pixels", "channels": 3, "steps": 7},
        pytest.param(
            {"background": "mean", "paint": "flat", "channels": 2},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["reinforce", "vae", "mean"],
)
def test_variants_train(random, arguments):
    """Under XLA, each of its weights."""
    channels = arguments.get("channels", 1)
    images, _ = squares(random, 32, channels)
    model = AIR(**TINY | arguments, prior=PRIOR)
    model.compile("adam", jit_compile=True)
    model.build((None, 12, 13, channels))
    assert model.residual == (model.inference == "enumerate")
    before = model.get_weights()
    history = model.fit(images, batch_size=16, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    for variable, old in zip(model.weights, before, strict=True):
        assert np.abs(numpy(variable) - old).max() > 0, variable.path
    if model.inference == "reinforce":
        # The rewards' running mean is that of the training, and stays in evaluation.
        moments = [float(x) for x in model.baseline.moments()]
        scores = model.evaluate(images, verbose=0, return_dict=True)
        assert scores["loss"] == pytest.approx(-scores["elbo"], rel=1e-4)
        assert [float(x) for x in model.baseline.moments()] == moments
        assert abs(moments[0]) > 5


def test_objects_hide_the_background(random):
    """Each canvas is the last one with an object of one colour drawn over it."""
    model = AIR(**TINY, channels=2, background="mean", paint="flat", prior=PRIOR)
    images, _ = squares(random, 3, 2)
    found = {k: numpy(v) for k, v in model.explain(images, drawn=True).items()}
    np.testing.assert_allclose(found["canvases"][:, 0], found["background"])
    np.testing.assert_allclose(found["background"], 1 / (1 + np.exp(2)), rtol=1e-5)
    for t in range(2):
        alpha, color = model.cell.appearance(found["what"][:, t])
        assert color.shape == (3, 1, 1, 2)
        window = PRIOR.window(found["where"][:, t], (12, 13), 4)
        mask = numpy(model.cell.write(alpha, window))
        expected = found["canvases"][:, t] * (1 - mask) + mask * numpy(color)
        np.testing.assert_allclose(found["canvases"][:, t + 1], expected, atol=1e-5)


# Bad input.


def test_labels_are_refused(trained):
    model, images, count, _ = trained
    for labels in (count, images):
        with pytest.raises(ValueError, match=r"AIR learns without labels: .* ndarray"):
            model.fit(images, labels)
    with pytest.raises(ValueError, match="AIR learns without labels"):
        model.evaluate(images, {"boxes": count})


def test_pictures_of_other_sizes_or_values_are_refused(trained):
    model, images, _, _ = trained
    with pytest.raises(ValueError, match=r"\[batch, 12, 13, 1\]. Received: .*11"):
        model(images[:, :11])
    with pytest.raises(ValueError, match=r"in 0..1; divide by 255"):
        model.fit(images * 255)
    with pytest.raises(ValueError, match=r"in 0..1; divide by 255"):
        model.predict(np.where(images > 0, np.nan, images))


def test_no_object(trained):
    """An empty picture is a picture."""
    model, images, _, _ = trained
    found = model.predict(np.zeros_like(images[:2]), verbose=0)
    assert all(np.isfinite(x).all() for x in found.values())


def test_counts_by_the_bound(random, tmp_path):
    """The most probable number is the one that explains the picture best."""
    model = AIR(**TINY, counting="bound", prior=ObjectPrior(side=5.0, presence=0.3))
    model.build(model.serving_shape)
    model.cell.found.bias.assign([9.0, 0, 0, 0, 0, 0, 0])  # "there is one more"
    images = np.zeros((2, *TINY["size"], 1), "float32")
    images[1] = random.random(images[1].shape)
    found = {name: numpy(value) for name, value in model(images).items()}
    joint = found["L"] - found["K"] + np.log(0.3) * np.arange(3)
    joint = np.exp(joint - joint.max(1, keepdims=True))
    probs = joint / joint.sum(1, keepdims=True)
    np.testing.assert_allclose(found["count_probs"], probs, rtol=1e-3, atol=1e-6)
    assert (found["count"] == probs.argmax(1)).all() and found["count"][0] == 0
    after = probs[:, ::-1].cumsum(1)[:, ::-1]
    np.testing.assert_allclose(found["presence"], after[:, 1:], rtol=1e-3, atol=1e-6)
    assert not found["masks"][0].any()
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").counting == "bound"


def test_more_objects_than_steps():
    """A model that finds one wherever it looks has found two, and no third."""
    model = AIR((12, 18), steps=2, window=4, what=2, units=4)
    model.build(model.serving_shape)
    model.cell.found.kernel.assign(0 * model.cell.found.kernel)
    model.cell.found.bias.assign([9.0, 0, 0, 0, 0, 0, 0])
    images = np.zeros((1, 12, 18, 1), "float32")
    model.cell.shape.bias.assign(np.full(16, 3.0))  # what it draws is bright
    images[:, 4:8, [1, 2, 3, 7, 8, 9, 13, 14, 15]] = 1
    found = {name: numpy(value) for name, value in model(images).items()}
    assert found["count"].tolist() == [2] and (found["presence"] > 0.99).all()
    assert found["count_probs"].shape == (1, 3) and found["boxes"][0].any(-1).all()
    assert np.isfinite(found["L"]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 10, "window": 11}, "`size` must be at least `window`.* window=11"),
        ({"steps": 0}, "`steps` must be a positive integer"),
        ({"inference": "exact"}, "`inference` must be one of"),
        ({"paint": "oil"}, "`paint` must be one of"),
        ({"background": "photo"}, "`background` must be one of"),
        ({"likelihood": "bernoulli"}, "`likelihood` must be one of"),
        ({"sigma": 0}, "`sigma` must be positive"),
        ({"prior": 0.01}, "`prior` must be an ObjectPrior. Received: prior=0.01"),
        ({"background": VAEBackground(9)}, "have the pictures' size and channels"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        AIR(**arguments)


def test_batches_are_counted_without_annealing(random):
    images, _ = squares(random, 8)
    model = AIR(**TINY, prior=PRIOR)
    model.compile("adam", anneal=0, **FEW_BATCHES)
    model.fit(images, batch_size=4, verbose=0)
    assert float(model.batches) == 2


@pytest.mark.parametrize("kind", ["none", "mean", "vae"])
def test_half_precision(kind, random):
    """Under a policy that computes in half precision, results are float32."""
    images, _ = squares(random, 4)
    model = AIR(**TINY, background=kind, prior=PRIOR, dtype="mixed_float16")
    model.compile("adam", **FEW_BATCHES)
    model.fit(images, batch_size=4, verbose=0)
    found = model.predict(images, verbose=0)
    assert found["canvas"].dtype == found["where"].dtype == "float32"
    assert np.isfinite(found["canvas"]).all()


def test_windows_stay_between_a_pixel_and_twice_the_picture():
    where = np.array([[-1e6, 0, 0], [1e6, 0, 0]], "float32")
    sides = numpy(ObjectPrior(side=20.0).window(where, (12, 13), 4))[:, 2] * 4
    np.testing.assert_allclose(sides, [1, 26], rtol=1e-4)


def test_bad_priors():
    with pytest.raises(ValueError, match="twice as large"):
        AIR(**TINY, prior=ObjectPrior(side=27.0))
    with pytest.raises(ValueError, match="`presence` must lie between 0 and 1"):
        ObjectPrior(presence=1.0)
    with pytest.raises(ValueError, match="`side` must be positive"):
        ObjectPrior(side=0.0)
    with pytest.raises(ValueError, match="`anneal` must not be negative"):
        AIR(**TINY).compile(anneal=-1)
