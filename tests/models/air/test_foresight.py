import numpy as np
from keras import ops

from keras_attend.models.air.dynamics import STEP, Dynamics
from keras_attend.models.air.foresight import misjudged

T, N, UNITS = 4, 2, 3


def slots(random, ids):
    """Two objects on random ways, with random steps."""
    normal = {"where": 3, "velocity": 3, "h": UNITS}
    found = {k: random.normal(size=(1, T, N, n)) for k, n in normal.items()}
    return {k: v.astype("float32") for k, v in found.items()} | {
        "ids": np.array(ids, "int32")[None]
    }


def by_hand(dynamics, slots, ahead, actions=None):
    """Object by object, and frame by frame."""
    F = np.zeros(T)
    for t in range(T):
        for n in range(N):
            z, v, h = (slots[k][:, t, n] for k in ("where", "velocity", "h"))
            for k in range(1, ahead + 1):
                if t + k >= T:
                    break
                action = None if actions is None else actions[:, t + k]
                prior = dynamics(z, v, h, action)
                prior = {k: ops.convert_to_numpy(x) for k, x in prior.items()}
                z, v, h = prior["loc"], prior["loc"] - z, prior["h"]
                number = slots["ids"][0, t, n]
                if number >= 0 and number == slots["ids"][0, t + k, n]:
                    far = np.abs(z - slots["where"][:, t + k, n])[0] / STEP
                    F[t] += np.where(far < 1, far**2 / 2, far - 0.5).sum() / ahead
    return F


def test_equals_the_sum_by_hand(random):
    """One object leaves, and another one takes its slot."""
    dynamics = Dynamics(UNITS)
    given = slots(random, [[0, 1], [0, 1], [0, -1], [0, 2]])
    found = misjudged(dynamics, given, ahead=3)
    expected = by_hand(dynamics, given, ahead=3)
    assert expected[:3].all() and expected[3] == 0
    np.testing.assert_allclose(ops.convert_to_numpy(found)[0], expected, rtol=1e-4)


def test_actions_are_those_of_the_imagined_frames(random):
    dynamics = Dynamics(UNITS, actions=2)
    given = slots(random, [[0, 1]] * T)
    actions = random.normal(size=(1, T, 2)).astype("float32")
    found = misjudged(dynamics, given, 2, actions)
    expected = by_hand(dynamics, given, 2, actions)
    np.testing.assert_allclose(ops.convert_to_numpy(found)[0], expected, rtol=1e-4)
    other = actions.copy()
    other[:, 0] += 1  # which led to the first frame: nothing depends on it
    np.testing.assert_array_equal(found, misjudged(dynamics, given, 2, other))


def test_objects_that_go_straight_on_are_foreseen():
    dynamics = Dynamics(UNITS)
    dynamics.build()
    for weight in dynamics.expected.weights:
        weight.assign(0 * weight)
    step = np.float32([0, 0.1, -0.2])
    where = np.arange(T, dtype="float32")[None, :, None, None] * step
    given = {
        "where": where + np.zeros((1, T, N, 3), "float32"),
        "velocity": np.zeros((1, T, N, 3), "float32") + step,
        "h": np.zeros((1, T, N, UNITS), "float32"),
        "ids": np.zeros((1, T, N), "int32"),
    }
    np.testing.assert_allclose(misjudged(dynamics, given, 3), 0, atol=1e-9)
