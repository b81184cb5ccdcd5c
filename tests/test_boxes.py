import keras
import numpy as np
import pytest
from keras import ops

from keras_attend import boxes
from tests.layer_check import compiled, gradients

FORMATS = ["xywh", "xyxy", "yxyx", "center_xywh", "center_yxhw"]


def random_boxes(*shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(1, 60, (*shape, 4)).astype("float32")


def numpy(x):
    return ops.convert_to_numpy(x)


def reference_iou(a, b):
    x1, y1 = np.maximum(a[0], b[0]), np.maximum(a[1], b[1])
    x2, y2 = np.minimum(a[0] + a[2], b[0] + b[2]), np.minimum(a[1] + a[3], b[1] + b[3])
    common = max(x2 - x1, 0) * max(y2 - y1, 0)
    return common / (a[2] * a[3] + b[2] * b[3] - common)


def test_iou_by_hand():
    a = [[0, 0, 10, 10]] * 4
    b = [[0, 0, 10, 10], [5, 0, 10, 10], [5, 5, 10, 10], [10, 0, 5, 5]]
    np.testing.assert_allclose(numpy(boxes.intersection(a, b)), [100, 50, 25, 0])
    np.testing.assert_allclose(numpy(boxes.iou(a, b)), [1, 1 / 3, 1 / 7, 0], rtol=1e-6)


@pytest.mark.parametrize("shape", [(), (0,), (3, 4)])
def test_iou_is_the_plain_loop_eager_and_compiled(shape):
    a, b = random_boxes(*shape, seed=1), random_boxes(*shape, seed=2)
    flat = zip(a.reshape(-1, 4), b.reshape(-1, 4), strict=True)
    expected = np.array([reference_iou(*pair) for pair in flat]).reshape(shape)
    for function in (boxes.iou, compiled(boxes.iou)):
        found = numpy(function(ops.convert_to_tensor(a), ops.convert_to_tensor(b)))
        assert found.shape == shape
        np.testing.assert_allclose(found, expected, rtol=1e-5)


DEGENERATE = np.array(
    [[5, 5, 0, 0], [5, 5, 0, 9], [5, 5, -3, 4], [5, 5, -3, -4], [5, 5, 1e-20, 1e-20]],
    "float32",
)


def test_degenerate_boxes_have_iou_0_and_finite_gradients():
    for other in (DEGENERATE, np.full_like(DEGENERATE, 5), DEGENERATE[::-1].copy()):
        np.testing.assert_array_equal(numpy(boxes.iou(DEGENERATE, other)), 0)
        for function in (boxes.iou, boxes.intersection, boxes.center_distance):
            for g in gradients(function, DEGENERATE, other):
                assert np.isfinite(g).all()
    np.testing.assert_array_equal(numpy(boxes.area(DEGENERATE)), 0)


def test_half_precision_boxes_are_computed_in_single():
    box = ops.cast([[0, 0, 600, 180]], "float16")  # 108,000 > 65,504
    assert numpy(boxes.area(box))[0] == 108_000
    assert numpy(boxes.iou(box, box))[0] == 1


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_conversion_equals_keras(source, target):
    x = random_boxes(2, 3)
    found = boxes.convert_format(x, source, target)
    expected = keras.utils.bounding_boxes.convert_format(x, source, target)
    np.testing.assert_allclose(numpy(found), numpy(expected), atol=1e-4)


def test_relative_formats_equal_keras_and_come_back():
    x = random_boxes(4)
    size = {"height": 50, "width": 80}
    found = boxes.convert_format(x, "xywh", "rel_center_xywh", **size)
    expected = keras.utils.bounding_boxes.convert_format(
        x, "xywh", "rel_center_xywh", **size
    )
    np.testing.assert_allclose(numpy(found), numpy(expected), atol=1e-6)
    back = boxes.convert_format(found, "rel_center_xywh", "xywh", **size)
    np.testing.assert_allclose(numpy(back), x, atol=1e-4)
    # Relative to relative needs no size.
    corners = boxes.convert_format(found, "rel_center_xywh", "rel_xyxy")
    expected = keras.utils.bounding_boxes.convert_format(x, "xywh", "rel_xyxy", **size)
    np.testing.assert_allclose(numpy(corners), numpy(expected), atol=1e-6)


FUNCTIONS = [
    (lambda x: boxes.convert_format(x, "xywh", "yxhw"), (4,)),
    (lambda x: boxes.convert_format(x, "xywh", "rel_xyxy", 50, 80), (4,)),
    (boxes.area, ()),
    (lambda x: boxes.intersection(x, x + 0.5), ()),
    (lambda x: boxes.iou(x, x + 0.5), ()),
    (lambda x: boxes.center_distance(x, 2 * x), ()),
    (lambda x: boxes.clip_to_image(x, 50, 80), (4,)),
    (lambda x: boxes.box_to_attention(x, 50, 80), (4,)),
    (lambda x: boxes.attention_to_box(x, 50, 80), (4,)),
    (lambda x: boxes.box_to_window(x, (5, 6)), (6,)),
    (lambda x: boxes.window_to_box(ops.concatenate([x, x[..., :2]], -1), 5), (4,)),
    (lambda x: boxes.box_to_ratm_attention(x, 50, 80, (5, 6)), (7,)),
]


@pytest.mark.parametrize("function, shape", FUNCTIONS)
def test_symbolic_boxes_numpy_boxes_and_tensors_are_alike(function, shape):
    x = random_boxes(2, 3)
    expected = numpy(function(ops.convert_to_tensor(x)))
    assert expected.shape == (2, 3, *shape) and expected.dtype == np.float32
    np.testing.assert_allclose(numpy(function(x)), expected, rtol=1e-6)
    box = keras.Input((None, 4))
    model = keras.Model(box, function(box))
    assert model.output.shape == (None, None, *shape)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-5)


def test_conversion_errors():
    with pytest.raises(ValueError, match=r"one of .*'xywh'.* Received: 'xyhw'"):
        boxes.convert_format([0, 0, 1, 1], "xyhw", "xyxy")
    with pytest.raises(ValueError, match="`height` and `width` are needed"):
        boxes.convert_format([0, 0, 1, 1], "xywh", "rel_xywh")
    with pytest.raises(ValueError, match="last axis must hold 4"):
        boxes.iou(np.zeros((2, 5)), np.zeros((2, 5)))


def test_clip_by_hand():
    box = [[-5, -5, 20, 20], [90, 40, 20, 20], [-30, 5, 10, 10], [50, 50, -10, 20]]
    expected = [[0, 0, 15, 15], [90, 40, 10, 20], [0, 5, 0, 10], [40, 50, 0, 10]]
    np.testing.assert_array_equal(numpy(boxes.clip_to_image(box, 60, 100)), expected)


def test_attention_by_hand_and_back():
    box = np.array([[10, 20, 30, 40]], "float32")
    attention = boxes.box_to_attention(box, 101, 201)
    np.testing.assert_allclose(
        numpy(attention), [[20 / 101, 10 / 201, 40 / 100, 30 / 200]], rtol=1e-6
    )
    np.testing.assert_allclose(
        numpy(boxes.attention_to_box(attention, 101, 201)), box, rtol=1e-5
    )


def test_window_covers_the_box_and_comes_back():
    box = random_boxes(6)
    window = numpy(boxes.box_to_window(box, (14, 20), scale=1.5))
    center, stride = window[:, :2], window[:, 2:4]
    first = center - stride * np.array([13, 19]) / 2
    x, y, w, h = box.T
    np.testing.assert_allclose(first[:, 0], y + h / 2 - 1.5 * h / 2, atol=1e-4)
    np.testing.assert_allclose(first[:, 1], x + w / 2 - 1.5 * w / 2, atol=1e-4)
    np.testing.assert_allclose(window[:, 4:], 0.5 * np.sqrt(1 + stride**2), rtol=1e-6)
    back = boxes.window_to_box(window, (14, 20), scale=1.5)
    np.testing.assert_allclose(numpy(back), box, atol=1e-4)
    with pytest.raises(ValueError, match="at least 2 rows"):
        boxes.box_to_window(box, 1)


def test_window_gradients_of_an_empty_box():
    """The sum over a window's numbers; sigma has no slope where the stride is 0."""
    (g,) = gradients(lambda b: boxes.box_to_window(b, 8), np.zeros((1, 4), "float32"))
    np.testing.assert_allclose(g, [[1, 1, 1 / 2 + 1 / 7, 1 / 2 + 1 / 7]], rtol=1e-6)
    (g,) = gradients(lambda w: boxes.window_to_box(w, 8), np.zeros((1, 6), "float32"))
    np.testing.assert_allclose(g, [[1, 1, 7 / 2, 7 / 2, 0, 0]], rtol=1e-6)


def test_check_box():
    found = boxes.check_box((1, 2, 3, 4), 10, 10)
    assert found.dtype == np.float32 and found.shape == (4,)
    assert boxes.check_box(random_boxes(5), 100, 100).shape == (5, 4)
    boxes.check_box((-3, -3, 6, 6), 10, 10)  # partly outside is a box all the same
    for bad, message in (
        ((1, 2, 3), "must be \\(x, y, w, h\\)"),
        ((1, 2, float("nan"), 4), "finite"),
        ((1, 2, 0, 4), "positive"),
        ((30, 40, -10, -10), "xyxy"),
        ((12, 2, 3, 4), "overlap the image of height 10 and width 11"),
        ((-5, 2, 3, 4), "overlap"),
        ([(1, 2, 3, 4), (1, 20, 3, 4)], "overlap"),
    ):
        with pytest.raises(ValueError, match=message):
            boxes.check_box(bad, 10, 11)


def test_golden_hart_overlap_and_clip(golden):
    g = golden("hart_ops")
    true, pred, clipped = (
        boxes.convert_format(g[f"loss/{k}_yxhw"], "yxhw", "xywh")
        if k != "clip_bbox"
        else g["loss/clip_bbox"]
        for k in ("target", "pred", "clip_bbox")
    )
    np.testing.assert_allclose(
        numpy(boxes.intersection(pred, true)), g["loss/intersection"], atol=2e-3
    )
    np.testing.assert_allclose(numpy(boxes.iou(pred, true)), g["loss/iou"], atol=1e-5)
    height, width = (int(n) for n in g["loss/img_size"])
    found = boxes.clip_to_image(pred, height, width)
    found = boxes.convert_format(found, "xywh", "yxhw")
    np.testing.assert_allclose(numpy(found), clipped, atol=1e-4)


def test_golden_hart_attention(golden):
    g = golden("hart_ops")
    height, width, _ = (int(n) for n in g["attention/img_size"])
    box = boxes.convert_format(g["attention/boxes_yxhw"], "yxhw", "xywh")
    attention = boxes.box_to_attention(box, height, width)
    expected = g["attention_fixedstd/att_norm"]
    np.testing.assert_allclose(numpy(attention)[: len(expected)], expected, atol=1e-6)


@pytest.mark.parametrize("name", ["ratm_attention", "ratm_attention_truediv"])
def test_golden_ratm_first_attention(golden, name):
    g = golden(name)
    x1, x2, y1, y2 = g["box/boxes_x1x2y1y2"].T
    box = np.stack([x1, y1, x2 - x1, y2 - y1], -1)
    found = boxes.box_to_ratm_attention(box, 120, 160, 28)
    expected = g["box/bread_init_7"]
    np.testing.assert_allclose(numpy(found), expected, atol=1e-5)
