import keras
import numpy as np
import pytest
from keras import ops
from layer_check import run_layer_test

from keras_attend.layers import BilinearGlimpse, GaussianGlimpse, WindowWrite

# Windows that lie inside, over a border, apart, close together and mirrored.
PARAMS = np.array(
    [
        [4, 3, 1, 1, 0.9, 0.7],
        [3.5, 6.2, 0.4, 1.3, 0.5, 1.2],
        [0, 7, 2.5, 2, 2.0, 1.1],
        [5.3, 2.2, -0.8, 1.7, 0.6, 0.9],
    ],
    "float32",
)
READERS = {
    "bilinear": lambda: BilinearGlimpse((4, 5)),
    "antialias": lambda: BilinearGlimpse((4, 5), antialias=True),
    "gaussian": lambda: GaussianGlimpse((4, 5), crop=None),
}


def writer(name, **arguments):
    kind = "gaussian" if name == "gaussian" else "bilinear"
    return WindowWrite((9, 8), kind, antialias=name == "antialias", **arguments)


@pytest.mark.parametrize("name", READERS)
def test_write_is_the_adjoint_of_read(random, name):
    x = random.normal(size=(4, 9, 8, 2)).astype("float32")
    p = random.normal(size=(4, 4, 5, 2)).astype("float32")
    read = ops.convert_to_numpy(READERS[name]()(x, PARAMS))
    written = ops.convert_to_numpy(writer(name, keeps="sum")(p, PARAMS))
    left, right = ((a * b).sum((1, 2, 3)) for a, b in ((read, p), (x, written)))
    assert np.abs(left).min() > 0.01
    np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", READERS)
def test_what_is_kept(name):
    """The sum of a patch; or the brightness of one whose points leave no gaps."""
    inside = np.array([[4, 3.5, 1.2, 1.3, 0.8, 0.9]], "float32")
    if name == "gaussian":
        inside = np.array([[4, 3.5, 0.6, 0.7, 0.6, 0.7]], "float32")
    elif name == "bilinear":
        inside = np.array([[4, 3.5, 1, 1, 0, 0]], "float32")
    p = np.random.default_rng(1).random((1, 4, 5, 1)).astype("float32")
    total = ops.convert_to_numpy(writer(name, keeps="sum")(p, inside)).sum()
    np.testing.assert_allclose(total, p.sum(), rtol=0.03)
    bright = ops.convert_to_numpy(writer(name)(np.ones_like(p), inside))[0, :, :, 0]
    np.testing.assert_allclose(bright[4, 3:5], 1.0, atol=0.1)
    assert bright[0, 0] < 0.5


def test_equals_a_spatial_transformer(random):
    """Each pixel of the window is read from the patch, bilinearly."""
    p = random.random((1, 6, 6, 1)).astype("float32")
    found = WindowWrite((12, 11))(p, np.array([[5.2, 4.7, 1.6, 1.1, 0, 0]], "float32"))
    found = ops.convert_to_numpy(found)[0, :, :, 0]
    padded = np.pad(p[0, :, :, 0], 1)
    for row in range(12):
        for column in range(11):
            y, x = (row - 5.2) / 1.6 + 2.5 + 1, (column - 4.7) / 1.1 + 2.5 + 1
            expected = 0.0
            if 0 < y < 7 and 0 < x < 7:
                i, j = int(y), int(x)
                top = padded[i, j] * (1 - x + j) + padded[i, j + 1] * (x - j)
                low = padded[i + 1, j] * (1 - x + j) + padded[i + 1, j + 1] * (x - j)
                expected = top * (1 - y + i) + low * (y - i)
            np.testing.assert_allclose(found[row, column], expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["bilinear", "gaussian"])
def test_house_rules(random, kind, tmp_path):
    patches = random.random((4, 4, 5, 2)).astype("float32")
    run_layer_test(
        WindowWrite,
        {"size": (9, 8), "kind": kind, "keeps": "sum", "antialias": False},
        (patches, PARAMS),
        (4, 9, 8, 2),
        trainable_weights=0,
        tmp_path=tmp_path,
    )


def test_antialias_reads_every_pixel():
    """A point that stands for three pixels is their weighted mean."""
    x = np.zeros((1, 9, 9, 1), "float32")
    x[0, 3, 4] = 9.0
    params = np.array([[4, 4, 3, 3, 0, 0]], "float32")
    skipped = ops.convert_to_numpy(BilinearGlimpse(3)(x, params))
    found = ops.convert_to_numpy(BilinearGlimpse(3, antialias=True)(x, params))
    assert skipped.max() == 0
    # Along y the pixel is 1 off the middle point and 2 off the one above.
    np.testing.assert_allclose(found[0, :, 1, 0], [1 / 3, 2 / 3, 0], atol=1e-6)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"`kind` must be one of .* Received: kind="):
        WindowWrite(9, kind="cubic")
    with pytest.raises(ValueError, match="`keeps` must be one of"):
        WindowWrite(9, keeps="all")
    with pytest.raises(ValueError, match="`size` must"):
        WindowWrite(0)
    patches = np.zeros((1, 4, 4, 1), "float32")
    with pytest.raises(ValueError, match=r"`params` must have shape \[batch, 6\]"):
        WindowWrite(9)(patches, np.zeros((1, 4), "float32"))
    with pytest.raises(ValueError, match="must have a known number of rows"):
        WindowWrite(9)(keras.Input((None, 4, 1)), keras.Input((6,)))
