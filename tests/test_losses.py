import keras
import numpy as np
import pytest
from keras import ops

from keras_attend import losses
from keras_attend.boxes import convert_format
from tests.layer_check import compiled, gradients


def numpy(x):
    return ops.convert_to_numpy(x)


def test_nll_by_hand():
    found = losses.nll(np.array([1, np.exp(-2), 0, 1e-8], "float32"))
    expected = [0, 2, -np.log(1e-8), -np.log(2e-8)]
    np.testing.assert_allclose(numpy(found), expected, rtol=1e-5)


def test_box_losses_by_hand():
    true = np.array([[0, 0, 10, 10], [0, 0, 10, 10]], "float32")
    pred = np.array([[5, 0, 10, 10], [50, 0, 10, 10]], "float32")
    np.testing.assert_allclose(
        numpy(losses.iou_loss(true, pred)), [np.log(3), -np.log(1e-8)], rtol=1e-5
    )
    np.testing.assert_allclose(
        numpy(losses.intersection_loss(true, pred)),
        [np.log(2), -np.log(1e-8)],
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        numpy(losses.area_loss(pred, 20, 20)), [np.log(4 / 3)] * 2, rtol=1e-5
    )
    # Three times the image: three times the largest loss.
    wide = losses.area_loss(np.array([[0, 0, 60, 20]], "float32"), 20, 20)
    np.testing.assert_allclose(numpy(wide), [-3 * np.log(1e-8)], rtol=1e-5)


def reference_masked_mean(values, present):
    per_step = [v[p > 0].mean() for v, p in zip(values.T, present.T, strict=True)
                if (p > 0).any()]  # fmt: skip
    return np.mean(per_step) if per_step else 0.0


@pytest.mark.parametrize("shape", [(1, 1), (3, 5)])
def test_masked_mean_is_the_plain_loop(shape):
    rng = np.random.default_rng(0)
    values = rng.normal(size=shape).astype("float32")
    present = (rng.uniform(size=shape) > 0.4).astype("float32")
    present[:, -1] = 0
    for function in (losses.masked_mean, compiled(losses.masked_mean)):
        found = function(ops.convert_to_tensor(values), ops.convert_to_tensor(present))
        np.testing.assert_allclose(
            float(found), reference_masked_mean(values, present), atol=1e-6
        )
    np.testing.assert_allclose(
        float(losses.masked_mean(values)), values.mean(), atol=1e-6
    )


def test_masked_mean_ignores_what_is_absent():
    values = np.array([[1, np.nan], [3, np.inf]], "float32")
    present = np.array([[1, 0], [1, 0]])
    assert float(losses.masked_mean(values, present)) == 2
    assert float(losses.masked_mean(values, present > 0)) == 2
    assert float(losses.masked_mean(values, np.zeros((2, 2)))) == 0
    assert float(losses.masked_mean(np.zeros((0, 4), "float32"))) == 0


def test_masked_mean_errors():
    with pytest.raises(ValueError, match=r"\[batch, time\].*values.shape=\(2, 3, 1\)"):
        losses.masked_mean(np.zeros((2, 3, 1)), np.zeros((2, 3)))
    with pytest.raises(
        ValueError, match=r"`present` must have shape .*present.shape=\(2, 3, 1\)"
    ):
        losses.masked_mean(np.zeros((2, 3)), np.zeros((2, 3, 1)))


def test_gradients_are_finite_for_degenerate_boxes():
    bad = np.array(
        [[5, 5, 0, 0], [5, 5, -3, -4], [0, 0, 20, 20], [0, 0, 900, 900], [5, 5, 1, 1]],
        "float32",
    )
    for true in (bad, np.zeros_like(bad), bad[::-1].copy()):
        for function in (losses.iou_loss, losses.intersection_loss):
            for g in gradients(function, true, bad):
                assert np.isfinite(g).all()
    for g in gradients(lambda a: losses.area_loss(a, 20, 20), bad):
        assert np.isfinite(g).all()


def test_iou_loss_class_in_fit(tmp_path):
    x = np.ones((4, 6, 3), "float32")
    y = np.tile(np.array([10, 10, 20, 20], "float32"), (4, 6, 1))
    present = np.ones((4, 6), "float32")
    present[:, 3:] = 0
    model = keras.Sequential(
        [
            keras.Input((6, 3)),
            keras.layers.Dense(
                4, bias_initializer=keras.initializers.Constant([12.0, 12, 15, 15])
            ),
        ]
    )
    model.compile(
        keras.optimizers.SGD(0.5), losses.IoULoss(), jit_compile=True, run_eagerly=False
    )
    before, after = model.fit(
        x, y, sample_weight=present, epochs=2, verbose=0, batch_size=4
    ).history["loss"]
    assert np.isfinite(before) and after < before
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.loss, losses.IoULoss)


def test_iou_loss_class_divides_by_the_weights():
    true = np.array([[[0, 0, 10, 10], [0, 0, 10, 10]]], "float32")
    pred = np.array([[[5, 0, 10, 10], [50, 0, 10, 10]]], "float32")
    found = losses.IoULoss()(true, pred, sample_weight=np.array([[1.0, 0.0]]))
    np.testing.assert_allclose(float(found), np.log(3), rtol=1e-5)


# Golden arrays are [T, B, 1, ...] and (y, x, h, w).
@pytest.fixture
def hart(golden):
    g = {k[5:]: v for k, v in golden("hart_ops").items() if k.startswith("loss/")}
    for k in ("target_yxhw", "pred_yxhw"):
        g[k[:-5]] = numpy(convert_format(g[k][:, :, 0].swapaxes(0, 1), "yxhw", "xywh"))
    g["present"] = g["presence"][..., 0].T
    return g


def golden_loss(g, name):
    height, width = (int(n) for n in g["img_size"])
    function = {
        "iou_loss": lambda b: losses.iou_loss(g["target"], b),
        "intersection_loss": lambda b: losses.intersection_loss(g["target"], b),
        "area_loss": lambda b: losses.area_loss(b, height, width),
    }[name]
    return lambda b: losses.masked_mean(function(b), g["present"])


@pytest.mark.parametrize("name", ["iou_loss", "intersection_loss", "area_loss"])
def test_golden_losses_and_gradients(hart, name):
    function = golden_loss(hart, name)
    np.testing.assert_allclose(float(function(hart["pred"])), hart[name], rtol=2e-6)
    (found,) = gradients(function, hart["pred"])
    expected = hart[f"grad_{name}"][:, :, 0].swapaxes(0, 1)[..., [1, 0, 3, 2]]
    # Where two edges meet exactly, or the box is exactly the image, each
    # backend has its own subgradient.
    same_edge = (hart["target"] == hart["pred"]).any(-1)
    whole = (hart["pred"][..., 2:] == hart["img_size"][::-1]).all(-1)
    smooth = ~(same_edge | whole)
    assert smooth.sum() == 33
    np.testing.assert_allclose(found[smooth], expected[smooth], atol=1e-7, rtol=1e-3)
    assert np.isfinite(found).all()


def test_golden_nll_of_iou(hart):
    found = losses.nll(hart["iou"])
    np.testing.assert_allclose(numpy(found), hart["nll_iou"], rtol=1e-5, atol=1e-6)
