"""Section 5: a RAM that stops, and one that chooses how wide its glimpses are."""

import itertools

import keras
import numpy as np
import pytest
from few_batches import FEW_BATCHES
from keras import ops
from layer_check import gradients

from keras_attend.datasets import sample_digits
from keras_attend.evaluation import error_percent, with_arguments
from keras_attend.layers import Retina
from keras_attend.models import Credit, StoppingRAM, ZoomingRAM
from keras_attend.models.ram.stopping import (
    decision_loss,
    returns_of_stops,
    stop_log_probs,
)

SMALL = {"glimpses": 4, "size": 4, "scales": 2, "units": 32, "glimpse_units": 16}
SMALL |= {"episodes": 2, "credit": Credit(policy_weight=0.1)}


def fitted(model):
    """Trained for four batches."""
    model.compile(keras.optimizers.Adam(3e-3), **FEW_BATCHES)
    images, labels = sample_digits()
    before = [ops.convert_to_numpy(v) for v in model.trainable_variables]
    model.fit(images, labels, batch_size=25, epochs=2, verbose=0)
    for old, new in zip(before, model.trainable_variables, strict=True):
        assert (old != ops.convert_to_numpy(new)).any(), new.path
    return model


@pytest.fixture(scope="module")
def stopper():
    keras.utils.set_random_seed(0)
    model = StoppingRAM(price=0.05, **SMALL)
    model.build(model.serving_shape)
    model = fitted(model)
    # Decisions that differ from image to image, as many to stop as to go on.
    kernel = np.random.default_rng(0).normal(size=(32, 2)).astype("float32")
    images = ops.convert_to_tensor(sample_digits()[0] / np.float32(255))
    h_t = ops.convert_to_numpy(model.episode(images, None, "mean")["hidden"])
    scores = np.median(h_t @ kernel, axis=(0, 1))
    model.stopper.kernel.assign(kernel)
    model.stopper.bias.assign(-scores)
    return model


@pytest.fixture(scope="module")
def zoomer():
    keras.utils.set_random_seed(0)
    model = ZoomingRAM(zooms=3, **SMALL)
    model.build(model.serving_shape)
    return fitted(model)


def test_tells_how_many_glimpses_it_took(stopper):
    images, labels = sample_digits()

    def same_draws(function, *args, **kwargs):
        stopper.seed_generator.state.assign([3, 4])
        return function(*args, batch_size=50, verbose=0, **kwargs)

    taken = same_draws(stopper.predict, images)["glimpses_taken"]
    assert taken.shape == (50, 2) and set(np.unique(taken)) <= {1, 2, 3, 4}
    assert len(np.unique(taken)) > 2
    scores = same_draws(stopper.evaluate, images, labels, return_dict=True)
    assert scores["glimpses_taken"] == pytest.approx(taken.mean(), abs=1e-5)


def test_decides_to_stop_by_the_likelier_choice(stopper):
    scores = np.random.default_rng(0).normal(size=(6, 3, 2)).astype("float32")
    taken, log_pi = stopper.stop(ops.convert_to_tensor(scores), "mean")
    taken, log_pi = ops.convert_to_numpy(taken), ops.convert_to_numpy(log_pi)
    log_p = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    for n, (row, found) in enumerate(zip(scores, log_pi, strict=True)):
        stops = [t for t in range(3) if row[t, 1] > row[t, 0]]
        assert taken[n] == (stops[0] + 1 if stops else 4)
        expected = [
            log_p[n, t, int(t == taken[n] - 1)] if t < min(taken[n], 3) else 0.0
            for t in range(3)
        ]
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_answers_from_where_it_stopped(stopper):
    """By the state there; neither locations nor stops after it are scored."""
    images = ops.convert_to_tensor(sample_digits()[0] / np.float32(255))
    found = stopper.episode(images, None, "sample")
    found = {name: ops.convert_to_numpy(x) for name, x in found.items()}
    taken = found["glimpses_taken"]
    assert len(np.unique(taken)) > 2
    h_n = found["hidden"][np.arange(50), taken - 1]
    logits = ops.convert_to_numpy(stopper.classifier(h_n))
    np.testing.assert_allclose(found["episode_logits"], logits, atol=1e-4)
    h_t = found["hidden"][:, :-1]
    log_p = ops.convert_to_numpy(ops.log_softmax(stopper.stopper(h_t)))  # [B, T - 1, 2]
    mu_t = stopper.mean_location(h_t)
    log_pi_l = stopper.policy.log_prob(mu_t, found["choices"][:, :-1])
    log_pi_l = ops.convert_to_numpy(log_pi_l)
    t = np.arange(3)[None]
    n = taken[:, None]
    expected = np.where(t < n - 1, log_pi_l + log_p[..., 0], 0)
    expected = np.where(t == n - 1, log_p[..., 1], expected)
    np.testing.assert_allclose(found["log_probs"], expected, atol=1e-3)


def test_loss_of_a_stop_by_hand():
    """The price lowers the reward, and nothing is expected after the stop."""
    model = StoppingRAM(
        classes=2, glimpses=4, price=0.25, credit=Credit(policy_weight=2.0)
    )
    y_pred = {
        "episode_logits": ops.log(ops.convert_to_tensor([[0.75, 0.25]])),
        "glimpses_taken": ops.convert_to_tensor(np.array([2], "int32")),
        "baselines": ops.convert_to_tensor([[0.25, 1.0, 7.0]]),
        "log_probs": ops.convert_to_tensor([[-1.0, -2.0, 0.0]]),
    }
    # R = 1 - 2 * .25 = .5: -log .75 + (.0625 + .25 + 0) / 3 + 2 (1 * .25 + 2 * -.5)
    expected = -np.log(0.75) + 0.3125 / 3 - 1.5
    loss = model.compute_loss(None, ops.convert_to_tensor([0]), y_pred)
    np.testing.assert_allclose(float(loss), expected, rtol=1e-5)


def test_supervised_stops_by_hand():
    """What each stop would have cost; a location learns from later answers."""
    log_q = stop_log_probs(ops.log(ops.convert_to_tensor([[[0.5, 0.5], [0.2, 0.8]]])))
    q = np.array([0.5, 0.4, 0.1])
    np.testing.assert_allclose(np.exp(ops.convert_to_numpy(log_q))[0], q, rtol=1e-5)
    arguments = {"classes": 2, "glimpses": 3, "price": 0.25, "decision": "supervised"}
    y_pred = {
        "step_logits": ops.log(
            ops.convert_to_tensor([[[0.25, 0.75], [0.75, 0.25], [0.875, 0.125]]])
        ),
        "stop_scores": ops.log(ops.convert_to_tensor([[1.0, 4.0]])),
        "stop_log_probs": log_q,
        "baselines": ops.convert_to_tensor([[0.25, 1.0]]),
        "log_probs": ops.convert_to_tensor([[-1.0, -2.0]]),
    }
    p = np.array([0.25, 0.75, 0.875])
    rewards = {"correct": np.array([0.0, 1.0, 1.0]), "log_prob": np.log(p)}
    for (reward, R), trace in itertools.product(rewards.items(), (1.0, 0.5)):
        credit = Credit(reward=reward, policy_weight=2.0, trace=trace)
        model = StoppingRAM(credit=credit, **arguments)
        # The answers learn by what is used, and all alike.
        expected = -((q + 1 / 3) / 2 * np.log(p)).sum()
        # To stop at once costs more than to go on, and stop then, as it does; to stop
        # then costs less than the third glimpse.
        c = 0.25 * np.array([1, 2, 3]) - np.log(p)
        assert c[0] > c[1] and c[1] < c[2]
        expected -= (c[0] - c[1]) * np.log(0.5) + (c[2] - c[1]) * np.log(0.8)
        # After the first location it stops at once in four cases of five.
        R_1 = 0.8 * R[1] + 0.2 * R[2]
        expected += ((0.25 - R_1) ** 2 + (1 - R[2]) ** 2) / 2
        G_1 = 0.8 * R[1] + 0.2 * (trace * R[2] + (1 - trace) * 1.0)
        # The first location is used in half of the episodes, the second in a tenth.
        expected += 2 * (0.5 * 1 * (G_1 - 0.25) + 0.1 * 2 * (R[2] - 1))
        loss = model.compute_loss(None, ops.convert_to_tensor([0]), y_pred)
        np.testing.assert_allclose(float(loss), expected, rtol=1e-5)


def test_locations_of_supervised_stops_have_the_exact_gradient():
    r"""$\sum_n q(n) R_n$ of a policy of two choices a step, summed over all of them."""
    rng = np.random.default_rng(0)
    pi, q = rng.uniform(0.2, 0.8, 2), np.array([0.3, 0.2, 0.5])
    R = rng.normal(size=(2, 2, 3))  # of the answers, by both choices
    R[:, :, 0] = R[0, 0, 0]  # the first is given before any choice
    R[:, 1, 1] = R[:, 0, 1]  # the second before the second

    def mean(pi):
        p = [np.array([1 - c, c]) for c in pi]
        return np.einsum("i,j,ijn,n", *p, R, q)

    found = np.zeros(2)
    for i, j in itertools.product((0, 1), repeat=2):
        G = ops.convert_to_numpy(
            returns_of_stops(*map(ops.convert_to_tensor, (R[i, j], q, np.zeros(2))))
        )
        chance = (pi[0] if i else 1 - pi[0]) * (pi[1] if j else 1 - pi[1])
        score = [(1 / pi[n] if c else -1 / (1 - pi[n])) for n, c in enumerate((i, j))]
        found += chance * np.array(score) * (1 - np.cumsum(q)[:2]) * G
    step = 1e-6
    for n, value in enumerate(found):
        up = pi + step * (np.arange(2) == n)
        assert value == pytest.approx((mean(up) - mean(pi)) / step, abs=1e-4)


def test_what_a_mistaken_stop_costs():
    """Against a loop over images; later decisions stand as the scores have them."""
    random = np.random.default_rng(0)
    c, d = random.normal(size=(20, 5)), random.normal(size=(20, 4))
    expected = np.zeros(20)
    for i in range(20):
        for t in range(4):
            stops = next((m for m in range(t + 1, 4) if d[i, m] > 0), 4)
            A = c[i, stops] - c[i, t]
            expected[i] += abs(A) * np.log1p(np.exp(-d[i, t] if A > 0 else d[i, t]))
    found = decision_loss(*map(ops.convert_to_tensor, (c, d)))
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=1e-5)


def test_answers_learn_where_it_never_stops():
    """Else going on would never be worth its price."""
    log_q = np.array([[-1e-3, -7.0, -30.0]], "float32")  # it stops at once
    scores = np.array([[7.0, 23.0]], "float32")
    logits = np.log([[[0.2, 0.8], [0.4, 0.6], [0.9, 0.1]]]).astype("float32")
    model = StoppingRAM(classes=2, glimpses=3, price=0.25, decision="supervised")
    rest = {"baselines": ops.zeros((1, 2)), "log_probs": ops.zeros((1, 2))}

    def loss(logits, scores):
        y_pred = rest | {"step_logits": logits, "stop_log_probs": log_q}
        y_pred["stop_scores"] = scores
        return model.sample_losses(None, ops.convert_to_tensor([0]), y_pred)

    of_answers, of_stops = gradients(loss, logits, scores)
    q, p = np.exp(log_q), np.exp(logits)
    w = (q + 1 / 3) / 2  # never below a sixth
    slope = p - np.array([1, 0])  # of -log p(y)
    np.testing.assert_allclose(of_answers, w[..., None] * slope, rtol=1e-4)
    # However sure it is, a decision that is wrong feels what it costs.
    c = 0.25 * np.array([1, 2, 3]) - logits[0, :, 0]
    assert c[0] > c[1] > c[2]
    np.testing.assert_allclose(of_stops, [[c[0] - c[1], c[1] - c[2]]], rtol=1e-2)


@pytest.mark.long
def test_supervised_stops_are_learned():
    """A glimpse that costs more than any answer is worth is not taken."""
    keras.utils.set_random_seed(0)
    small = SMALL | {"glimpses": 3, "units": 16}
    model = StoppingRAM(price=10.0, decision="supervised", **small)
    model.build(model.serving_shape)
    fitted(model)
    images, labels = sample_digits()
    model.optimizer.learning_rate = 0.1
    model.fit(images, labels, batch_size=25, epochs=8, verbose=0)
    found = model.predict(images, verbose=0)
    assert (found["glimpses_taken"] == 1).all()
    np.testing.assert_allclose(
        found["episode_logits"], found["step_logits"][:, :, 0], rtol=1e-5
    )
    assert found["stop_log_probs"].shape == (50, 2, 3)


def test_tells_how_wide_its_glimpses_were(zoomer):
    """Each glimpse is the retina's at its location and zoom."""
    images, _ = sample_digits()
    zoomer.zoomer.kernel.assign(np.random.default_rng(0).normal(size=(32, 3)))
    outputs = zoomer.predict(images[:10], verbose=0)
    assert outputs["zooms"].shape == (10, 2, 4)
    assert (outputs["zooms"][..., 0] == 2).all()  # the widest comes first
    assert set(np.unique(outputs["zooms"])) == {0, 1, 2}
    patches = Retina(4, 4)(
        np.repeat(images[:10] / np.float32(255), 8, 0),
        outputs["locations"].reshape(-1, 2),
    )
    patches = np.asarray(patches).reshape(10, 2, 4, 4, 4, 4)
    for index in np.ndindex(10, 2, 4):
        z = outputs["zooms"][index]
        np.testing.assert_allclose(
            outputs["glimpses"][index], patches[index][..., z : z + 2], atol=1e-6
        )


@pytest.mark.long
def test_fixed_zoom(tmp_path):
    """All glimpses but the first have it; no score is learned, and none is drawn."""
    keras.utils.set_random_seed(0)
    model = ZoomingRAM(zooms=3, fixed=1, **SMALL)
    model.build(model.serving_shape)
    fitted(model)
    images, _ = sample_digits()
    zooms = model.predict(images[:10], verbose=0)["zooms"]
    assert (zooms[..., 0] == 2).all() and (zooms[..., 1:] == 1).all()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.fixed == 1 and not hasattr(again, "zoomer")
    found = model.episode(
        ops.convert_to_tensor(images / np.float32(255)), None, "sample"
    )
    mu_t = model.mean_location(found["hidden"][:, :-1])
    expected = model.policy.log_prob(mu_t, found["choices"][:, :-1])
    np.testing.assert_allclose(
        ops.convert_to_numpy(found["log_probs"]),
        ops.convert_to_numpy(expected),
        atol=1e-3,
    )
    with pytest.raises(ValueError, match="Received: fixed=3"):
        ZoomingRAM(zooms=3, fixed=3)


def test_zooms_are_scored(zoomer):
    """The log-probability of a choice is its location's plus its zoom's."""
    images = ops.convert_to_tensor(sample_digits()[0] / np.float32(255))
    found = zoomer.episode(images, None, "sample")
    h_t = found["hidden"][:, :-1]
    mu_t, l_t = zoomer.mean_location(h_t), found["choices"][:, :-1]
    expected = ops.convert_to_numpy(zoomer.policy.log_prob(mu_t, l_t))
    log_p = ops.convert_to_numpy(ops.log_softmax(zoomer.zoomer(h_t)))
    zooms = ops.convert_to_numpy(found["zooms"])[:, 1:]
    assert len(np.unique(zooms)) == 3
    expected = expected + np.take_along_axis(log_p, zooms[..., None], -1)[..., 0]
    np.testing.assert_allclose(found["log_probs"], expected, atol=1e-3)


@pytest.mark.parametrize("name", ["stopper", "zoomer"])
def test_round_trip(name, request, tmp_path):
    model = request.getfixturevalue(name)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    images, _ = sample_digits()
    first = np.zeros((5, 2), "float32")
    for name, value in model(images[:5], first_location=first).items():
        np.testing.assert_allclose(
            value, again(images[:5], first_location=first)[name], atol=1e-5
        )


def test_other_arguments(stopper):
    """Its own and RAM's, as `zoo.load` and `error_percent` give them."""
    again = with_arguments(stopper, episodes=1, price=0.5)
    assert (again.episodes, again.price, again.glimpses) == (1, 0.5, 4)
    images, labels = sample_digits()
    assert error_percent(stopper, images, labels, repeats=1).shape == (1,)


def test_rejects():
    with pytest.raises(ValueError, match="Received: zooms=1"):
        ZoomingRAM(zooms=1)
    with pytest.raises(ValueError, match="Received: zooms=0"):
        ZoomingRAM(zooms=0)
    with pytest.raises(ValueError, match=r"Received: price=-0\.1"):
        StoppingRAM(price=-0.1)
