import time

import keras
import numpy as np
import pytest
from hart_case import SIDE, SMALL, clips, numpy, quick, small_cell
from keras import ops
from layer_check import gradients
from slow_on import slow_on

from keras_attend import evaluation, zoo
from keras_attend.boxes import clip_to_image, iou
from keras_attend.datasets import BouncingBalls
from keras_attend.models import HART, PublishedHART, PublishedHARTCell
from keras_attend.models.hart.losses import coverage
from keras_attend.unroll import unroll


def test_learns(trained):
    """On clips that it was not trained on, better than a box that never moves."""
    true, found = trained.y["boxes"], trained.found["boxes"]
    static = numpy(iou(true[:, :1] + 0 * true, true))[:, 1:].mean()
    assert numpy(iou(found, true))[:, 1:].mean() > static + 0.15
    assert trained.history["loss"][-1] < trained.history["loss"][0]


def test_presence(trained):
    """It says where the object has gone, in clips that it was not trained on."""
    x, y = clips(np.random.default_rng(2), leaving=0.5)
    x = {name: ops.convert_to_tensor(value) for name, value in x.items()}
    found = numpy(quick(trained.model)(x)["presence"])[:, 2:]
    there = y["present"][:, 2:] > 0
    assert found.min() >= 0 and found.max() <= 1
    # What says the same of all, or what an untrained model says, is wrong in one half.
    assert (found[there] > 0.5).mean() > 0.95 and (found[~there] < 0.5).mean() > 0.95


def test_outputs(trained):
    x, found = trained.x, trained.found
    assert {name: value.shape for name, value in found.items()} == {
        "boxes": (64, 4, 4),
        "window": (64, 4, 6),
        "region": (64, 4, 4),
        "attention": (64, 4, 4),
        "glimpse": (64, 4, 16, 16, 1),
        "appearance": (64, 4, 16),
        "presence": (64, 4),
        "location": (64, 4, 4, 4),
        "filter_energy": (64, 4),
    }
    # The first box is the given one, and a window's grid spans its region.
    np.testing.assert_allclose(found["boxes"][:, 0], x["box"], atol=1e-4)
    edge = found["window"][..., 1] - 7.5 * found["window"][..., 3]
    np.testing.assert_allclose(found["region"][..., 0], edge, atol=1e-4)
    # The location map says more of where the object is than of where it is not.
    target = numpy(coverage(trained.y["boxes"], found["region"], (4, 4)))
    on, off = found["location"][target > 0.9], found["location"][target < 0.1]
    assert on.mean() > off.mean()


def test_any_length_and_size(trained):
    """More frames than in training, twice as large, of uint8; and the state's sizes."""
    model, x, first = trained.model, trained.x, trained.found
    frames, box = x["frames"][:2], x["box"][:2]
    long = np.concatenate([frames, frames[:, ::-1]], axis=1)
    larger = np.round(long * 255).astype("uint8").repeat(2, axis=2).repeat(2, axis=3)

    def run(frames, box):
        state = model.cell.initial_state(frames[:, 0], box)
        model.cell.flatten_state(state)  # nested as `state_spec` says
        sizes = [s.shape[-1] for s in keras.tree.flatten(state)]
        assert sizes == model.cell.state_size
        return unroll(model.cell.step, state, frames)[0]["box"]

    found = numpy(quick(run)(ops.convert_to_tensor(larger), 2 * box + 0.5))
    assert found.shape == (2, 8, 4) and np.isfinite(found).all()
    np.testing.assert_allclose(found[:, :4], 2 * first["boxes"][:2] + 0.5, atol=2)


@slow_on("jax")
def test_boxes_clipped_at_the_border(trained):
    """Boxes end with the frame; the windows are the same."""
    model, x = trained.model, trained.x
    clipped = HART(small_cell(dropout=0.1, clip_boxes=True))
    clipped.build()
    clipped.set_weights(model.get_weights())
    x = {"frames": x["frames"][:8, :, 8:, 8:], "box": x["box"][:8] - [[8, 8, 0, 0]]}
    x = {name: ops.convert_to_tensor(value, "float32") for name, value in x.items()}
    whole, found = (
        {name: numpy(v) for name, v in quick(m)(x).items()} for m in (model, clipped)
    )
    expected = numpy(clip_to_image(whole["boxes"], SIDE - 8, SIDE - 8))
    assert abs(expected - whole["boxes"]).max() > 0.5
    np.testing.assert_allclose(found["boxes"], expected, atol=1e-4)
    np.testing.assert_allclose(found["window"], whole["window"], atol=1e-4)
    state = clipped.cell.initial_state(x["frames"][:, 0], x["box"])
    noise = clipped.cell.draw_noise(8, 1)
    noise = {name: value[:, 0] for name, value in noise.items()}
    learned_from, _ = clipped.cell.step(x["frames"][:, 0], state, noise)
    box = numpy(learned_from["box"])  # the given one, as far as it goes
    assert box[:, :2].min() < -0.5


@slow_on("jax")
@pytest.mark.long
def test_detached(trained):
    """No gradient through a window; what it does not show teaches no box."""
    model, x, found = trained.model, trained.x, trained.found
    other = HART.from_config(model.get_config())
    other.build()
    other.compile(detached=True, jit_compile=False)
    other.set_weights(model.get_weights())
    assert not model.detached and other.detached
    again = HART.from_config(model.get_config())
    again.compile_from_config(other.get_compile_config())
    assert again.detached
    frame, box = (ops.convert_to_tensor(x[k][:4]) for k in ("frames", "box"))
    for one in (model, other):
        state = one.cell.initial_state(frame[:, 0], box)
        _, state = one.cell.step(frame[:, 0], state)

        def of(name, attention, cell=one.cell, state=state):
            out, _ = cell.step(frame[:, 1], state | {"attention": attention})
            return out[name]

        (through,) = gradients(lambda a: of("box", a), state["attention"])
        assert (abs(numpy(through)).max() > 0) == (one is model)
        (direct,) = gradients(lambda a: of("region", a), state["attention"])
        assert abs(numpy(direct)).min() > 0

    found = {name: value[:2] for name, value in found.items()}
    true = np.array(found["boxes"])
    true[1, 2] += 40  # out of the window of frame 2, which was chosen in frame 1
    present = np.ones((2, 4), "float32")
    y = {"boxes": true, "present": present}
    clip = {name: value[:2] for name, value in x.items()}
    attached, named = (
        {k: numpy(v) for k, v in m.named_losses(clip, y, found).items()}
        for m in (model, other)
    )
    assert attached["tracking"][1] > 1 > 0.01 > named["tracking"].max()
    np.testing.assert_allclose(named["tracking"], 0, atol=1e-4)
    # Its window was chosen in frame 1, badly; frame 3's where nothing was seen.
    assert named["attention"][1] > named["attention"][0] + 1
    y["boxes"][1, 3] += 40
    again = numpy(other.named_losses(clip, y, found)["attention"])
    np.testing.assert_allclose(again, named["attention"], rtol=1e-5)


def test_absent_boxes_have_no_influence(trained):
    """NaN where there is no object: a finite loss, and training goes on."""
    model, x, y = trained.model, trained.x, trained.y
    before = model.get_weights()
    x, y = ({k: v[:16].copy() for k, v in d.items()} for d in (x, y))
    y["present"][:, 2:] = 0
    y["boxes"][:, 2:] = np.nan
    logs = model.fit(x, y, batch_size=16, verbose=0).history
    assert all(np.isfinite(value[0]) for value in logs.values())
    assert all(np.isfinite(w).all() for w in model.get_weights())
    model.set_weights(before)


def test_save_and_load(trained, tmp_path):
    model, x, found = trained.model, trained.x, trained.found
    model.save(tmp_path / "hart.keras")
    again = keras.saving.load_model(tmp_path / "hart.keras")
    assert again.get_config() == model.get_config()
    assert again.optimizer is not None
    boxes = numpy(quick(lambda x: again(x)["boxes"])(x))
    np.testing.assert_allclose(boxes, found["boxes"], atol=1e-3)


@pytest.mark.slow
def test_export(trained, tmp_path):
    """A SavedModel for any batch, length and size."""
    import tensorflow as tf

    model, x, found = trained.model, trained.x, trained.found
    model.export(tmp_path / "saved", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    served = loaded.serve({name: tf.constant(value[:3]) for name, value in x.items()})
    np.testing.assert_allclose(served["boxes"], found["boxes"][:3], atol=1e-3)
    served = loaded.serve(
        {"frames": tf.zeros((1, 5, 20, 31, 1)), "box": tf.constant([[2.0, 3, 9, 9]])}
    )
    assert served["boxes"].shape == (1, 5, 4) and np.isfinite(served["boxes"]).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dorsal", "losses", "published"),
    [
        (False, ("tracking", "attention"), False),
        (True, ("tracking",), False),
        (True, ("tracking",), True),
    ],
)
def test_ablations(dorsal, losses, published, random):
    """What each has; one step's state is like the next one's."""
    keras.utils.set_random_seed(0)
    if published:
        model = PublishedHART(PublishedHARTCell(**SMALL), losses=losses)
    else:
        model = HART(small_cell(dorsal=dorsal), losses=losses)
    model.build()
    x, y = clips(random, n=2, frames=2)
    found = quick(model)(x)
    assert ("location" in found) == dorsal
    assert model.weighed == losses
    assert model.loss_scales.shape == (len(losses),)
    assert any("filter" in v.path for v in model.trainable_variables) == dorsal
    named = model.named_losses(x, y, found)
    sample = numpy(model.sample_losses(x, y, found))
    expected = sum(numpy(named[name]) for name in losses)
    expected = expected + numpy(named["l2"]) + numpy(named.get("presence", 0.0))
    np.testing.assert_allclose(sample, expected, rtol=1e-5)
    matrices = sum((w**2).sum() for w in model.cell.get_weights() if w.ndim > 1)
    np.testing.assert_allclose(named["l2"], 0.5e-4 * matrices, rtol=1e-4)
    again = type(model).from_config(model.get_config())
    assert again.get_config() == model.get_config()


def test_zoneout_and_dropout_masks():
    keras.utils.set_random_seed(0)
    cell = small_cell(zoneout=0.3, dropout=0.4)
    cell.build((None, None, None, 1))
    noise = {name: numpy(value) for name, value in cell.draw_noise(50, 3).items()}
    assert noise["cell"].shape == noise["hidden"].shape == (50, 3, 16)
    assert noise["ventral"].shape == (50, 3, 4, 4, 4)
    assert noise["cell"].mean() == pytest.approx(0.7, abs=0.05)
    assert set(np.unique(noise["ventral"])) == {0, np.float32(1 / np.float32(0.6))}
    assert noise["ventral"].mean() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"scale": 0.5}, "scale"),
        ({"dropout": 1.0}, "dropout"),
        ({"zoneout": 1.0}, "zoneout"),
        ({"units": 0}, "units"),
        ({"filters": (8, 8)}, "one length"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        small_cell(**kwargs)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"weight_decay": -1}, "weight_decay"),
        ({"losses": ("iou",)}, "some of tracking, attention, appearance"),
        ({"losses": ()}, "some of tracking"),
        ({"cell": small_cell(dorsal=False)}, "must not name 'appearance'"),
    ],
)
def test_bad_arguments_of_the_tracker(kwargs, message):
    with pytest.raises(ValueError, match=message):
        HART(**kwargs)


@pytest.mark.slow
def test_xla():
    """The same losses, compiled, also of a last batch that is smaller."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("JAX has no training without XLA that would end")
    x, y = clips(np.random.default_rng(0), n=24)
    found = []
    for xla in (False, True):
        keras.utils.set_random_seed(0)
        model = HART(small_cell(zoneout=0.0))
        model.compile(keras.optimizers.Adam(1e-3), jit_compile=xla)
        history = model.fit(x, y, batch_size=16, epochs=3, shuffle=False, verbose=0)
        found.append(history.history["loss"])
    # At higher rates what XLA rounds otherwise soon makes another training of it.
    np.testing.assert_allclose(found[0], found[1], rtol=1e-3)
    assert found[1][-1] < 0.95 * found[1][0]


@pytest.mark.slow
def test_fine_tunes_on_ten_clips():
    """A preset, ten short clips of something new, and a minute of one core."""
    x, y = BouncingBalls(batch_size=10, batches=1, frames=8, seed=3)[0]
    frames = x["frames"].repeat(4, 2).repeat(4, 3).repeat(3, 4)
    x = {"frames": frames, "box": 4 * x["box"]}
    y = {"boxes": 4 * y["boxes"], "present": y["present"]}
    model = zoo.load("hart_street")
    before = evaluation.score_clips(model, [(x, y)]).mean_iou
    xla = keras.backend.backend() == "jax"
    model.compile(keras.optimizers.Adam(3e-4), jit_compile=xla)
    start = time.process_time()
    model.fit(x, y, batch_size=10, epochs=15, verbose=0)
    assert time.process_time() - start < 60
    assert evaluation.score_clips(model, [(x, y)]).mean_iou > before + 0.05
