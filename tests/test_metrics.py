import keras
import numpy as np
import pytest
from keras import ops

from keras_attend import metrics
from keras_attend.boxes import convert_format

CLASSES = [
    metrics.BoxIoU,
    metrics.CenterError,
    metrics.SuccessAUC,
    metrics.PrecisionAt,
]
TRUE = np.array([[[0, 0, 10, 10]] * 3], "float32")  # [1, 3, 4]
PRED = np.array([[[0, 0, 10, 10], [5, 0, 10, 10], [30, 40, 10, 10]]], "float32")


def test_by_hand():
    iou = np.array([1, 1 / 3, 0])
    thresholds = np.linspace(0, 1, 21)
    expected = {
        metrics.BoxIoU: iou.mean(),
        metrics.CenterError: (0 + 5 + 50) / 3,
        metrics.SuccessAUC: (iou[:, None] > thresholds).mean(),  # 27 of 63
        metrics.PrecisionAt: 2 / 3,
    }
    for cls, value in expected.items():
        np.testing.assert_allclose(float(cls()(TRUE, PRED)), value, rtol=1e-5)
    assert float(metrics.PrecisionAt(5)(TRUE, PRED)) == pytest.approx(2 / 3)
    assert float(metrics.PrecisionAt(4.9)(TRUE, PRED)) == pytest.approx(1 / 3)
    perfect = metrics.SuccessAUC()(TRUE, TRUE)
    assert float(perfect) == pytest.approx(20 / 21)


def test_success_curve():
    metric = metrics.SuccessAUC(num_thresholds=5)
    metric.update_state(TRUE, PRED)
    np.testing.assert_allclose(
        ops.convert_to_numpy(metric.curve()), [2 / 3, 2 / 3, 1 / 3, 1 / 3, 0], rtol=1e-6
    )
    found = metrics.success(np.array([[0.5, 0.0]]), 3)
    np.testing.assert_array_equal(ops.convert_to_numpy(found), [[[1, 0, 0], [0, 0, 0]]])


@pytest.mark.parametrize("cls", CLASSES)
def test_absent_boxes_do_not_count_and_may_be_nan(cls):
    true, pred = TRUE.copy(), PRED.copy()
    true[0, 2] = np.nan
    mask = np.array([[1, 1, 0]])
    found = float(cls()(true, pred, sample_weight=mask))
    np.testing.assert_allclose(found, float(cls()(TRUE[:, :2], PRED[:, :2])), rtol=1e-6)
    found = float(cls()(true, pred, sample_weight=mask > 0))
    np.testing.assert_allclose(found, float(cls()(TRUE[:, :2], PRED[:, :2])), rtol=1e-6)
    assert float(cls()(true, pred, sample_weight=mask * 0)) == 0


@pytest.mark.parametrize("cls", CLASSES)
def test_batches_of_any_size_are_pooled(cls):
    metric = cls()
    assert float(metric.result()) == 0
    metric.update_state(TRUE[:0], PRED[:0])
    assert float(metric.result()) == 0
    metric.update_state(TRUE[:, :1], PRED[:, :1])
    metric.update_state(TRUE[0, 1:], PRED[0, 1:])  # [B, 4] as well as [B, T, 4]
    np.testing.assert_allclose(
        float(metric.result()), float(cls()(TRUE, PRED)), rtol=1e-6
    )
    metric.reset_state()
    assert float(metric.result()) == 0


def test_weights_are_per_box_or_per_sample():
    true, pred = np.repeat(TRUE, 2, 0), np.concatenate([TRUE, PRED])
    by_sample = metrics.BoxIoU()(true, pred, sample_weight=np.array([0.0, 2.0]))
    np.testing.assert_allclose(float(by_sample), float(metrics.BoxIoU()(TRUE, PRED)))
    by_box = metrics.BoxIoU()(TRUE, PRED, sample_weight=np.array([[1.0, 3.0, 0.0]]))
    assert float(by_box) == pytest.approx((1 + 3 / 3) / 4)
    column = metrics.BoxIoU()(TRUE, PRED, sample_weight=np.ones((1, 3, 1)))
    assert float(column) == pytest.approx(4 / 9)
    with pytest.raises(ValueError, match="one number for each box"):
        metrics.BoxIoU()(TRUE, PRED, sample_weight=np.ones((1, 3, 1, 1)))


@pytest.mark.parametrize(
    "metric",
    [
        metrics.BoxIoU("mine"),
        metrics.CenterError("mine"),
        metrics.SuccessAUC(3, "mine"),
        metrics.PrecisionAt(4.9, "mine"),
    ],
)
def test_config_round_trip(metric):
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert type(again) is type(metric) and again.name == "mine"
    assert float(again(TRUE, PRED)) == float(metric(TRUE, PRED))


@pytest.mark.parametrize("cls", CLASSES)
def test_callbacks_know_which_way_is_better(cls):
    model = keras.Sequential([keras.Input((3, 4)), keras.layers.Dense(4)])
    model.compile("sgd", "mse", metrics=[cls(name="found")])
    stop = keras.callbacks.EarlyStopping("val_found")
    model.fit(PRED, TRUE, validation_data=(PRED, TRUE), callbacks=[stop], verbose=0)
    assert bool(stop.monitor_op(1, 2)) is (cls is metrics.CenterError)


def test_arguments():
    assert metrics.PrecisionAt().name == "precision_20"
    with pytest.raises(ValueError, match="`pixels` must not be negative"):
        metrics.PrecisionAt(-1)
    with pytest.raises(ValueError, match="at least 2"):
        metrics.SuccessAUC(1)


def test_in_a_compiled_model():
    model = keras.Sequential(
        [
            keras.Input((3, 4)),
            keras.layers.Dense(4, kernel_initializer=keras.initializers.Identity()),
        ]
    )
    model.compile(
        keras.optimizers.SGD(0.0),
        "mse",
        metrics=[cls() for cls in CLASSES],
        weighted_metrics=[metrics.BoxIoU(name="weighted_iou")],
        jit_compile=True,
    )
    mask = np.array([[1.0, 1.0, 0.0]])
    history = model.fit(PRED, TRUE, sample_weight=mask, verbose=0).history
    logs = model.evaluate(PRED, TRUE, sample_weight=mask, verbose=0, return_dict=True)
    assert logs["box_iou"] == pytest.approx(4 / 9, rel=1e-5)
    assert logs["weighted_iou"] == pytest.approx(2 / 3, rel=1e-5)
    assert logs["center_error"] == pytest.approx(55 / 3, rel=1e-5)
    assert logs["success_auc"] == pytest.approx(27 / 63, rel=1e-5)
    assert logs["precision_20"] == pytest.approx(2 / 3, rel=1e-5)
    assert history["box_iou"][0] == pytest.approx(logs["box_iou"])


def test_golden_masked_iou(golden):
    g = golden("hart_ops")
    true, pred = (
        convert_format(g[f"loss/{k}_yxhw"][:, :, 0], "yxhw", "xywh")
        for k in ("target", "pred")
    )
    found = metrics.BoxIoU()(true, pred, sample_weight=g["loss/presence"][..., 0])
    np.testing.assert_allclose(float(found), g["loss/masked_mean_iou"], atol=1e-6)
