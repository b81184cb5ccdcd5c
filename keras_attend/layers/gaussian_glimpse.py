"""The layer that reads a patch of an image through a grid of Gaussians."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
from keras import ops

from keras_attend.arguments import KeepsArguments, check_shape
from keras_attend.layers.crop import Size, crop_images, parse_crop, parse_size
from keras_attend.layers.gaussian_bank import bank, bank_gradient, positive
from keras_attend.layers.tracing import (
    dynamic_slice,
    filter_along_x,
    filter_along_y,
    is_uncompiled,
)
from keras_attend.types import Shape, Tensor

# How many sigmas around a Gaussian's centre are read. What lies beyond changes a value
# by 1e-6 of itself and a slope by 1e-5.
REACH = 5.0

Banks = list[tuple[Tensor, Tensor]]  # along y and x: `gaussian_bank.bank`


@keras.saving.register_keras_serializable("keras_attend")
class GaussianGlimpse(KeepsArguments, keras.layers.Layer):
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
      pixels; pixel i is at coordinate i. `ratm_params` and `hart_params` compute them
      from those papers' activations. They stay float32 (or wider) whatever the dtype
      policy.
    * returns `[B, rows, cols, C]` in the layer's compute dtype.

    A Gaussian just outside the image reads the pixels of the nearest border; one so
    far outside that its sum is below epsilon reads 0. The sign of `sigma` is ignored,
    and a `sigma` below 1e-3 pixels is taken for 1e-3.

    With `crop`, the layer reads only a part of each image that covers its Gaussians up
    to 5 sigma, which differs from a dense read by less than 1e-5, at a cost that does
    not grow with the image. The part has the smallest of the given sizes that serves
    every sample of the batch; when none does, the whole image is read.

    The backward pass computes the read again, so that only `images` and `params` stay
    in memory in between. The gradient of `images` is dense; compiled, it costs nothing
    where it is not used.

    Args:
        size: Gaussians per axis, an integer or `(rows, cols)`.
        crop: the sizes of such a part, in pixels: an integer, `(height, width)` or a
            list of these. `"auto"` stands for squares of 64, 128, 256 and 512 pixels,
            where they are less than half of the image; `None` reads it whole.
        epsilon: added to the sum of each Gaussian (HART 1e-8, RATM 1e-4).
    """

    def __init__(
        self,
        size: int | Sequence[int],
        crop: str | int | Sequence[int] | Sequence[Size] | None = "auto",
        epsilon: float = 1e-8,
        **kwargs: Any,
    ) -> None:
        # Keras would cast `params` to half precision, which rounds centres to whole
        # pixels; `call` casts the images alone.
        super().__init__(autocast=False, **kwargs)
        self.size = parse_size(size, "size")
        self.crop, self._buckets = crop, parse_crop(crop)
        if not (isinstance(epsilon, int | float) and 0 < epsilon < 1):
            raise ValueError(
                "`epsilon` must be a number between 0 and 1, such as 1e-8. "
                f"Received: epsilon={epsilon!r}"
            )
        self.epsilon = float(epsilon)

    def build(self, images_shape: Shape, params_shape: Shape) -> None:
        """Note the shapes, for `summary`; there are no weights."""

    def call(self, images: Tensor, params: Tensor) -> Tensor:
        """Read `images` `[B, H, W, C]` at `params` `[B, 6]`."""
        self._check_shapes(images.shape, params.shape)
        wide = keras.backend.result_type(self.compute_dtype, "float32")
        params = ops.cast(params, wide)  # [B, 6]
        differentiable = keras.backend.is_float_dtype(images.dtype)

        if is_uncompiled() and self._buckets and images.shape[0] == 1:
            if params.shape[0] == 1:
                return self._read_uncompiled(images, params)
            return self._read_several_uncompiled(images, params)

        @ops.custom_gradient
        def read(images: Tensor, params: Tensor) -> tuple[Tensor, Callable[..., Any]]:
            def backward(*args: Tensor, upstream: Tensor | None = None) -> Any:
                (g,) = args if upstream is None else (upstream,)
                d_images = self._image_gradient(images, params, g)
                d_params = self._choose(self._param_gradient, images, params, g)
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
        """Call `function` with the smallest crop that fits all samples, or None."""
        lengths = ops.shape(images)[1:3]
        crops, fits, spans = [], [], None
        # In JAX exports H and W are symbols; nothing can be cropped from such images.
        known = all(isinstance(n, int) or ops.is_tensor(n) for n in lengths)
        for size in self._buckets if known else ():
            h, w = (_smaller(*pair) for pair in zip(size, lengths, strict=True))
            # A crop nearly as large as the image saves nothing.
            worth = (2 if self.crop == "auto" else 1) * h * w < lengths[0] * lengths[1]
            if worth is not False:  # a tensor where the image's size is unknown
                crops.append((h, w))
                spans = spans or self._spans(lengths, params)
                needed = spans[1] - spans[0] + 2  # [B, 2]
                covered = needed <= _pair((h, w), params.dtype)
                fits.append(ops.logical_and(worth, ops.all(covered)))
        if not crops or images.shape[0] == 0:  # XLA cannot crop an empty batch
            return function(None, images, params, *g)
        index = ops.argmax(ops.cast(ops.stack([*fits, True]), "int32"))
        branches = [partial(function, crop) for crop in [*crops, None]]
        return ops.switch(index, branches, images, params, *g)

    def _read_uncompiled(self, images: Tensor, params: Tensor) -> Tensor:
        """Read one image through a crop of exactly the size that its Gaussians need.

        Where nothing is compiled the size may change from call to call, and a choice
        among crops would cost more than it saves.
        """
        _, height, width, channels = ops.shape(images)
        lowest, highest = self._spans((height, width), params)  # [1, 2]
        corner = ops.floor(lowest)
        remaining = _pair((height, width), corner.dtype) - corner
        size = ops.minimum(highest - corner + 2, remaining)
        place = ops.cast(ops.concatenate([corner, size], axis=1)[0], "int32")
        # NaN parameters give some place inside the image here, and NaN in the banks.
        y, x, h, w = ops.split(ops.maximum(place, (0, 0, 1, 1)), 4)  # [1] each
        rows = ops.reshape(images, (1, height, width * channels))
        zero, one = ops.zeros((1,), "int32"), ops.ones((1,), "int32")
        rows = dynamic_slice(rows, [zero, y, x * channels], [one, h, w * channels])
        lengths = ops.reshape(h, ()), ops.reshape(w, ())
        (f_y, _), (f_x, _) = self._banks(ops.split(corner, 2, axis=1), lengths, params)
        f_y, f_x, rows = (ops.cast(x, self.compute_dtype) for x in (f_y, f_x, rows))
        rows = ops.matmul(f_y, rows)  # [1, rows, w C]
        rows = ops.reshape(rows, (1, self.size[0], -1, channels))
        return ops.matmul(f_x[:, None], rows)  # [1, rows, cols, C]

    def _read_several_uncompiled(self, images: Tensor, params: Tensor) -> Tensor:
        """Read one image `[1, H, W, C]` at N places, params `[N, 6]`.

        All crops have the size that the largest one needs, and only their pixels are
        copied: N copies of the image would take longer than all the rest.
        """
        _, height, width, channels = ops.shape(images)
        lengths = _pair((height, width), params.dtype)
        lowest, highest = self._spans((height, width), params)  # [N, 2]
        corner = ops.floor(lowest)
        # NaN parameters give NaN in their own banks, and some place inside the image.
        needed = ops.floor(highest) - corner
        needed = ops.max(ops.where(needed >= 0, needed, 0.0), axis=0) + 2
        size = ops.minimum(needed, lengths)  # [2]
        corner = ops.minimum(corner, lengths - size)  # as in `_crop_and_banks`
        place = ops.maximum(ops.cast(corner, "int32"), 0)
        h, w = ops.unstack(ops.cast(size, "int32"), 2)
        rows = place[:, :1] + ops.arange(h, dtype="int32")  # [N, h]
        columns = place[:, 1:] + ops.arange(w, dtype="int32")  # [N, w]
        places = rows[:, :, None] * width + columns[:, None, :]
        pixels = ops.take(ops.reshape(images, (-1, channels)), places, axis=0)
        corners = ops.unstack(corner, 2, axis=1)
        (f_y, _), (f_x, _) = self._banks(corners, (h, w), params)
        rows = self._read_rows(f_y, ops.cast(pixels, self.compute_dtype))
        return filter_along_x(ops.cast(f_x, self.compute_dtype), rows)

    def _spans(self, lengths: Size, params: Tensor) -> tuple[Tensor, Tensor]:
        """The lowest and highest coordinates (y, x) to be read, both `[B, 2]`."""
        center, stride, sigma = ops.split(params, 3, axis=-1)  # [B, 2] each
        last = _pair(lengths, center.dtype) - 1
        counts = [(count - 1) / 2 for count in self.size]
        half = ops.abs(stride) * ops.convert_to_tensor(counts, center.dtype)
        reach = REACH * positive(sigma)
        # A Gaussian outside the image reads the border, as if its centre were there.
        low = ops.minimum(ops.relu(center - half), last) - reach
        high = ops.minimum(ops.relu(center + half), last) + reach
        return ops.relu(low), ops.minimum(high, last)

    def _banks(self, corner: Sequence[Tensor], lengths: Size, params: Tensor) -> Banks:
        """The filters along y and x, for a crop whose top left pixel is `corner`."""
        return [
            bank(params[:, i::2], self.size[i], corner[i], lengths[i], self.epsilon)
            for i in (0, 1)
        ]

    def _crop_and_banks(
        self, crop: Size | None, images: Tensor, params: Tensor
    ) -> tuple[Tensor, Banks]:
        """Crop each image to the size `crop`, if given; make the filters to read it."""
        lengths = ops.shape(images)[1:3]
        corner: Sequence[Tensor] = (0, 0)
        if crop is not None:
            lowest, _ = self._spans(lengths, params)
            # The crop moves into the image, the centres do not: Gaussians outside then
            # read the same border pixels as in a dense read.
            latest = _pair(lengths, lowest.dtype) - _pair(crop, lowest.dtype)
            corners = ops.cast(ops.minimum(ops.floor(lowest), latest), "int32")
            corner = ops.unstack(corners, 2, axis=1)
            images, lengths = crop_images(images, corner, crop), crop  # [B, h, w, C]
        images = ops.cast(images, self.compute_dtype)
        return images, self._banks(corner, lengths, params)

    def _glimpse(self, crop: Size | None, images: Tensor, params: Tensor) -> Tensor:
        """The glimpse `[B, rows, cols, C]`, read from crops or whole images."""
        images, ((f_y, _), (f_x, _)) = self._crop_and_banks(crop, images, params)
        rows = self._read_rows(f_y, images)
        return filter_along_x(ops.cast(f_x, self.compute_dtype), rows)

    def _read_rows(self, f_y: Tensor, images: Tensor) -> Tensor:
        # Rows come before columns also where there are more columns: with channels last
        # this is one large product without a transposed copy, two to five times faster.
        return filter_along_y(ops.cast(f_y, self.compute_dtype), images)

    def _image_gradient(self, images: Tensor, params: Tensor, g: Tensor) -> Tensor:
        """The gradient of the images `[B, H, W, C]`, from the glimpse's, `g`."""
        (f_y, _), (f_x, _) = self._banks((0, 0), ops.shape(images)[1:3], params)
        d_rows = ops.einsum("bkw,brkc->brwc", ops.cast(f_x, g.dtype), g)
        slopes = ops.einsum("brh,brwc->bhwc", ops.cast(f_y, g.dtype), d_rows)
        return ops.cast(slopes, images.dtype)

    def _param_gradient(
        self, crop: Size | None, images: Tensor, params: Tensor, g: Tensor
    ) -> Tensor:
        """The gradient of the parameters `[B, 6]`, from the glimpse's, `g`."""
        images, ((f_y, z_y), (f_x, z_x)) = self._crop_and_banks(crop, images, params)
        rows = self._read_rows(f_y, images)  # [B, rows, w, C]
        d_f_x = ops.einsum("brkc,brwc->bkw", g, rows)
        d_rows = ops.einsum("bkw,brkc->brwc", ops.cast(f_x, g.dtype), g)
        d_f_y = ops.einsum("brwc,bhwc->brh", d_rows, images)
        slopes = [
            bank_gradient(params[:, 0::2], f_y, z_y, d_f_y),
            bank_gradient(params[:, 1::2], f_x, z_x, d_f_x),
        ]
        return ops.reshape(ops.stack(slopes, axis=-1), (-1, 6))

    def _check_shapes(self, images_shape: Shape, params_shape: Shape) -> None:
        check_shape("images", images_shape, "batch, height, width, channels")
        check_shape("params", params_shape, "batch, 6")
        batch, rows = images_shape[0], params_shape[0]
        shared = is_uncompiled() and batch == 1
        if None not in (batch, rows) and batch != rows and not shared:
            raise ValueError(
                "`params` must have one row for each image. "
                f"Received: {batch} images and {rows} rows"
            )

    def compute_output_shape(
        self, images_shape: Shape, params_shape: Shape
    ) -> tuple[int | None, ...]:
        """The shape `[B, rows, cols, C]` of the glimpses."""
        self._check_shapes(images_shape, params_shape)
        return (images_shape[0], *self.size, images_shape[-1])


def _smaller(limit: int, length: int | Tensor) -> int | Tensor:
    return min(limit, length) if isinstance(length, int) else ops.minimum(limit, length)


def _pair(values: Sequence[Any], dtype: str) -> Tensor:
    return ops.stack([ops.cast(value, dtype) for value in values])  # [2]
