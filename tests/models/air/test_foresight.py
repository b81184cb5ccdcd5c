import keras
import numpy as np
import pytest
from keras import ops

from keras_attend.models import Foresight
from keras_attend.models.air.dynamics import Dynamics
from keras_attend.models.air.foresight import FINE, misjudged
from keras_attend.training.found_places import FoundPlaces

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
                    far = np.abs(z - slots["where"][:, t + k, n])[0] / FINE
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


def judged_by_hand(dynamics, where, ids, ahead):
    """What `Foresight` returns of one video, object by object."""
    sums = {"surprise": 0.0, "stays": 0.0, "objects": 0}
    seen = {"velocity": np.zeros((1, T, N, 3)), "h": np.zeros((1, T, N, UNITS))}
    for n in range(N):
        v, h = np.zeros((1, 3), "float32"), np.zeros((1, UNITS), "float32")
        for t in range(T):
            seen["velocity"][:, t, n], seen["h"][:, t, n] = v, h
            if t + 1 == T:
                break
            prior = dynamics(where[:, t, n], v, h)
            prior = {k: ops.convert_to_numpy(x) for k, x in prior.items()}
            stays = ids[0, t, n] >= 0 and ids[0, t, n] == ids[0, t + 1, n]
            if ids[0, t, n] >= 0:
                p = 1 / (1 + np.exp(-prior["stays"][0]))
                sums["stays"] -= np.log(p if stays else 1 - p)
                sums["objects"] += 1
            v, h = np.zeros_like(v), np.zeros_like(h)
            if stays:
                scale, z = prior["scale"], where[:, t + 1, n] - prior["loc"]
                density = np.exp(-(z**2) / 2 / scale**2) / np.sqrt(2 * np.pi) / scale
                sums["surprise"] -= np.log(density).sum()
                v, h = where[:, t + 1, n] - where[:, t, n], prior["h"]
    seen = {k: x.astype("float32") for k, x in seen.items()}
    slots = {"where": where, "ids": ids, **seen}
    return {**sums, "far": by_hand(dynamics, slots, ahead).sum()}


def test_foresight_equals_the_sums_by_hand(random):
    """A new object in another one's slot begins without a past."""
    dynamics = Dynamics(UNITS)
    model = Foresight(dynamics, ahead=2)
    where = random.normal(0, 0.3, (1, T, N, 3)).astype("float32")
    ids = np.array([[[0, 1], [0, 1], [0, -1], [0, 2]]], "int32")
    found = model({"where": where, "ids": ids})
    expected = judged_by_hand(dynamics, where, ids, 2)
    assert expected["objects"] == 5
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], [value], rtol=1e-4, err_msg=name)
    loss = model.compute_loss(y_pred=found)
    whole = sum(expected[k] for k in ("surprise", "stays", "far")) / 5
    assert float(loss) == pytest.approx(whole, rel=1e-4)


def straight_ways(random, count=64, frames=8):
    """Objects that go straight on, and jitter; one in two slots."""
    start = random.normal(0, 1, (count, 1, 2, 3))
    way = start + np.arange(frames)[:, None, None] * random.normal(
        0, [0, 0.1, 0.1], (count, 1, 2, 3)
    )
    ids = np.zeros((count, frames, 2), "int32")
    ids[:, :, 1] = -1
    return {"where": (way + random.normal(0, 0.02, way.shape)).astype("float32")} | {
        "ids": ids
    }


@pytest.mark.long
def test_foresight_learns_loads_and_takes_actions(random, tmp_path):
    keras.utils.set_random_seed(0)
    data = straight_ways(random)
    model = Foresight(Dynamics(16), ahead=3)
    model.compile(keras.optimizers.Adam(1e-2))
    history = model.fit(data, batch_size=16, epochs=12, verbose=0).history["loss"]
    assert history[-1] < history[0] - 1
    loss = model.evaluate(data, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.ahead == 3
    assert again.evaluate(data, verbose=0) == pytest.approx(loss, rel=1e-5)
    nobody = {"where": data["where"], "ids": 0 * data["ids"] - 1}
    assert model.evaluate(nobody, verbose=0) == 0

    acting = Foresight(Dynamics(4, actions=1), ahead=1)
    acting.compile("adam")
    data["actions"] = random.normal(size=(64, 8, 1)).astype("float32")
    assert np.isfinite(acting.fit(data, verbose=0).history["loss"][0])


def test_incomplete_input_is_refused(random):
    data = straight_ways(random, 2)
    with pytest.raises(ValueError, match=r"dict with \['ids', 'where'\]"):
        Foresight(Dynamics(4))({"where": data["where"]})
    with pytest.raises(ValueError, match="'actions', 'ids', 'where'"):
        Foresight(Dynamics(4, actions=1))(data)
    with pytest.raises(ValueError, match="ahead=0"):
        Foresight(Dynamics(4), ahead=0)


class Finder:
    """Finds what the frames say."""

    def predict(self, x, batch_size, verbose):
        return {"where": x["frames"], "ids": x["frames"][..., 0].astype("int32")}


class Clips(list):
    batch_size = 4


def test_places_come_in_an_order_of_each_epoch(random):
    frames = np.arange(12, dtype="float32").reshape(3, 4, 1, 1, 1) + np.zeros(3)
    data = FoundPlaces(Finder(), Clips({"frames": f} for f in frames), 3, seed=1)

    def epoch():
        batches = [data[n] for n in range(len(data))]
        return np.concatenate([b["ids"].ravel() for b in batches]).tolist()

    first = epoch()
    assert first == epoch() and sorted(first) == list(range(12))
    data.on_epoch_end()
    assert epoch() != first and sorted(epoch()) == list(range(12))
    assert data[0]["where"].shape == (3, 1, 1, 3)
    few = FoundPlaces(Finder(), data.videos, 8, limit=1)
    assert len(few) == 1 and len(few[0]["ids"]) == 4
