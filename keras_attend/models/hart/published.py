"""HART's cell as its authors' code has it, for their weights (section 3 of the paper).

Where paper and code differ this does as the code, and says beside the line what the
paper has.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
from keras import ops
from keras.layers import Dense

from keras_attend.arguments import check_positive_integers
from keras_attend.boxes import attention_to_box, box_to_attention
from keras_attend.layers.cells import ZoneoutLSTMCell
from keras_attend.layers.crop import parse_size
from keras_attend.layers.dynamic_filter import DynamicFilter
from keras_attend.layers.gaussian_glimpse import GaussianGlimpse
from keras_attend.layers.gaussian_params import hart_params
from keras_attend.layers.patch_conv import pointwise
from keras_attend.layers.tracing import is_exporting
from keras_attend.layers.v1 import V1
from keras_attend.models.hart.layers import Head, MaskedCell, energy, flat
from keras_attend.models.tracker import image_size, scaled_glimpse
from keras_attend.types import Nested, Shape, Tensor

MASK_UNITS = 10  # numbers of the location map that attention and box see


@keras.saving.register_keras_serializable("keras_attend")
class PublishedHARTCell(MaskedCell):
    r"""Follow an object as HART's published code does, with its weights.

        cell = PublishedHARTCell(zoneout=0.0, dropout=0.0)
        model = PublishedHART(cell)
        boxes = model.predict({"frames": frames, "box": box})["boxes"]

    $$a = (y / H,\; x / W,\; h / (H - 1),\; w / (W - 1)), \qquad
      a_{t+1} = a_t + \sigma(c) \tanh(\mathrm{MLP}(q_t))$$
    $$b_t = \mathrm{box}(a_t - \beta) + \tanh(\mathrm{MLP}(q_t)) \odot (H, W, H, W),
    \qquad \beta = \tfrac14 \tanh(\cdot)$$

    $(y, x)$ is the top-left corner. The first window is the given box.

    `HARTCell` documents the arguments. Here `units` is also the size of the layers that
    make the filters, and V1's convolutions are AlexNet's first three. The outputs are
    those of `HARTCell`, but for "attention", which is $a$ as above.
    """

    def __init__(
        self,
        size: int | Sequence[int] = 56,
        units: int = 100,
        channels: int = 3,
        *,
        maps: int = 5,
        filters: Sequence[int] = (96, 256, 384),
        zoneout: float = 0.05,
        dropout: float = 0.25,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive_integers(units=units, channels=channels, maps=maps)
        self.size = parse_size(size, "size")
        self.units, self.channels, self.maps = units, channels, maps
        self.filters, self.zoneout, self.dropout = tuple(filters), zoneout, dropout
        self.seed_generator = keras.random.SeedGenerator()
        dtype = self.dtype_policy

        dense = partial(Dense, bias_initializer="glorot_uniform", dtype=dtype)
        self.glimpse = GaussianGlimpse(self.size, dtype=dtype)
        self.v1 = V1.alexnet(self.filters, dtype=dtype, name="v1")
        self.readout = dense(maps, name="readout")
        self.norm = BatchStatistics(dtype=dtype, name="norm")
        self.filter_1 = DynamicFilter(maps, 1, units, dtype=dtype, name="filter_1")
        self.filter_2 = DynamicFilter(maps, 3, units, dtype=dtype, name="filter_2")
        self.location = dense(1, name="location")
        self.mask_summary = dense(MASK_UNITS, "elu", name="mask_summary")
        self.summary = dense(units, "elu", name="summary")
        self.core = ZoneoutLSTMCell(units, zoneout, zoneout, dtype=dtype, name="core")
        self.first_input, self.first_cell, self.first_hidden = (
            dense(units, "relu", name=name)
            for name in ("first_input", "first_cell", "first_hidden")
        )
        self.attend = Head("glorot_uniform", name="attend")
        self.locate = Head("glorot_uniform", name="locate")

    def build(self, frame_shape: Shape) -> None:
        """Make the weights, which do not depend on the frame's size."""
        glimpse, appearance = (None, *self.size, self.channels), (None, self.units)
        self.glimpse.build((None, None, None, self.channels), (None, 6))
        self.v1.build(glimpse)
        features: Any = self.v1.compute_output_shape(glimpse)
        _, rows, cols, _ = features
        self.map_size, maps = (rows, cols), (None, rows, cols, self.maps)
        self.readout.build(features)
        self.norm.build(maps)
        self.filter_1.build(features, appearance)
        self.filter_2.build(maps, appearance)
        self.location.build(maps)
        self.mask_summary.build((None, rows * cols))
        self.summary.build((None, rows * cols * self.maps + 6))
        for layer in (self.core, self.first_input, self.first_cell, self.first_hidden):
            layer.build(appearance)
        for head in (self.attend, self.locate):
            head.build((None, self.units + MASK_UNITS))
        # Paper: tanh(c), "a small value". Both make the first steps 0.076.
        precise: Any = {"dtype": "float32", "autocast": False}
        constant = keras.initializers.Constant(-2.5)
        self.gain = self.add_weight((4,), constant, name="gain", **precise)
        uniform = keras.initializers.RandomUniform(-1e-3, 1e-3)
        self.bias = self.add_weight((4,), uniform, name="bias", **precise)

    @property
    def state_spec(self) -> Nested:
        """Sizes of the state's tensors."""
        names = ["appearance", "hidden", "cell"]
        return {"attention": 4, "first": 1} | dict.fromkeys(names, self.units)

    def attention_bias(self) -> Tensor:
        """What the windows are larger by than the boxes, in units of $a$."""
        return 0.25 * ops.tanh(ops.convert_to_tensor(self.bias))

    # Section 3.1: spatial attention.

    def read(self, frame: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        """The Gaussians `[B, 6]` and the glimpse; with a sigma nearly constant."""
        window = hart_params(a, image_size(frame), self.size, sigma="hart_code")
        return window, scaled_glimpse(self.glimpse(frame, window), frame)

    # Section 3.2: appearance attention.

    def ventral(self, V: Tensor, noise: Nested) -> Tensor:
        """Maps, always normalised over the batch. (Paper: not at all.)"""
        nu = pointwise(self.readout, V)
        if noise is not None and "ventral" in noise:
            nu = nu * noise["ventral"]
        return ops.elu(self.norm(nu))

    def dorsal(self, V: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the object's place `[B, rows', cols']`, and the filters' energy."""
        psi_1, beta_1 = self.filter_1.generate(alpha)
        psi_2, beta_2 = self.filter_2.generate(alpha)
        d = self.filter_1.convolve(V, psi_1, beta_1)
        d = self.filter_2.convolve(d, psi_2, beta_2)
        logits = ops.cast(pointwise(self.location, d)[..., 0], "float32")
        return logits, energy(psi_1, beta_1, psi_2, beta_2)

    # Section 3.3: state estimation.

    def summarise(self, nu: Tensor, window: Tensor) -> Tensor:
        """$v_t$, of maps and (not in eq. 4) window: first Gaussian, sigma, stride."""
        c_y, c_x, d_y, d_x, s_y, s_x = ops.unstack(window, 6, axis=-1)
        u_y = c_y - d_y * ((self.size[0] - 1) / 2)
        u_x = c_x - d_x * ((self.size[1] - 1) / 2)
        pixels = ops.stack([u_y, u_x, s_y, s_x, d_y, d_x], axis=-1)  # [B, 6]
        return self.summary(ops.concatenate([flat(nu), ops.cast(pixels, nu.dtype)], -1))

    def initial_state(self, frame: Tensor, box: Tensor, noise: Nested = None) -> Nested:
        """The first frame, without a location map, starts the LSTM."""
        # The attention bias, added too late, never gets here.
        a_0 = box_to_attention(ops.cast(box, "float32"), *image_size(frame))
        window, g_0 = self.read(frame, a_0)
        nu_0 = self.ventral(self.v1(g_0), noise)
        zeros = ops.zeros((ops.shape(frame)[0], self.units), self.compute_dtype)
        v_0 = self.first_input(self.summarise(nu_0, window))
        o_0, h, c = self.run_core(v_0, zeros, zeros, noise)
        return {
            "attention": a_0,
            "appearance": o_0,
            "hidden": self.first_hidden(h),
            "cell": self.first_cell(c),
            "first": ops.ones_like(a_0[:, :1]),
        }

    def step(
        self, frame: Tensor, state: Nested, noise: Nested = None
    ) -> tuple[dict[str, Tensor], Nested]:
        """Read a glimpse, find the object in it, choose the next window."""
        height, width = image_size(frame)
        a_t, first, beta = state["attention"], state["first"], self.attention_bias()
        window, g_t = self.read(frame, a_t)
        V_t = self.v1(g_t)
        nu_t = self.ventral(V_t, noise)
        # Alpha is the LSTM's last output. (Paper, eq. 6: an MLP of it.)
        logits, filter_energy = self.dorsal(V_t, state["appearance"])
        s_t = ops.cast(ops.sigmoid(logits), nu_t.dtype)  # [B, rows', cols']
        v_t = self.summarise(nu_t * s_t[..., None], window)
        o_t, h, c = self.run_core(v_t, state["hidden"], state["cell"], noise)
        # Ten numbers of the location map. (Paper: all of it.)
        q_t = ops.concatenate([o_t, self.mask_summary(flat(s_t))], axis=-1)
        # Bias and step from the second frame on. (Paper, eq. 8: no tanh, no bias.)
        box = attention_to_box(a_t - (1 - first) * beta, height, width)
        d_y, d_x, d_h, d_w = ops.unstack(self.locate(q_t) * (1 - first), 4, axis=-1)
        step = [d_x * width, d_y * height, d_w * width, d_h * height]
        outputs = {
            "box": box + ops.stack(step, axis=-1),
            "window": window,
            "attention": a_t,
            # With the bias in the first frame, without it in the others.
            "region": attention_to_box(a_t + first * beta, height, width),
            "glimpse": g_t,
            "appearance": o_t,
            "presence": ops.ones_like(a_t[:, 0]),  # the code's logit is 1000, always
            "location": logits,
        }
        if not is_exporting():  # of the loss alone
            outputs["filter_energy"] = filter_energy
        return outputs, {
            # From the last window, not from the box. (Paper, eq. 7: tanh of c alone.)
            "attention": a_t + ops.sigmoid(self.gain) * self.attend(q_t),
            "appearance": o_t,
            "hidden": h,
            "cell": c,
            "first": ops.zeros_like(first),
        }


@keras.saving.register_keras_serializable("keras_attend")
class BatchStatistics(keras.layers.Layer):
    r"""Batch normalisation that never leaves training.

    $$y = \gamma (x - \mu_B) / \sqrt{\sigma_B^2 + 10^{-3}} + \beta$$

    The published code tests with the batch's own statistics: its moving averages are
    never read. With one clip this is an instance norm.
    """

    def build(self, input_shape: Shape) -> None:
        """Make the weights for `[B, H, W, C]`."""
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(shape=shape, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=shape, initializer="zeros", name="beta")

    def call(self, x: Tensor) -> Tensor:
        """Normalise over batch and places."""
        wide = ops.cast(x, "float32")
        mean, variance = ops.moments(wide, axes=(0, 1, 2), keepdims=True)
        y = ops.cast((wide - mean) * ops.rsqrt(variance + 1e-3), x.dtype)
        return y * self.gamma + self.beta
