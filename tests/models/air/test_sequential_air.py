import keras
import numpy as np
import pytest
from few_batches import FEW_BATCHES
from keras import ops

import keras_attend as ka
from keras_attend.models import AIR, ObjectPrior, SequentialAIR
from keras_attend.models.air import elbo
from keras_attend.models.air.imagination import imagine_frame
from keras_attend.models.air.prior import divergence
from keras_attend.models.air.propagation import bernoulli_divergence
from keras_attend.models.air.slots import filled, places

SIDE, WINDOW = 16, 6


def numpy(x):
    return keras.tree.map_structure(ops.convert_to_numpy, x)


def make(steps=1, slots=2, stays=8.0, present=8.0, ink=3.0, **kwargs):
    """A model whose AIR always finds an object in the middle, of 6x6 pixels."""
    air = AIR(
        size=SIDE,
        steps=steps,
        window=WINDOW,
        what=2,
        units=4,
        prior=ObjectPrior(side=6.0),
        name="air",
    )
    model = SequentialAIR(air, slots=slots, units=4, **kwargs)
    model.build(model.serving_shape)
    air.cell.found.kernel.assign(0 * air.cell.found.kernel)
    air.cell.found.bias.assign([present, 0, 0, 0, 0, 0, 0])
    air.cell.shape.bias.assign(np.full(WINDOW**2, ink))
    model.frame_cell.propagation.stays.bias.assign([stays])
    return model


def explained(model, frames, actions=None):
    """What `call` returns, frame by frame, which compiles nothing; and the slots."""
    cell, count = model.frame_cell, len(frames)
    steps, slots = [], cell.initial_state(count)
    for t in range(frames.shape[1]):
        inputs = {
            "frame": frames[:, t],
            **cell.noise(count),
            "floor": np.zeros(1, "float32"),
        }
        if actions is not None:
            inputs["action"] = actions[:, t]
        found, slots = cell.step(inputs, slots)
        steps.append(numpy(found))
    return {k: np.stack([s[k] for s in steps], 1) for k in steps[0]}, slots


def clips(random, count=2, frames=3):
    return random.uniform(0, 1, (count, frames, SIDE, SIDE, 1)).astype("float32")


@pytest.fixture(scope="module")
def trained():
    """A model after four batches under XLA, and its weights before."""
    keras.utils.set_random_seed(0)
    model = make(steps=2, slots=3, present=1.0)
    frames = clips(np.random.default_rng(0), 8)
    before = [ops.convert_to_numpy(v) for v in model.trainable_variables]
    model.compile(keras.optimizers.Adam(1e-2), warm_up=8, jit_compile=True)
    history = model.fit({"frames": frames}, batch_size=4, epochs=2, verbose=0).history
    assert model.jit_compile
    if keras.backend.backend() == "tensorflow":  # what follows needs no XLA
        model.compile(warm_up=8, jit_compile=False)
    return model, frames, before, history


@pytest.mark.long
def test_trains_every_weight_without_labels(trained):
    """Under XLA, through the loop over frames."""
    model, _, before, history = trained
    assert set(history) == {"loss", "elbo"}
    assert np.isfinite(history["loss"]).all() and history["elbo"][-1] != 0
    for old, variable in zip(before, model.trainable_variables, strict=True):
        new = ops.convert_to_numpy(variable)
        assert np.isfinite(new).all()
        assert (new != old).any(), variable.path
    assert float(model.batches) == 4


@pytest.mark.long
def test_keeps_dynamics_if_asked_to(random, tmp_path):
    model = make()
    model.compile(keras.optimizers.Adam(1e-2), warm_up=2, keep_dynamics=True)
    cell = model.frame_cell
    kept = [ops.convert_to_numpy(w) for w in cell.dynamics.weights]
    learns = ops.convert_to_numpy(cell.propagation.moved.bias)
    model.fit({"frames": clips(random)}, batch_size=2, verbose=0)
    for before, weight in zip(kept, cell.dynamics.weights, strict=True):
        np.testing.assert_array_equal(before, weight)
    assert (ops.convert_to_numpy(cell.propagation.moved.bias) != learns).all()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.keep_dynamics and again.frame_cell.propagation.keep_dynamics
    again.compile()
    assert not again.frame_cell.propagation.keep_dynamics


@pytest.mark.long
def test_predicts_evaluates_and_loads(trained, tmp_path):
    model, frames, _, _ = trained
    frames = frames[:2]
    found = model.predict({"frames": frames}, verbose=0)
    same, _ = explained(model, frames)
    assert found.keys() == same.keys()
    for key, value in same.items():
        np.testing.assert_allclose(found[key], value, atol=1e-3, rtol=1e-3)
    count = found["presence"].sum(-1).astype("int32")
    count[:, 0] += 1  # one of three frames is wrong
    scores = model.evaluate(
        {"frames": frames}, {"count": count}, verbose=0, return_dict=True
    )
    assert scores["count_accuracy"] == pytest.approx(2 / 3)
    assert np.isfinite(scores["elbo"])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.warm_up == 8 and float(again.batches) == 4
    for old, new in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(*(numpy(v.value) for v in (old, new)))


def test_the_first_frame_is_airs(random):
    """With no known objects, the bound and the boxes are the static model's."""
    model = make(steps=2, slots=2)
    frames = clips(random, frames=1)
    found, _ = explained(model, frames)
    static = model.air(frames[:, 0])
    log_q = elbo.log_count_probs(static["logits"])
    log_p = model.air.prior.log_count_probs(2)
    _, bound = elbo.outcomes_value(static["L"], static["K"], log_p, log_q)
    np.testing.assert_allclose(found["elbo"][:, 0], numpy(bound), rtol=1e-5)
    np.testing.assert_allclose(found["boxes"][:, 0], numpy(static["boxes"]))
    np.testing.assert_allclose(
        found["canvas"][:, 0], numpy(static["canvas"]), rtol=1e-5
    )
    assert found["ids"][:, 0].tolist() == [[0, 1]] * 2


def test_the_second_frames_bound_by_hand(random):
    """Of one object that is followed, and one that is found in what it leaves."""
    model = make(steps=1, slots=2)
    frames = clips(random, count=1, frames=2)
    outputs, _ = explained(model, frames)
    cell, air = model.frame_cell, model.air
    _, slots = explained(model, frames[:, :1])
    noise = {"where": np.zeros((1, 2, 3)), "what": np.zeros((1, 2, 2))}
    noise = {k: v.astype("float32") for k, v in noise.items()}
    black = np.zeros((1, SIDE, SIDE, 1), "float32")
    followed = numpy(cell.propagation(frames[:, 1], black, slots, noise))
    y = followed["ink"][:, 0]
    left = numpy(air(np.clip(frames[:, 1] - y, -1, 1)))
    log_q = numpy(elbo.log_count_probs(left["logits"]))
    log_p = numpy(air.prior.log_count_probs(1))
    value = (np.exp(log_q) * (left["L"] - left["K"] + log_p - log_q)).sum(-1)
    q, p = (1 / (1 + np.exp(-followed[k][:, 0])) for k in ("stays", "stays_prior"))
    stay = q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))
    expected = value - followed["divergence"][:, 0] - stay
    np.testing.assert_allclose(numpy(outputs["elbo"])[:, 1], expected, rtol=1e-5)
    # What is maximised: the same, with the object's local expectation in its place.
    sigma = air.sigma

    def L(canvas):
        far = (frames[:, 1] - canvas) / sigma
        return (-(far**2) / 2 - np.log(sigma * np.sqrt(2 * np.pi))).sum((1, 2, 3))

    f = L(y) - L(0 * y) - followed["divergence"][:, 0]
    found = numpy(outputs["objective"])[:, 1]
    np.testing.assert_allclose(found, value + 2 * q * f - stay, rtol=1e-4)


def test_objects_keep_their_numbers(random):
    """A second one is found in the second frame; then there is no free slot."""
    found, _ = explained(make(), clips(random, frames=4))
    expected = [[0, -1], [0, 1], [0, 1], [0, 1]]
    assert found["ids"].tolist() == [expected] * 2
    np.testing.assert_array_equal(found["presence"], found["ids"] >= 0)
    x, y, w, h = found["boxes"][0, 0, 0]
    assert (x + w / 2, y + h / 2) == (8, 8) and 5 <= w <= 8 and w == h
    assert not found["boxes"][:, 0, 1].any()


def test_objects_that_leave_get_no_number_back(random):
    found, _ = explained(make(stays=-8.0), clips(random))
    assert found["ids"].tolist() == [[[0, -1], [1, -1], [2, -1]]] * 2


def test_no_objects(random):
    frames = clips(random)
    found, _ = explained(make(present=-8.0), frames)
    assert (found["ids"] == -1).all() and not found["presence"].any()
    assert not found["boxes"].any() and not found["canvas"].any()


def test_does_not_see_the_future(random):
    model = make()
    frames = clips(random)
    other = frames.copy()
    other[:, 2] = 1 - other[:, 2]
    one, two = (numpy(model({"frames": x})["where"]) for x in (frames, other))
    np.testing.assert_array_equal(one[:, :2], two[:, :2])
    assert (one[:, 2] != two[:, 2]).any()


@pytest.mark.long
def test_a_video_of_one_frame(random):
    """It is explained, learned from, and continued."""
    model = make()
    frames = clips(random, frames=1)
    model.compile("adam", **FEW_BATCHES)
    found = model.predict({"frames": frames}, verbose=0)
    assert found["ids"].tolist() == [[[0, -1]]] * 2
    future = model.imagine(frames, steps=2)
    assert future["ids"].tolist() == [[[[0, -1]] * 2]] * 2
    history = model.fit({"frames": frames}, verbose=0).history
    assert np.isfinite(history["loss"]).all()


@pytest.mark.long
def test_imagines_without_frames(random):
    model = make()
    frames = np.rint(255 * clips(random)).astype("uint8")
    future = model.imagine(frames, steps=4, samples=2)
    assert future["boxes"].shape == (2, 2, 4, 2, 4)
    assert future["canvas"].shape == (2, 2, 4, SIDE, SIDE, 1)
    assert (future["canvas"][:, 0] != future["canvas"][:, 1]).any()
    again = model.imagine(frames, steps=4, samples=2)
    np.testing.assert_array_equal(again["boxes"], future["boxes"])
    twice = np.concatenate([frames, frames])
    mean = model.imagine(twice, steps=4)  # of as many rows: nothing is compiled
    assert mean["ids"].shape == (4, 1, 4, 2)
    assert (mean["ids"] == [0, 1]).all()
    np.testing.assert_array_equal(mean["canvas"][:2], mean["canvas"][2:])
    # Floats in 0..1 are the same pictures as bytes.
    _, slots = explained(model, frames / np.float32(255))
    after, shown = slots, []
    for _ in range(4):
        found, after = imagine_frame(
            model.frame_cell, np.zeros((2, SIDE, SIDE, 1), "float32"), MEANS, after
        )
        shown.append(numpy(found["canvas"]))
    np.testing.assert_allclose(mean["canvas"][:2, 0], np.stack(shown, 1), atol=1e-4)


MEANS = {
    "where": np.zeros((2, 2, 3), "float32"),
    "chance": np.full((2, 2), 0.5, "float32"),
}


def test_imagined_objects_go_straight_on(random):
    """Without the corrections that `Dynamics` learns."""
    model = make()
    for weight in model.frame_cell.dynamics.expected.weights:
        weight.assign(0 * weight)
    _, slots = explained(model, clips(random))
    black = np.zeros((2, SIDE, SIDE, 1), "float32")
    _, after = imagine_frame(model.frame_cell, black, MEANS, slots)
    slots, after = numpy(slots), numpy(after)
    assert np.abs(slots["velocity"][..., 1:]).max() > 1e-3
    expected = slots["where"] + slots["velocity"] * [0, 1, 1]
    np.testing.assert_allclose(after["where"], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(after["velocity"], expected - slots["where"], atol=1e-6)
    np.testing.assert_array_equal(after["what"], slots["what"])


def test_actions_lead_to_frames(random):
    model = make(actions=2)
    frames = clips(random)
    actions = random.normal(size=(2, 3, 2)).astype("float32")
    other = actions.copy()
    other[:, 1] += 1
    one, two = (explained(model, frames, a)[0] for a in (actions, other))
    np.testing.assert_array_equal(one["where"][:, 0], two["where"][:, 0])
    assert (one["where"][:, 1] != two["where"][:, 1]).any()
    _, slots = explained(model, frames, actions)
    black = np.zeros((2, SIDE, SIDE, 1), "float32")
    still, pushed = (
        numpy(imagine_frame(model.frame_cell, black, MEANS | {"action": a}, slots)[1])
        for a in (0 * actions[:, 0], actions[:, 0])
    )
    assert (still["where"] != pushed["where"]).any()
    with pytest.raises(ValueError, match="and `next_actions`"):
        model.imagine(frames, 2, actions=actions)
    with pytest.raises(ValueError, match="pass 'actions'"):
        model({"frames": frames})
    with pytest.raises(ValueError, match=r"\[batch, time, 2\]"):
        model({"frames": frames, "actions": actions[..., :1]})


def test_tracker_follows_what_overlaps_the_box(random):
    frames = np.rint(255 * clips(random, count=1))[0].astype("uint8")
    tracker = ka.Tracker(make(slots=1))
    tracker.init(frames[0], (6, 6, 5, 5))
    there, box = tracker.update(frames[1])
    assert there and abs(box[0] + box[2] / 2 - 8) < 1.5 and 4 <= box[2] <= 9
    tracker.init(frames[0], (0, 0, 3, 3))  # where nothing is
    there, box = tracker.update(frames[1])
    assert not there and box.tolist() == [0, 0, 3, 3]
    with pytest.raises(ValueError, match="size that the model was made for"):
        tracker.init(np.zeros((20, 20), "uint8"), (0, 0, 5, 5))


def test_tracker_chooses_among_two():
    """It goes on with the one whose box it got, though the other is found too."""
    random = np.random.default_rng(2)
    model = make(steps=2)
    cell = model.air.cell
    for layer in (cell.embedding, cell.lstm, cell.search):
        layer.kernel.assign(random.normal(size=layer.kernel.shape))
    where = np.zeros((200, 7), "float32")
    where[:, 2:4] = 0.1 * random.normal(size=(200, 2))
    cell.found.kernel.assign(where)
    frames = clips(random, count=1)
    found, _ = explained(model, frames)
    assert found["ids"][0].tolist() == [[0, 1]] * 3
    video = np.rint(255 * frames[0]).astype("uint8")
    for n in range(2):
        first, *others = found["boxes"][0, :, n]
        boxes = ka.Tracker(model).track(video, first)
        np.testing.assert_allclose(boxes[1:], others, atol=1e-3)
    assert np.abs(np.diff(found["boxes"][0], axis=1)).max(-1).min() >= 3


def test_rejects(random):
    model, frames = make(), clips(random)
    model.compile()
    with pytest.raises(ValueError, match="learns without labels"):
        model.fit({"frames": frames}, np.zeros(2))
    with pytest.raises(ValueError, match=r"numbers in 0\.\.1"):
        model.predict({"frames": 255 * frames})
    with pytest.raises(ValueError, match=r"must be a dict with 'frames'"):
        model(frames)
    with pytest.raises(ValueError, match=r"\[batch, time, 16, 16, 1\]"):
        model({"frames": frames[:, :, :12]})
    with pytest.raises(ValueError, match="must hold a frame"):
        model({"frames": frames[:, :0]})
    with pytest.raises(ValueError, match="inference='enumerate'"):
        SequentialAIR(AIR(size=SIDE, window=6, inference="reinforce"))
    for other in ({"background": "vae"}, {"background": "mean", "blend": False}):
        with pytest.raises(ValueError, match='"none" or "mean"'):
            SequentialAIR(AIR(size=SIDE, window=6, paint="flat", **other))
    with pytest.raises(ValueError, match="`steps` must be a positive integer"):
        model.imagine(frames, 0)


def test_new_objects_get_free_slots():
    """By hand: of four slots the second and the last are free, and two are new."""
    present = np.array([[1, 0, 1, 0], [0, 0, 0, 0]], "float32")
    at = numpy(places(present, np.array([2, 1]), found=3))
    expected = np.zeros((2, 4, 3))
    expected[0, 1, 0] = expected[0, 3, 1] = expected[1, 0, 0] = 1
    np.testing.assert_array_equal(at, expected)

    slots = {
        "where": np.ones((2, 4, 3), "float32"),
        "velocity": np.ones((2, 4, 3), "float32"),
        "what": np.ones((2, 4, 1), "float32"),
        "h": np.ones((2, 4, 2), "float32"),
        "ids": np.array([[4, -1, 7, -1], [-1] * 4], "int32"),
        "next_id": np.array([8, 0], "int32"),
    }
    new = {"where": np.full((2, 3, 3), 5.0), "what": np.full((2, 3, 1), 6.0)}
    new = {k: v.astype("float32") for k, v in new.items()}
    after = numpy(filled(slots, present, new, at.astype("float32")))
    assert after["ids"].tolist() == [[4, 8, 7, 9], [0, -1, -1, -1]]
    assert after["next_id"].tolist() == [10, 1]
    assert after["where"][0, :, 0].tolist() == [1, 5, 1, 5]
    assert after["velocity"][0, :, 0].tolist() == [1, 0, 1, 0]
    assert after["what"][1, :, 0].tolist() == [6, 0, 0, 0]
    assert after["present"].tolist() == [[1, 1, 1, 1], [1, 0, 0, 0]]


def test_divergences(random):
    """Against NumPy's integrals over a fine grid, and by hand."""
    x = np.linspace(-12, 12, 20001)

    def density(mean, std):
        return np.exp(-(((x - mean) / std) ** 2) / 2) / (std * np.sqrt(2 * np.pi))

    q, p = density(0.3, 0.5), density(-0.2, 0.8)
    expected = (q * (np.log(q + 1e-300) - np.log(p + 1e-300))).sum() * (x[1] - x[0])
    given = (np.float32([v]) for v in (0.3, 0.5, -0.2, 0.8))
    np.testing.assert_allclose(numpy(divergence(*given)), expected, rtol=1e-4)
    a, b = np.float32([1.5]), np.float32([-0.5])
    q, p = 1 / (1 + np.exp(-a)), 1 / (1 + np.exp(-b))
    expected = q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))
    np.testing.assert_allclose(numpy(bernoulli_divergence(a, b)), expected, rtol=1e-5)


def test_a_preset_is_without_the_inner_models_optimizer(tmp_path):
    """An AIR that was trained has one, which no preset's weights may hold."""
    model = make()
    model.air.compile()
    model.air.optimizer.build(model.air.trainable_variables)
    model.compile()
    about = {"description": "-", "paper": "-", "task": "-", "input": "-"}
    ka.zoo.save_preset(model, tmp_path / "small", **about)
    again = ka.zoo.load(tmp_path / "small")
    assert len(again.weights) == len(model.weights)
    for old, new in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_tracker_keeps_its_box_while_an_object_is_too_faint_to_be_drawn():
    model = make(slots=1)
    cell = model.cell
    frame = np.zeros((1, SIDE, SIDE, 1), "float32")
    state = cell.initial_state(frame, np.array([[5.0, 5, 6, 6]]))
    first, state = cell.step(frame, state)
    shape = model.air.cell.shape.bias
    shape.assign(np.full(WINDOW**2, -9.0))
    faint, state = cell.step(frame, state)
    assert numpy(faint["presence"])[0] == 1
    np.testing.assert_array_equal(faint["box"], first["box"])
    shape.assign(np.full(WINDOW**2, 3.0))
    model.frame_cell.propagation.stays.bias.assign([-8.0])  # it leaves, another comes
    again, _ = cell.step(frame, state)
    assert numpy(again["presence"])[0] == 1 and numpy(again["box"])[0, 2:].min() > 0


def test_a_model_with_actions_is_no_tracker(random):
    frame = np.zeros((1, SIDE, SIDE, 1), "float32")
    with pytest.raises(ValueError, match="actions=2"):
        make(actions=2).cell.initial_state(frame, np.zeros((1, 4)))
    with pytest.raises(ValueError, match="has no actions"):
        make().imagine(clips(random), 2, actions=np.zeros((2, 3, 1)))


@pytest.mark.parametrize("shape", [(10,), (10, 1), (10, 3, 1)])
def test_counts_must_be_of_all_frames(shape, random):
    model = make()
    found = {"presence": np.ones((10, 3, 2), "float32")}
    with pytest.raises(ValueError, match="count"):
        model.compute_metrics(None, {"count": np.zeros(shape, "int32")}, found)
