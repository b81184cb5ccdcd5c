import gc
import time
import tracemalloc

import keras
import numpy as np
import pytest
from keras import ops

from keras_attend.tracking import Tracker
from tests.tiny_tracker import CentroidCell, TrackerModel


def clip(channels=1, T=6, seed=0, size=(12, 16)):
    return np.random.default_rng(seed).integers(
        0, 256, (T, *size, channels), dtype="uint8"
    )


BOX = (2, 3, 5, 4)


@pytest.fixture(scope="module")
def tracker():
    return Tracker(TrackerModel())


@pytest.fixture(scope="module")
def colour_tracker():
    return Tracker(TrackerModel(channels=3))


@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_track_equals_predict(tracker, kind):
    frames = clip()
    if kind == "float32":
        frames = (frames / 255).astype(kind)
    found = tracker.track(frames, BOX)
    x = {"frames": frames[None], "box": np.float32([BOX])}
    expected = tracker.model.predict(x, verbose=0)
    assert found.shape == (6, 4) and found.dtype == np.float32
    np.testing.assert_array_equal(found[0], np.float32(BOX))
    np.testing.assert_allclose(found[1:], expected["boxes"][0, 1:], rtol=1e-5)
    for name in ("glimpse", "memory"):
        np.testing.assert_allclose(
            tracker.outputs[name], expected[name][0, -1], rtol=1e-5
        )


def test_update_is_one_step_of_track(tracker):
    frames = clip()
    expected = tracker.track(iter(frames), BOX)
    assert tracker.init(frames[0], BOX) is None
    for t in range(1, len(frames)):
        present, box = tracker.update(frames[t])
        assert present is True and box.shape == (4,)
        np.testing.assert_array_equal(box, expected[t])
        np.testing.assert_array_equal(tracker.outputs["box"], box)


def test_several_objects_are_followed_as_each_alone(tracker):
    frames = clip()
    boxes = [BOX, (8, 1, 3, 3), (0, 0, 16, 12)]
    together = tracker.track(frames, boxes)
    assert together.shape == (3, 6, 4)
    assert tracker.outputs["glimpse"].shape == (3, 2, 2, 1)
    present, box = tracker.update(frames[0])
    assert present.shape == (3,) and present.dtype == bool and box.shape == (3, 4)
    for found, box in zip(together, boxes, strict=True):
        np.testing.assert_allclose(found, tracker.track(frames, box), rtol=1e-5)


def test_frames_repeated_for_an_accelerator(monkeypatch):
    frames, boxes = clip(), [BOX, (8, 1, 3, 3)]
    expected = Tracker(TrackerModel()).track(frames, boxes)
    monkeypatch.setattr("keras_attend.tracking.compiled_step._on_cpu", lambda: False)
    found = Tracker(TrackerModel()).track(frames, boxes)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_grey_frames_for_a_model_of_colour(colour_tracker):
    grey = clip(1)
    expected = colour_tracker.track(np.repeat(grey, 3, axis=-1), BOX)
    np.testing.assert_allclose(colour_tracker.track(grey, BOX), expected, rtol=1e-5)
    bare = colour_tracker.track(grey[..., 0], BOX)
    np.testing.assert_allclose(bare, expected, rtol=1e-5)
    assert colour_tracker.outputs["glimpse"].shape == (2, 2, 3)


def test_colour_frames_for_a_model_of_grey(tracker):
    Image = pytest.importorskip("PIL.Image")
    colour = clip(3)
    grey = np.stack([np.array(Image.fromarray(f).convert("L")) for f in colour])
    expected = tracker.track(grey, BOX)
    np.testing.assert_allclose(tracker.track(colour, BOX), expected, rtol=1e-6)
    of_floats = tracker.track(colour / 255, BOX)  # unrounded, of float64
    np.testing.assert_allclose(of_floats, expected, atol=0.1)


def test_any_memory_layout(tracker):
    frames = clip()
    expected = tracker.track(frames, BOX)
    wide = np.zeros((6, 24, 33, 1), "uint8")
    wide[:, ::2, 1::2] = frames
    strided = wide[:, ::2, 1::2]
    strided.flags.writeable = False
    np.testing.assert_array_equal(tracker.track(strided, BOX), expected)


class LastFrameCell(CentroidCell):
    """Remembers the frame before, as it was."""

    state_spec = {"box": 4, "frame": 12 * 16}  # noqa: RUF012

    def initial_state(self, frame, box):
        return {"box": box, "frame": ops.reshape(frame, (-1, 12 * 16))}

    def step(self, frame, state):
        change = ops.cast(frame, "float32") - ops.reshape(
            ops.cast(state["frame"], "float32"), (-1, 12, 16, 1)
        )
        state = {"box": state["box"], "frame": ops.reshape(frame, (-1, 12 * 16))}
        return {"box": state["box"], "change": change, "frame": frame}, state


def test_a_state_outlives_the_frame_that_it_is_made_of():
    frames, tracker = clip(), Tracker(TrackerModel(LastFrameCell()))
    buffer = frames[0].copy()  # a camera's, filled again and again
    tracker.init(buffer, BOX)
    for t in range(1, 4):
        buffer[:] = frames[t]
        tracker.update(buffer)
        change = tracker.outputs["change"]
        np.testing.assert_array_equal(change, np.float32(frames[t]) - frames[t - 1])
        seen = tracker.outputs["frame"]
        buffer[:] = 0
        np.testing.assert_array_equal(seen, frames[t])


def test_weights_are_read_at_init():
    tracker, frames = Tracker(TrackerModel()), clip()
    before = tracker.track(frames, BOX)
    tracker.model.cell.speed.assign(0.0)
    np.testing.assert_array_equal(tracker.track(frames, BOX), np.float32([BOX] * 6))
    tracker.model.cell.speed.assign(1.0)
    np.testing.assert_array_equal(tracker.track(frames, BOX), before)


class DriftCell(CentroidCell):
    """Moves the box by its width a frame, to a side that the height chooses."""

    def step(self, frame, state):
        box = state["box"]
        right = ops.where(box[:, 3] > 4, box[:, 2], -box[:, 2])
        nothing = ops.zeros_like(right)
        box = box + ops.stack([right, nothing, nothing, nothing], axis=-1)
        box = ops.where(box[:, :1] > 40, float("nan"), box)
        return {"box": box}, {**state, "box": box}


def test_present_as_the_model_says():
    class Doubtful(CentroidCell):
        def step(self, frame, state):
            outputs, state = super().step(frame, state)
            light = ops.mean(self.scaled(frame), axis=(1, 2, 3))
            return {**outputs, "presence": light}, state

    tracker = Tracker(TrackerModel(Doubtful()))
    dark, light = np.full((2, 12, 16), 100, "uint8") + np.uint8([[[0]], [[100]]])
    tracker.init(light, BOX)
    assert tracker.update(light)[0] is True
    assert tracker.update(dark)[0] is False
    assert tracker.update(light)[0] is True


def test_present_until_the_box_has_left():
    frame = clip(size=(12, 16))[0]
    tracker = Tracker(TrackerModel(DriftCell()))
    tracker.init(frame, [(0, 0, 8, 6), (12, 0, 8, 3)])  # to 8 and 4 in init
    seen = [tracker.update(frame) for _ in range(6)]
    x = np.stack([box[:, 0] for _, box in seen])
    np.testing.assert_array_equal(x[:2], [[16, -4], [24, -12]])
    assert np.isnan(x[4, 0])
    present = np.stack([p for p, _ in seen])
    assert present[:, 0].tolist() == [False] * 6
    assert present[:, 1].tolist() == [True] + [False] * 5


def traces(cell):
    """Counts how often the cell's step is traced."""
    count, step = [0], cell.step

    def counted(frame, state):
        count[0] += 1
        return step(frame, state)

    cell.step = counted
    return count


def follow_many(frames):
    """Tracks for long; bytes by which Python's memory grew, and traces on the way."""
    model = TrackerModel()
    count, tracker, frame = traces(model.cell), Tracker(model), clip()
    tracker.init(frame[0], BOX)
    first = count[0]
    for t in range(50):
        tracker.update(frame[t % 6])
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for t in range(frames):
        tracker.update(frame[t % 6])
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return grown, count[0] - first


def test_neither_traces_nor_memory_grow():
    grown, traced = follow_many(300)
    assert traced == 0 and grown < 60_000


@pytest.mark.slow
def test_neither_traces_nor_memory_grow_in_10000_frames():
    resource = pytest.importorskip("resource")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown, traced = follow_many(10_000)
    assert traced == 0 and grown < 60_000
    # Kilobytes, with the first compilation's.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 200_000


def test_init_again_with_the_same_size_compiles_nothing():
    model = TrackerModel()
    count, tracker = traces(model.cell), Tracker(model)
    tracker.track(clip(), BOX)
    first = count[0]
    tracker.track(clip(seed=1), (1, 1, 3, 3))
    tracker.track(clip(seed=1)[..., 0], (1, 1, 3, 3))
    assert count[0] == first


class WindowCell(CentroidCell):
    """Sees a window of the frame, cut out where the state says."""

    def step(self, frame, state):
        start = ops.cast(state["box"][0, :2], "int32")
        corner = ops.stack([0, start[1], start[0], 0])
        window = ops.slice(frame, corner, (1, 2, 2, frame.shape[-1]))
        box = state["box"] + ops.cast([[0.25, 0.125, 0, 0]], "float32")
        return {"box": box, "window": window}, {**state, "box": box}


def test_a_window_that_moves_compiles_nothing():
    tracker, frame = Tracker(TrackerModel(WindowCell())), clip()[0]
    start = time.perf_counter()
    tracker.init(frame, BOX)
    first = time.perf_counter() - start
    start = time.perf_counter()
    for t in range(1, 31):
        x, y = int(2 + 0.25 * t), int(3 + 0.125 * t)
        tracker.update(frame)
        np.testing.assert_array_equal(
            tracker.outputs["window"], frame[y : y + 2, x : x + 2]
        )
    # Compiling 30 times would take five times as long.
    assert time.perf_counter() - start < first


def test_an_unbuilt_model_is_built(tracker):
    model = TrackerModel()
    assert not model.built
    found = Tracker(model).track(clip(), BOX)
    np.testing.assert_allclose(found, tracker.track(clip(), BOX))


def test_update_before_init():
    tracker = Tracker(TrackerModel())
    with pytest.raises(ValueError, match=r"`init\(frame, box\)` before `update"):
        tracker.update(clip()[0])
    with pytest.raises(ValueError, match="no outputs before `init"):
        _ = tracker.outputs


def test_a_frame_that_changes_size(tracker):
    tracker.init(clip()[0], BOX)
    with pytest.raises(ValueError, match=r"first one, \(12, 16\).*\(13, 16, 1\)"):
        tracker.update(np.zeros((13, 16), "uint8"))
    tracker.update(clip()[0])  # and goes on


FRAME = np.zeros((12, 16, 3), "uint8")


@pytest.mark.parametrize(
    "frame, message",
    [
        (FRAME.astype("int32"), r"uint8, or of floats in 0\.\.1.*int32"),
        (FRAME.astype(bool), "frame.dtype=bool"),
        (FRAME[None], r"grey, \[H, W\].*\(1, 12, 16, 3\)"),
        (FRAME[0, 0], r"shape=\(3,\)"),
        (FRAME[..., :2], r"shape=\(12, 16, 2\)"),
        (np.zeros((12, 16, 4), "uint8"), r"shape=\(12, 16, 4\)"),
        (FRAME[:0], r"must not be empty.*\(0, 16, 3\)"),
        (FRAME + 255.0, r"divide by 255 first.*255\.0\.\.255\.0"),
        (FRAME + np.nan, r"numbers in nan"),
        (None, r"shape=\(\)"),
    ],
)
def test_wrong_frames(tracker, frame, message):
    with pytest.raises(ValueError, match=message):
        tracker.init(frame, BOX)


@pytest.mark.parametrize(
    "box, message",
    [
        ((1, 2, np.nan, 3), "finite"),
        ((100, 2, 4, 4), "overlap"),
        ((1, 2, -3, 3), "positive w and h"),
        ((1, 2, 3), "must be \\(x, y, w, h\\)"),
        (np.zeros((0, 4)), r"N > 0.*\(0, 4\)"),
        (np.ones((2, 2, 4)), r"shape \(2, 2, 4\)"),
    ],
)
def test_wrong_boxes(tracker, box, message):
    with pytest.raises(ValueError, match=message):
        tracker.init(FRAME, box)


def test_no_frames(tracker):
    with pytest.raises(ValueError, match="at least one frame"):
        tracker.track([], BOX)


class Shapeshifter(CentroidCell):
    def step(self, frame, state):
        outputs, state = super().step(frame, state)
        return outputs, {**state, "box": ops.cast(state["box"], "float16")}


@pytest.mark.parametrize(
    "model, message",
    [
        (keras.Sequential([keras.layers.Dense(1)]), "must be a tracker"),
        (TrackerModel(CentroidCell(2), channels=2), "must be 1, for grey"),
        ("ratm_digtis", "ratm_digtis"),
    ],
)
def test_wrong_models(model, message):
    with pytest.raises(ValueError, match=message):
        Tracker(model)


def test_a_state_that_changes_is_told_so():
    model = TrackerModel(Shapeshifter())
    model.build()
    with pytest.raises(ValueError, match=r"Shapeshifter\.step must return a state"):
        Tracker(model).init(FRAME, BOX)


def test_whatever_comes_gives_a_finite_box_or_a_value_error(random):
    """1,000 combinations of size, dtype, channels and box."""
    trackers = {True: Tracker(TrackerModel()), False: Tracker(TrackerModel(None, 3))}
    sizes = [(12, 16), (1, 1), (0, 5)]
    dtypes = ["uint8", "float32", "float64", "float16", "int64", "bool"]
    odd = [np.nan, np.inf, -np.inf, 1e38, -1e38, 1e-38, 0]
    tracked = 0
    for _ in range(1000):
        size = sizes[random.choice(3, p=[0.65, 0.3, 0.05])]
        channels = random.choice([0, 1, 2, 3, 4], p=[0.25, 0.3, 0.05, 0.3, 0.1])
        dtype = dtypes[random.choice(6, p=[0.4, 0.25, 0.1, 0.1, 0.1, 0.05])]
        shape = (*size, channels) if channels else size
        frame = random.integers(0, 256, shape) / (1 if dtype == "uint8" else 255)
        frame = frame.astype(dtype)
        box = random.uniform(-4, 12, 4)
        box[2:] = np.abs(box[2:])
        if random.random() < 0.2:
            box[random.integers(4)] = random.choice(odd)
        box = box[: random.choice([4, 3], p=[0.95, 0.05])]
        tracker = trackers[dtype == "uint8"]
        try:
            tracker.init(frame, box)
            present, found = tracker.update(frame)
        except ValueError:
            continue
        assert np.isfinite(found).all(), (frame.shape, frame.dtype, box)
        assert isinstance(present, bool)
        tracked += 1
    assert 200 < tracked < 900
