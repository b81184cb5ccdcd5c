import numpy as np
import pytest
from keras import ops
from layer_check import compiled, gradients

from keras_attend.policies import GaussianPolicy
from keras_attend.reinforce import (
    baseline_loss,
    lambda_returns,
    reinforce_loss,
    rewards_to_go,
)

LOG_PI = np.array([[-1.0, -2.0, -0.5], [0.1, -0.3, -4.0]], "float32")
R = np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]], "float32")
B = np.array([[0.25, 0.5, 1.0], [0.5, -1.0, 0.0]], "float32")


def test_reinforce_loss_by_hand():
    # -(-1 * .75 - 2 * .5 - .5 * 0) = 1.75;  -(.1 * -.5 - .3 * 1 - 4 * 0) = .35
    for run in (reinforce_loss, compiled(reinforce_loss)):
        found = run(*map(ops.convert_to_tensor, (LOG_PI, R, B)))
        np.testing.assert_allclose(found, [1.75, 0.35], rtol=1e-6)


def test_reinforce_gradient_is_minus_the_advantage():
    found = gradients(reinforce_loss, LOG_PI, R, B)
    np.testing.assert_allclose(found[0], B - R, rtol=1e-6)
    assert (found[1] == 0).all()
    assert (found[2] == 0).all()


def test_baseline_loss_by_hand():
    found = gradients(baseline_loss, B, R)
    np.testing.assert_allclose(baseline_loss(B, R), [0.8125 / 3, 1.25 / 3], rtol=1e-6)
    np.testing.assert_allclose(found[0], 2 * (B - R) / 3, rtol=1e-5)
    assert (found[1] == 0).all()


@pytest.mark.parametrize("discount", [1.0, 0.5, 0.0])
def test_rewards_to_go(random, discount):
    r = random.normal(size=(4, 6)).astype("float32")
    expected = np.zeros_like(r)
    total = np.zeros(4)
    for t in reversed(range(6)):
        total = r[:, t] + discount * total
        expected[:, t] = total
    np.testing.assert_allclose(rewards_to_go(r, discount), expected, rtol=2e-5)


@pytest.mark.parametrize("trace", [1.0, 0.3, 0.0])
def test_lambda_returns(random, trace):
    R, b = (random.normal(size=(4, T)).astype("float32") for T in (1, 6))
    expected = np.zeros_like(b)
    after = R[:, 0]
    for t in reversed(range(6)):
        following = R[:, 0] if t == 5 else b[:, t + 1]
        after = (1 - trace) * following + trace * after
        expected[:, t] = after

    def returns(R, b):
        return lambda_returns(R, b, trace)

    for run in (returns, compiled(returns)):
        found = run(*map(ops.convert_to_tensor, (R, b)))
        found = np.broadcast_to(ops.convert_to_numpy(found), b.shape)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert (gradients(returns, R, b)[1] == 0).all()


@pytest.mark.parametrize("baseline", [0.0, -1.5])
def test_estimates_the_true_gradient(baseline):
    """E[-(a - 1)^2] under N(mu, sigma^2) has the gradient -2 (mu - 1) in mu."""
    policy, mu, draws = GaussianPolicy(0.5), 0.3, 200_000
    mean = np.full((draws, 1), mu, "float32")
    action = ops.convert_to_numpy(policy.sample(mean, np.array([1, 2], "int32")))
    reward = -((action - 1) ** 2)

    def loss(mean):
        log_pi = policy.log_prob(mean, action)[:, None]
        return reinforce_loss(log_pi, reward, np.full_like(reward, baseline))

    samples = -gradients(loss, mean)[0]
    error = samples.std() / np.sqrt(draws)
    assert abs(samples.mean() - -2 * (mu - 1)) < 4 * error
    assert error < 0.02
