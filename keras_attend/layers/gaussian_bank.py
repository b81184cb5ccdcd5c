"""The filters of a Gaussian read along one axis, and their gradient.

The equations and their symbols are those of `GaussianGlimpse`.
"""

from keras import ops

from keras_attend.layers.tracing import is_uncompiled
from keras_attend.types import Tensor

MIN_SIGMA = 1e-3  # pixels; a narrower Gaussian between two pixels would be 0 / 0
FAR = 1e3  # sigmas; exp(-z^2 / 2) is 0 long before, and no gradient is 0 * inf


def bank(
    axis_params: Tensor, count: int, lowest: Tensor, length: Tensor, epsilon: float
) -> tuple[Tensor, Tensor]:
    """Compute the filters F of one axis.

    Args:
        axis_params: `[B, 3]`, center, stride and sigma in pixels.
        count: how many Gaussians there are.
        lowest, length: the coordinate of the first pixel that is read, `[B]` or 0, and
            how many are read.
        epsilon: added to the sum of each Gaussian.

    Returns:
        F, and the distance in sigmas of each pixel from each Gaussian's centre, both
        `[B, count, length]`.
    """
    dtype = axis_params.dtype
    center, stride, sigma = ops.split(axis_params[:, :, None], 3, axis=1)  # [B, 1, 1]
    lowest = ops.reshape(ops.cast(lowest, dtype), (-1, 1, 1))  # [B or 1, 1, 1]
    pixels = ops.cast(ops.arange(length), dtype) + lowest  # [B or 1, 1, length]
    # In this order large coordinates cancel before anything is rounded.
    distance = (pixels - center) - stride * _grid(count, dtype)[:, None]
    z = distance / positive(sigma)  # [B, count, length]
    if not is_uncompiled():  # no gradients are computed
        z = ops.clip(z, -FAR, FAR)
    e = ops.exp(-0.5 * ops.square(z))
    return e / (ops.sum(e, axis=-1, keepdims=True) + epsilon), z


def bank_gradient(axis_params: Tensor, f: Tensor, z: Tensor, d_f: Tensor) -> Tensor:
    r"""Compute the gradient of center, stride and sigma `[B, 3]`, from the filters'.

    $$\dot\mu_r = \sum_c \frac{F_{rc} z_{rc}}{\sigma} h_{rc}, \qquad
      \dot\sigma = \sum_{rc} \frac{F_{rc} z_{rc}^2}{\sigma} h_{rc}, \qquad
      h_{rc} = \dot F_{rc} - \sum_j \dot F_{rj} F_{rj}$$

    `axis_params` are those that `bank` was called with, F and z what it returned, and
    `d_f` is the gradient of F, `[B, count, length]`.
    """
    sigma = axis_params[:, 2]  # [B]
    d_f = ops.cast(d_f, f.dtype)  # [B, count, length]
    h = d_f - ops.sum(d_f * f, axis=-1, keepdims=True)
    fzh = f * z * h / positive(sigma)[:, None, None]
    d_mu = ops.sum(fzh, axis=-1)  # [B, count]
    d_stride = ops.sum(d_mu * _grid(f.shape[1], f.dtype), axis=-1)
    # Below MIN_SIGMA the filters do not change with sigma.
    sign = ops.where(ops.abs(sigma) > MIN_SIGMA, ops.sign(sigma), ops.zeros_like(sigma))
    d_sigma = sign * ops.sum(fzh * z, axis=(1, 2))
    return ops.stack([ops.sum(d_mu, axis=-1), d_stride, d_sigma], axis=-1)


def positive(sigma: Tensor) -> Tensor:
    """The magnitude of `sigma`, at least MIN_SIGMA."""
    return ops.maximum(ops.abs(sigma), MIN_SIGMA)


def _grid(count: int, dtype: str) -> Tensor:
    """The Gaussians' distances from the centre of the grid, in strides."""
    return ops.cast(ops.arange(count), dtype) - (count - 1) / 2  # [count]
