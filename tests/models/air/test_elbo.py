"""AIR's bound, against sums, integrals and draws made by other means."""

import numpy as np
import pytest
from keras import ops
from layer_check import gradients

from keras_attend.models import AIR, ObjectPrior
from keras_attend.models.air import elbo
from keras_attend.models.air.boxes import ink_boxes
from keras_attend.models.air.cell import summarised
from keras_attend.models.air.prior import divergence, log_ratio
from keras_attend.policies import CategoricalPolicy, GaussianPolicy

PRIOR = ObjectPrior(presence=0.2, side=5.0, side_std=0.3)


def numpy(x):
    return ops.convert_to_numpy(x)


def normal_kl(loc, scale):
    return (-np.log(scale) + (scale**2 + loc**2) / 2 - 0.5).sum(-1)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.log1p(np.exp(x))


def brute_force(model, images, noise):
    """The bound of each picture, as a sum over all sequences of presences, `[B]`."""
    w = {v.path.split("/", 1)[-1]: numpy(v).astype("float64") for v in model.weights}

    def dense(name, x):
        return x @ w[f"cell/{name}/kernel"] + w[f"cell/{name}/bias"]

    def relu(x):
        return np.maximum(x, 0)

    def explained(canvas):
        z = (images - canvas) / model.sigma
        log_p = -0.5 * z**2 - np.log(model.sigma * np.sqrt(2 * np.pi))
        return log_p.sum((1, 2, 3))

    B, N = len(images), model.steps
    h = c = np.zeros((B, model.units))
    where, what = np.zeros((B, 3)), np.zeros((B, model.what))
    seen, presence = np.ones((B, 1)), np.zeros((B, N))
    canvas = np.zeros_like(images)
    L, K = [explained(canvas)], [np.zeros(B)]
    summary = numpy(summarised(images))
    for t in range(N):
        left = summary - numpy(summarised(canvas))
        x = relu(dense("embedding", np.concatenate([summary, left], -1)))
        x = np.concatenate([x, where, what, seen], -1)
        z = x @ w["cell/lstm/kernel"] + h @ w["cell/lstm/recurrent_kernel"]
        i, f, g, o = np.split(z + w["cell/lstm/bias"], 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        found = dense("found", relu(dense("search", h)))
        loc, scale = found[:, 1:4], softplus(found[:, 4:] + 0.5413) + 1e-4
        where = loc + scale * noise["where"][:, t]
        cost = normal_kl(loc, scale)
        window = PRIOR.window(where, model.size, model.window)
        patch = numpy(model.cell.read(images, window)).reshape(B, -1)
        both = dense("posterior", relu(dense("encoder", patch)))
        loc, scale = both[:, :2], softplus(both[:, 2:] + 0.5413) + 1e-4
        what = loc + scale * noise["what"][:, t]
        cost = cost + normal_kl(loc, scale)
        drawn = sigmoid(dense("shape", relu(dense("decoder", what))))
        drawn = drawn.reshape(B, model.window, model.window, 1).astype("float32")
        canvas = canvas + numpy(model.cell.write(drawn, window))
        presence[:, t] = sigmoid(found[:, 0])
        seen = presence[:, t : t + 1]
        L.append(explained(canvas))
        K.append(K[-1] + cost)
    rho = model.prior.presence
    p = rho ** np.arange(N + 1)
    p = p / p.sum()
    bound = np.zeros(B)
    for n in range(N + 1):  # the sequences are n times yes, then no
        q = presence[:, :n].prod(1)
        q = q * (1 - presence[:, n]) if n < N else q
        bound += q * (L[n] - K[n] + np.log(p[n]) - np.log(q))
    return bound


def test_enumerated_bound_equals_a_brute_force_sum(random):
    model = AIR((8, 9), steps=2, window=4, what=2, units=6, prior=PRIOR)
    model.build(model.serving_shape)
    for variable in model.trainable_variables:  # far from their small beginnings
        value = numpy(variable)
        variable.assign(value + 0.1 * random.normal(size=value.shape))
    images = random.random((3, 8, 9, 1)).astype("float32")
    noise = {
        "where": random.normal(size=(3, 2, 3)).astype("float32"),
        "what": random.normal(size=(3, 2, 2)).astype("float32"),
    }
    found = model.found(ops.convert_to_tensor(images), noise, ops.zeros((3, 0)))
    log_p = {"log_prior": model.prior.log_count_probs(2)}
    losses = numpy(model.sample_losses(None, None, found | log_p))
    expected = brute_force(model, images, noise)
    np.testing.assert_allclose(-losses, expected, rtol=1e-4)
    assert np.ptp(expected) > 1


def test_counts_and_decisions(random):
    """q(n) is a product of presences, and the product of the decisions made."""
    logits = random.normal(size=(5, 3)).astype("float32")
    log_q = elbo.log_count_probs(ops.convert_to_tensor(logits))
    p = sigmoid(logits)
    expected = [1 - p[:, 0], p[:, 0] * (1 - p[:, 1])]
    expected += [p[:, 0] * p[:, 1] * (1 - p[:, 2]), p.prod(1)]
    np.testing.assert_allclose(np.exp(log_q).T, expected, rtol=1e-4)
    for n in range(4):
        steps = numpy(elbo.decisions(log_q, ops.full((5,), n, "int32")))
        np.testing.assert_allclose(steps.sum(1), log_q[:, n], rtol=1e-4, atol=1e-6)
        yes, no = np.log(p), np.log(1 - p)
        by_hand = np.where(np.arange(3) < n, yes, np.where(np.arange(3) == n, no, 0))
        np.testing.assert_allclose(steps, by_hand, rtol=1e-4, atol=1e-5)


def outcome(random, B):
    """Logits, log-likelihoods and costs of one picture, B times."""
    logits, L = random.normal(size=(1, 2)), 3 * random.normal(size=(1, 3))
    K = np.cumsum(random.random((1, 3)), axis=1)
    return [np.repeat(x, B, 0).astype("float32") for x in (logits, L, K)]


def test_rewards_add_up(random):
    """To the value of the outcome, less what no decision changes."""
    logits, L, K = (ops.convert_to_tensor(x) for x in outcome(random, 3))
    log_p = PRIOR.log_count_probs(2)[None]
    log_q = elbo.log_count_probs(logits)
    f, _ = elbo.outcomes_value(L, K, log_p, log_q)
    n = ops.arange(3, dtype="int32")
    r_t = numpy(elbo.step_rewards(L, K, log_p, log_q, n))
    expected = np.diagonal(numpy(f)) + numpy(K)[0, 0]
    np.testing.assert_allclose(r_t.sum(1), expected, rtol=1e-4)


@pytest.mark.parametrize("baseline", [0.0, 4.0])
def test_reinforce_has_the_gradient_of_the_sum(random, baseline):
    """In the mean over draws of the count, within its confidence interval."""
    draws = 4000
    logits, L, K = outcome(random, draws)
    log_p = PRIOR.log_count_probs(2)[None]
    log_q = elbo.log_count_probs(ops.convert_to_tensor(logits))
    seed = ops.convert_to_tensor(np.array([1, 2], "int32"))
    count = CategoricalPolicy().sample(log_q, seed)
    b_t = np.array([[baseline, -baseline]], "float32")

    def reinforce(logits, L, K):
        log_q = elbo.log_count_probs(logits)
        return elbo.reinforce_losses(L, K, log_p, log_q, count, b_t)[0]

    def enumerate(logits, L, K):
        log_q = elbo.log_count_probs(logits)
        return -elbo.outcomes_value(L, K, log_p, log_q)[1]

    by_draw = gradients(reinforce, logits, L, K)
    exact = gradients(enumerate, logits[:1], L[:1], K[:1])
    for drawn, expected in zip(by_draw, exact, strict=True):
        error = drawn.std(0) / np.sqrt(draws)
        assert (np.abs(drawn.mean(0) - expected[0]) < 4 * error + 1e-6).all()
    assert by_draw[0].std(0).min() > 0.01  # each draw has its own


def test_divergence_against_tfp_draws(random):
    loc = random.normal(size=(3, 4)).astype("float32")
    scale = (0.3 + random.random((3, 4))).astype("float32")
    analytic = numpy(divergence(loc, scale))
    np.testing.assert_allclose(analytic, normal_kl(loc, scale), rtol=1e-4)
    seed = ops.convert_to_tensor(np.array([3, 4], "int32"))
    z = loc + scale * GaussianPolicy(1.0).sample(ops.zeros((20_000, 3, 4)), seed)
    ratios = -numpy(log_ratio(z, loc, scale))  # [draws, 3]
    error = ratios.std(0) / np.sqrt(len(ratios))
    assert (np.abs(ratios.mean(0) - analytic) < 4 * error).all()
    assert error.max() < 0.05 * analytic.max()


def test_importance_weights_have_the_likelihood_as_mean(random):
    """Of a model with one number z ~ N(0, 1) and x ~ N(n z, 1), by hand."""
    x, draws = 1.3, 200_000
    loc, scale = 0.5, 0.8
    z = loc + scale * random.normal(size=draws)

    def log_normal(x, scale):
        return -0.5 * (x / scale) ** 2 - np.log(scale * np.sqrt(2 * np.pi))

    L = np.stack([np.full(draws, log_normal(x, 1)), log_normal(x - z, 1)], -1)
    ratio = log_normal(z, 1) - log_normal(z - loc, scale)
    ratio = np.stack([np.zeros(draws), ratio], -1)
    log_p = np.log([0.6, 0.4])
    log_w = elbo.log_weight(*(a.astype("float32") for a in (L, ratio, log_p)))
    exact = 0.6 * np.exp(log_normal(x, 1)) + 0.4 * np.exp(log_normal(x, np.sqrt(2)))
    np.testing.assert_allclose(np.exp(log_w).mean(), exact, rtol=0.01)


def test_prior_of_counts():
    prior = ObjectPrior(presence=0.1)
    p = np.exp(prior.log_count_probs(2))
    np.testing.assert_allclose(p, np.array([1, 0.1, 0.01]) / 1.11, rtol=1e-5)
    free = np.exp(prior.log_count_probs(2, free=1.0))
    np.testing.assert_allclose(free, np.array([4, 2, 1]) / 7, rtol=1e-5)
    half = np.exp(prior.log_count_probs(1, free=0.5))
    np.testing.assert_allclose(half[1] / half[0], np.sqrt(0.05), rtol=1e-5)


def test_windows_of_places():
    """Places are in half pictures about the middle, sides in pixels."""
    prior = ObjectPrior(side=10.0, side_std=0.5, center_std=0.4)
    where = np.array([[0, 0, 0], [1, 1, -2], [99, 0, 0]], "float32")
    window = numpy(prior.window(where, (20, 30), 5))
    np.testing.assert_allclose(window[0], [9.5, 14.5, 2, 2, 2, 2], rtol=1e-5)
    side = 10 * np.exp(0.5)
    by_hand = [10 * (1 - 0.8) - 0.5, 15 * 1.4 - 0.5, side / 5, side / 5]
    np.testing.assert_allclose(window[1, :4], by_hand, rtol=1e-5)
    assert window[2, 2] == pytest.approx(60 / 5)  # twice the picture


def test_boxes_of_ink(random):
    masks = np.zeros((3, 6, 7), "float32")
    masks[0, 2:4, 1:6] = 0.5
    masks[1, 5, 6] = 0.26
    masks[1, 0, 0] = 0.24
    boxes = numpy(ink_boxes(masks))
    np.testing.assert_array_equal(boxes, [[1, 2, 5, 2], [6, 5, 1, 1], [0, 0, 0, 0]])
