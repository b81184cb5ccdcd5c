"""RATM, the recurrent attentive tracking model (Kahou et al. 2015).

The file follows the paper: where to look (section 3), what is there (section 4), and
why to look there (section 5). Its attention parameters are, as in the published code,
$a = (g_x / W, g_y / H, s_x, d_x, \\gamma, s_y, d_y)$: a centre, and a sigma and a
stride on each axis; $\\gamma$ is not used.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops
from keras.layers import Dense

from keras_attend.arguments import check_choice, check_positive_integers
from keras_attend.boxes import box_to_ratm_attention, window_to_box
from keras_attend.layers.bilinear_glimpse import BilinearGlimpse
from keras_attend.layers.cells import IRNNCell
from keras_attend.layers.crop import parse_size
from keras_attend.layers.gaussian_glimpse import GaussianGlimpse
from keras_attend.layers.gaussian_params import ratm_params
from keras_attend.layers.recurrent_tracker import RecurrentTrackerCell
from keras_attend.layers.tracing import numbers, together
from keras_attend.losses import iou_loss
from keras_attend.models.tracker import (
    RecurrentTracker,
    image_size,
    scaled_glimpse,
    targets,
)
from keras_attend.types import Nested, Shape, Tensor

# a = (g_x / W, g_y / H, s_x, d_x, gamma, s_y, d_y) of a window over the whole frame.
WHOLE_FRAME = (0.5, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0)
SMALLEST, LARGEST = 1e-3, 2.0  # window of relative steps, in frames
OBJECTIVES = ("pixel", "feature", "localisation", "classification", "overlap")


@keras.saving.register_keras_serializable("keras_attend")
class RATMCell(RecurrentTrackerCell):
    r"""Where to look, frame by frame (Kahou et al. 2015, section 3).

    $$p_t = \mathrm{read}(x_t, a_t), \qquad
      h_t = \max(0, W_{in} f(p_t) + W_{rec} h_{t-1})$$
    $$a_{t+1} = a_t + W_{out} h_t \quad\text{or}\quad a_{t+1} = b + W_{out} h_t$$

    The window $a_t$ is chosen before $x_t$ is seen, and it is the answer: the box is
    the window's grid, `scale` times smaller.

    Sigmas and strides are in strides of a window over the whole frame, so that the
    same weights serve frames of any size. (Paper: eq. 8 to 10 mix units. Published:
    sigmas in pixels, strides as here.)

    `relative` steps, which are ours, are in sizes of the window that they start from,
    so that the same weights follow small and large objects alike: with
    $r = W_{out} h_t$ its centre moves by $r\,d$ and its size is multiplied by $e^r$.

    Args:
        size: of the glimpse, rows and columns.
        units: of $h_t$.
        channels: of the frames.
        scale: how many times the box's sides the window covers.
        start: "box" starts $a_0$ (and $b$) at the first box; "learned" starts at a
            learned bias, at first the whole frame: it has to find the object.
        attention: "residual" adds to the last window, "affine" (eq. 5) to the first.
        relative: whether steps are relative to the window's size.
        read: "gaussian", or "transformer" for a spatial transformer's (section 8).
        features: $f$, a layer such as `layers.GlimpseCNN`; the pixels when absent. One
            that can `remember`, as `layers.GlimpseMatch`, compares with the first
            glimpse.
        input_initializer: of $W_{in}$.
        memory: $W_{rec}$ starts as the identity times this.
        published: the grid of the published code: off by one stride, strides of a
            whole number of pixels.
    """

    def __init__(
        self,
        size: int | Sequence[int] = 28,
        units: int = 100,
        channels: int = 1,
        *,
        scale: float = 1.0,
        start: str = "box",
        attention: str = "residual",
        relative: bool = False,
        read: str = "gaussian",
        features: Any = None,
        input_initializer: Any = "glorot_uniform",
        memory: float = 1.0,
        published: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive_integers(units=units, channels=channels)
        check_choice("start", start, ("box", "learned"))
        check_choice("attention", attention, ("residual", "affine"))
        check_choice("read", read, ("gaussian", "transformer"))
        if not scale > 0:
            raise ValueError(f"`scale` must be positive. Received: scale={scale}")
        self.size = parse_size(size, "size")
        self.units, self.channels, self.scale = units, channels, scale
        self.start, self.attention, self.read = start, attention, read
        self.relative = relative
        self.input_initializer = keras.initializers.get(input_initializer)
        self.memory, self.published = memory, published

        dtype = self.dtype_policy
        if read == "gaussian":
            epsilon = 1e-4 if published else 1e-8
            self.glimpse = GaussianGlimpse(self.size, epsilon=epsilon, dtype=dtype)
        else:
            self.glimpse = BilinearGlimpse(self.size, dtype=dtype)
        self.features = features
        self.core = IRNNCell(
            units,
            memory,
            input_initializer=self.input_initializer,
            dtype=dtype,
            name="core",
        )
        self.attend = Dense(
            7,
            use_bias=False,
            kernel_initializer=keras.initializers.RandomUniform(-1e-3, 1e-3),
            dtype="float32",  # half precision would move in steps of a pixel
            name="attend",
        )

    @property
    def state_spec(self) -> Nested:
        """Sizes of the state's tensors."""
        sizes = {"attention": 7, "hidden": self.units}
        if self.attention == "affine":
            sizes["bias"] = 7
        if self.remembers:
            sizes["template"] = self.features.memory_size
        return sizes

    @property
    def remembers(self) -> bool:
        """Whether the features compare with the first glimpse."""
        return hasattr(self.features, "remember")

    def build(self, frame_shape: Shape) -> None:
        """Make the weights."""
        glimpse = (None, *self.size, self.channels)
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
                name="bias",
            )

    # Section 3: where.

    def initial_state(self, frame: Tensor, box: Tensor) -> Nested:
        """No memory yet, and the first window."""
        h = ops.zeros((ops.shape(frame)[0], self.units), self.compute_dtype)
        if self.start == "box":
            a = self.to_attention(ops.cast(box, "float32"), image_size(frame))
        else:
            a = ops.zeros_like(h[:, :1], "float32") + self.bias  # [B, 7]
        state = {"attention": a, "hidden": h}
        if self.attention == "affine":
            state["bias"] = a
        if self.remembers:
            p_0 = self.glimpse(frame, self.to_window(a, image_size(frame)))
            state["template"] = self.features.remember(scaled_glimpse(p_0, frame))
        return state

    def step(self, frame: Tensor, state: Nested) -> tuple[dict[str, Tensor], Nested]:
        """Look through the window, and choose the next one."""
        a_t = state["attention"]  # [B, 7]
        window = self.to_window(a_t, image_size(frame))  # [B, 6]
        p_t = scaled_glimpse(self.glimpse(frame, window), frame)  # [B, N, M, C]
        f_t = self.describe(p_t, state.get("template"))  # [B, F]
        h_t, _ = self.core(f_t, [state["hidden"]])
        outputs = {
            "box": window_to_box(window, self.size, self.scale),
            "window": window,
            "attention": a_t,
            "glimpse": p_t,
        }
        if self.features is not None and hasattr(self.features, "embed"):
            outputs["embedding"] = self.features.embed(f_t)  # [B, units]
        a_next = self.move(state.get("bias", a_t), self.attend(h_t))
        return outputs, state | {"attention": a_next, "hidden": h_t}

    def describe(self, glimpse: Tensor, template: Tensor | None = None) -> Tensor:
        """Section 4: what is there, `[B, F]`."""
        if template is not None:
            return self.features(glimpse, template)
        if self.features is not None:
            return self.features(glimpse)
        # -1 would not do for the shapes that Keras traces with.
        count = self.size[0] * self.size[1] * self.channels
        return ops.reshape(glimpse, (-1, count))

    def move(self, a: Tensor, step: Tensor) -> Tensor:
        """Attention `[B, 7]`, a step `[B, 7]` on."""
        if not self.relative:
            return a + step
        g_x, g_y, s_x, d_x, gamma, s_y, d_y = numbers(a, 7)
        r = numbers(step, 7)
        growth = ops.exp(ops.clip(together([r[2], r[3], r[5], r[6]]), -3.0, 3.0))
        sizes = ops.clip(together([s_x, d_x, s_y, d_y]) * growth, SMALLEST, LARGEST)
        s_x_next, d_x_next, s_y_next, d_y_next = numbers(sizes, 4)
        g_x, g_y = g_x + r[0] * d_x, g_y + r[1] * d_y
        return together([g_x, g_y, s_x_next, d_x_next, gamma, s_y_next, d_y_next])

    def to_attention(self, box: Tensor, size: tuple[Any, Any]) -> Tensor:
        """The attention `[B, 7]` whose box is `box` `[B, 4]`, in a frame `(H, W)`."""
        height, width = size
        if self.published:
            return box_to_ratm_attention(box, height, width, self.size, self.scale)
        x, y, w, h = numbers(box, 4)
        d_x, d_y = self.scale * w / (width - 1), self.scale * h / (height - 1)
        g_x, g_y = (x + w / 2) / width, (y + h / 2) / height
        # A sigma of half a stride: see `ratm_params`.
        return together([g_x, g_y, d_x, d_x, ops.ones_like(w), d_y, d_y])

    def to_window(self, a: Tensor, size: tuple[Any, Any]) -> Tensor:
        """Attention `[B, 7]` as a grid in pixels `[B, 6]` (eq. 6 to 10)."""
        a = ops.cast(a, "float32")
        if self.published:
            return ratm_params(a, size, self.size, index_base=0, int_stride=True)
        (height, width), (rows, columns) = size, self.size
        g_x, g_y, s_x, d_x, gamma, s_y, d_y = numbers(a, 7)
        s_x = s_x * ((width - 1) / max(columns - 1, 1))
        s_y = s_y * ((height - 1) / max(rows - 1, 1))
        a = together([g_x, g_y, s_x, d_x, gamma, s_y, d_y])
        return ratm_params(a, size, self.size)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            **super().get_config(),
            "size": self.size,
            "units": self.units,
            "channels": self.channels,
            "scale": self.scale,
            "start": self.start,
            "attention": self.attention,
            "relative": self.relative,
            "read": self.read,
            "features": keras.saving.serialize_keras_object(self.features),
            "input_initializer": keras.initializers.serialize(self.input_initializer),
            "memory": self.memory,
            "published": self.published,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "RATMCell":
        """The inverse of `get_config`."""
        features = keras.saving.deserialize_keras_object(config["features"])
        return cls(**{**config, "features": features})


@keras.saving.register_keras_serializable("keras_attend")
class RATM(RecurrentTracker):
    r"""Track an object by looking where it will be (Kahou et al. 2015).

    A `RATMCell` under the objectives of section 5, each weighted, summed and averaged
    over the frames in which the object is present:

    * "pixel" (eq. 13): mean squared difference of the glimpse and the one that the
      object's true box gives.
    * "feature" (eq. 14): the same of what `features.embed` makes of the two.
    * "localisation" (eq. 15): mean squared difference of centre and strides,
      in frame sizes, and the true ones. With `relative` steps, $\sqrt{1 + e^2} - 1$
      of $e$ in sizes of the true window (centre) and in logarithms (strides): a lost
      object then counts little more than one that is nearly lost.
    * "classification" (eq. 16): cross-entropy of `features.classify`, given
      "labels" `[B]` among the targets.
    * "overlap": $-\log \mathrm{IoU}$; ours, after HART.

    Args:
        objectives: weights by name.
        penalty: "all" frames, or the "last" one in which the object is present.
        weight_decay: times the mean squares of $W_{in}$ and $W_{out}$.
        variant: "published" is the authors' code: its grid (see `RATMCell`), and a
            cost that is divided by the number of frames twice.
        size, units, channels, scale, start, attention, relative, read, features,
            input_initializer, memory: of `RATMCell`.

    Beside "boxes" `[B, T, 4]` it returns "window" `[B, T, 6]` (a `GaussianGlimpse`'s
    `params`), "glimpse" `[B, T, N, M, C]`, "attention" `[B, T, 7]` and, with a
    feature network, "embedding" `[B, T, units]`.

    The first frame is not judged: its window is given, or looks for the object.
    (Published: it is.)
    """

    def __init__(
        self,
        size: int | Sequence[int] = 28,
        units: int = 100,
        channels: int = 1,
        *,
        objectives: dict[str, float] | None = None,
        penalty: str = "all",
        weight_decay: float = 0.0,
        variant: str = "default",
        scale: float = 1.0,
        start: str = "box",
        attention: str = "residual",
        relative: bool = False,
        read: str = "gaussian",
        features: keras.layers.Layer | None = None,
        input_initializer: Any = "glorot_uniform",
        memory: float = 1.0,
        **kwargs: Any,
    ) -> None:
        check_choice("penalty", penalty, ("all", "last"))
        check_choice("variant", variant, ("default", "published"))
        self.objectives = {"pixel": 1.0} if objectives is None else dict(objectives)
        for name, weight in self.objectives.items():
            check_choice("objectives", name, OBJECTIVES)
            if not weight > 0:
                raise ValueError(
                    "The weights of `objectives` must be positive. "
                    f"Received: {name}={weight}"
                )
        wants_network = {"feature", "classification"} & self.objectives.keys()
        if wants_network and not hasattr(features, "classify"):
            raise ValueError(
                f"The objectives {sorted(wants_network)} need `features`, such as "
                f"layers.GlimpseCNN(). Received: features={features}"
            )
        self._cell_arguments: dict[str, Any] = {
            "size": size,
            "units": units,
            "channels": channels,
            "scale": scale,
            "start": start,
            "attention": attention,
            "relative": relative,
            "read": read,
            "memory": memory,
        }
        cell = RATMCell(
            **self._cell_arguments,
            features=features,
            input_initializer=input_initializer,
            published=variant == "published",
            dtype=kwargs.get("dtype"),
            name="cell",
        )
        super().__init__(cell, **kwargs)
        self.penalty, self.weight_decay, self.variant = penalty, weight_decay, variant

    # Section 5: why.

    def sample_losses(self, x: Any, y: Any, y_pred: dict[str, Tensor]) -> Tensor:
        """The weighted objectives of each clip, `[B]`, and weight decay."""
        published = self.variant == "published"
        boxes, present = targets(y)  # [B, T, 4], [B, T]
        judged = present
        T = present.shape[1]
        if not published and T > 1:
            judged = ops.concatenate(
                [ops.zeros_like(present[:, :1]), present[:, 1:]], 1
            )
        if self.penalty == "last":
            later = ops.flip(ops.cumsum(ops.flip(judged, axis=1), axis=1), axis=1)
            judged = judged * ops.cast(later == 1, judged.dtype)
        losses = self._objectives(x["frames"], y, boxes, y_pred)  # [B, T] each
        steps = sum(w * losses[name] for name, w in self.objectives.items())
        loss = ops.sum(steps * judged, axis=1) / ops.maximum(ops.sum(judged, 1), 1.0)
        if published:
            loss = loss / T
        if self.weight_decay:
            W_in, W_out = self.cell.core.input_map.kernel, self.cell.attend.kernel
            decay = ops.mean(ops.square(W_in)) + ops.mean(ops.square(W_out))
            loss = loss + self.weight_decay * ops.cast(decay, loss.dtype)
        return loss

    def _objectives(
        self, frames: Tensor, y: Any, boxes: Tensor, y_pred: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """What `objectives` names, `[B, T]` each."""
        B, T = ops.shape(frames)[:2]
        losses = {"overlap": iou_loss(boxes, y_pred["boxes"])}
        size = image_size(frames[:, 0])
        a = self.cell.to_attention(ops.reshape(boxes, (B * T, 4)), size)  # [B T, 7]
        if "localisation" in self.objectives:
            true = ops.take(ops.reshape(a, (B, T, 7)), (0, 1, 3, 6), axis=-1)
            found = ops.take(y_pred["attention"], (0, 1, 3, 6), axis=-1)
            if self.cell.relative:
                g_true, g_found = true[..., :2], found[..., :2]
                d_true, d_found = true[..., 2:], found[..., 2:]
                off = [(g_found - g_true) / d_true, ops.log(d_found / d_true)]
                e = ops.concatenate(off, axis=-1)
                error = ops.sqrt(1 + ops.square(e)) - 1
            else:
                error = ops.square(found - true)
            losses["localisation"] = ops.mean(error, axis=-1)
        if {"pixel", "feature"} & self.objectives.keys():
            flat = ops.reshape(frames, (B * T, *ops.shape(frames)[2:]))
            p = self.cell.glimpse(flat, self.cell.to_window(a, size))
            p = scaled_glimpse(p, flat)  # [B T, N, M, C]
            true = ops.reshape(p, (B, T, *p.shape[1:]))
            difference = ops.cast(y_pred["glimpse"] - true, "float32")
            losses["pixel"] = ops.mean(ops.square(difference), axis=(2, 3, 4))
        network = self.cell.features
        if "feature" in self.objectives:
            true = ops.reshape(network.embed(network(p)), (B, T, network.units))
            difference = ops.cast(y_pred["embedding"] - true, "float32")
            losses["feature"] = ops.mean(ops.square(difference), axis=-1)
        if "classification" in self.objectives:
            embeddings = ops.reshape(y_pred["embedding"], (B * T, network.units))
            logits = ops.reshape(network.classify(embeddings), (B, T, network.classes))
            labels = ops.cast(ops.reshape(y["labels"], (-1, 1)), "int32")
            labels = ops.repeat(labels, T, axis=1)  # [B, T]
            losses["classification"] = keras.losses.sparse_categorical_crossentropy(
                labels, logits, from_logits=True
            )
        return losses

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        cell = self.cell.get_config()
        return {
            **super().get_config(),
            **self._cell_arguments,
            "features": cell["features"],
            "input_initializer": cell["input_initializer"],
            "objectives": self.objectives,
            "penalty": self.penalty,
            "weight_decay": self.weight_decay,
            "variant": self.variant,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "RATM":
        """The inverse of `get_config`."""
        features = keras.saving.deserialize_keras_object(config["features"])
        return cls(**{**config, "features": features})
