import keras
import numpy as np
import pytest
from keras import ops
from layer_check import compiled, gradients

from keras_attend.policies import CategoricalPolicy, GaussianPolicy, draw_seeds

SEED = np.array([3, 4], "int32")


def test_gaussian_log_prob(random):
    mean = random.normal(size=(5, 3, 2)).astype("float32")
    action = random.normal(size=(5, 3, 2)).astype("float32")
    log_pi = GaussianPolicy(0.3).log_prob(mean, action)
    z = (action - mean) / 0.3
    expected = (-0.5 * z**2 - np.log(0.3) - 0.5 * np.log(2 * np.pi)).sum(-1)
    np.testing.assert_allclose(log_pi, expected, rtol=1e-5)


def test_gaussian_sample_has_its_moments_and_no_gradient():
    policy = GaussianPolicy(0.3)
    mean = np.tile(np.array([[1.0, -2.0]], "float32"), (20000, 1))
    for run in (policy.sample, compiled(policy.sample)):
        a = np.asarray(run(ops.convert_to_tensor(mean), ops.convert_to_tensor(SEED)))
        np.testing.assert_allclose(a.mean(0), [1, -2], atol=0.01)
        np.testing.assert_allclose(a.std(0), 0.3, atol=0.01)
    (gradient,) = gradients(lambda m: policy.sample(m, SEED), mean[:3])
    assert (gradient == 0).all()


def test_gaussian_score(random):
    """The gradient of log pi is (a - mu) / sigma^2, and none flows into a."""
    mean, action = random.normal(size=(2, 4, 2)).astype("float32")
    found = gradients(GaussianPolicy(0.5).log_prob, mean, action)
    np.testing.assert_allclose(found[0], (action - mean) / 0.25, rtol=1e-5)
    assert (found[1] == 0).all()


def test_same_seed_same_draw():
    policy, mean = GaussianPolicy(1.0), ops.zeros((4, 2))
    first = ops.convert_to_numpy(policy.sample(mean, SEED))
    np.testing.assert_array_equal(first, policy.sample(mean, SEED))
    assert (first != ops.convert_to_numpy(policy.sample(mean, SEED + 1))).any()


def test_categorical():
    logits = np.log(np.tile(np.array([[0.2, 0.5, 0.3]], "float32"), (20000, 1)))
    policy = CategoricalPolicy()
    a = ops.convert_to_numpy(policy.sample(logits, SEED))
    np.testing.assert_allclose(np.bincount(a) / len(a), [0.2, 0.5, 0.3], atol=0.015)
    log_pi = ops.convert_to_numpy(policy.log_prob(logits[:3], np.array([0, 1, 2])))
    np.testing.assert_allclose(log_pi, np.log([0.2, 0.5, 0.3]), rtol=1e-5)


def test_draw_seeds():
    generator = keras.random.SeedGenerator(0)
    first = ops.convert_to_numpy(draw_seeds(5, generator))
    second = ops.convert_to_numpy(draw_seeds(5, generator))
    assert first.shape == (1, 5, 2)
    assert len(np.unique(np.concatenate([first, second]))) > 15


@pytest.mark.parametrize("std", [0, -1.0, float("nan")])
def test_bad_std(std):
    with pytest.raises(ValueError, match="`std` must be positive"):
        GaussianPolicy(std)
