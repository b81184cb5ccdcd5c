"""Turn RATM's and HART's attention into the numbers that `GaussianGlimpse` takes."""

from collections.abc import Sequence
from typing import Literal

import keras
from keras import ops

from keras_attend.arguments import check_choice, check_shape
from keras_attend.layers.tracing import join_last, split_last
from keras_attend.types import Tensor

HART_OFFSET = (0.00809737, 0.50086582)  # pixels along y and x, of the published code
# HART's fit of sigma_y and sigma_x to the strides dy, dx (pixels), term by term.
HART_SIGMA: tuple[tuple[int, int, float, float], ...] = (
    # power of dy, power of dx, coefficient for sigma_y, for sigma_x
    (0, 0, 0.6125984227876425, 0.9256132819566882),
    (1, 0, -0.010580157432116218, -0.0021822492870570416),
    (2, 0, 0.00013213194517000917, -6.093098593402478e-06),
    (3, 0, -2.8763621924021764e-07, 9.080539042467546e-08),
    (4, 0, 1.9453177035573784e-10, -9.472441860655217e-11),
    (0, 1, 0.00014446842189134453, -0.011973360229642535),
    (0, 2, -4.305905962184338e-06, 7.714855920846222e-05),
    (0, 3, 1.0537680763958527e-08, -1.0547492436290354e-07),
    (0, 4, -6.496249438191271e-12, 3.4356853885634685e-11),
    (1, 1, 9.856868759187378e-06, 6.575811573413093e-05),
    (1, 2, -1.4199188730653094e-08, -9.460264363613177e-08),
    (2, 1, -9.811292200129005e-09, -1.5616906772091337e-07),
    (1, 3, -3.61018968312145e-12, 7.689550275308927e-11),
    (2, 2, 2.6584888844876837e-11, 4.395364522844146e-11),
    (3, 1, -1.0184907088769307e-11, 9.853228591798846e-11),
)


def ratm_params(
    activations: Tensor,
    image_size: Sequence[int],
    glimpse_size: Sequence[int],
    index_base: Literal[0, 1] = 1,
    int_stride: bool = False,
) -> Tensor:
    r"""RATM's window (Kahou et al. 2015, eq. 6 to 12), as its code has it.

    $$\mu_i = g + \delta (i - M / 2 - 0.5), \quad
      \delta = \frac{W - 1}{M - 1} |d|, \quad \sigma = |s| / 2$$

    The paper's eq. 6, 9 and 10 mix units; the code multiplies the centres by W and H.
    Its sigma is halved (eq. 8 is not).

    Args:
        activations: `[B, 7]`: $g_x / W$, $g_y / H$, $s_x$, $d_x$, gamma (unused),
            $s_y$, $d_y$.
        image_size: `(H, W)`.
        glimpse_size: `(rows, cols)`, N and M.
        index_base: where i starts. 1 centres the grid on g, as DRAW does; 0 shifts it
            by a stride to the top left, as the published code does.
        int_stride: round (W - 1) / (M - 1) down, as Python 2 did in the published code.

    Returns:
        `[B, 6]`, the `params` of `GaussianGlimpse`.
    """
    check_shape("activations", activations.shape, "batch, 7")
    check_choice("index_base", index_base, (0, 1))
    g_x, g_y, s_x, d_x, _, s_y, d_y = split_last(_wide(activations), 7)
    axes = []
    for g, d, s, length, count in (
        (g_y, d_y, s_y, image_size[0], glimpse_size[0]),
        (g_x, d_x, s_x, image_size[1], glimpse_size[1]),
    ):
        unit = (length - 1) / max(count - 1, 1)
        delta = ops.abs(d) * (float(int(unit)) if int_stride else unit)  # [B]
        axes.append((g * length - (1 - index_base) * delta, delta, ops.abs(s) / 2))
    return _interleave(*axes)


def hart_params(
    attention: Tensor,
    image_size: Sequence[int],
    glimpse_size: Sequence[int],
    sigma: Literal["smooth", "hart_code"] = "smooth",
) -> Tensor:
    r"""HART's window with a fixed sigma for a stride (Kosiorek et al. 2017, sec. 3.1).

    $$u = yH + o, \quad d = h (H - 1) / (G - 1), \quad \mu_r = u + r d$$

    The paper calls $(y, x)$ a centre; in the code, and here, it is the top left. $o$ is
    `HART_OFFSET`.

    Args:
        attention: `[B, 4]`: $y / H$, $x / W$, $h / (H - 1)$, $w / (W - 1)$, top left
            and size.
        image_size: `(H, W)`.
        glimpse_size: `(rows, cols)`.
        sigma: `"smooth"` for $\sqrt{0.5^2 + (0.5 d)^2}$, ours: positive, and half a
            stride for large windows. `"hart_code"` for the quartic of the strides that
            the published weights were trained with; it is nearly constant (0.55 to
            0.93 pixels), and negative for windows far above its domain.

    Returns:
        `[B, 6]`, the `params` of `GaussianGlimpse`.
    """
    check_shape("attention", attention.shape, "batch, 4")
    check_choice("sigma", sigma, ("smooth", "hart_code"))
    y, x, h, w = split_last(_wide(attention), 4)  # each [B]
    first, extent, stride = [], [], []
    for axis, (start, size) in enumerate(((y, h), (x, w))):
        first.append(start * image_size[axis] + HART_OFFSET[axis])
        extent.append(size * (image_size[axis] - 1))
        stride.append(extent[axis] / max(glimpse_size[axis] - 1, 1))
    sigmas = [ops.sqrt(0.25 + ops.square(0.5 * d)) for d in stride]
    if sigma == "hart_code":
        sigmas = _hart_sigmas(*stride)
    centers = [u + e / 2 for u, e in zip(first, extent, strict=True)]
    return _interleave(*zip(centers, stride, sigmas, strict=True))


def _hart_sigmas(d_y: Tensor, d_x: Tensor) -> list[Tensor]:
    powers = []
    for d in (d_y, d_x):
        # Products, since the slope of `d**0` is 0 / 0 at an empty window.
        squared = d * d
        powers.append((ops.ones_like(d), d, squared, squared * d, squared * squared))
    terms = [(powers[0][i] * powers[1][j], a, b) for i, j, a, b in HART_SIGMA]
    return [sum(t * a for t, a, _ in terms), sum(t * b for t, _, b in terms)]


def _interleave(
    vertical: tuple[Tensor, Tensor, Tensor], horizontal: tuple[Tensor, Tensor, Tensor]
) -> Tensor:
    # center_y, center_x, stride_y, stride_x, sigma_y, sigma_x
    pairs = zip(vertical, horizontal, strict=True)
    return join_last([number for pair in pairs for number in pair])  # [B, 6]


def _wide(x: Tensor) -> Tensor:
    # Half precision would round the window to whole pixels.
    return ops.cast(x, keras.backend.result_type(x.dtype, "float32"))
