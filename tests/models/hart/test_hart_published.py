import keras
import numpy as np
import pytest
from hart_case import SMALL, numpy, quick
from keras import ops

from keras_attend import zoo
from keras_attend.commands.main import main
from keras_attend.layers.v1 import normalise_contrast
from keras_attend.models import PublishedHART, PublishedHARTCell
from keras_attend.models.hart.published_losses import rasterised
from keras_attend.optimizers import TF1RMSprop
from keras_attend.zoo import convert


@pytest.fixture(scope="module")
def clip(golden):
    """Reads a golden clip: its arrays, inputs and targets; time moves second."""

    def read(name):
        data = golden(name, whole=True)
        boxes = xywh(by_batch(data["gt_bbox_yxhw"][:, :, 0])).astype("float32")
        x = {"frames": by_batch(data["images_uint8"]), "box": boxes[:, 0]}
        present = by_batch(data["presence"][..., 0]).astype("float32")
        out = {k[4:]: v for k, v in data.items() if k.startswith("out:")}
        return data, x, {"boxes": boxes, "present": present}, out

    return read


def by_batch(array):
    return np.swapaxes(array, 0, 1)


def xywh(boxes):
    return boxes[..., [1, 0, 3, 2]]


def arrays(data, prefix="var:"):
    return {k[len(prefix) :]: v for k, v in data.items() if k.startswith(prefix)}


def set_loss_scales(model, data):
    names = ("bbox", "att", "obj_mask")
    model.loss_scales.assign([data[f"var:weight/{name}"] for name in names])


def relative(found, expected):
    return np.abs(numpy(found) - expected).max() / np.abs(expected).max()


def test_golden_forward(clip, golden_path):
    """The checkpoint converted: states, glimpses, maps, boxes and every loss."""
    data, x, y, out = clip("hart_full_test")
    model = convert.hart(golden_path("hart_synthetic_ckpt"))
    set_loss_scales(model, data)
    variables = convert.hart_variables(model)
    assert len(variables) == 49
    for name, variable in variables.items():
        np.testing.assert_array_equal(
            numpy(variable).ravel(), data["var:" + name].ravel()
        )

    def run(frames, box):
        x = {"frames": frames, "box": box}
        return model.cell.initial_state(frames[:, 0], box), model(x)

    state, found = quick(run)(ops.convert_to_tensor(x["frames"]), x["box"])
    for name, expected in (
        ("attention", "first_att"),
        ("appearance", "first_appearance"),
        ("hidden", "first_h"),
        ("cell", "first_c"),
    ):
        assert relative(state[name], out[expected]) < 1e-4
    for name, expected in (
        ("location", out["obj_mask_logit"][:, :, 0]),
        ("appearance", out["rnn_output"]),
        ("filter_energy", out["dfn_weight_decay"][..., 0]),
    ):
        assert relative(found[name], by_batch(expected)) < 1e-4
    for name, expected in (("boxes", "pred_bbox"), ("region", "att_pred_bbox")):
        expected = xywh(by_batch(out[expected][:, :, 0]))
        np.testing.assert_allclose(numpy(found[name]), expected, atol=1e-3)
    target = rasterised(y["boxes"], found["region"], (14, 14))
    expected = by_batch(out["target_obj_mask"][:, :, 0])
    np.testing.assert_allclose(
        numpy(target)[y["present"] > 0], expected[y["present"] > 0], atol=1e-4
    )
    glimpse = by_batch(out["glimpse"][:, :, 0])
    contrast = by_glimpse(normalise_contrast, found["glimpse"])
    assert relative(contrast, glimpse) < 1e-4
    check_losses(model, x, y, found, out)


def by_glimpse(function, glimpses):
    flat = ops.reshape(glimpses, (-1, *glimpses.shape[2:]))
    return ops.reshape(function(flat), glimpses.shape)


def check_losses(model, x, y, found, out):
    losses = model.named_losses(x, y, found)
    for name, expected in (
        ("tracking", "bbox"),
        ("attention", "att"),
        ("appearance", "obj_mask"),
        ("l2", "l2"),
    ):
        loss = numpy(losses[name]).mean()
        assert relative(loss, out[f"loss:loss/{expected}"]) < 1e-4
    assert relative(model.compute_loss(x, y, found), out["loss:loss"]) < 1e-4


def test_golden_mask(golden):
    """Boxes within regions of many sizes, drawn and resized as the code does."""
    data = {k[13:]: v for k, v in golden("hart_ops").items() if "bbox_to_mask" in k}
    size = data["region_size_hw"][:, ::-1]
    region = np.concatenate([np.zeros_like(size), size], axis=-1)
    found = numpy(rasterised(xywh(data["box_in_region_yxhw"]), region, (14, 14)))
    np.testing.assert_allclose(found, data["mask"], atol=1e-6)


@pytest.mark.slow
def test_golden_training(clip):
    """Gradients of every weight, and one step of the optimizer.

    Some numbers of V1 lie so near to 0 that rounding decides whether their rectifiers
    let a gradient through, in their code as here. Two more passes, with all of these
    rectifiers on and with all of them off, say how much that can change.
    """
    data, x, y, out = clip("hart_full_train")
    # Their random draws cannot be had: nothing is drawn.
    model = PublishedHART(PublishedHARTCell(zoneout=0.0, dropout=0.0))
    model.build()
    convert.set_hart_weights(model, arrays(data))
    set_loss_scales(model, data)
    found, on, off = (
        gradients_of_weights(model, x, y, activation, out["loss:loss"])
        for activation in (None, on_the_kink, off_the_kink)
    )
    paths = {name: v.path for name, v in convert.hart_variables(model).items()}
    paths |= {"weight": model.loss_scales.path}
    assert len(paths) == len(found) == 50
    for name, path in paths.items():
        chance = np.abs(on[path] - off[path]).max()
        if name == "weight":
            names = ("bbox", "att", "obj_mask")
            expected = np.array([data[f"grad:weight/{n}"] for n in names])
        elif "grad:" + name in data:
            expected = data["grad:" + name].reshape(found[path].shape)
        else:  # of the largest only the norm was kept
            found[path], expected = (
                np.linalg.norm(found[path]),
                data[f"gradnorm:{name}"],
            )
            chance = np.linalg.norm(on[path] - off[path])
        # A bias before a normalisation has no slope but rounding's.
        scale = max(np.abs(expected).max(), 1e-2)
        assert chance < 0.05 * scale, name
        error = np.abs(found[path] - expected).max()
        assert error < 1e-3 * scale + chance, name
    check_optimizer(data)


NEAR = 3e-6  # rounding of V1's numbers, which go up to 2


def on_the_kink(z):
    """`z`; what is near 0 is above it."""
    return ops.where(ops.abs(z) < NEAR, z + ops.stop_gradient(1e-7 - z), z)


def off_the_kink(z):
    """`z`; what is near 0 has no gradient."""
    return ops.where(ops.abs(z) < NEAR, ops.stop_gradient(z), z)


def gradients_of_weights(model, x, y, activation, expected_loss):
    """By path; `activation` acts on V1's numbers before their rectifiers."""
    for convolution in model.cell.v1.convolutions:
        convolution.activation = activation or (lambda z: z)
    weights = model.get_weights()
    before = {v.path: numpy(v) for v in model.trainable_variables}
    xla = keras.backend.backend() == "jax"
    model.compile(keras.optimizers.SGD(1.0), jit_compile=xla)  # its step: the gradient
    loss = model.train_on_batch(x, y, return_dict=True)["loss"]
    assert relative(loss, expected_loss) < 1e-4
    found = {v.path: before[v.path] - numpy(v) for v in model.trainable_variables}
    model.set_weights(weights)
    return found


def check_optimizer(data):
    """Steps of TensorFlow 1, to the last digits that float32 keeps."""
    gradients = arrays(data, "grad:")
    after = arrays(data, "after_step:")
    names = sorted(gradients.keys() & after.keys())
    assert len(names) > 40
    weights = [keras.Variable(data["var:" + name]) for name in names]
    TF1RMSprop().apply([gradients[name] for name in names], weights)
    for name, weight in zip(names, weights, strict=True):
        np.testing.assert_allclose(numpy(weight), after[name], rtol=3e-7, atol=1e-9)


def test_convert_without_a_checkpoint(tmp_path):
    with pytest.raises(ValueError, match="must be a TensorFlow checkpoint"):
        convert.hart(tmp_path)
    model = PublishedHART(PublishedHARTCell(**SMALL))
    model.build()
    with pytest.raises(ValueError, match="none of"):
        convert.set_hart_weights(model, {})
    wrong = {name: np.zeros(3) for name in convert.hart_variables(model)}
    with pytest.raises(ValueError, match="must have"):
        convert.set_hart_weights(model, wrong)


@pytest.mark.packaging
def test_convert_command(tmp_path, capsys, golden_path):
    out = tmp_path / "hart_kitti"
    checkpoint = str(golden_path("hart_synthetic_ckpt"))
    assert main(["convert", "hart", checkpoint, str(out)]) == 0
    assert str(out) in capsys.readouterr().out
    model = zoo.load(out)
    assert isinstance(model, PublishedHART)
    assert isinstance(model.optimizer, TF1RMSprop)
    bias = numpy(model.cell.attention_bias())
    np.testing.assert_allclose(bias, [0.02601, 0.02233, 0.01472, 0.03133], atol=1e-5)
    assert main(["convert", "hart", str(tmp_path / "none"), str(out)]) == 1
    assert "must be a TensorFlow checkpoint" in capsys.readouterr().err
