"""HART's cell with a wide window and a V1 that has learned from ImageNet.

It reads in the order of the paper (Kosiorek et al. 2017): spatial attention (section
3.1), appearance attention (3.2), state estimation and the next attention (3.3).
"""

from typing import Any

import keras
from keras import ops
from keras.initializers import Constant
from keras.layers import Dense

from keras_attend.arguments import check_positive, check_positive_integers
from keras_attend.boxes import convert_format
from keras_attend.layers.cells import ZoneoutLSTMCell
from keras_attend.layers.recurrent_tracker import RecurrentTrackerCell
from keras_attend.layers.window import Window
from keras_attend.models.hart.wide_layers import GEOMETRY, DorsalStream, VentralStream
from keras_attend.models.hart.wide_maps import decoded, peak, template_of
from keras_attend.models.hart.wide_search import (
    SMALLEST,
    SURE,
    absolute,
    believed,
    erring,
    limit_of,
    relative,
    window_of,
)
from keras_attend.types import Nested, Shape, Tensor

LSTM_EXTRA = 7  # numbers about the box found that the LSTM gets beside features


@keras.saving.register_keras_serializable("keras_attend")
class WideHARTCell(RecurrentTrackerCell):
    r"""Follow an object through a window of four times its size.

        cell = WideHARTCell()
        model = WideHART(cell)
        boxes = model.predict({"frames": frames, "box": box})["boxes"]

    As in HART's paper (Kosiorek et al. 2017) the cell reads a glimpse (3.1), V1 and two
    streams say what is in it and where the object is (3.2), and an LSTM remembers, and
    chooses the next window (3.3). With $c$ and $S = \sqrt{h w}$ of the last box:

    $$g_t = \mathrm{read}(x_t;\, c_{t-1} + S_{t-1} \delta_{t-1},\, 4 S_{t-1}), \qquad
      \nu_t = \mathrm{ventral}(\mathrm{V1}(g_t))$$
    $$z_t, r_t = \mathrm{dorsal}(\nu_t;\, \psi_0, \psi_t, o_{t-1}), \qquad
      s_t = \mathrm{softmax}(z_t)$$
    $$b_t = \textstyle\sum_i w_i \, \mathrm{decode}_i(r_{ti}), \qquad
      e_t = \mathrm{ReLU}\big(U [\sum_i s_{ti} d_{ti}, n_t]\big), \qquad
      o_t, h_t = \mathrm{LSTM}(e_t, h_{t-1})$$
    $$\delta_t = \tanh(V o_t), \qquad \pi_t = \mathrm{sigmoid}(W [o_t, n_t])$$

    $d$ are the dorsal stream's last maps, $w$ is the location map near its maximum, and
    $n$ says how far the box is from where it was expected, how it has grown, how sure
    the map is, and how the templates vote.
    $\psi_0$ and $\psi_t$ are templates, the ventral maps around the object in the first
    frame and in the last in which it was surely seen. $\pi$ says whether it is there;
    when it is not, the window grows and searches (`wide_search.window_of`).

    Where it goes beyond the paper:

    * The window is square and four times as wide as the object. (Paper: as large as it
      has to be, by a loss.)
    * The dynamic filters are templates, not outputs of an MLP (`DorsalStream`).
    * The location map is one softmax over all places, of which each has a box in about
      the first frame's shape. (Paper: independent places, and one box, an MLP's.)

    Args:
        size: of the glimpse, rows and columns; a multiple of 16.
        part: rows and columns of the templates, of the grid of size / 8.
        units: of the LSTM.
        keys: channels by which places are compared.
        values: further channels of the ventral stream.
        width: channels of the dorsal stream.
        depth: blocks of the dorsal stream.
        wide: the window's side, in sides of the object.
        center_prior: how much more likely the window's middle is taken to be than its
            border, in 0..1.
        inertia: in 0..1, how much of the last box's size stays when a new one is found.
        v1: a layer that gives features of strides 4, 8 and 16; `EfficientV1` when
            absent.

    The outputs of `step` are described at `WideHART`, which returns them of each frame.
    """

    channels = 3
    shares_frame = True
    jit_compile = False  # XLA's convolutions are slow on a CPU; see `EfficientV1`

    def __init__(
        self,
        size: int = 160,
        part: int = 10,
        units: int = 96,
        *,
        keys: int = 64,
        values: int = 32,
        width: int = 112,
        depth: int = 4,
        wide: float = 4.0,
        center_prior: float = 0.4,
        inertia: float = 0.2,
        v1: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive_integers(part=part, units=units, keys=keys, values=values)
        check_positive(wide=wide)
        if size < 32 or size % 16:
            raise ValueError(
                f"`size` must be a multiple of 16, at least 32. Received: size={size}"
            )
        self.size, self.part, self.units = size, part, units
        self.keys, self.values, self.width, self.depth = keys, values, width, depth
        self.wide, self.center_prior, self.inertia = wide, center_prior, inertia
        self.grid = size // 8
        self.read = Window(size)
        self.ventral = VentralStream(v1, keys, values, name="ventral")
        self.dorsal = DorsalStream(
            self.grid, part, keys, values, width, depth, name="dorsal"
        )
        self.summary = Dense(units, activation="relu", name="summary")
        self.core = ZoneoutLSTMCell(units, 0.0, 0.0, name="core")
        zeros = {"kernel_initializer": "zeros"}
        self.ahead = Dense(2, activation="tanh", name="ahead", **zeros)
        self.presence = Dense(
            1, bias_initializer=Constant(2.0), name="presence", **zeros
        )

    def build(self, frame_shape: Shape) -> None:
        """Make the weights, which do not depend on the frame's size."""
        self.read.build((None, None, None, 3), (None, 3))
        self.ventral.build((None, self.size, self.size, 3))
        self.dorsal.build((None, self.units))
        self.summary.build((None, self.width + LSTM_EXTRA))
        self.core.build((None, self.units))
        self.ahead.build((None, self.units))
        self.presence.build((None, self.units + LSTM_EXTRA))

    @property
    def state_spec(self) -> Nested:
        """Sizes of the state's tensors."""
        return {
            "box": 4,  # center y, x, height, width, in pixels
            "shift": 2,  # of the next window, in sides of the object
            "anchor": 2,  # the object's shape in the first frame
            # What was at the places of the first and of a recent template.
            "templates": 2 * self.part**2 * (GEOMETRY + self.ventral.width),
            "hidden": self.units,
            "cell": self.units,
            "lost": 1,  # for how many frames the object has not been seen
            "first": 1,  # 1 in the first step, then 0
        }

    def adapt(self, frames: Tensor, boxes: Tensor) -> None:
        """Take the ventral stream's statistics from frames, before training.

        Args:
            frames: `[B, H, W, 3]`, some twenty or more of what it shall follow.
            boxes: of the objects in them, `xywh`, `[B, 4]`.
        """
        frames = ops.convert_to_tensor(frames)
        box = convert_format(ops.cast(boxes, "float32"), "xywh", "center_yxhw")
        zeros = ops.zeros_like(box)
        windows = window_of(
            box, zeros[:, :2], zeros[:, :1], limit_of(frames), self.wide
        )
        self.ventral.adapt(self.read(frames, windows))

    def initial_state(self, frame: Tensor, box: Tensor, noise: Nested = None) -> Nested:
        """Both templates show what is in the given box."""
        box = convert_format(ops.cast(box, "float32"), "xywh", "center_yxhw")
        c, sides = ops.split(box, 2, axis=-1)
        box = ops.concatenate([c, ops.maximum(sides, SMALLEST)], axis=-1)
        shift = ops.zeros_like(c)
        lost = ops.zeros_like(c[:, :1])
        a_0 = window_of(box, shift, lost, limit_of(frame), self.wide)  # [B, 3]
        inside = relative(box, a_0)
        template = self.template(self.ventral(self.read(frame, a_0)), inside)
        both = ops.concatenate([template, template], axis=1)
        zeros = ops.zeros((ops.shape(box)[0], self.units), self.compute_dtype)
        return {
            "box": box,
            "shift": shift,
            "anchor": inside[:, 2:],
            "templates": ops.reshape(both, (-1, self.state_spec["templates"])),
            "hidden": zeros,
            "cell": zeros,
            "lost": lost,
            "first": ops.ones_like(lost),
        }

    def step(
        self, frame: Tensor, state: Nested, noise: Nested = None
    ) -> tuple[dict[str, Tensor], Nested]:
        """Read the window, find the object, choose the next window."""
        # 3.1: spatial attention.
        limit = limit_of(frame)
        before, a_t = self.attention(state, limit, noise)  # [B, 4], [B, 3]
        g_t = self.read(frame, a_t)
        # 3.2: appearance attention.
        nu_t = self.ventral(g_t)
        shape = (-1, 2, self.part**2, GEOMETRY + self.ventral.width)
        psi = ops.reshape(state["templates"], shape)
        expected = relative(before, a_t)
        found = self.dorsal(nu_t, psi, state["anchor"], expected, state["hidden"])
        z, r, d, h = (
            ops.cast(x, "float32") for x in found
        )  # half would move by pixels
        s_t = ops.softmax(z, axis=-1)  # [B, N]
        found, share = peak(s_t, decoded(r, state["anchor"]), self.center_prior)
        # 3.3: state estimation.
        moved, grown = found[:, :2] - expected[:, :2], found[:, 2:] / expected[:, 2:]
        there = ops.matmul(s_t[:, None], ops.concatenate([d, 3 * h], axis=-1))[:, 0]
        d_t, h_t = ops.split(there, [self.width], axis=-1)
        numbers = ops.concatenate([moved, ops.log(grown), share, h_t], axis=-1)
        v_t = self.summary(ops.concatenate([d_t, numbers], axis=-1))
        o_t, (hidden, c) = self.core(v_t, [state["hidden"], state["cell"]])
        logit = self.presence(ops.concatenate([o_t, numbers], axis=-1))  # [B, 1]
        presence = ops.sigmoid(ops.cast(logit, "float32"))
        ahead = ops.cast(self.ahead(o_t), "float32")
        rate = (1 - self.inertia) * ops.clip(2 * share, 0.2, 1.0)
        box, lost = believed(
            absolute(found, a_t), before, presence, rate, state["lost"], limit
        )
        box = ops.where(state["first"] > 0, state["box"], box)
        lost = lost * (1 - state["first"])
        region = ops.concatenate([a_t, a_t[:, 2:]], axis=-1)
        outputs = {
            "box": convert_format(box, "center_yxhw", "xywh"),
            "region": convert_format(region, "center_yxhw", "xywh"),
            "glimpse": g_t,
            "location": ops.reshape(z, (-1, self.grid, self.grid)),
            "steps": r,
            "anchor": state["anchor"],
            "appearance": o_t,
            "presence": presence[:, 0],
            "ahead": ahead,
        }
        # The next attention.
        sure = ops.cast(presence > SURE, "float32")
        if noise is not None:  # the true box may take the place of the one found
            guide = convert_format(noise["guide"], "xywh", "center_yxhw")
            guided = noise["guided"] > 0
            box = ops.where(guided, guide, box)
            sure = ops.where(guided, noise["shown"], sure)
            lost = ops.where(guided, 0.0 * lost, lost)
        box = ops.stop_gradient(box)
        return outputs, state | {
            "box": box,
            "shift": ops.stop_gradient(ahead),
            "templates": self.renewed(psi, nu_t, relative(box, a_t), sure),
            "hidden": hidden,
            "cell": c,
            "lost": lost,
            "first": ops.zeros_like(lost),
        }

    def attention(
        self, state: Nested, limit: Tensor, noise: Nested
    ) -> tuple[Tensor, Tensor]:
        """The last box `[B, 4]` and the window `[B, 3]`, in training with errors."""
        box, rest = state["box"], (state["shift"], state["lost"], limit, self.wide)
        if noise is None:
            return box, window_of(box, *rest)
        box = erring(box, noise["moves"])
        a = window_of(box, *rest)
        wider = ops.exp(noise["moves"][:, 3:])
        return box, ops.concatenate([a[:, :2], a[:, 2:] * wider], axis=-1)

    def template(self, nu: Tensor, box: Tensor) -> Tensor:
        """The ventral maps around a box, and how they lie to it, `[B, 1, P, C]`."""
        return template_of(nu, box, self.grid, self.part)[:, None]

    def renewed(self, psi: Tensor, nu: Tensor, box: Tensor, sure: Tensor) -> Tensor:
        """The templates for the next frame, flat; a box in sight renews the second."""
        in_sight = ops.max(ops.abs(box[:, :2]), axis=-1, keepdims=True) < 1.5
        sure = ops.stop_gradient(sure) * ops.cast(in_sight, "float32")  # [B, 1]
        first, recent = ops.split(psi, 2, axis=1)
        shown = self.template(nu, box)
        recent = ops.where(sure[..., None, None] > 0, shown, recent)
        psi = ops.concatenate([first, recent], axis=1)
        return ops.reshape(psi, (-1, self.state_spec["templates"]))

    @property
    def v1(self) -> Any:
        """The layer that gives the features."""
        return self.ventral.v1
