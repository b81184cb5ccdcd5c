"""The Gaussian read: a grid of Gaussians laid over an image."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
from keras import ops

from keras_attend.layers.crop import Size, crop_windows, parse_buckets, parse_size
from keras_attend.layers.tracing import cut, is_for_a_file, over_columns, over_rows
from keras_attend.types import Shape, Tensor

REACH = 5.0  # sigmas of support that a crop keeps: 1e-6 of a value, 1e-5 of a slope
MIN_SIGMA = 1e-3  # pixels; below it a Gaussian falls between the pixels: 0 / 0
FAR = 1e3  # sigmas; exp is 0 long before, and 0 * inf is kept out of the gradient


@keras.saving.register_keras_serializable("keras_attend")
class GaussianGlimpse(keras.layers.Layer):
    r"""Read a small patch of an image through a grid of Gaussians.

    The read of DRAW (Gregor et al. 2015), RATM (Kahou et al. 2015, eq. 4 to 12) and
    HART (Kosiorek et al. 2017, eq. 1 and 2). On each axis, with $G$ Gaussians:

    $$\mu_r = \text{center} + \text{stride} \, (r - (G - 1) / 2)$$
    $$F_{rc} = e_{rc} / \big(\textstyle\sum_c e_{rc} + \epsilon\big), \qquad
      e_{rc} = \exp(-(c - \mu_r)^2 / 2 \sigma^2)$$
    $$\text{glimpse} = F_y \; \text{image} \; F_x^\top$$

    It is called as `glimpse(images, params)`:

    * images: `[B, H, W, C]`, float or integer, of any height and width.
    * params: `[B, 6]`, `center_y, center_x, stride_y, stride_x, sigma_y, sigma_x` in
      pixels; pixel i is at coordinate i. `gaussian_params.py` makes them out of
      the papers' activations. They stay float32 (or wider) whatever the dtype policy.
    * returns `[B, rows, cols, C]` in the layer's compute dtype.

    A Gaussian just outside the image is renormalised onto its border pixels; one far
    outside, of mass below epsilon, reads 0. `sigma` counts without its sign, and as
    1e-3 when it is smaller.

    The cost of a dense read grows with the image. With `crop`, the layer cuts a window
    out of each image that covers its Gaussians up to 5 sigma and reads only that:
    within 1e-5 of the dense read, at a cost that does not depend on the image. The
    smallest bucket that covers every sample of the batch is chosen at run time;
    when none does, the read is dense.

    Backward, the read is computed again rather than remembered: only `images` and
    `params` stay in memory. The gradient of `images` is dense, and costs nothing where
    nobody asks for it (compiled).

    Args:
        size: Gaussians per axis, an integer or `(rows, cols)`.
        crop: `"auto"` for windows of 64, 128, 256 and 512 pixels where these are less
            than half of the image; an integer, `(height, width)` or a list of
            `(height, width)` for windows of one's own; `None` to read densely.
        epsilon: added to the sum of each Gaussian (HART 1e-8, RATM 1e-4).
    """

    def __init__(
        self,
        size: int | Sequence[int],
        crop: str | int | Sequence[int] | Sequence[Size] | None = "auto",
        epsilon: float = 1e-8,
        **kwargs: Any,
    ) -> None:
        # Half precision would round centres to whole pixels: `call` casts by itself.
        super().__init__(autocast=False, **kwargs)
        self.size = parse_size(size, "size")
        self.crop, self._buckets = parse_buckets(crop)
        if not (isinstance(epsilon, int | float) and 0 < epsilon < 1):
            raise ValueError(
                "`epsilon` must be a number between 0 and 1, such as 1e-8. "
                f"Received: epsilon={epsilon!r}"
            )
        self.epsilon = float(epsilon)

    def call(self, images: Tensor, params: Tensor) -> Tensor:
        """Read `images` `[B, H, W, C]` at `params` `[B, 6]`."""
        self._check_shapes(images.shape, params.shape)
        wide = keras.backend.result_type(self.compute_dtype, "float32")
        params = ops.cast(params, wide)  # [B, 6]
        differentiable = keras.backend.is_float_dtype(images.dtype)

        if is_for_a_file() and self._buckets and images.shape[0] == 1:
            return self._read_in_a_file(images, params)

        @ops.custom_gradient
        def read(images: Tensor, params: Tensor) -> tuple[Tensor, Callable[..., Any]]:
            def backward(*args: Tensor, upstream: Tensor | None = None) -> Any:
                (g,) = args if upstream is None else (upstream,)
                d_images = self._image_slopes(images, params, g)
                d_params = self._choose(self._param_slopes, images, params, g)
                return d_images if differentiable else None, d_params

            return self._choose(self._glimpse, images, params), backward

        return read(images, params)

    def _choose(
        self,
        function: Callable[..., Tensor],
        images: Tensor,
        params: Tensor,
        *g: Tensor,
    ) -> Tensor:
        """`function` of the smallest windows that cover every sample, or of all."""
        lengths = ops.shape(images)[1:3]
        windows, covers, spans = [], [], None
        # JAX exports sizes as symbols, of which no window can be cut.
        known = all(isinstance(n, int) or ops.is_tensor(n) for n in lengths)
        for bucket in self._buckets if known else ():
            h, w = (_smaller(*pair) for pair in zip(bucket, lengths, strict=True))
            # A window nearly as large as the image saves nothing.
            worth = (2 if self.crop == "auto" else 1) * h * w < lengths[0] * lengths[1]
            if worth is not False:  # a tensor where the image's size is unknown
                windows.append((h, w))
                spans = spans or self._spans(lengths, params)
                covers.append(ops.logical_and(worth, self._covers((h, w), spans)))
        if not windows or images.shape[0] == 0:  # XLA cuts nothing out of nothing
            return function(None, images, params, *g)
        index = ops.argmax(ops.cast(ops.stack([*covers, True]), "int32"))
        branches = [partial(function, window) for window in [*windows, None]]
        return ops.switch(index, branches, images, params, *g)

    def _read_in_a_file(self, images: Tensor, params: Tensor) -> Tensor:
        """One sample, through a window of just the size that it needs.

        Where nothing is compiled, sizes need not be known before, and a choice among
        windows costs more than it saves.
        """
        _, height, width, channels = ops.shape(images)
        first, last = self._spans((height, width), params)  # [1, 2]
        start = ops.floor(first)
        left = _pair((height, width), start.dtype) - start
        size = ops.minimum(last - start + 2, left)
        place = ops.cast(ops.concatenate([start, size], axis=1)[0], "int32")
        # What was NaN is somewhere, and stays NaN in the banks.
        y, x, h, w = ops.split(ops.maximum(place, (0, 0, 1, 1)), 4)  # [1] each
        rows = ops.reshape(images, (1, height, width * channels))
        none, one = ops.zeros((1,), "int32"), ops.ones((1,), "int32")
        rows = cut(rows, [none, y, x * channels], [one, h, w * channels])
        lengths = ops.reshape(h, ()), ops.reshape(w, ())
        banks = self._banks(ops.split(start, 2, axis=1), lengths, params)
        (f_y, _), (f_x, _) = banks
        rows = ops.matmul(f_y, ops.cast(rows, self.compute_dtype))  # [1, rows, w C]
        rows = ops.reshape(rows, (1, self.size[0], -1, channels))
        return ops.matmul(f_x[:, None], rows)  # [1, rows, cols, C]

    def _covers(self, window: Size, spans: tuple[Tensor, Tensor]) -> Tensor:
        first, last = spans
        return ops.all(last - first + 2 <= _pair(window, first.dtype))

    def _spans(self, lengths: Size, params: Tensor) -> tuple[Tensor, Tensor]:
        """First and last coordinates (y, x) that the Gaussians see, both `[B, 2]`."""
        center, stride, sigma = ops.split(params, 3, axis=-1)  # [B, 2] each
        last = _pair(lengths, center.dtype) - 1
        counts = [(count - 1) / 2 for count in self.size]
        half = ops.abs(stride) * ops.convert_to_tensor(counts, center.dtype)
        reach = REACH * _positive(sigma)
        # A Gaussian outside sees the border, so it counts from there.
        low = ops.minimum(ops.relu(center - half), last) - reach
        high = ops.minimum(ops.relu(center + half), last) + reach
        return ops.relu(low), ops.minimum(high, last)

    def _banks(
        self, starts: Sequence[Tensor], lengths: Size, params: Tensor
    ) -> list[tuple[Tensor, Tensor]]:
        return [
            _bank(params[:, i::2], self.size[i], starts[i], lengths[i], self.epsilon)
            for i in (0, 1)
        ]

    def _look(
        self, window: Size | None, images: Tensor, params: Tensor
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """What is read, and for each axis its bank and distances in sigmas."""
        lengths = ops.shape(images)[1:3]
        starts: list[Tensor] = [0, 0]
        if window is not None:
            first, _ = self._spans(lengths, params)
            # The start moves into the image, never the centres: Gaussians outside
            # find the border pixels that the dense read gives them.
            latest = _pair(
                [n - m for n, m in zip(lengths, window, strict=True)], first.dtype
            )
            found = ops.cast(ops.minimum(ops.floor(first), latest), "int32")
            starts = ops.unstack(found, 2, axis=1)
            images = crop_windows(images, starts, window)  # [B, h, w, C]
            lengths = window
        images = ops.cast(images, self.compute_dtype)
        return images, self._banks(starts, lengths, params)

    def _glimpse(self, window: Size | None, images: Tensor, params: Tensor) -> Tensor:
        images, banks = self._look(window, images, params)
        (f_y, _), (f_x, _) = banks
        return self._over_x(f_x, self._over_y(f_y, images))  # [B, rows, cols, C]

    def _over_y(self, f_y: Tensor, images: Tensor) -> Tensor:
        # Rows before columns also where the columns are more: with channels last it is
        # one large product without a transposed copy, two to five times faster.
        return over_rows(ops.cast(f_y, self.compute_dtype), images)

    def _over_x(self, f_x: Tensor, rows: Tensor) -> Tensor:
        return over_columns(ops.cast(f_x, self.compute_dtype), rows)

    def _image_slopes(self, images: Tensor, params: Tensor, g: Tensor) -> Tensor:
        """Slopes of the images `[B, H, W, C]`, given those of the glimpse, `g`."""
        (f_y, _), (f_x, _) = self._banks((0, 0), ops.shape(images)[1:3], params)
        d_rows = ops.einsum("bkw,brkc->brwc", ops.cast(f_x, g.dtype), g)
        slopes = ops.einsum("brh,brwc->bhwc", ops.cast(f_y, g.dtype), d_rows)
        return ops.cast(slopes, images.dtype)

    def _param_slopes(
        self, window: Size | None, images: Tensor, params: Tensor, g: Tensor
    ) -> Tensor:
        """Slopes of the parameters `[B, 6]`, given those of the glimpse, `g`."""
        images, ((f_y, z_y), (f_x, z_x)) = self._look(window, images, params)
        rows = self._over_y(f_y, images)  # [B, rows, w, C]
        d_f_x = ops.einsum("brkc,brwc->bkw", g, rows)
        d_rows = ops.einsum("bkw,brkc->brwc", ops.cast(f_x, g.dtype), g)
        d_f_y = ops.einsum("brwc,bhwc->brh", d_rows, images)
        slopes = [
            _bank_slopes(params[:, 0::2], f_y, z_y, d_f_y),
            _bank_slopes(params[:, 1::2], f_x, z_x, d_f_x),
        ]
        return ops.reshape(ops.stack(slopes, axis=-1), (-1, 6))

    def _check_shapes(self, images_shape: Shape, params_shape: Shape) -> None:
        if len(images_shape) != 4:
            raise ValueError(
                "`images` must be [batch, height, width, channels]. "
                f"Received: images.shape={tuple(images_shape)}"
            )
        if len(params_shape) != 2 or params_shape[-1] != 6:
            raise ValueError(
                "`params` must be [batch, 6]: center_y, center_x, stride_y, stride_x, "
                f"sigma_y, sigma_x. Received: params.shape={tuple(params_shape)}"
            )
        if None not in (images_shape[0], params_shape[0]) and (
            images_shape[0] != params_shape[0]
        ):
            raise ValueError(
                "`params` must have one row for each of `images`. Received: "
                f"{images_shape[0]} images and {params_shape[0]} rows"
            )

    def compute_output_shape(
        self, images_shape: Shape, params_shape: Shape
    ) -> tuple[int | None, ...]:
        """`[B, rows, cols, C]`."""
        self._check_shapes(images_shape, params_shape)
        return (images_shape[0], *self.size, images_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"size": self.size, "crop": self.crop, "epsilon": self.epsilon}
        return {**super().get_config(), **own}


def _bank(
    axis_params: Tensor, count: int, start: Tensor, length: Tensor, epsilon: float
) -> tuple[Tensor, Tensor]:
    """One axis's bank F and its distances in sigmas, both `[B, count, length]`.

    Args:
        axis_params: `[B, 3]`, center, stride and sigma.
        count: how many Gaussians.
        start: coordinate of the first pixel, `[B]` or 0.
        length: how many pixels.
        epsilon: added to each sum.
    """
    dtype = axis_params.dtype
    center, stride, sigma = ops.split(axis_params[:, :, None], 3, axis=1)  # [B, 1, 1]
    start = ops.reshape(ops.cast(start, dtype), (-1, 1, 1))  # [B, 1, 1] or [1, 1, 1]
    pixels = ops.cast(ops.arange(length), dtype) + start  # [B, 1, length]
    # In this order the large numbers cancel exactly, before anything is rounded.
    distance = (pixels - center) - stride * _grid(count, dtype)[:, None]
    z = distance / _positive(sigma)  # [B, count, length]
    if not is_for_a_file():  # nobody asks that for slopes
        z = ops.clip(z, -FAR, FAR)
    e = ops.exp(-0.5 * ops.square(z))
    return e / (ops.sum(e, axis=-1, keepdims=True) + epsilon), z


def _bank_slopes(axis_params: Tensor, f: Tensor, z: Tensor, d_f: Tensor) -> Tensor:
    r"""Slopes of center, stride and sigma `[B, 3]`, given those of the bank.

    $$\dot\mu_r = \sum_c \frac{F_{rc} z_{rc}}{\sigma} h_{rc}, \qquad
      \dot\sigma = \sum_{rc} \frac{F_{rc} z_{rc}^2}{\sigma} h_{rc}, \qquad
      h_{rc} = \dot F_{rc} - \sum_j \dot F_{rj} F_{rj}$$
    """
    sigma = axis_params[:, 2]  # [B]
    d_f = ops.cast(d_f, f.dtype)  # [B, count, length]
    h = d_f - ops.sum(d_f * f, axis=-1, keepdims=True)
    fzh = f * z * h / _positive(sigma)[:, None, None]
    d_mu = ops.sum(fzh, axis=-1)  # [B, count]
    d_stride = ops.sum(d_mu * _grid(f.shape[1], f.dtype), axis=-1)
    # Below the floor the bank does not change with sigma.
    sign = ops.where(ops.abs(sigma) > MIN_SIGMA, ops.sign(sigma), ops.zeros_like(sigma))
    d_sigma = sign * ops.sum(fzh * z, axis=(1, 2))
    return ops.stack([ops.sum(d_mu, axis=-1), d_stride, d_sigma], axis=-1)


def _positive(sigma: Tensor) -> Tensor:
    return ops.maximum(ops.abs(sigma), MIN_SIGMA)


def _grid(count: int, dtype: str) -> Tensor:
    return ops.cast(ops.arange(count), dtype) - (count - 1) / 2  # [count]


def _smaller(limit: int, length: int | Tensor) -> int | Tensor:
    return min(limit, length) if isinstance(length, int) else ops.minimum(limit, length)


def _pair(values: Sequence[Any], dtype: str) -> Tensor:
    return ops.stack([ops.cast(value, dtype) for value in values])  # [2]
