"""HART by the paper's equations: what reaches what, and what is learned by what."""

import keras
import numpy as np
import pytest
from hart_case import clips, numpy, quick
from keras import ops

from keras_attend.boxes import iou
from keras_attend.layers.v1 import V1
from keras_attend.models import PaperHART, PaperHARTCell

SMALL = {"size": 16, "units": 12, "channels": 1, "maps": 3, "dropout": 0.0}
ROWS = {
    "spatial": (False, ("tracking",)),
    "appearance": (True, ("tracking", "attention")),
    "hart": (True, ("tracking", "attention", "appearance")),
}


def cell(**kwargs):
    keras.utils.set_random_seed(0)
    return PaperHARTCell(v1=V1((8, 8, 8), name="v1"), **{**SMALL, **kwargs})


def tracker(row="hart"):
    dorsal, losses = ROWS[row]
    return PaperHART(cell(dorsal=dorsal), losses=losses)


@pytest.fixture(scope="module")
def whole():
    """The whole model and clips, and what it makes of them."""
    model = tracker()
    model.build()
    for weight in model.cell.attend.weights + model.cell.locate.weights:
        weight.assign(
            ops.convert_to_tensor(np.random.default_rng(1).normal(0, 0.1, weight.shape))
        )
    x, y = clips(np.random.default_rng(0), n=4)
    x = {name: ops.convert_to_tensor(value) for name, value in x.items()}
    return model, x, y, {n: numpy(v) for n, v in quick(model)(x).items()}


def test_outputs(whole):
    _, x, _, found = whole
    assert {name: value.shape for name, value in found.items()} == {
        "boxes": (4, 4, 4),
        "window": (4, 4, 6),
        "region": (4, 4, 4),
        "attention": (4, 4, 4),
        "glimpse": (4, 4, 16, 16, 1),
        "appearance": (4, 4, 12),
        "location": (4, 4, 4, 4),
        "filter_energy": (4, 4),
    }
    # The bias begins at 0: the first window and box are the given one.
    for name in ("boxes", "region"):
        np.testing.assert_allclose(found[name][:, 0], x["box"], atol=1e-4)


def test_equations_7_and_8(whole):
    """The next attention goes on from the last one, not from the box."""
    model, _, _, found = whole
    s = 1 / (1 + np.exp(-found["location"].reshape(4, 4, 16)))
    q = np.concatenate([found["appearance"], s], axis=-1)
    step = np.tanh(0.076) * numpy(model.cell.attend(ops.convert_to_tensor(q)))
    expected = found["attention"][:, :-1] + step[:, :-1]
    np.testing.assert_allclose(found["attention"][:, 1:], expected, atol=1e-5)
    off = numpy(model.cell.locate(ops.convert_to_tensor(q)))
    b = 24 * (found["attention"] + off * [[[0], [1], [1], [1]]])
    xy = b[..., 1::-1] - b[..., :1:-1] / 2
    np.testing.assert_allclose(found["boxes"][..., :2], xy, atol=1e-3)
    np.testing.assert_allclose(found["boxes"][..., 2:], b[..., :1:-1], atol=1e-3)


def test_the_attention_bias_widens_the_windows(whole):
    """It is added to the first attention, and the box is without it."""
    model, x, _, found = whole
    model.cell.bias.assign(ops.convert_to_tensor([0.0, 0.0, 0.1, 0.2]))
    wide = {name: numpy(value) for name, value in quick(model)(x).items()}
    model.cell.bias.assign(ops.zeros(4))
    more = wide["region"][:, 0, 2:] - found["region"][:, 0, 2:]
    np.testing.assert_allclose(more, [[4.8, 2.4]] * 4, atol=1e-3)
    np.testing.assert_allclose(wide["boxes"][:, 0], x["box"], atol=1e-3)


def test_nothing_reaches_the_lstm_but_through_the_mask(whole):
    """With a mask of 0 everywhere all glimpses are alike to it."""
    model, x, _, _ = whole
    model.cell.location.bias.assign(ops.full((1,), -60.0))
    state = model.cell.initial_state(x["frames"][:, 0], x["box"])
    seen = [model.cell.step(x["frames"][:, t], state)[0] for t in (0, 3)]
    model.cell.location.bias.assign(ops.zeros((1,)))
    assert np.abs(numpy(seen[0]["glimpse"]) - numpy(seen[1]["glimpse"])).max() > 0.1
    one, other = (numpy(outputs["appearance"]) for outputs in seen)
    np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("row", ROWS)
def test_the_ablations_are_the_papers(row):
    """Which parts there are, and which weights the losses without a box reach."""
    model = tracker(row)
    x, y = clips(np.random.default_rng(0), n=4)
    x = {name: ops.convert_to_tensor(value) for name, value in x.items()}
    found = model(x)
    assert ("location" in found) == (row != "spatial")
    assert model.weighed == ROWS[row][1]
    losses = {n: float(ops.mean(v)) for n, v in model.named_losses(x, y, found).items()}
    expected = sum(losses[name] for name in model.weighed) + losses["l2"]
    total = float(ops.mean(model.sample_losses(x, y, found)))  # all weights are 1
    np.testing.assert_allclose(total, expected, rtol=1e-4)
    kernels = [v for v in model.cell.trainable_variables if v.name == "kernel"]
    squares = sum(float(ops.sum(ops.square(v))) for v in kernels) / 2
    if row != "spatial":  # the filters are decayed, with or without the loss of s
        squares += float(ops.mean(found["filter_energy"]))
    np.testing.assert_allclose(losses["l2"], 1e-4 * squares, rtol=1e-4)


@pytest.mark.slow
def test_it_learns():
    """On clips that it was not trained on, better than a box that never moves."""
    model = tracker()
    # XLA takes long to compile it for TensorFlow; JAX is slow without it.
    jit = keras.backend.backend() == "jax"
    model.compile(keras.optimizers.Adam(5e-3, global_clipnorm=1.0), jit_compile=jit)
    x, y = clips(np.random.default_rng(0), n=320)
    model.fit(x, y, batch_size=16, epochs=6, verbose=0)
    x, y = clips(np.random.default_rng(1))
    true, found = y["boxes"], model.predict(x, verbose=0)["boxes"]
    static = numpy(iou(true[:, :1] + 0 * true, true))[:, 1:].mean()
    assert numpy(iou(found, true))[:, 1:].mean() > static + 0.05


def test_save_and_load(whole, tmp_path):
    model, x, _, found = whole
    model.save(tmp_path / "hart.keras")
    again = keras.saving.load_model(tmp_path / "hart.keras")
    np.testing.assert_allclose(numpy(again(x)["boxes"]), found["boxes"], atol=1e-4)


def test_a_location_loss_needs_a_location_map():
    with pytest.raises(ValueError, match=r"`losses` must not name 'appearance'"):
        PaperHART(cell(dorsal=False))
