import keras
import numpy as np
import pytest
from keras import ops

from keras_attend.layers.cells import IRNNCell, ReluLSTMCell, ZoneoutLSTMCell
from keras_attend.unroll import unroll
from tests.layer_check import compiled, run_layer_test

CELLS = [
    (IRNNCell, {"units": 5, "scale": 0.9}, 2),
    (ZoneoutLSTMCell, {"units": 5, "zoneout_cell": 0.1, "zoneout_hidden": 0.2}, 3),
    (ReluLSTMCell, {"units": 5, "cell_clip": 2.0}, 3),
]
each_cell = pytest.mark.parametrize("cls, kwargs, weights", CELLS)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def numpy(x):
    return ops.convert_to_numpy(x)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def reference_irnn(weights, x, states, **_):
    w_in, w_rec = weights
    h = np.maximum(x @ w_in + states[0] @ w_rec, 0)
    return h, [h]


def reference_zoneout(weights, x, states, m_c=0.9, m_h=0.8):
    (w_x, b, w_h), (h, c) = weights, states
    i, j, f, o = np.split(x @ w_x + h @ w_h + b, 4, axis=1)
    c_new = sigmoid(f) * c + sigmoid(i) * np.tanh(j)
    h_new = sigmoid(o) * np.tanh(c_new)
    return h_new, [h + m_h * (h_new - h), c + m_c * (c_new - c)]


def reference_relu(weights, x, states):
    (w_x, b, w_h), (h, c) = weights, states
    i, j, f, o = np.split(x @ w_x + h @ w_h + b, 4, axis=1)
    c = np.minimum(sigmoid(f) * c + sigmoid(i) * np.maximum(j, 0), 2)
    h = sigmoid(o) * np.maximum(c, 0)
    return h, [h, c]


REFERENCES = {
    IRNNCell: reference_irnn,
    ZoneoutLSTMCell: reference_zoneout,
    ReluLSTMCell: reference_relu,
}


@each_cell
def test_step_is_the_plain_one_eager_and_compiled(cls, kwargs, weights):
    batch, cell = 3, cls(**kwargs)
    x = ops.convert_to_tensor(3 * normal(batch, 4))
    states = cell.get_initial_state(batch)
    states = [s + normal(batch, 5, seed=k + 1) for k, s in enumerate(states)]
    expected, expected_states = None, None
    for function in (cell, compiled(lambda x, s: cell(x, s))):
        y, new = function(x, states)
        if expected is None:
            expected, expected_states = REFERENCES[cls](
                [numpy(w) for w in cell.weights], numpy(x), [numpy(s) for s in states]
            )
        np.testing.assert_allclose(numpy(y), expected, atol=1e-5)
        for found, wanted in zip(new, expected_states, strict=True):
            np.testing.assert_allclose(numpy(found), wanted, atol=1e-5)


def test_an_empty_batch():
    cell = ZoneoutLSTMCell(5)
    y, states = cell(normal(0, 4), cell.get_initial_state(0), training=True)
    assert [tuple(x.shape) for x in (y, *states)] == [(0, 5)] * 3


@each_cell
def test_in_rnn(cls, kwargs, weights):
    batch = 1
    rnn = keras.layers.RNN(cls(**kwargs), return_sequences=True)
    x = normal(batch, 6, 4)
    found = numpy(rnn(x))
    cell, states = rnn.cell, rnn.cell.get_initial_state(batch)
    for t in range(6):
        y, states = cell(x[:, t], states)
        np.testing.assert_allclose(found[:, t], numpy(y), atol=1e-5)


@keras.saving.register_keras_serializable("tests")
class OneStep(keras.layers.Layer):
    """A cell's first output, as a layer: what `run_layer_test` can check."""

    def __init__(self, kind, cell_kwargs, **kwargs):
        super().__init__(**kwargs)
        self.kind, self.cell_kwargs = kind, cell_kwargs
        cls = {c.__name__: c for c, *_ in CELLS}[kind]
        self.cell = cls(**cell_kwargs, dtype=self.dtype_policy)

    def build(self, input_shape):
        self.cell.build(input_shape)

    def call(self, x):
        h, states = self.cell(x, self.cell.get_initial_state(ops.shape(x)[0]))
        return ops.concatenate([h, *states], axis=-1)

    def get_config(self):
        config = super().get_config()
        return {**config, "kind": self.kind, "cell_kwargs": self.cell_kwargs}


@each_cell
def test_layer(cls, kwargs, weights, tmp_path):
    run_layer_test(
        OneStep,
        {"kind": cls.__name__, "cell_kwargs": kwargs},
        (normal(3, 4),),
        (3, 10 if cls is IRNNCell else 15),
        trainable_weights=weights,
        tmp_path=tmp_path,
    )


@each_cell
def test_config_round_trip_and_errors(cls, kwargs, weights):
    cell = cls(**kwargs)
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(cell)
    )
    assert type(again) is cls and again.get_config() == cell.get_config()
    with pytest.raises(ValueError, match="`units` must be positive"):
        cls(0)


@pytest.mark.long
@pytest.mark.parametrize("cells", [CELLS[1:2], CELLS[::-2]])
def test_fit_under_xla_saves_and_loads(cells, tmp_path):
    cells = [cls(**kwargs) for cls, kwargs, _ in cells]
    cell = cells[0] if len(cells) == 1 else cells
    inputs = keras.Input((6, 4))
    outputs = keras.layers.Dense(2)(keras.layers.RNN(cell)(inputs))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=True)
    x, y = normal(16, 6, 4), normal(16, 2, seed=1)
    losses = model.fit(x, y, epochs=8, batch_size=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(numpy(loaded(x)), numpy(model(x)), atol=1e-6)


def test_initial_weights():
    irnn = IRNNCell(5, scale=0.5, input_initializer="zeros")
    irnn.build((None, 4))
    np.testing.assert_array_equal(numpy(irnn.recurrent_map.kernel), 0.5 * np.eye(5))
    np.testing.assert_array_equal(numpy(irnn.input_map.kernel), 0)
    lstm = ZoneoutLSTMCell(12)
    lstm.build((None, 20))
    w_x, b, w_h = (numpy(w) for w in lstm.weights)
    np.testing.assert_allclose(w_x @ w_x.T, np.eye(20), atol=1e-5)
    for k, block in enumerate(np.split(w_h, 4, axis=1)):
        if k == 1:  # the candidate
            np.testing.assert_allclose(block, 0.95 * np.eye(12), atol=1e-6)
        else:
            np.testing.assert_allclose(block @ block.T, np.eye(12), atol=1e-5)
    assert 0.2 < np.abs(b).max() <= np.sqrt(3 / 48)


def test_clip_of_the_relu_lstm():
    x = normal(3, 4)
    free, clipped = ReluLSTMCell(5), ReluLSTMCell(5, cell_clip=1.0)
    free.build(x.shape), clipped.build(x.shape)
    free.input_map.bias.assign(np.full(20, 3))
    clipped.set_weights(free.get_weights())
    zeros = free.get_initial_state(3)
    _, (_, c) = free(x, zeros)
    _, (_, c_clipped) = clipped(x, zeros)
    assert numpy(c).max() > 1
    np.testing.assert_allclose(numpy(c_clipped), np.minimum(numpy(c), 1), atol=1e-5)
    with pytest.raises(ValueError, match="`cell_clip` must be positive or None"):
        ReluLSTMCell(5, cell_clip=0)


def test_zoneout_masks():
    cell = ZoneoutLSTMCell(50, zoneout_cell=0.1, zoneout_hidden=0.4, seed=1)
    m_c, m_h = (numpy(m) for m in cell.zoneout_masks(20, 10))
    assert m_c.shape == m_h.shape == (20, 10, 50)
    assert set(np.unique(m_c)) == set(np.unique(m_h)) == {0, 1}
    assert m_c.mean() == pytest.approx(0.9, abs=0.02)
    assert m_h.mean() == pytest.approx(0.6, abs=0.02)
    again = ZoneoutLSTMCell(50, zoneout_cell=0.1, zoneout_hidden=0.4, seed=1)
    np.testing.assert_array_equal(numpy(again.zoneout_masks(20, 10)[0]), m_c)
    assert cell.zoneout_masks(20)[0].shape == (20, 50)
    none = ZoneoutLSTMCell(5, zoneout_cell=0.0, zoneout_hidden=0.0)
    assert numpy(none.zoneout_masks(20)[0]).min() == 1
    with pytest.raises(ValueError, match=r"in \[0, 1\)\. Received: zoneout_cell=1"):
        ZoneoutLSTMCell(5, zoneout_cell=1)


def test_zoneout_with_given_masks_is_the_plain_step():
    cell = ZoneoutLSTMCell(5)
    x, h, c = normal(3, 4), normal(3, 5, seed=1), normal(3, 5, seed=2)
    cell.build(x.shape)
    weights = [numpy(w) for w in cell.weights]
    rng = np.random.default_rng(0)
    m_c, m_h = ((rng.uniform(size=(3, 5)) > 0.5).astype("float32") for _ in range(2))
    y, (h_new, c_new) = cell(x, [h, c], masks=(m_c, m_h), training=True)
    expected, states = reference_zoneout(weights, x, [h, c], m_c, m_h)
    np.testing.assert_allclose(numpy(y), expected, atol=1e-5)
    np.testing.assert_allclose(numpy(h_new), states[0], atol=1e-5)
    np.testing.assert_allclose(numpy(c_new), states[1], atol=1e-5)
    np.testing.assert_array_equal(numpy(h_new)[m_h == 0], h[m_h == 0])
    # Outside training they are ignored.
    _, (h_new, _) = cell(x, [h, c], masks=(m_c, m_h))
    expected = reference_zoneout(weights, x, [h, c], 0.95, 0.95)[1][0]
    np.testing.assert_allclose(numpy(h_new), expected, atol=1e-5)


def test_zoneout_without_masks_draws_anew_at_every_call():
    cell = ZoneoutLSTMCell(5, zoneout_hidden=0.5)
    x, states = normal(30, 4), [np.ones((30, 5), "float32")] * 2
    kept = [numpy(cell(x, states, training=True)[1][0]) == 1 for _ in range(2)]
    assert 0.3 < kept[0].mean() < 0.7 and (kept[0] != kept[1]).any()


def test_zoneout_in_rnn_holds_its_masks_for_a_sequence():
    rnn = keras.layers.RNN(ZoneoutLSTMCell(5, zoneout_hidden=0.5), return_state=True)
    x, ones = normal(30, 6, 4), [np.ones((30, 5), "float32")] * 2
    kept = [numpy(rnn(x, initial_state=ones, training=True)[1]) == 1 for _ in range(2)]
    # A unit held at all six steps still has the state it began with.
    assert 0.3 < kept[0].mean() < 0.7 and (kept[0] != kept[1]).any()
    assert rnn.cell._sequence_masks is None
    assert not (numpy(rnn(x, initial_state=ones)[1]) == 1).any()


def test_zoneout_in_the_time_loop_of_the_house():
    cell = ZoneoutLSTMCell(5, zoneout_cell=0.3, zoneout_hidden=0.3)
    x = normal(3, 6, 4)
    cell.build((3, 4))
    masks = cell.zoneout_masks(3, 6)

    def step(inputs, states):
        return cell(inputs["x"], states, masks=inputs["masks"], training=True)

    def run(x, masks):
        return unroll(step, cell.get_initial_state(3), {"x": x, "masks": masks})

    found, _ = compiled(run)(ops.convert_to_tensor(x), masks)
    weights = [numpy(w) for w in cell.weights]
    m_c, m_h = (numpy(m) for m in masks)
    states = [np.zeros((3, 5))] * 2
    for t in range(6):
        y, states = reference_zoneout(weights, x[:, t], states, m_c[:, t], m_h[:, t])
        np.testing.assert_allclose(numpy(found)[:, t], y, atol=1e-5)


def test_golden_lstm(golden):
    g = {k[5:]: v for k, v in golden("hart_ops").items() if k.startswith("lstm/")}
    p_c, p_h = (float(p) for p in g["zoneout_prob_c_h"])
    for p, at in (((0.0, 0.0), "new_"), ((p_c, p_h), "zoneout_test_")):
        cell = ZoneoutLSTMCell(12, *p)
        cell.build((None, 20))
        cell.set_weights([g["var:W_xh"], g["var:bias"], g["var:W_hh"]])
        y, (h, c) = cell(g["x"], [g["h"], g["c"]])
        np.testing.assert_allclose(numpy(y), g["out"], atol=1e-6)
        np.testing.assert_allclose(numpy(h), g[at + "h"], atol=1e-6)
        np.testing.assert_allclose(numpy(c), g[at + "c"], atol=1e-6)
