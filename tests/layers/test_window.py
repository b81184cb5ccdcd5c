"""`Window` reads what bilinear interpolation at its points gives."""

import numpy as np
import pytest
from keras import ops
from layer_check import compiled

from keras_attend.layers.window import Window


def image(height: int = 12, width: int = 15) -> np.ndarray:
    return np.random.default_rng(0).random((1, height, width, 3), "float32")


def value(picture: np.ndarray, y: float, x: float) -> np.ndarray:
    """Bilinear interpolation between the middles of pixels; grey beyond."""
    y, x = y - 0.5, x - 0.5
    total = np.zeros(3)
    for i in (np.floor(y), np.floor(y) + 1):
        for j in (np.floor(x), np.floor(x) + 1):
            share = (1 - abs(y - i)) * (1 - abs(x - j))
            inside = 0 <= i < picture.shape[0] and 0 <= j < picture.shape[1]
            pixel = picture[int(i), int(j)] if inside else 127 / 255
            total += share * pixel
    return total


@pytest.mark.parametrize("window", [(6.3, 7.1, 8.0), (1.0, 14.0, 5.5), (5.0, 5.0, 2.0)])
def test_bilinear(window: tuple[float, float, float]) -> None:
    frames, size = image(), 8
    found = ops.convert_to_numpy(Window(size)(frames, np.array([window], "float32")))
    cy, cx, side = window
    for r in range(size):
        for c in range(size):
            y = cy + side * ((r + 0.5) / size - 0.5)
            x = cx + side * ((c + 0.5) / size - 0.5)
            want = value(frames[0], y, x)
            np.testing.assert_allclose(found[0, r, c], want, atol=1e-5)


def test_wide_images() -> None:
    """Rows that are too long to be taken whole are read pixel by pixel."""
    frames = np.tile(image(12, 15), (1, 1, 5, 1))
    windows = np.array([[6.0, 30.0, 9.0]], "float32")
    want = Window(8)(frames[:, :, 15:45], windows - np.array([0, 15, 0], "float32"))
    np.testing.assert_allclose(Window(8)(frames, windows), want, atol=1e-5)


def test_wide_window_is_smooth() -> None:
    """Where a point stands for many pixels it is a mean of two far apart."""
    stripes = np.zeros((1, 64, 64, 3), "float32")
    stripes[:, :, ::2] = 1.0
    found = Window(16)(stripes, np.array([[32.0, 32.0, 96.0]], "float32"))
    inner = ops.convert_to_numpy(found)[0, 4:12, 4:12]
    assert inner.min() > 0.2 and inner.max() < 0.8


def test_bytes_and_floats() -> None:
    pixels = np.rint(255 * image()).astype("uint8")
    windows = np.array([[6.0, 7.0, 20.0]], "float32")
    whole = Window(8)(pixels, windows)
    parts = Window(8)(pixels / np.float32(255), windows)
    np.testing.assert_allclose(whole, parts, atol=1e-5)


def test_each_sample_has_its_window() -> None:
    frames = np.concatenate([image(), image()[:, ::-1]])
    windows = np.array([[6.0, 7.0, 4.0], [3.0, 9.0, 6.0]], "float32")
    both = ops.convert_to_numpy(Window(4)(frames, windows))
    for i in range(2):
        alone = Window(4)(frames[i : i + 1], windows[i : i + 1])
        np.testing.assert_allclose(both[i : i + 1], alone, atol=1e-6)


def test_under_xla() -> None:
    frames, windows = image(), np.array([[6.0, 7.0, 9.0]], "float32")
    layer = Window(8)
    np.testing.assert_allclose(
        compiled(layer)(frames, windows), layer(frames, windows), atol=1e-6
    )
    assert layer.compute_output_shape((None, 9, 9, 3), (None, 3)) == (None, 8, 8, 3)
    assert Window.from_config(layer.get_config()).size == 8
