"""Compare `unroll` with `keras.layers.RNN`, with the same cell."""

import keras
import numpy as np
import pytest
from common import compiled, compiled_gradient, print_table, take_turns
from keras import ops
from keras.layers import RNN, LSTMCell, SimpleRNNCell

from keras_attend.unroll import unroll

BATCH, FEATURES, UNITS = 64, 64, 128
SLOWER = 1.10  # than RNN, at most


@pytest.mark.parametrize("steps", [20, 50])
@pytest.mark.parametrize("cell_class", [SimpleRNNCell, LSTMCell])
def test_unroll_against_rnn(cell_class, steps):
    cell = cell_class(UNITS)
    rnn = RNN(cell, return_sequences=True)
    x = ops.convert_to_tensor(
        np.random.default_rng(0).normal(size=(BATCH, steps, FEATURES)), "float32"
    )
    rnn(x)  # builds the cell

    def with_unroll(x):
        state = cell.get_initial_state(batch_size=BATCH)
        return unroll(lambda x_t, state: cell(x_t, state), state, x)[0]

    rows, ratios = [], {}
    for name, direction in (("forward", forward), ("training step", gradient)):
        runs = [
            direction(call, cell.trainable_variables) for call in (rnn, with_unroll)
        ]
        for a, b in zip(*(keras.tree.flatten(run(x)) for run in runs), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-3)
        theirs, ours = take_turns(*(lambda run=run: run(x) for run in runs), rounds=41)
        rows.append([name, 1e3 * theirs, 1e3 * ours, theirs / ours])
        ratios[name] = ours / theirs
    print_table(
        f"{cell_class.__name__}({UNITS}), batch {BATCH}, {steps} steps",
        ["ms", "RNN", "unroll", "ratio"],
        rows,
    )
    assert max(ratios.values()) <= SLOWER


def forward(call, variables):
    return compiled(call)


def gradient(call, variables):
    return compiled_gradient(lambda x: ops.mean(ops.square(call(x))), variables)
