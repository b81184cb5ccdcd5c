"""RATM's recurrent attention: which window to read next (section 3 of the paper)."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops
from keras.layers import Dense

from keras_attend.arguments import check_choice, check_positive, check_positive_integers
from keras_attend.boxes import window_to_box
from keras_attend.compiling import suits_xla
from keras_attend.layers.bilinear_glimpse import BilinearGlimpse
from keras_attend.layers.cells import IRNNCell
from keras_attend.layers.crop import parse_size
from keras_attend.layers.gaussian_glimpse import GaussianGlimpse
from keras_attend.layers.gaussian_params import ratm_params
from keras_attend.layers.recurrent_tracker import RecurrentTrackerCell
from keras_attend.layers.tracing import join_last, split_last
from keras_attend.models.tracker import image_size, scaled_glimpse
from keras_attend.types import Embeds, Nested, Remembers, Shape, Tensor

# The attention of a window over the whole frame.
WHOLE_FRAME = (0.5, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0)
AROUND = 0.8  # sides of the frame: the paper's first window in clips of two digits


@keras.saving.register_keras_serializable("keras_attend")
class RATMCell(RecurrentTrackerCell):
    r"""Read a window of each frame, and choose the next one (Kahou et al. 2015).

    ```python
    cell = RATMCell(size=20, units=200, scale=2.0)
    state = cell.initial_state(frames[:, 0], box)
    outputs, state = cell.step(frames[:, 0], state)
    ```

    $$p_t = \mathrm{read}(x_t, a_t), \qquad
      h_t = \max(0, W_{in} f(p_t) + W_{rec} h_{t-1})$$
    $$a_{t+1} = a_t + W_{out} h_t \quad\text{or}\quad a_{t+1} = b + W_{out} h_t$$

    (Section 3; the read is eq. 4, the second way to move eq. 5.) The attention is, as
    in the published code, $a = (g_x / W, g_y / H, s_x, d_x, \gamma, s_y, d_y)$: a
    centre, and a sigma and a stride on each axis; $\gamma$ is not used. The window is
    chosen before $x_t$ is seen, and it is the answer: the predicted box is the window's
    grid, `scale` times smaller.

    Sigmas and strides are in strides of a window over the whole frame, so that the
    same weights serve frames of any size. (The paper's eq. 6, 9 and 10 mix units.)

    Args:
        size: rows and columns of the glimpse: one number, or two.
        units: the size of $h_t$.
        channels: of the frames, 1 for grey or 3 for colour.
        scale: how many times the box's sides the window covers.
        start: "box" takes $a_0$ (and $b$) from the box given with the first frame;
            "around" takes their centre from it, and a window over `AROUND` of the
            frame's sides; "learned" learns them, beginning with a window over the whole
            frame: the tracker is not told where the object is, and has to find it.
        attention: "residual" adds a step to the window before, "affine" (eq. 5) adds it
            to $b$.
        read: "gaussian" reads by a grid of Gaussians; "transformer" reads bilinearly,
            as a spatial transformer does, which section 8 proposes.
        features: $f$, a layer such as `layers.GlimpseCNN`; None takes the glimpse's
            pixels. One that can `remember`, such as `layers.GlimpseMatch`, compares
            each glimpse with that of the first frame.
        input_initializer: of $W_{in}$.
        memory: $W_{rec}$ is initialised as the identity times this.
    """

    shares_frame = True

    def __init__(
        self,
        size: int | Sequence[int] = 28,
        units: int = 100,
        channels: int = 1,
        *,
        scale: float = 1.0,
        start: str = "box",
        attention: str = "residual",
        read: str = "gaussian",
        features: Any = None,
        input_initializer: Any = "glorot_uniform",
        memory: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive_integers(units=units, channels=channels)
        check_choice("start", start, ("box", "around", "learned"))
        check_choice("attention", attention, ("residual", "affine"))
        check_choice("read", read, ("gaussian", "transformer"))
        check_positive(scale=scale)
        self.size = parse_size(size, "size")
        self.units, self.channels, self.scale = units, channels, scale
        self.start, self.attention, self.read = start, attention, read
        self.features, self.memory = features, memory
        self.input_initializer = keras.initializers.get(input_initializer)

        dtype = self.dtype_policy
        kind = GaussianGlimpse if read == "gaussian" else BilinearGlimpse
        self.glimpse = kind(self.size, dtype=dtype)
        self.core = IRNNCell(
            units, memory, self.input_initializer, dtype=dtype, name="core"
        )
        small = {"kernel_initializer": keras.initializers.RandomUniform(-1e-3, 1e-3)}
        # Half precision would move in steps of a pixel.
        self.attend = Dense(7, use_bias=False, dtype="float32", name="attend", **small)

    @property
    def jit_compile(self) -> bool:
        """Whether XLA suits the features' network; see `AttentionModel.compile`."""
        return suits_xla(self.features)

    @property
    def state_spec(self) -> Nested:
        """Sizes of the state's tensors."""
        sizes = {"attention": 7, "hidden": self.units}
        if self.attention == "affine":
            sizes["bias"] = 7
        if isinstance(self.features, Remembers):
            sizes["template"] = self.features.memory_size
        return sizes

    def build(self, frame_shape: Shape) -> None:
        """Make the weights, which are the same for all sizes of frames."""
        glimpse = (None, *self.size, self.channels)
        self.glimpse.build((None, None, None, self.channels), (None, 6))
        feature_size = self.size[0] * self.size[1] * self.channels
        if self.features is not None:
            if not self.features.built:
                self.features.build(glimpse)
            feature_size = self.features.compute_output_shape(glimpse)[-1]
        self.core.build((None, feature_size))
        self.attend.build((None, self.units))
        if self.start == "learned":
            self.bias = self.add_weight(
                shape=(7,),
                initializer=lambda shape, dtype: ops.cast(WHOLE_FRAME, dtype),
                dtype="float32",
                autocast=False,
                name="bias",
            )

    def initial_state(self, frame: Tensor, box: Tensor) -> Nested:
        """An empty memory, the first window, and the template if there is one."""
        h = ops.zeros((ops.shape(box)[0], self.units), self.compute_dtype)
        if self.start != "learned":
            a = self.to_attention(ops.cast(box, "float32"), image_size(frame))
            if self.start == "around":
                sides = ops.full_like(a[:, 2:], AROUND)
                a = ops.concatenate([a[:, :2], sides], axis=-1)
        else:
            a = ops.zeros_like(h[:, :1], "float32") + self.bias  # [B, 7]
        state = {"attention": a, "hidden": h}
        if self.attention == "affine":
            state["bias"] = a
        if isinstance(self.features, Remembers):
            p_0 = self.glimpse(frame, self.to_window(a, image_size(frame)))
            sides = self.sides_in_window(ops.cast(box, "float32"))
            p_0 = scaled_glimpse(p_0, frame)
            state["template"] = self.features.remember(p_0, sides)
        return state

    def step(self, frame: Tensor, state: Nested) -> tuple[dict[str, Tensor], Nested]:
        """Read the window, and choose the next one; `RATM` lists the outputs."""
        a_t = state["attention"]  # [B, 7]
        window = self.to_window(a_t, image_size(frame))  # [B, 6]
        p_t = scaled_glimpse(self.glimpse(frame, window), frame)  # [B, N, M, C]
        f_t = self.describe(p_t, state.get("template"))  # [B, F]
        h_t, _ = self.core(f_t, [state["hidden"]])
        outputs = {
            "box": self.to_box(window, state),
            "window": window,
            "attention": a_t,
            "glimpse": p_t,
        }
        if isinstance(self.features, Embeds):
            outputs["embedding"] = self.features.embed(f_t)  # [B, units]
        a_next = self.move(state.get("bias", a_t), self.attend(h_t))
        return outputs, state | {"attention": a_next, "hidden": h_t}

    def describe(self, glimpse: Tensor, template: Tensor | None = None) -> Tensor:
        """What is in the glimpse (section 4): its features `[B, F]`."""
        if template is not None:
            return self.features(glimpse, template)
        if self.features is not None:
            return self.features(glimpse)
        # -1 would not do for the shapes that Keras traces with.
        count = self.size[0] * self.size[1] * self.channels
        return ops.reshape(glimpse, (-1, count))

    def move(self, a: Tensor, step: Tensor) -> Tensor:
        """The attention `[B, 7]` that a step `[B, 7]` leads to from `a`."""
        return a + step

    def localisation_error(self, found: Tensor, true: Tensor) -> Tensor:
        """How far a centre and strides, `[..., 4]`, are from the true ones, `[...]`.

        Both are $(g_x / W, g_y / H, d_x, d_y)$; the error is their mean square.
        """
        return ops.mean(ops.square(found - true), axis=-1)

    def to_box(self, window: Tensor, state: Nested) -> Tensor:
        """The box `[B, 4]` that a window `[B, 6]` stands for."""
        return window_to_box(window, self.size, self.scale)

    def sides_in_window(self, box: Tensor) -> Tensor:
        """Height and width of boxes `[B, 4]`, as parts of their windows', `[B, 2]`."""
        return ops.full_like(box[:, :2], 1 / self.scale)

    def to_attention(self, box: Tensor, size: tuple[Any, Any]) -> Tensor:
        """The attention `[B, 7]` whose box is `box` `[B, 4]`, in a frame `(H, W)`."""
        height, width = size
        x, y, w, h = split_last(box, 4)
        d_x, d_y = self.scale * w / (width - 1), self.scale * h / (height - 1)
        g_x, g_y = (x + w / 2) / width, (y + h / 2) / height
        # A sigma of half a stride: see `ratm_params`.
        return join_last([g_x, g_y, d_x, d_x, ops.ones_like(w), d_y, d_y])

    def to_window(self, a: Tensor, size: tuple[Any, Any]) -> Tensor:
        """The window `[B, 6]` in pixels of attention `[B, 7]` (eq. 6 to 10)."""
        (height, width), (rows, columns) = size, self.size
        g_x, g_y, s_x, d_x, gamma, s_y, d_y = split_last(ops.cast(a, "float32"), 7)
        s_x = s_x * ((width - 1) / max(columns - 1, 1))
        s_y = s_y * ((height - 1) / max(rows - 1, 1))
        a = join_last([g_x, g_y, s_x, d_x, gamma, s_y, d_y])
        return ratm_params(a, size, self.size)
