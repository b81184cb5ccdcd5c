import numpy as np
import pytest
from keras import ops
from layer_check import compiled

from keras_attend.datasets.catch import LEFT, RIGHT, STAY, Catch, Games


def play(game, numbers, actions):
    """All states `[B, T, 4]` of games under `actions` `[B, T - 1]`."""
    state = game.start(ops.convert_to_tensor(numbers))
    states = [ops.convert_to_numpy(state)]
    for t in range(game.frames - 1):
        state = game.step(state, ops.convert_to_tensor(actions[:, t]))
        states.append(ops.convert_to_numpy(state))
    return np.stack(states, 1)


@pytest.fixture(scope="module", params=[1.0, 2.5, 60.0], ids=lambda v: f"speed{v}")
def games(request):
    """Two hundred games, played at random."""
    game = Catch(max_speed=request.param)
    random = np.random.default_rng(0)
    numbers = random.random((200, 3), "float32")
    actions = random.integers(0, 3, (200, game.frames - 1)).astype("int32")
    return game, numbers, actions, play(game, numbers, actions)


def test_the_ball_falls_a_row_a_frame(games):
    game, _, _, states = games
    rows = np.arange(game.frames)
    np.testing.assert_array_equal(states[..., 1], np.broadcast_to(rows, (200, 24)))


def test_the_ball_bounces_off_the_walls(games):
    """The closed form: a straight line, folded at the walls."""
    game, numbers, _, states = games
    wall = game.size - 1
    speed = game.max_speed * (2 * numbers[:, 1:2].astype("float64") - 1)
    line = numbers[:, :1].astype("float64") * wall + speed * np.arange(game.frames)
    x = wall - np.abs(line % (2 * wall) - wall)
    np.testing.assert_allclose(states[..., 0], x, atol=1e-4 * max(1, game.max_speed))
    assert states[..., 0].min() >= 0 and states[..., 0].max() <= wall
    np.testing.assert_allclose(
        np.abs(states[..., 2]), np.broadcast_to(np.abs(speed), (200, 24)), rtol=1e-5
    )


def test_the_paddle_obeys_and_stays_on_the_screen(games):
    game, _, actions, states = games
    paddle = states[..., 3]
    wanted = np.clip(paddle[:, :-1] + actions - 1, 0, game.size - game.paddle)
    np.testing.assert_array_equal(paddle[:, 1:], wanted)
    assert paddle.min() == 0 and paddle.max() == game.size - game.paddle


def test_reward_comes_at_the_end_alone(games):
    game, _, _, states = games
    rewards = ops.convert_to_numpy(game.reward(ops.convert_to_tensor(states)))
    assert (rewards[:, :-1] == 0).all()
    ball, paddle = np.round(states[:, -1, 0]), states[:, -1, 3]
    caught = (ball == paddle) | (ball == paddle + 1)
    np.testing.assert_array_equal(rewards[:, -1], caught)
    assert 0 < caught.mean() < 0.3


def test_the_screen_shows_ball_and_paddle(games):
    game, _, _, states = games
    screens = ops.convert_to_numpy(game.screen(ops.convert_to_tensor(states)))
    assert screens.shape == (200, 24, 24, 24, 1)
    assert set(np.unique(screens)) == {0, 1}
    for n, t in [(0, 0), (3, 10), (7, 23), (199, 22)]:
        expected = np.zeros((24, 24))
        x, y, _, paddle = states[n, t]
        expected[int(y), round(float(x))] = 1
        expected[23, int(paddle) : int(paddle) + 2] = 1
        np.testing.assert_array_equal(screens[n, t, ..., 0], expected)


def test_starts_are_everywhere(games):
    game, _, _, states = games
    first = states[:, 0]
    assert first[:, 0].min() < 1 and first[:, 0].max() > 22
    assert set(np.unique(first[:, 3])) == set(range(game.size - game.paddle + 1))
    low, high = (game.start(np.full((1, 3), x, "float32"))[0] for x in (0.0, 1.0))
    assert ops.convert_to_numpy(low)[3] == 0 and ops.convert_to_numpy(high)[3] == 22


def test_following_the_ball_catches_it():
    """The game can be won: by going where the ball will land."""
    game = Catch()
    numbers = np.random.default_rng(1).random((300, 3), "float32")
    still = np.full((300, game.frames - 1), STAY, "int32")
    states = play(game, numbers, still)
    landing = np.clip(np.round(states[:, -1, 0]), 0, game.size - game.paddle)
    way = (landing - states[:, 0, 3])[:, None]
    steps = np.arange(game.frames - 1)[None] < np.abs(way)
    actions = np.where(steps, np.where(way > 0, RIGHT, LEFT), STAY).astype("int32")
    states = play(game, numbers, actions)
    rewards = ops.convert_to_numpy(game.reward(ops.convert_to_tensor(states)))
    assert rewards[:, -1].mean() == 1


def test_scaled_states(games):
    game, _, _, states = games
    scaled = ops.convert_to_numpy(game.scaled(ops.convert_to_tensor(states)))
    assert np.abs(scaled[..., [0, 1, 3]]).max() <= 1
    np.testing.assert_allclose(scaled[0, 0, 1], -1)
    np.testing.assert_allclose(11.5 * (scaled + 1)[..., 0], states[..., 0], atol=1e-4)


def test_compiles(games):
    game, _, actions, states = games
    step = compiled(lambda s, a: game.step(s, a))
    found = step(
        ops.convert_to_tensor(states[:, 4]), ops.convert_to_tensor(actions[:, 4])
    )
    np.testing.assert_allclose(found, states[:, 5], atol=1e-5)


def test_config_round_trip():
    game = Catch.from_config(Catch(size=10, paddle=3, max_speed=0.5).get_config())
    assert (game.size, game.paddle, game.max_speed) == (10, 3, 0.5)


def test_games_depend_on_seed_epoch_and_index_alone():
    one, two = (Games(batch_size=4, batches=3, seed=2) for _ in range(2))
    two[2]
    np.testing.assert_array_equal(one[1][0], two[1][0])
    assert one[1][0].shape == (4, 3) and one[1][0].dtype == np.float32
    two.on_epoch_end()
    assert (one[1][0] != two[1][0]).any()
    assert (Games(4, 3, seed=3)[0][0] != one[0][0]).any()
    with pytest.raises(IndexError, match="index=3"):
        one[3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "Received: size=0"),
        ({"size": 1, "paddle": 1}, "Received: size=1"),
        ({"paddle": 25}, "paddle=25"),
        ({"max_speed": -1.0}, "Received: max_speed=-1"),
        ({"max_speed": float("nan")}, "Received: max_speed=nan"),
    ],
)
def test_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        Catch(**arguments)
