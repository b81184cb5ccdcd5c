import json

import keras
import numpy as np
import pytest
from keras import ops
from layer_check import compiled, gradients, run_layer_test

from keras_attend.layers import Retina


def numpy_retina(images, locations, size, scales, factor=2):
    """Cut, pad with zeros, average: one patch after another."""
    B, H, W, C = images.shape
    out = np.zeros((B, size, size, scales, C))
    for b in range(B):
        cx, cy = np.trunc(0.5 * (locations[b] + 1) * [W, H]).astype(int)
        for k in range(scales):
            f = factor**k
            y, x = cy - size * f // 2, cx - size * f // 2
            for i, j in np.ndindex(size * f, size * f):
                if 0 <= y + i < H and 0 <= x + j < W:
                    out[b, i // f, j // f, k] += images[b, y + i, x + j] / f**2
    return out.reshape(B, size, size, scales * C)


@pytest.mark.parametrize(
    "shape, size, scales, factor",
    [
        ((28, 28, 1), 8, 1, 2),
        ((17, 30, 3), 4, 3, 2),  # not square, colour
        ((12, 9, 2), 5, 2, 3),  # odd size, another factor
        ((4, 3, 1), 8, 2, 2),  # an image smaller than the retina
        ((1, 1, 1), 1, 1, 2),
    ],
)
def test_equals_numpy(random, shape, size, scales, factor):
    images = random.random((6, *shape), dtype="float32")
    locations = random.uniform(-1.3, 1.3, (6, 2)).astype("float32")
    locations[:2] = [[-1, -1], [1, 1]]
    expected = numpy_retina(images, locations, size, scales, factor)
    layer = Retina(size, scales, factor)
    for run in (layer, compiled(lambda x, l: layer(x, l))):
        found = run(ops.convert_to_tensor(images), ops.convert_to_tensor(locations))
        np.testing.assert_allclose(ops.convert_to_numpy(found), expected, atol=1e-6)


def test_house_rules(random, tmp_path):
    images = random.random((3, 20, 14, 2), dtype="float32")
    locations = random.uniform(-1, 1, (3, 2)).astype("float32")
    run_layer_test(
        Retina,
        {"size": 4, "scales": 3},
        (images, locations),
        (3, 4, 4, 6),
        trainable_weights=0,
        tmp_path=tmp_path,
    )


def test_golden(golden):
    """The best-known public code, in all its cases."""
    file = golden("ram_retina")
    cases = json.loads(str(file["meta"])).items()
    cases = [(n, case) for n, case in cases if f"{n}/images_nchw" in file]
    assert len(cases) == 5
    for name, case in cases:
        images = file[f"{name}/images_nchw"].transpose(0, 2, 3, 1)
        layer = Retina(case["g"], case["k"], case["s"])
        found = ops.convert_to_numpy(layer(images, file[f"{name}/loc_xy"]))
        B, g, k, C = len(images), case["g"], case["k"], case["C"]
        found = found.reshape(B, g, g, k, C).transpose(0, 3, 4, 1, 2)
        expected = file[f"{name}/phi_bkcgg_as_bkgg_c"]
        np.testing.assert_allclose(found, expected, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("far", [7.0, -1e6, 1e30, np.inf, -np.inf, np.nan])
def test_far_outside_sees_zeros(random, far):
    images = random.random((2, 10, 10, 1), dtype="float32")
    for location in ([far, 0.0], [0.0, far], [far, far]):
        locations = np.array([location, [0, 0]], "float32")
        found = ops.convert_to_numpy(Retina(4, 2)(images, locations))
        assert (found[0] == 0).all()
        assert (found[1] != 0).any()
        for gradient in gradients(Retina(4, 2), images, locations):
            assert np.isfinite(gradient).all()


def test_half_precision_keeps_the_pixel():
    """The location's column is exact on a wide image, where float16 is not."""
    images = np.zeros((1, 1, 2001, 1), "float32")
    images[0, 0, 1502] = 1
    location = np.array([[2 * 1502.5 / 2001 - 1, 0]], "float32")
    found = Retina(1, dtype="mixed_float16")(images, location)
    assert float(ops.convert_to_numpy(found)[0, 0, 0, 0]) == 1


def test_any_image_size_after_build(random):
    layer = Retina(4, 2)
    for height, width in ((8, 8), (31, 17), (3, 50)):
        images = random.random((2, height, width, 1), dtype="float32")
        assert layer(images, np.zeros((2, 2), "float32")).shape == (2, 4, 4, 2)
    symbol = layer(keras.Input((None, None, 3)), keras.Input((2,)))
    assert symbol.shape == (None, 4, 4, 6)


@pytest.mark.parametrize("batch", [0, 1])
def test_small_batches(batch):
    images = np.ones((batch, 9, 9, 1), "float32")
    assert Retina(4)(images, np.zeros((batch, 2), "float32")).shape == (batch, 4, 4, 1)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"size": 0},
        {"size": -2},
        {"size": 2.5},
        {"size": True},
        {"size": 4, "scales": 0},
        {"size": 4, "factor": 0},
    ],
)
def test_bad_arguments(kwargs):
    with pytest.raises(ValueError, match=r"must be a positive integer. Received"):
        Retina(**kwargs)


def test_bad_inputs():
    images, locations = np.zeros((2, 9, 9, 1), "float32"), np.zeros((2, 2), "float32")
    with pytest.raises(ValueError, match=r"`images` must have shape"):
        Retina(4)(images[..., 0], locations)
    with pytest.raises(ValueError, match=r"`locations` must have shape"):
        Retina(4)(images, locations[:, :1])


@pytest.mark.parametrize(
    ("size", "scales", "channels"),
    [
        (5, 2, 3),
        *(pytest.param(*v, marks=pytest.mark.slow) for v in [(4, 3, 1), (3, 1, 1)]),
    ],
)
def test_wide_images_are_read_in_parts(random, size, scales, channels):
    """The same glimpses as from whole rows, at the edges and outside too."""
    layer = Retina(size, scales)
    for width in (150, 151, 160):
        images = random.random((40, 9, width, channels), dtype="float32")
        locations = random.uniform(-1.3, 1.3, (40, 2)).astype("float32")
        locations[:6, 0] = [-1, 1, -np.inf, np.inf, np.nan, 1e9]
        locations[:2, 1] = 0
        found = ops.convert_to_numpy(layer(images, locations))
        assert found[:2].any((1, 2, 3)).all() and not found[2:6].any()
        for few in (slice(0, 2), slice(6, 40)):
            expected = numpy_retina(images[few], locations[few], size, scales)
            np.testing.assert_allclose(found[few], expected, atol=1e-6)
