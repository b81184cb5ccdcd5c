"""Weights that others have published, in our layers' order."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keras_attend.layers.glimpse_cnn import GlimpseCNN


def ratm_person_cnn(path: str | Path) -> GlimpseCNN:
    """RATM's network that tells people from background, as its authors trained it.

    Args:
        path: of an `.npz` with the eight arrays of the published checkpoint, under
            their names there (`conv0_W`, `bias0_b`, ..., `fc3_b`).

    Returns:
        A `GlimpseCNN` for 28x28 glimpses, grey, in 0..1.
    """
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    wanted = ["conv0_W", "bias0_b", "conv1_W", "bias1_b"]
    wanted += ["fc2_W", "fc2_b", "fc3_W", "fc3_b"]
    missing = sorted(set(wanted) - arrays.keys())
    if missing:
        raise ValueError(
            f"{path} must hold the arrays {wanted}. Received: none of {missing}"
        )
    for name in ("conv0_W", "conv1_W"):
        arrays[name] = convolution(arrays[name])
    rows = cols = 28 // 4
    channels = arrays["conv1_W"].shape[-1]
    arrays["fc2_W"] = flattened(arrays["fc2_W"], rows, cols, channels)
    network = GlimpseCNN(gain=255.0)
    network.build((None, 28, 28, 1))
    network.set_weights([arrays[name] for name in wanted])
    return network


def convolution(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Theano's `[out, in, rows, cols]`, which it flips, as Keras's kernel."""
    return np.transpose(kernel[:, :, ::-1, ::-1], (2, 3, 1, 0))


def flattened(
    matrix: NDArray[np.float32], rows: int, cols: int, channels: int
) -> NDArray[np.float32]:
    """Rows of a matrix that reads flattened maps: channels first to channels last."""
    maps = matrix.reshape(channels, rows, cols, -1)
    return np.moveaxis(maps, 0, 2).reshape(matrix.shape)
