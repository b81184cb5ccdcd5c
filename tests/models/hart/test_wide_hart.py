"""`WideHART` with a V1 of three small convolutions."""

from pathlib import Path

import keras
import numpy as np
import pytest
from hart_case import quick
from keras import ops
from slow_on import slow_on
from wide_case import small_cell

from keras_attend import Tracker
from keras_attend.models import WideHART, WideHARTCell
from keras_attend.models.hart import wide_maps as layers
from keras_attend.models.hart import wide_model
from keras_attend.models.hart import wide_search as search


def clip(batch: int = 2, frames: int = 4) -> tuple[dict, dict]:
    random = np.random.default_rng(0)
    x = random.integers(0, 255, (batch, frames, 40, 48, 3)).astype("uint8")
    boxes = np.tile(np.array([10, 12, 9, 8], "float32"), (batch, frames, 1))
    boxes[..., 0] += np.arange(frames)
    present = np.ones((batch, frames), "float32")
    return {"frames": x, "box": boxes[:, 0]}, {"boxes": boxes, "present": present}


@pytest.mark.parametrize("p", [3, 4])
def test_hough(p: int) -> None:
    g, random = 5, np.random.default_rng(0)
    R = random.random((2, 2, p * p, g * g)).astype("float32")
    m = random.random((2, 2, p * p)).astype("float32")
    found = ops.convert_to_numpy(layers.hough(ops.convert_to_tensor(R), m, g))
    maps, want = R.reshape(2, 2, p, p, g, g), np.zeros((2, 2, g, g))
    for r in range(p):
        for c in range(p):
            for y in range(g):
                for x in range(g):
                    i, j = y + r - p // 2, x + c - p // 2
                    if 0 <= i < g and 0 <= j < g:
                        weight = m.reshape(2, 2, p, p)[:, :, r, c]
                        want[:, :, y, x] += weight * maps[:, :, r, c, i, j]
    want = want / (m.sum(-1)[..., None, None] + 1e-3)
    np.testing.assert_allclose(found.reshape(want.shape), want, rtol=1e-4)


def test_cropped_and_geometry() -> None:
    g, p = 8, 4
    maps = ops.reshape(layers.places(g), (1, g * g, 2))
    center = np.array([[0.3, -0.7]], "float32")
    taken, middle = layers.cropped(maps, center, g, p)
    # The places that were taken, seen from the center, are what `geometry` says.
    sides = np.array([[1.0, 0.8]], "float32")
    parts = ops.convert_to_numpy(layers.geometry(middle, sides, p, 4.0 / g))
    away = ops.convert_to_numpy(taken) - center[:, None]
    np.testing.assert_allclose(parts[..., 1:3], away + sides[:, None] / 2, atol=1e-5)
    np.testing.assert_allclose(parts[..., 3:], sides[:, None] / 2 - away, atol=1e-5)
    whole = parts[..., 0].sum() * (4.0 / g) ** 2
    np.testing.assert_allclose(whole, 0.8, atol=1e-5)
    # At the border the nearest places that there are.
    taken, _ = layers.cropped(maps, np.array([[-9.0, 9.0]], "float32"), g, p)
    np.testing.assert_allclose(taken[0, 0], maps[0, g - p])


def test_decoded() -> None:
    anchor = np.array([[1.25, 0.8]], "float32")
    steps = np.zeros((1, 16, 4), "float32")
    steps[..., :2], steps[..., 2] = 0.1, np.log(2)
    found = ops.convert_to_numpy(layers.decoded(ops.convert_to_tensor(steps), anchor))
    places = ops.convert_to_numpy(layers.places(4))
    np.testing.assert_allclose(found[0, :, :2], places + 0.1, atol=1e-6)
    np.testing.assert_allclose(found[0, :, 2:], [[2.5, 0.8]] * 16, rtol=1e-5)


def test_boxes_in_windows() -> None:
    box = np.array([[20.0, 30.0, 8.0, 18.0]], "float32")
    window = np.array([[22.0, 27.0, 48.0]], "float32")
    inside = search.relative(box, window)
    np.testing.assert_allclose(inside, [[-1 / 6, 0.25, 2 / 3, 1.5]], rtol=1e-5)
    np.testing.assert_allclose(search.absolute(inside, window), box, rtol=1e-5)


def windows(lost: float, limit: tuple[float, float] = (200.0, 300.0)) -> np.ndarray:
    box = np.array([[50.0, 60.0, 8.0, 18.0]], "float32")
    shift = np.array([[0.5, 0.0]], "float32")
    lost = ops.convert_to_tensor(np.array([[lost]], "float32"))
    limit = ops.convert_to_tensor(np.array(limit, "float32"))
    found = search.window_of(ops.convert_to_tensor(box), shift, lost, limit)
    return ops.convert_to_numpy(found)[0]


def test_window_grows_while_lost() -> None:
    np.testing.assert_allclose(windows(0), [56, 60, 48], rtol=1e-5)
    np.testing.assert_allclose(windows(1), [50, 60, 48], rtol=1e-5)
    sides = [windows(n)[2] for n in range(20)]
    assert sides[3] > 48 and all(np.diff(sides) >= 0)
    np.testing.assert_allclose(sides[-1], 48 * search.WIDEST, rtol=1e-5)
    assert windows(19, (40.0, 60.0))[2] <= 60 + 1e-3
    assert (windows(18)[:2] == [50, 60]).all()
    seen = np.array([windows(n)[:2] for n in range(9, 73, 2)]) / [200, 300]
    assert (seen >= 0).all() and (seen <= 1).all()
    for quarter in ((seen < 0.5).all(1), (seen > 0.5).all(1)):
        assert quarter.sum() > 4


@pytest.mark.parametrize(
    ("presence", "lost", "follows"),
    [(0.9, 0, True), (0.4, 0, True), (0.1, 0, False), (0.4, 2, False), (0.7, 2, True)],
)
def test_box_believed(presence: float, lost: float, follows: bool) -> None:
    old = np.array([[20.0, 30.0, 8.0, 8.0]], "float32")
    new = np.array([[24.0, 31.0, 16.0, 8.0]], "float32")
    column = [
        ops.convert_to_tensor(np.array([[x]], "float32")) for x in (presence, lost)
    ]
    box, after = search.believed(
        ops.convert_to_tensor(new), old, column[0], np.array([[0.5]], "float32"),
        column[1], ops.convert_to_tensor(np.array([99.0, 99.0], "float32")),
    )  # fmt: skip
    want = [24.0, 31.0, 8 * 2**0.5, 8.0] if follows else old[0]
    np.testing.assert_allclose(box[0], want, rtol=1e-5)
    assert float(after[0, 0]) == (0 if follows else lost + 1)


def test_outputs() -> None:
    x, _ = clip()
    model = WideHART(small_cell())
    found = model.predict(x, verbose=0)
    shapes = {name: value.shape for name, value in found.items()}
    assert shapes == {
        "boxes": (2, 4, 4),
        "region": (2, 4, 4),
        "glimpse": (2, 4, 64, 64, 3),
        "location": (2, 4, 8, 8),
        "steps": (2, 4, 64, 4),
        "anchor": (2, 4, 2),
        "appearance": (2, 4, 8),
        "presence": (2, 4),
        "ahead": (2, 4, 2),
    }
    np.testing.assert_allclose(found["boxes"][:, 0], x["box"], rtol=1e-5)
    size = np.sqrt(9 * 8)
    np.testing.assert_allclose(found["region"][:, 0, 2:], 4 * size, rtol=1e-5)
    np.testing.assert_allclose(found["anchor"][0, 0], [8 / size, 9 / size], rtol=1e-5)


@pytest.mark.long
def test_learns() -> None:
    keras.utils.set_random_seed(0)
    x, y = clip()
    x |= {"guide": y["boxes"], "guided": y["present"]}
    x |= {"moves": np.full((2, 4, 4), 0.1, "float32"), "shown": y["present"]}
    model = WideHART(small_cell())
    model.compile(keras.optimizers.Adam(1e-2))
    losses = [model.train_on_batch(x, y, return_dict=True)["loss"]]
    for _ in range(15):
        model.reset_metrics()
        losses.append(model.train_on_batch(x, y, return_dict=True)["loss"])
    assert losses[-1] < 0.7 * losses[0]
    assert np.isfinite(losses).all()


def smooth(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 0.1, 5 * x**2, np.abs(x) - 0.05)


def centered(boxes: np.ndarray) -> np.ndarray:
    """Boxes `xywh` as center y, x and sides h, w."""
    sides = boxes[..., :1:-1]
    return np.concatenate([boxes[..., 1::-1] + sides / 2, sides], -1)


def test_losses_by_hand() -> None:
    """Of frames that are guided or not, with the object there or not."""
    x, y = clip()
    random = np.random.default_rng(1)
    y["present"][0, 2] = 0
    x["guided"] = np.array([[1, 0, 1, 1], [0, 1, 0, 0]], "float32")
    x["guide"] = y["boxes"] + random.normal(0, 1, (2, 4, 4)).astype("float32")
    model = WideHART(small_cell())
    model.build()
    for layer in (model.cell.ahead, model.cell.presence):
        kernel = random.normal(0, 1, layer.kernel.shape)
        layer.kernel.assign(kernel.astype("float32"))
    out = quick(lambda: model(x, training=True))()
    loss = ops.convert_to_numpy(model.sample_losses(x, y, out))
    out = {name: ops.convert_to_numpy(value) for name, value in out.items()}
    line = (np.arange(8) - 3.5) / 2
    places = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(64, 2)
    window, true = centered(out["region"]), centered(y["boxes"])
    sums = {"location": np.zeros(2), "boxes": np.zeros(2), "presence": np.zeros(2)}
    sums["ahead"], seen = np.zeros(2), np.zeros((2, 4))
    for b, t in np.ndindex(2, 4):
        unit = window[b, t, 2] / 4
        c, s = (true[b, t, :2] - window[b, t, :2]) / unit, true[b, t, 2:] / unit
        seen[b, t] = (np.abs(c).max() < 1.9) * y["present"][b, t]
        away = ((places - c) ** 2).sum(-1)
        z = out["location"][b, t].ravel()
        log_s, log_t = z - np.log(np.exp(z).sum()), -away / (2 * 0.15**2)
        log_t = log_t - np.log(np.exp(log_t - log_t.max()).sum()) - log_t.max()
        sums["location"][b] += seen[b, t] * (np.exp(log_t) * (log_t - log_s)).sum()
        found = places + out["steps"][b, t, :, :2]
        sides = out["anchor"][b, t] * np.exp(out["steps"][b, t, :, 2:])
        weight = np.exp(-away / (2 * 0.22**2))
        errors = [box_error(c, s, f, q) for f, q in zip(found, sides, strict=True)]
        sums["boxes"][b] += seen[b, t] * (weight / weight.sum() * errors).sum()
        p = out["presence"][b, t]
        sums["presence"][b] -= np.log(p if seen[b, t] else 1 - p)
        if t == 3:
            continue
        before = centered(x["guide"] if x["guided"][b, t] else out["boxes"])[b, t]
        step = (true[b, t + 1, :2] - before[:2]) / np.sqrt(before[2] * before[3])
        both = y["present"][b, t] * y["present"][b, t + 1]
        far = smooth(np.clip(step, -1, 1) - out["ahead"][b, t]).sum()
        sums["ahead"][b] += both * far
    counts = {"location": seen.sum(1).mean(), "presence": 4, "ahead": (1 + 3) / 2}
    counts["boxes"] = counts["location"]
    want = sum(sums[name] / counts[name] for name in sums)
    np.testing.assert_allclose(loss, want, rtol=1e-4)


def box_error(c: np.ndarray, s: np.ndarray, f: np.ndarray, q: np.ndarray) -> float:
    """$1 - GIoU$ and a smooth distance, of centers c and f with sides s and q."""
    low, high = np.maximum(c - s / 2, f - q / 2), np.minimum(c + s / 2, f + q / 2)
    common = np.clip(high - low, 0, None).prod()
    union = s.prod() + q.prod() - common
    hull = np.maximum(c + s / 2, f + q / 2) - np.minimum(c - s / 2, f - q / 2)
    giou = common / union - (hull.prod() - union) / hull.prod()
    return float(1 - giou + (smooth(c - f) + smooth(np.log(s / q))).sum())


def test_guide_and_moves_lead_the_window() -> None:
    x, y = clip()
    guide = y["boxes"] + np.array([3, 3, 0, 0], "float32")
    x |= {"guide": guide, "guided": y["present"]}
    x |= {"moves": np.zeros((2, 4, 4), "float32"), "shown": y["present"]}
    x["moves"][:, 2] = [0.5, -0.5, np.log(2), np.log(1.5)]
    model = WideHART(small_cell())
    model.build()
    region = ops.convert_to_numpy(model(x, training=True)["region"])
    center, side = region[..., :2] + region[..., 2:] / 2, region[..., 2]
    size = np.sqrt(9 * 8)
    middle = y["boxes"][..., :2] + y["boxes"][..., 2:] / 2 + 3
    np.testing.assert_allclose(center[:, 1], middle[:, 0], rtol=1e-4)
    np.testing.assert_allclose(side[:, 1], 4 * size, rtol=1e-4)
    want = middle[:, 1] + size * np.array([-0.5, 0.5])
    np.testing.assert_allclose(center[:, 2], want, rtol=1e-4)
    np.testing.assert_allclose(side[:, 2], 12 * size, rtol=1e-4)


def test_a_narrow_window_and_fewer_losses() -> None:
    """The window is as wide as one says, and what is not learned from is not added."""
    x, y = clip()
    model = WideHART(small_cell(wide=2.5), losses=("location", "boxes"))
    model.build()
    outputs = model(x, training=True)
    side = ops.convert_to_numpy(outputs["region"])[:, 0, 2]
    np.testing.assert_allclose(side, 2.5 * np.sqrt(9 * 8), rtol=1e-5)
    loss = ops.convert_to_numpy(model.sample_losses(x, y, outputs)).mean()
    parts = [float(model.parts[name].result()) for name in ("location", "boxes")]
    np.testing.assert_allclose(loss, sum(parts), rtol=1e-5)
    assert float(model.parts["presence"].result()) > 0
    with pytest.raises(ValueError, match="'location' among them"):
        WideHART(small_cell(), losses=("boxes",))


@pytest.mark.long
def test_saved_and_loaded(tmp_path: Path) -> None:
    x, _ = clip()
    model = WideHART(small_cell(center_prior=0.3), losses=("location", "boxes"))
    model.build()
    found = ops.convert_to_numpy(quick(model)(x)["boxes"])
    model.save(tmp_path / "wide.keras")
    again = keras.models.load_model(tmp_path / "wide.keras")
    assert again.cell.center_prior == 0.3 and again.weighed == ("location", "boxes")
    boxes = ops.convert_to_numpy(quick(again)(x)["boxes"])
    np.testing.assert_allclose(boxes, found)


def test_tracker_gives_what_the_model_does() -> None:
    x, _ = clip(batch=1)
    model = WideHART(small_cell())
    want = model.predict(x, verbose=0)["boxes"][0]
    found = Tracker(model).track(x["frames"][0], x["box"][0])
    np.testing.assert_allclose(found, want, atol=1e-3)


def test_tracker_keeps_the_weights_that_it_began_with() -> None:
    """New weights of the model count from the next `init` on."""
    x, _ = clip(batch=1, frames=3)
    frames, box = x["frames"][0], x["box"][0]
    model = WideHART(small_cell())
    tracker = Tracker(model)
    tracker.track(frames, box)

    def presence() -> float:
        tracker.update(frames[1])
        return float(np.ravel(tracker.outputs["presence"])[0])

    tracker.init(frames[0], box)
    model.cell.presence.bias.assign([-2.0])
    assert presence() > 0.5
    tracker.init(frames[0], box)
    assert presence() < 0.5


@pytest.mark.parametrize("size", [16, 100])
def test_size_of_glimpses(size: int) -> None:
    with pytest.raises(ValueError, match="`size` must be a multiple of 16"):
        WideHARTCell(size=size)


@slow_on("tensorflow")
@pytest.mark.long
def test_long_clips_are_trained_in_a_loop(monkeypatch):
    """With the same loss and the same step as frame after frame."""
    found = []
    for inline_frames in (8, 0):
        monkeypatch.setattr(wide_model, "INLINE_FRAMES", inline_frames)
        keras.utils.set_random_seed(0)
        model = WideHART(small_cell())
        model.compile("sgd", jit_compile=keras.backend.backend() == "jax")
        loss = model.fit(*clip(), verbose=0).history["loss"][0]
        weights = [ops.convert_to_numpy(v) for v in model.trainable_variables]
        found.append([loss, *weights])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
