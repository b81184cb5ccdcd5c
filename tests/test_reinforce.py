import numpy as np
import pytest
from keras import ops
from layer_check import compiled, gradients

from keras_attend.policies import GaussianPolicy
from keras_attend.reinforce import (
    RETURNS,
    baseline_loss,
    episode_returns,
    lambda_returns,
    others_mean,
    reinforce_loss,
    rewards_to_go,
)


def numpy(x):
    return ops.convert_to_numpy(x)


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


# Several episodes around one forward pass.


@pytest.mark.parametrize("baseline", [False, True])
@pytest.mark.parametrize("form", RETURNS)
def test_gradient_is_the_true_one(form, baseline):
    r"""E[-sum (l - g)^2] under N(mu, sigma^2) has the gradient -2 (mu - g)."""
    B, N, T, sigma = 8000, 5, 3, 0.5
    mu, g = np.array([0.3, -0.2, 1.0]), np.array([1.0, 0.0, -0.5])
    policy = GaussianPolicy(sigma)
    mean = np.broadcast_to(mu.astype("float32")[:, None], (B, N, T, 1)).copy()
    l_t = numpy(policy.sample(mean, np.array([1, 2], "int32")))
    r_t = -((l_t[..., 0] - g) ** 2).astype("float32") - 2  # far from 0

    def loss(mean):
        R_t = episode_returns(ops.convert_to_tensor(r_t), form)
        b_t = others_mean(R_t) if baseline else ops.zeros_like(R_t)
        return reinforce_loss(policy.log_prob(mean, l_t), R_t, b_t)

    found = -gradients(loss, mean)[0][..., 0].mean(1)  # [B, T], mean over episodes
    error = found.std(0) / np.sqrt(B)
    np.testing.assert_array_less(abs(found.mean(0) - -2 * (mu - g)), 4 * error)
    np.testing.assert_array_less(error, 0.2)


def test_baseline_and_immediate_rewards_have_less_variance(random):
    """Of the gradient of one mean, over draws."""
    B, N, T = 2000, 8, 4
    l_t = random.normal(0, 1, (B, N, T)).astype("float32")  # mu = 0, sigma = 1
    r_t = -((l_t - 0.5) ** 2) - 2

    def spread(form, baseline):
        R_t = numpy(episode_returns(r_t, form))
        b_t = numpy(others_mean(R_t)) if baseline else 0.0
        return (l_t * (R_t - b_t)).mean(1).std(0).mean()

    spreads = {
        (form, with_b): spread(form, with_b)
        for form in RETURNS
        for with_b in (True, False)
    }
    for form in RETURNS:
        assert spreads[form, True] < 0.75 * spreads[form, False]
    immediate, to_go, total = (spreads[form, True] for form in RETURNS)
    assert immediate < to_go < total


def test_returns_by_hand():
    r = np.array([[[1.0, 2, 3], [4, 5, 6]]], "float32")
    np.testing.assert_allclose(numpy(episode_returns(r, "immediate")), r)
    to_go = [[[6, 5, 3], [15, 11, 6]]]
    np.testing.assert_allclose(numpy(episode_returns(r, "to_go")), to_go)
    total = [[[6, 6, 6], [15, 15, 15]]]
    np.testing.assert_allclose(numpy(episode_returns(r, "total")), total)
    np.testing.assert_allclose(numpy(others_mean(r)), r[:, ::-1])
    with pytest.raises(ValueError, match="2 or more"):
        others_mean(r[:, :1])
    with pytest.raises(ValueError, match="form"):
        episode_returns(r, "last")
