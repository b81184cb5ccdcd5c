"""RATM with square windows, and with HART's streams as its features."""

import keras
import numpy as np
import pytest
from keras import ops
from slow_on import slow_on
from wide_case import SmallV1, small_cell

from keras_attend.models import RATM, HARTFeatures, SquareRATMCell
from keras_attend.models.hart.wide_maps import decoded, peak
from keras_attend.types import Embeds, Remembers

SIZES = {"part": 4, "keys": 8, "values": 4, "width": 16, "depth": 1}
BOXES = np.array([[10, 12, 9, 16], [20, 6, 12, 6]], "float32")


def numpy(x):
    return ops.convert_to_numpy(x)


def frames(random):
    images = random.random((2, 40, 48, 3)).astype("float32")
    return images, BOXES


def tracker():
    keras.utils.set_random_seed(0)
    features = HARTFeatures(**SIZES, v1=SmallV1(), name="features")
    model = RATM(SquareRATMCell(64, 12, 3, scale=4.0, memory=0.5, features=features))
    model.build()
    return model


def test_windows_are_square_and_boxes_have_the_first_shape(random):
    cell = SquareRATMCell(8, 4, scale=3.0)
    images, boxes = random.random((2, 40, 48, 1)).astype("float32"), BOXES
    cell.build(images.shape)
    state = cell.initial_state(images, boxes)
    found, _ = cell.step(images, state)
    np.testing.assert_allclose(numpy(found["box"]), boxes, rtol=1e-5)
    # The grid covers three times the square root of the box's area, on both axes.
    sides = 7 * numpy(found["window"])[:, 2:4]
    area = np.sqrt(boxes[:, 2:3] * boxes[:, 3:4])
    np.testing.assert_allclose(sides, 3 * np.tile(area, (1, 2)), rtol=1e-5)
    shape = boxes[:, [3, 2]] / area
    sides = numpy(cell.sides_in_window(ops.convert_to_tensor(boxes)))
    np.testing.assert_allclose(sides, shape / 3, rtol=1e-5)

    # A step moves the window by parts of its side; its sides grow alike, whatever the
    # four numbers of growth are.
    step = np.tile(np.array([[0.5, -0.25, 0.1, 0.2, 9, 0.3, 0.4]], "float32"), (2, 1))
    state["attention"] = cell.move(state["attention"], step)
    moved, _ = cell.step(images, state)
    box = numpy(moved["box"])
    np.testing.assert_allclose(box[:, 2:], boxes[:, 2:] * np.exp(0.25), rtol=1e-5)
    middle = box[:, :2] + box[:, 2:] / 2 - boxes[:, :2] - boxes[:, 2:] / 2
    # Strides are parts of W - 1, centres of W.
    side = 3 * area * np.array([[0.5 * 48 / 47, -0.25 * 40 / 39]])
    np.testing.assert_allclose(middle, side, rtol=1e-4)
    with pytest.raises(ValueError, match="`start` must be"):
        SquareRATMCell(8, 4, start="learned").build(images.shape)


@slow_on("jax")
def test_features_are_those_of_harts_cell(random):
    """What HART's cell finds in its window, without memory, is what `f` says."""
    images, boxes = frames(random)
    cell = small_cell()
    cell.build(images.shape)
    for weight in (*cell.ventral.neck.weights, *cell.dorsal.trainable_weights):
        if weight is not cell.dorsal.alpha.kernel:  # the memory's part is left out
            weight.assign(random.normal(0, 0.3, weight.shape))
    state = cell.initial_state(images, boxes)
    seen, _ = cell.step(images, state)
    layer = HARTFeatures(**SIZES, v1=SmallV1())
    layer.build(seen["glimpse"].shape)
    layer.take(cell)

    shape = boxes[:, [3, 2]] / np.sqrt(boxes[:, 2:3] * boxes[:, 3:4])
    template = layer.remember(seen["glimpse"], ops.convert_to_tensor(shape / 4))
    assert template.shape == (2, layer.memory_size)
    f = numpy(layer(seen["glimpse"], template))
    assert f.shape == layer.compute_output_shape(seen["glimpse"].shape)
    s = ops.softmax(ops.reshape(seen["location"], (2, 64)), axis=-1)
    box, share = map(numpy, peak(s, decoded(seen["steps"], seen["anchor"]), 0.4))
    np.testing.assert_allclose(f[:, :2], box[:, :2], atol=1e-4)
    np.testing.assert_allclose(f[:, 2:4], np.log(box[:, 2:] / shape), atol=1e-4)
    np.testing.assert_allclose(f[:, 4:5], share, atol=1e-5)
    # With the other's template it finds something else.
    others = numpy(layer(seen["glimpse"], ops.roll(template, 1, axis=0)))
    assert abs(f - others).max(axis=1).min() > 1e-3
    with pytest.raises(ValueError, match=r"multiple of 16.*Received: shape"):
        HARTFeatures(**SIZES, v1=SmallV1()).build((None, 64, 72, 3))


@slow_on("jax")
@pytest.mark.long
def test_it_learns_on_features_that_stay(random, tmp_path):
    """Features that are not trained stay as they are; the rest learns and is saved."""
    model = tracker()
    features = model.cell.features
    assert isinstance(features, Remembers) and not isinstance(features, Embeds)
    assert model.prefers_xla is False
    features.trainable = False
    before = features.get_weights()
    images = random.random((2, 3, 40, 48, 3)).astype("float32")
    x = {"frames": images, "box": BOXES}
    moved = BOXES[:, None] + np.arange(3)[:, None] * np.array([[1.0, -1, 0, 0]])
    model.compile(keras.optimizers.Adam(1e-2))
    loss = model.fit(x, {"boxes": moved.astype("float32")}, epochs=8, verbose=0)
    assert loss.history["loss"][-1] < loss.history["loss"][0]
    for one, other in zip(before, features.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(model.trainable_weights) == 3  # W_in, W_rec, W_out
    found = model.predict(x, verbose=0)["boxes"]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(x, verbose=0)["boxes"], found, atol=1e-3)
    assert len(again.trainable_weights) == 3
    # Other first frames are other templates.
    other = {"frames": images.copy(), "box": BOXES}
    other["frames"][:, 0] = random.random((2, 40, 48, 3))
    assert abs(model.predict(other, verbose=0)["boxes"] - found).max() > 1e-3
