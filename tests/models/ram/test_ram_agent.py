import keras
import numpy as np
import pytest
from keras import ops

from keras_attend.datasets import Catch, Games
from keras_attend.models import AgentCredit, RAMAgent

SMALL = {"size": 4, "scales": 2, "glimpse_units": 16, "units": 32}


@pytest.fixture(scope="module")
def trained():
    """An agent that sees a small screen whole, trained for half a minute."""
    keras.utils.set_random_seed(0)
    game = Catch(size=5, paddle=2)
    agent = RAMAgent(game, size=6, scales=1, gaze="centre", glimpse_units=32, units=32)
    agent.compile(keras.optimizers.Adam(3e-3))
    agent.fit(Games(256, 60), epochs=4, verbose=0, shuffle=False)
    return agent


@pytest.fixture(scope="module")
def looker():
    keras.utils.set_random_seed(0)
    agent = RAMAgent(Catch(size=6), **SMALL, credit=AgentCredit(baseline="game"))
    # Without XLA where that is sooner done; `trained` is under XLA.
    jit = keras.backend.backend() == "jax"
    agent.compile(keras.optimizers.Adam(1e-3), jit_compile=jit)
    agent.fit(Games(32, 2), verbose=0)
    return agent


@pytest.mark.long
def test_learns_from_the_final_reward(trained):
    assert trained.jit_compile
    reward = trained.evaluate(Games(500, 2, seed=9), verbose=0, return_dict=True)
    assert reward["reward"] > 0.8  # at random 0.4


def test_outputs(looker):
    games = Games(7, 1)[0][0]
    found = looker.predict(games, verbose=0)
    assert {name: x.shape for name, x in found.items()} == {
        "reward": (7,),
        "states": (7, 6, 4),
        "locations": (7, 6, 2),
        "actions": (7, 5),
        "baselines": (7, 5),
        "entropies": (7, 5),
    }
    assert (np.abs(found["locations"]) <= 1).all()
    # What it says it did is what happened.
    game = looker.game
    for t in range(5):
        after = game.step(
            ops.convert_to_tensor(found["states"][:, t]),
            ops.convert_to_tensor(found["actions"][:, t]),
        )
        np.testing.assert_allclose(found["states"][:, t + 1], after, atol=1e-5)
    last = game.reward(ops.convert_to_tensor(found["states"][:, -1]))
    np.testing.assert_array_equal(found["reward"], last)


def test_sees_a_ball_of_one_pixel_in_every_patch():
    """The ball is as bright in a wide patch as in the finest."""
    agent = RAMAgent(Catch(paddle=1), size=6, scales=3)
    state = np.array([[12.0, 12.0, 0.0, 0.0]], "float32")
    glimpse = agent.see(ops.convert_to_tensor(state), ops.zeros((1, 2)))
    np.testing.assert_allclose(ops.convert_to_numpy(glimpse).max((0, 1, 2)), 1.0)


def test_a_critic_sees_what_the_agent_sees():
    """It remembers the same glimpses by weights of its own, and nothing of the game."""
    agent = RAMAgent(Catch(size=6), **SMALL, credit=AgentCredit(baseline="glimpses"))
    agent.build(agent.serving_shape)
    found = agent(Games(5, 1)[0][0], training=True)
    state = [ops.zeros((5, 32)), ops.zeros((5, 32))]
    for t in range(5):
        l = found["locations"][:, t]
        g = agent.critic_glimpse(agent.see(found["states"][:, t], l), l)
        h, state = agent.critic_core(g, state)
        expected = ops.convert_to_numpy(agent.baseline(h))[:, 0]
        np.testing.assert_allclose(found["baselines"][:, t], expected, atol=1e-5)
    paths = " ".join(weight.path for weight in agent.weights)
    assert "critic_core" in paths and "critic_glimpse" in paths
    # That of the game's state has none of this.
    plain = RAMAgent(Catch(size=6), **SMALL, credit=AgentCredit(baseline="game"))
    plain.build(plain.serving_shape)
    assert "critic" not in " ".join(weight.path for weight in plain.weights)


def test_a_linear_locator_is_kept():
    agent = RAMAgent(Catch(size=6), **SMALL, locator="linear")
    again = RAMAgent.from_config(agent.get_config())
    assert again.locator.activation is keras.activations.linear
    with pytest.raises(ValueError, match="`locator` must be one of"):
        RAMAgent(Catch(size=6), **SMALL, locator="relu")


def test_looks_around():
    """Draws around the centre, which are nobody's choice."""
    agent = RAMAgent(Catch(size=6), **SMALL, gaze="around", std=0.2)
    games = Games(500, 1)[0][0]
    found = agent(games, training=True)
    l_t = ops.convert_to_numpy(found["locations"])[:, 1:]
    np.testing.assert_allclose(l_t.mean((0, 1)), 0, atol=0.02)
    np.testing.assert_allclose(l_t.std((0, 1)), 0.2, atol=0.02)
    # The logarithm of a probability, not of a density: only the actions' is in it.
    assert (ops.convert_to_numpy(found["log_probs"]) < 0).all()
    found = agent(games)
    assert not ops.convert_to_numpy(found["locations"])[:, 1:].any()


def test_log_probs_are_of_what_was_drawn(looker):
    """Recomputed from the locations and the actions, one frame at a time."""
    games = Games(5, 1)[0][0]
    found = looker(games, training=True)
    states, l_t = found["states"], found["locations"]
    h = [ops.zeros((5, 32)), ops.zeros((5, 32))]
    for t in range(5):
        rho = looker.see(states[:, t], l_t[:, t])
        output, h = looker.core(looker.glimpse_network(rho, l_t[:, t]), h)
        log_p = ops.convert_to_numpy(ops.log_softmax(looker.player(output)))
        mu = ops.convert_to_numpy(looker.locator(output))
        l = ops.convert_to_numpy(l_t[:, t + 1])
        std = looker.location_policy.std
        actions = ops.convert_to_numpy(found["actions"][:, t])
        expected = log_p[np.arange(5), actions] - np.sum(
            (l - mu) ** 2 / (2 * std**2) + np.log(std * np.sqrt(2 * np.pi)), -1
        )
        inside = (np.abs(l) < 1).all(-1)  # the others were drawn outside, then cut
        log_probs = ops.convert_to_numpy(found["log_probs"][:, t])
        np.testing.assert_allclose(log_probs[inside], expected[inside], atol=1e-3)


def test_gradients_reach_everything(looker):
    """The reward alone trains all weights (but the locator's where nothing looks)."""
    before = [ops.convert_to_numpy(v) for v in looker.trainable_variables]
    looker.fit(Games(32, 4, seed=1), verbose=0)
    for old, new in zip(before, looker.trainable_variables, strict=True):
        assert (old != ops.convert_to_numpy(new)).any(), new.path


def test_play_at_random(looker, quick):
    config = {**looker.get_config(), "play": "random"}
    agent = RAMAgent.from_config(config)
    agent.compile()
    actions = agent.predict(Games(400, 1)[0][0], verbose=0)["actions"]
    share = np.bincount(actions.ravel(), minlength=3) / actions.size
    np.testing.assert_allclose(share, 1 / 3, atol=0.06)


def test_round_trip(looker, tmp_path):
    looker.save(tmp_path / "agent.keras")
    again = keras.saving.load_model(tmp_path / "agent.keras")
    assert again.get_config() == looker.get_config()
    assert isinstance(again.game, Catch) and again.game.size == 6
    for old, new in zip(
        looker.trainable_variables, again.trainable_variables, strict=True
    ):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"play": "well"}, "play='well'"),
        ({"gaze": "away"}, "gaze='away'"),
        ({"scales": 0}, "scales=0"),
        ({"credit": {"trace": 0.5}}, "Received"),
        ({"std": 0.0}, "std=0"),
    ],
)
def test_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        RAMAgent(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"baseline": "none"}, "baseline='none'"),
        ({"trace": 1.5}, "trace=1.5"),
        ({"entropy": -1.0}, "entropy=-1"),
        ({"policy_weight": -1.0}, "policy_weight=-1"),
    ],
)
def test_rejects_credit(arguments, message):
    with pytest.raises(ValueError, match=message):
        AgentCredit(**arguments)


def test_rejects_other_inputs(looker):
    with pytest.raises(ValueError, match=r"numbers\.shape=\(4, 2\)"):
        looker(np.zeros((4, 2), "float32"))
