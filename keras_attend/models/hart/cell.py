"""HART's cell: what the tracker does with one frame (section 3 of the paper)."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import keras
from keras import ops
from keras.layers import Dense

from keras_attend.arguments import check_positive_integers
from keras_attend.boxes import clip_to_image, convert_format
from keras_attend.layers.cells import ZoneoutLSTMCell
from keras_attend.layers.crop import parse_size
from keras_attend.layers.gaussian_glimpse import GaussianGlimpse
from keras_attend.layers.tracing import is_exporting
from keras_attend.layers.v1 import V1
from keras_attend.models.hart.layers import (
    DorsalStream,
    Head,
    MaskedCell,
    VentralStream,
    flat,
    moved,
)
from keras_attend.models.tracker import image_size, scaled_glimpse
from keras_attend.types import Nested, Shape, Tensor

SMALLEST = 4.0  # pixels; a smaller window has nothing to see


@keras.saving.register_keras_serializable("keras_attend")
class HARTCell(MaskedCell):
    r"""Follow an object from frame to frame, as HART does (Kosiorek et al. 2017).

        cell = HARTCell(size=28, units=192)
        model = HART(cell)
        boxes = model.predict({"frames": frames, "box": box})["boxes"]

    It reads a glimpse through a window (3.1), asks what is in it and where the object
    is (3.2), remembers that, and says the box and the next window (3.3):

    $$g_t = \mathrm{read}(x_t, a_t), \qquad V_t = \mathrm{V1}(g_t)$$
    $$\nu_t = \mathrm{ventral}(V_t), \qquad
      s_t = \mathrm{dorsal}(V_t, \alpha_t) \in (0, 1)$$
    $$v_t = \mathrm{MLP}(\mathrm{vec}(\nu_t \odot s_t)), \qquad
      o_t, h_t = \mathrm{LSTM}(v_t, h_{t-1}), \qquad
      q_t = (o_t, \mathrm{vec}(s_t))$$
    $$b_t = a_t + \mathrm{MLP}(q_t), \qquad
      a_{t+1} = b_t + \tanh(c)\, \mathrm{MLP}(q_t), \qquad \alpha_{t+1} = (o_t, o_0)$$

    Where it goes beyond the paper:

    * A window is moved in units of its own size, and its size by a logarithm, so that
      the same weights follow large and small objects in frames of any size.
    * The next window lies around the box just found, larger by the learned attention
      bias (`scale` times before training). (Paper: it moves from the last window.)
    * The first frame is remembered: in $\alpha$, and as a template whose votes
      (`layers.TemplateMatch`) enter both streams.
    * $v_t$ is added to the LSTM's output, and the votes enter the location map
      directly: what is seen need not go through all layers.
    * The ventral maps are normalised, each sample by itself.

    Args:
        size: of the glimpse, rows and columns.
        units: of the LSTM.
        channels: of the frames, 1 or 3.
        maps: of $\nu$, and of the dorsal stream's filters.
        filters: of V1's three convolutions.
        scale: how many times the box's sides the first window covers.
        zoneout: chance that a unit of the LSTM keeps its value in a step of training.
        dropout: chance that a number of $\nu$ is dropped in training.
        dorsal: False leaves out the dorsal stream and the template, and with them
            $s_t$ ("Spatial Att" in the paper's table 1).
        clip_boxes: whether boxes end at the frame's border, as KITTI's labels do. In
            training they do not, and the next window is never clipped.

    The outputs of `step` are described at `HART`, which returns them for each frame.
    """

    kept_as: ClassVar[dict[str, str]] = {"dorsal": "has_dorsal"}
    # Whether in training no gradient goes to where the window is; see `HART.compile`.
    detached = False
    shares_frame = True

    def __init__(
        self,
        size: int | Sequence[int] = 64,
        units: int = 256,
        channels: int = 3,
        *,
        maps: int = 16,
        filters: Sequence[int] = (32, 64, 64),
        scale: float = 2.0,
        zoneout: float = 0.05,
        dropout: float = 0.0,
        dorsal: bool = True,
        clip_boxes: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive_integers(units=units, channels=channels, maps=maps)
        if not scale >= 1:
            raise ValueError(f"`scale` must be at least 1. Received: scale={scale}")
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must be in [0, 1). Received: {dropout=}")
        self.size = parse_size(size, "size")
        self.units, self.channels, self.maps = units, channels, maps
        self.filters, self.scale = tuple(filters), scale
        self.zoneout, self.dropout, self.clip_boxes = zoneout, dropout, clip_boxes
        self.has_dorsal = dorsal
        self.seed_generator = keras.random.SeedGenerator()
        dtype = self.dtype_policy
        self.glimpse = GaussianGlimpse(self.size, dtype=dtype)
        self.v1 = V1(self.filters, dtype=dtype, name="v1")
        self.ventral = VentralStream(maps, dtype=dtype, name="ventral")
        self.dorsal = None
        if dorsal:
            self.dorsal = DorsalStream(maps, 1 / scale, dtype=dtype, name="dorsal")
        self.summary = Dense(units, activation="elu", dtype=dtype, name="summary")
        self.core = ZoneoutLSTMCell(units, zoneout, zoneout, dtype=dtype, name="core")
        self.first_input, self.first_cell, self.first_hidden = (
            Dense(units, activation="relu", dtype=dtype, name=name)
            for name in ("first_input", "first_cell", "first_hidden")
        )
        self.locate = Head(name="locate")
        self.attend = Head(name="attend")
        self.presence = Dense(1, activation="sigmoid", dtype="float32", name="presence")

    def build(self, frame_shape: Shape) -> None:
        """Make the weights, which do not depend on the frame's size."""
        glimpse = (None, *self.size, self.channels)
        self.glimpse.build((None, None, None, self.channels), (None, 6))
        self.v1.build(glimpse)
        features: Any = self.v1.compute_output_shape(glimpse)
        _, rows, cols, _ = features
        self.map_size = (rows, cols)
        self.ventral.build(features)
        maps, seen = self.maps, self.units  # channels of v_t's input, size of q_t
        if self.dorsal is not None:
            self.dorsal.build(features, (None, 2 * self.units))
            maps, seen = maps + self.dorsal.match.maps, seen + rows * cols
        self.summary.build((None, rows * cols * maps))
        for layer in (self.core, self.first_input, self.first_cell, self.first_hidden):
            layer.build((None, self.units))
        for head in (self.locate, self.attend, self.presence):
            head.build((None, seen))

        def scalars(name: str, size: int, value: float) -> Any:
            constant = keras.initializers.Constant(value)
            precise: Any = {"dtype": "float32", "autocast": False}
            return self.add_weight((size,), constant, name=name, **precise)

        self.gain = scalars("gain", 4, 0.076)  # c: the next window moves little
        # How much larger the window is than the box, as a logarithm.
        self.bias = scalars("bias", 2, math.log(self.scale))

    @property
    def state_spec(self) -> Nested:
        """Sizes of the state's tensors."""
        names = ["appearance", "hidden", "cell"]
        spec = {"attention": 4, "first": 1} | dict.fromkeys(names, self.units)
        if self.dorsal is not None:
            spec["first_appearance"] = self.units
            spec["template"] = self.dorsal.template_size
        return spec

    # Section 3.1: spatial attention. A window is (center y, center x, h, w) in pixels.

    def around(self, box: Tensor) -> Tensor:
        """The window around a box: larger by the attention bias."""
        c, sides = ops.split(convert_format(box, "xywh", "center_yxhw"), 2, axis=-1)
        sides = ops.maximum(sides, 1e-3) * ops.exp(self.bias)
        return ops.concatenate([c, sides], axis=-1)

    def read(self, frame: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        """Six numbers of the Gaussians `[B, 6]`, and the glimpse that they read."""
        c, sides = ops.split(a, 2, axis=-1)  # [B, 2]
        d = sides / ops.convert_to_tensor([n - 1.0 for n in self.size], sides.dtype)
        # As `boxes.box_to_window` has it.
        window = ops.concatenate([c, d, 0.5 * ops.sqrt(1.0 + d * d)], axis=-1)
        return window, scaled_glimpse(self.glimpse(frame, window), frame)

    # A frame in the order of the paper.

    def initial_state(self, frame: Tensor, box: Tensor, noise: Nested = None) -> Nested:
        """What the window around the given box shows starts the LSTM.

        `step` then sees the same frame again, with the memory of the object.
        """
        a_0 = self.around(ops.cast(box, "float32"))  # [B, 4]
        _, g_0 = self.read(frame, a_0)
        V_0 = self.v1(g_0)
        maps, memory = [self.ventral(V_0, (noise or {}).get("ventral"))], {}
        if self.dorsal is not None:  # there is no appearance yet, and no location map
            memory["template"] = self.dorsal.match.describe(V_0)
            maps.append(self.dorsal.match(V_0, memory["template"]))
        zeros = ops.zeros((ops.shape(box)[0], self.units), self.compute_dtype)
        v_0 = self.first_input(self.summarise(maps))
        o_0, h, c = self.run_core(v_0, zeros, zeros, noise)
        o_0 = o_0 + v_0
        if self.dorsal is not None:
            memory["first_appearance"] = o_0
        return {
            "attention": a_0,
            "appearance": o_0,
            "hidden": self.first_hidden(h),
            "cell": self.first_cell(c),
            "first": ops.ones_like(a_0[:, :1]),  # 1 in the first step, then 0
            **memory,
        }

    def step(
        self, frame: Tensor, state: Nested, noise: Nested = None
    ) -> tuple[dict[str, Tensor], Nested]:
        """Read a glimpse, find the object in it, choose the next window."""
        # 3.1: spatial attention.
        size, a_t = image_size(frame), state["attention"]
        outputs = {"region": convert_format(a_t, "center_yxhw", "xywh")}
        if self.detached:
            a_t = ops.stop_gradient(a_t)
        window, g_t = self.read(frame, a_t)
        # 3.2: appearance attention.
        V_t = self.v1(g_t)
        nu_t = self.ventral(V_t, (noise or {}).get("ventral"))
        maps, where = [nu_t], []
        if self.dorsal is not None:
            alpha_t = [state["appearance"], state["first_appearance"]]
            votes = self.dorsal.match(V_t, state["template"])
            logits, energy = self.dorsal(V_t, ops.concatenate(alpha_t, axis=-1), votes)
            s_t = ops.cast(ops.sigmoid(logits), nu_t.dtype)  # [B, rows', cols']
            maps, where = [nu_t * s_t[..., None], votes], [flat(s_t)]
            outputs["location"] = logits
            if not is_exporting():  # of the loss alone
                outputs["filter_energy"] = energy
        # 3.3: state estimation, the box, and the next attention.
        v_t = self.summarise(maps)
        o_t, h, c = self.run_core(v_t, state["hidden"], state["cell"], noise)
        o_t = o_t + v_t  # ours: what is seen need not go through the LSTM
        q_t = ops.cast(ops.concatenate([o_t, *where], axis=-1), "float32")
        b_t = self.found(a_t, self.locate(q_t) * (1 - state["first"]))
        clipped = self.clip_boxes and noise is None
        outputs |= {
            "box": clip_to_image(b_t, *size) if clipped else b_t,
            "window": window,
            "attention": a_t,
            "glimpse": g_t,
            "appearance": o_t,
            "presence": self.presence(q_t)[:, 0],
        }
        return outputs, state | {
            "attention": self.next_attention(b_t, self.attend(q_t), size),
            "appearance": o_t,
            "hidden": h,
            "cell": c,
            "first": ops.zeros_like(state["first"]),
        }

    def summarise(self, maps: list[Tensor]) -> Tensor:
        """$v_t$, `[B, units]`."""
        return self.summary(ops.concatenate([flat(x) for x in maps], axis=-1))

    def found(self, a: Tensor, step: Tensor) -> Tensor:
        """The box `xywh` within the window: a step of 0 gives the one it is around."""
        c, sides = ops.split(moved(a, step), 2, axis=-1)
        box = ops.concatenate([c, sides * ops.exp(-self.bias)], axis=-1)
        return convert_format(box, "center_yxhw", "xywh")

    def next_attention(self, b: Tensor, step: Tensor, size: tuple[Any, Any]) -> Tensor:
        """The next window, around the box and moved to where the object will be."""
        a = moved(self.around(b), ops.tanh(self.gain) * step)
        height, width = size
        # A window that has left the frame, or that is a point, never comes back.
        low = ops.convert_to_tensor([0.0, 0.0, SMALLEST, SMALLEST], a.dtype)
        high = [height - 1.0, width - 1.0, 4.0 * height, 4.0 * width]
        high = ops.stack([ops.cast(n, a.dtype) for n in high])
        return ops.minimum(ops.maximum(a, low), high)
