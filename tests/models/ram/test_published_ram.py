"""The best-known public code: its weights, and what they give."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attend.datasets import mnist
from keras_attend.evaluation import error_percent
from keras_attend.models import PublishedRAM


@pytest.fixture(scope="module")
def published(golden):
    model = PublishedRAM(std=0.17)
    model.build((None, 28, 28, 1))
    return load_published_weights(
        model, golden("ram_kz_checkpoint_weights", whole=True)
    )


def load_published_weights(model, arrays):
    renamed = {"core_input": "core/input", "core_recurrent": "core/recurrent"}
    for variable in model.trainable_variables:
        layer, rest = variable.path.split("/", 1)[1].rsplit("/", 1)
        variable.assign(arrays[f"{renamed.get(layer, layer)}/{rest}"])
    return model


def test_golden_forward(golden, published):
    """Every quantity of every step, without noise."""
    file = golden("ram_kz_forward", whole=True)
    images = published.scaled(ops.convert_to_tensor(file["images_uint8"][..., None]))
    first = ops.convert_to_tensor(file["first_loc_xy"])
    steps = published.episode(images, first, "mean")
    names = {
        "locations": "step_loc_in_xy",
        "glimpses": "step_phi",
        "features": "step_glimpse_feature",
        "hidden": "step_hidden",
        "choices": "step_loc_next_xy",
        "baselines": "step_baseline",
    }
    for ours, theirs in names.items():
        found = np.swapaxes(ops.convert_to_numpy(steps[ours]), 0, 1)
        expected = file[theirs]
        found = found.reshape(expected.shape)
        np.testing.assert_allclose(found, expected, atol=1e-4, err_msg=ours)
    mu_t = published.mean_location(steps["hidden"])  # [B, T, 2]
    expected = file["step_loc_mean_mu"].swapaxes(0, 1)
    np.testing.assert_allclose(mu_t, expected, atol=1e-4)
    log_pi = published.policy.log_prob(mu_t, steps["choices"])  # [B, T]
    expected = file["step_log_pi_std017"].T
    np.testing.assert_allclose(log_pi, expected, atol=1e-4)
    log_p = ops.log_softmax(steps["episode_logits"])
    np.testing.assert_allclose(log_p, file["log_probs"], atol=1e-4)


@pytest.mark.parametrize(
    "repeats, low, high",
    [
        (1, 1.2, 1.6),  # one pass over the test set scatters by 0.06
        (6, 1.28, 1.45),
    ],
)
@pytest.mark.slow
@pytest.mark.usefixtures("mnist_file")
def test_golden_error(published, repeats, low, high):
    """10 episodes with sampling: 1.28 to 1.45 % with the original code."""
    images, labels = mnist("test")
    errors = error_percent(
        published, images, labels, episodes=10, location="sample", repeats=repeats
    )
    assert low <= errors.mean() <= high


@pytest.mark.long
def test_learns_under_xla_and_is_saved(tmp_path):
    """All T locations are scored, after the second tanh."""
    keras.utils.set_random_seed(0)
    model = PublishedRAM(2, 3, 4, glimpse_units=8, units=8, std=0.17)
    model.compile(keras.optimizers.Adam(0.01))
    images = np.random.default_rng(0).random((64, 9, 9, 1), "float32")
    images[:32] *= 0.5
    labels = np.repeat([0, 1], 32)
    history = model.fit(images, labels, epochs=8, batch_size=32, verbose=0).history
    assert model.jit_compile and history["loss"][-1] < history["loss"][0]
    found = model.episode(model.scaled(ops.convert_to_tensor(images)), None, "sample")
    assert found["log_probs"].shape == found["baselines"].shape == (64, 3)
    mu_t, l_t = model.mean_location(found["hidden"]), found["choices"]
    log_pi = model.policy.log_prob(mu_t, l_t)
    np.testing.assert_allclose(found["log_probs"], log_pi, rtol=1e-4)
    # Nothing is clipped: the second tanh has kept it in the image.
    np.testing.assert_array_equal(found["locations"][:, 1:], l_t[:, :-1])
    assert ops.convert_to_numpy(found["baselines"]).min() >= 0
    model.save(tmp_path / "published.keras")
    again = keras.saving.load_model(tmp_path / "published.keras")
    first = np.zeros((5, 2), "float32")
    one, two = (m(images[:5], first_location=first) for m in (model, again))
    for name in one:
        np.testing.assert_allclose(one[name], two[name], atol=1e-6)


def test_has_no_zooms():
    with pytest.raises(ValueError, match="zooms"):
        PublishedRAM(zooms=2)
