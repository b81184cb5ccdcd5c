"""HART's cell: what the hierarchical attentive tracker does with one frame.

It follows sections 3 and 4 of the paper (Kosiorek et al. 2017): spatial attention, V1,
the ventral and the dorsal stream, state estimation, and where to look next.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops
from keras.layers import Dense, GroupNormalization

from keras_attend.arguments import check_choice, check_positive_integers
from keras_attend.boxes import clip_to_image, convert_format
from keras_attend.layers.cells import ZoneoutLSTMCell
from keras_attend.layers.crop import parse_size
from keras_attend.layers.dynamic_filter import DynamicFilter
from keras_attend.layers.gaussian_glimpse import GaussianGlimpse
from keras_attend.layers.recurrent_tracker import RecurrentTrackerCell
from keras_attend.layers.template_match import TemplateMatch
from keras_attend.layers.tracing import is_for_a_file
from keras_attend.layers.v1 import V1, normalise_groups
from keras_attend.models.tracker import image_size, scaled_glimpse
from keras_attend.types import Nested, Shape, Tensor

ABLATIONS = ("hart", "appearance", "spatial")
HEAD_UNITS = 100  # of the layer before attention and box, and of the filters' f
VOTES = 8  # maps of the template's votes
SMALLEST = 4.0  # pixels; a smaller window has nothing to see


@keras.saving.register_keras_serializable("keras_attend")
class HARTCell(RecurrentTrackerCell):
    r"""One frame of HART (Kosiorek et al. 2017, sections 3 and 4).

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
    * The next window starts from the box found, larger by the learned attention bias
      (at first `scale` times). (Paper: from the last window.)
    * The first frame is remembered: in $\alpha$, and as a template whose votes
      (`layers.TemplateMatch`) enter both streams.
    * $v_t$ is added to the LSTM's output, and the votes enter the location map
      directly: what is seen need not go through all layers.
    * Features are normalised by groups of channels, not over the batch.

    Args:
        size: of the glimpse, rows and columns.
        units: of the LSTM.
        channels: of the frames.
        maps: of $\nu$, and of the dorsal stream's filters.
        filters: of V1's convolutions.
        scale: how many times the box's sides the first window covers.
        zoneout: chance that a unit of the LSTM keeps its value.
        dropout: chance that a number of $\nu$ is dropped.
        ablation: "spatial" has no dorsal stream and no template; "hart" and
            "appearance" differ in their losses only.
        cut: whether the boxes that are found end at the frame's border, as KITTI's
            labels do. (Not those that are learned from, nor the next window's.)
        detached: whether windows are taken as they are: no gradient goes from what is
            seen, and from the box in it, to where it was looked for.

    Zoneout and dropout want their random numbers, `noise`, which `draw_noise` makes
    before the time loop; without there is neither.
    """

    extra = 0  # numbers that v_t sees beside the features
    residual = True  # v_t is added to the LSTM's output
    bias_initializer = "zeros"

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
        ablation: str = "hart",
        cut: bool = False,
        detached: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive_integers(units=units, channels=channels, maps=maps)
        check_choice("ablation", ablation, ABLATIONS)
        if not scale >= 1:
            raise ValueError(f"`scale` must be at least 1. Received: scale={scale}")
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must be in [0, 1). Received: {dropout}")
        self.size = parse_size(size, "size")
        self.units, self.channels, self.maps = units, channels, maps
        self.filters, self.scale = tuple(filters), scale
        self.zoneout, self.dropout, self.ablation = zoneout, dropout, ablation
        self.cut, self.detached = cut, detached
        self.dorsal = ablation != "spatial"
        self.seed_generator = keras.random.SeedGenerator()
        self._make_layers()

    def _make_layers(self) -> None:
        dtype = self.dtype_policy
        self.glimpse = GaussianGlimpse(self.size, dtype=dtype)
        self.v1 = self._make_v1()
        # Ventral: what. A dense layer of a map is a 1x1 convolution.
        self.readout = self._dense(self.maps, "readout")
        self.norm = self._make_norm()
        self.summary = self._dense(self.units, "summary", "elu")
        # Dorsal: where.
        if self.dorsal:
            self._make_match()
            self.filter_1 = DynamicFilter(
                self.maps, 1, self.filter_units, dtype=dtype, name="filter_1"
            )
            self.filter_2 = DynamicFilter(
                self.maps, 3, self.filter_units, dtype=dtype, name="filter_2"
            )
            self.location = self._dense(1, "location")
            self._make_mask_summary()
        # State estimation.
        self.core = ZoneoutLSTMCell(
            self.units, self.zoneout, self.zoneout, dtype=dtype, name="core"
        )
        self.first_input = self._dense(self.units, "first_input", "relu")
        self.first_cell = self._dense(self.units, "first_cell", "relu")
        self.first_hidden = self._dense(self.units, "first_hidden", "relu")
        # Half precision would move attention and box in steps of a pixel.
        self.attend_hidden = self._dense(HEAD_UNITS, "attend_hidden", "elu", "float32")
        self.attend = self._last("attend")
        self.box_hidden = self._dense(HEAD_UNITS, "box_hidden", "elu", "float32")
        self.box_step = self._last("box_step")
        self._make_presence()

    # What the published cell makes otherwise.

    def _make_v1(self) -> V1:
        return V1(self.filters, dtype=self.dtype_policy, name="v1")

    def _make_norm(self) -> keras.layers.Layer:
        return GroupNormalization(1, dtype=self.dtype_policy, name="norm")

    def _make_match(self) -> None:
        self.match = TemplateMatch(
            VOTES,
            extent=1 / self.scale,
            kernel=3,
            dtype=self.dtype_policy,
            name="match",
        )

    def _make_mask_summary(self) -> None:
        """Attention and box see the whole location map."""

    def _make_presence(self) -> None:
        self.presence = Dense(1, activation="sigmoid", dtype="float32", name="presence")

    @property
    def filter_units(self) -> int:
        """Of the layer that the filters are made by."""
        return HEAD_UNITS

    def _dense(
        self, units: int, name: str, activation: str | None = None, dtype: Any = None
    ) -> Dense:
        return Dense(
            units,
            activation=activation,
            bias_initializer=self.bias_initializer,
            dtype=dtype or self.dtype_policy,
            name=name,
        )

    def _last(self, name: str) -> Dense:
        small = keras.initializers.RandomUniform(-1e-3, 1e-3)
        return Dense(4, kernel_initializer=small, dtype="float32", name=name)

    @property
    def state_spec(self) -> Nested:
        """Sizes of the state's tensors."""
        spec = {
            "attention": 4,
            "appearance": self.units,
            "hidden": self.units,
            "cell": self.units,
            "first": 1,
        }
        return spec | self._memory_spec()

    def _memory_spec(self) -> dict[str, int]:
        if not self.dorsal:
            return {}
        parts = self.match.parts**2 * self.match.units
        return {"first_appearance": self.units, "template": parts}

    def build(self, frame_shape: Shape) -> None:
        """Make the weights."""
        glimpse = (None, *self.size, self.channels)
        self.v1.build(glimpse)
        features: Any = tuple(self.v1.compute_output_shape(glimpse))
        _, rows, cols, _ = features
        self.map_size: tuple[int, int] = (rows, cols)
        self.readout.build(features)
        self.norm.build((None, rows, cols, self.maps))
        count = rows * cols * self.maps + self.extra
        if self.dorsal:
            count += self._build_dorsal(features)
        self.summary.build((None, count))
        self.core.build((None, self.units))
        for layer in (self.first_input, self.first_cell, self.first_hidden):
            layer.build((None, self.units))
        joint = self.units + (self.mask_units if self.dorsal else 0)
        for hidden, last in (
            (self.attend_hidden, self.attend),
            (self.box_hidden, self.box_step),
        ):
            hidden.build((None, joint))
            last.build((None, HEAD_UNITS))
        self._build_scalars(joint)

    def _build_dorsal(self, features: tuple[Any, ...]) -> int:
        """Make its weights; how many numbers of it `v_t` sees."""
        _, rows, cols, _ = features
        votes = self._build_match(features)
        alpha = (None, self.appearance_size)
        self.filter_1.build(features, alpha)
        self.filter_2.build((None, rows, cols, self.maps + votes), alpha)
        self.location.build((None, rows, cols, self.maps + votes))
        self._build_mask_summary()
        return rows * cols * votes

    def _build_mask_summary(self) -> None:
        """There is none."""

    @property
    def mask_units(self) -> int:
        """Numbers of the location map that attention and box see."""
        return math.prod(self.map_size)

    def _build_match(self, features: tuple[Any, ...]) -> int:
        self.match.build(features)
        return VOTES

    @property
    def appearance_size(self) -> int:
        """Of alpha: the last appearance beside the first."""
        return 2 * self.units

    def _build_scalars(self, joint: int) -> None:
        self.presence.build((None, joint))
        # tanh(c): small steps at first.
        self.gain = self.add_weight(
            shape=(4,),
            initializer=keras.initializers.Constant(0.076),
            dtype="float32",
            name="gain",
        )
        # How much larger the window is than the box, as a logarithm.
        self.bias = self.add_weight(
            shape=(2,),
            initializer=keras.initializers.Constant(math.log(self.scale)),
            dtype="float32",
            name="bias",
        )

    def draw_noise(self, batch_size: Any, steps: int) -> dict[str, Tensor]:
        """Random numbers for `steps` steps of training, each `[B, steps, ...]`."""
        m_c, m_h = self.core.zoneout_masks(batch_size, steps)
        noise = {"cell": m_c, "hidden": m_h}
        if self.dropout:
            shape = (batch_size, steps, *self.map_size, self.maps)
            u = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
            kept = ops.cast(u >= self.dropout, self.compute_dtype)
            noise["ventral"] = kept / (1 - self.dropout)
        return noise

    # Section 3.1: spatial attention. A window is (center y, center x, h, w) in pixels.

    def start(self, box: Tensor, size: tuple[Any, Any]) -> Tensor:
        """The first attention `[B, 4]`, of the first box `[B, 4]`."""
        return self.around(box)

    def around(self, box: Tensor) -> Tensor:
        """The window around a box: larger by the attention bias."""
        c, sides = ops.split(convert_format(box, "xywh", "center_yxhw"), 2, axis=-1)
        sides = ops.maximum(sides, 1e-3) * ops.exp(self.bias)
        return ops.concatenate([c, sides], axis=-1)

    def to_window(self, a: Tensor, size: tuple[Any, Any]) -> Tensor:
        """Attention `[B, 4]` as the `params` `[B, 6]` of the read."""
        c, sides = ops.split(a, 2, axis=-1)  # [B, 2]
        d = sides / ops.convert_to_tensor([n - 1.0 for n in self.size], sides.dtype)
        # As `boxes.box_to_window` has it.
        return ops.concatenate([c, d, 0.5 * ops.sqrt(1.0 + d * d)], axis=-1)

    def region(self, a: Tensor, first: Any, size: tuple[Any, Any]) -> Tensor:
        """The box `[B, 4]` that the attention covers."""
        return convert_format(a, "center_yxhw", "xywh")

    # Section 3.2: appearance attention.

    def look(self, frame: Tensor, a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Through the window: its `params`, the glimpse, and V1's features."""
        window = self.to_window(a, image_size(frame))  # [B, 6]
        g = scaled_glimpse(self.glimpse(frame, window), frame)  # [B, rows, cols, C]
        return window, g, self.v1(g)

    def ventral(self, V: Tensor, noise: Nested) -> Tensor:
        """What is there: `[B, rows', cols', maps]`."""
        nu = _at_each_place(self.readout, V)
        if noise is not None and "ventral" in noise:
            nu = nu * noise["ventral"]
        return ops.elu(self.normalise(nu))

    def normalise(self, nu: Tensor) -> Tensor:
        """Each sample by itself. (Published: over the batch.)"""
        return normalise_groups(self.norm, nu)

    def where(self, V: Tensor, state: Nested) -> tuple[Tensor, list[Tensor], Tensor]:
        """Logits of the object's place `[B, rows', cols']`, votes, and filter energy.

        The energy is $\\frac12 \\|\\psi\\|^2$ of all that is generated, `[B]`.
        """
        alpha = self.alpha(state)
        votes = self.votes(V, state)
        psi_1, beta_1 = self.filter_1.generate(alpha)
        d = self.filter_1.convolve(V, psi_1, beta_1)  # [B, rows', cols', maps]
        psi_2, beta_2 = self.filter_2.generate(alpha)
        d = self.filter_2.convolve(_joined([d, *votes]), psi_2, beta_2)
        logits = _at_each_place(self.location, _joined([d, *votes]))[..., 0]
        logits = ops.cast(logits, "float32")
        energy = sum(_half_square(x) for x in (psi_1, beta_1, psi_2, beta_2))
        return logits, votes, energy

    def alpha(self, state: Nested) -> Tensor:
        """The appearance that the filters are made of."""
        return ops.concatenate(
            [state["appearance"], state["first_appearance"]], axis=-1
        )

    def votes(self, V: Tensor, state: Nested) -> list[Tensor]:
        """For where the first frame's object is."""
        return [self.match(V, state["template"])]

    # Section 3.3: state estimation.

    def summarise(self, maps: list[Tensor], window: Tensor) -> Tensor:
        """`v_t`, `[B, units]`."""
        rows, cols = self.map_size
        flat = [ops.reshape(x, (-1, rows * cols * x.shape[-1])) for x in maps]
        return self.summary(ops.concatenate([*flat, *self.beside(window)], axis=-1))

    def beside(self, window: Tensor) -> list[Tensor]:
        """What else `v_t` sees."""
        return []

    def remember(
        self, v: Tensor, h: Tensor, c: Tensor, noise: Nested
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The LSTM: its output, with what it saw, and its next state."""
        masks = None if noise is None else (noise["cell"], noise["hidden"])
        o, (h, c) = self.core(v, [h, c], masks=masks, training=noise is not None)
        return o + v if self.residual else o, h, c

    def initial_state(self, frame: Tensor, box: Tensor, noise: Nested = None) -> Nested:
        """A first look, which has no location map yet, starts the LSTM."""
        a_0 = self.start(ops.cast(box, "float32"), image_size(frame))  # [B, 4]
        window, _, V = self.look(frame, a_0)
        nu = self.ventral(V, noise)
        maps = [nu]
        memory: dict[str, Tensor] = {}
        if self.dorsal:
            memory, votes = self.first_memory(V)
            maps += votes
        zeros = ops.zeros((ops.shape(frame)[0], self.units), self.compute_dtype)
        v = self.first_input(self.summarise(maps, window))
        o, h, c = self.remember(v, zeros, zeros, noise)
        if self.dorsal and "template" in memory:
            memory["first_appearance"] = o
        return {
            "attention": a_0,
            "appearance": o,
            "hidden": self.first_hidden(h),
            "cell": self.first_cell(c),
            "first": ops.ones_like(a_0[:, :1]),
            **memory,
        }

    def first_memory(self, V: Tensor) -> tuple[dict[str, Tensor], list[Tensor]]:
        """What is kept of the first frame, and its votes for itself."""
        template = self.match.describe(V)
        return {"template": template}, [self.match(V, template)]

    def step(
        self, frame: Tensor, state: Nested, noise: Nested = None
    ) -> tuple[dict[str, Tensor], Nested]:
        """Look through the window, find the object, choose the next window."""
        size = image_size(frame)
        a_t, first = state["attention"], state["first"]
        region = self.region(a_t, first, size)
        if self.detached:
            a_t = ops.stop_gradient(a_t)
        window, g_t, V = self.look(frame, a_t)
        nu = self.ventral(V, noise)  # [B, rows', cols', maps]
        maps, outputs = [nu], {}
        if self.dorsal:
            logits, votes, energy = self.where(V, state)
            s_t = ops.cast(ops.sigmoid(logits), nu.dtype)  # [B, rows', cols']
            maps = [nu * s_t[..., None], *votes]
            outputs = {"location": logits}
            if not is_for_a_file():  # of the loss alone
                outputs["filter_energy"] = energy
        v_t = self.summarise(maps, window)
        o_t, h, c = self.remember(v_t, state["hidden"], state["cell"], noise)
        q_t = o_t
        if self.dorsal:
            q_t = ops.concatenate([o_t, self.see_mask(s_t)], axis=-1)
        q_t = ops.cast(q_t, "float32")
        box = self.find(a_t, q_t, first, size)
        outputs |= {
            "box": clip_to_image(box, *size) if self.cut and noise is None else box,
            "window": window,
            "attention": a_t,
            "region": region,
            "glimpse": g_t,
            "appearance": o_t,
            "presence": self.present(q_t),
        }
        return outputs, state | {
            "attention": self.move(a_t, box, q_t, size),
            "appearance": o_t,
            "hidden": h,
            "cell": c,
            "first": ops.zeros_like(first),
        }

    def see_mask(self, s: Tensor) -> Tensor:
        """What attention and box see of the location map, `[B, mask_units]`."""
        return ops.reshape(s, (-1, self.mask_units))

    # Section 3.3: attention and box. Steps are in windows, and logarithms of size.

    def find(
        self, a: Tensor, q: Tensor, first: Tensor, size: tuple[Any, Any]
    ) -> Tensor:
        """The box `[B, 4]` within the window; in the first frame the given one."""
        step = ops.tanh(self.box_step(self.box_hidden(q))) * (1 - first)
        c, sides = ops.split(_moved(a, step), 2, axis=-1)
        sides = sides * ops.exp(-self.bias)
        box = ops.concatenate([c, sides], axis=-1)
        return convert_format(box, "center_yxhw", "xywh")

    def move(self, a: Tensor, box: Tensor, q: Tensor, size: tuple[Any, Any]) -> Tensor:
        """The next attention: around the box, and where it will be."""
        delta = ops.tanh(self.attend(self.attend_hidden(q)))
        a = _moved(self.around(box), ops.tanh(self.gain) * delta)
        height, width = size
        # A window that has left the frame, or that is a point, never comes back.
        low = ops.convert_to_tensor([0.0, 0.0, SMALLEST, SMALLEST], a.dtype)
        high = [height - 1.0, width - 1.0, 4.0 * height, 4.0 * width]
        high = ops.stack([ops.cast(n, a.dtype) for n in high])
        return ops.minimum(ops.maximum(a, low), high)

    def present(self, q: Tensor) -> Tensor:
        """Is the object there? In 0..1, `[B]`."""
        return self.presence(q)[:, 0]

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            **super().get_config(),
            "size": self.size,
            "units": self.units,
            "channels": self.channels,
            "maps": self.maps,
            "filters": self.filters,
            "scale": self.scale,
            "zoneout": self.zoneout,
            "dropout": self.dropout,
            "ablation": self.ablation,
            "cut": self.cut,
            "detached": self.detached,
        }


def _moved(a: Tensor, step: Tensor) -> Tensor:
    """A window moved by half its size times a step, its size by a logarithm."""
    c, sides = ops.split(a, 2, axis=-1)
    d_c, d_sides = ops.split(step, 2, axis=-1)
    return ops.concatenate([c + 0.5 * sides * d_c, sides * ops.exp(d_sides)], axis=-1)


def _at_each_place(layer: Dense, maps: Tensor) -> Tensor:
    """A dense layer of maps `[B, rows, cols, C]`.

    By itself it asks for the batch's size, which XLA does not find in the gradient of
    TensorFlow's loops.
    """
    rows, cols, channels = maps.shape[1:]
    found = layer(ops.reshape(maps, (-1, channels)))
    return ops.reshape(found, (-1, rows, cols, layer.units))


def _joined(maps: list[Tensor]) -> Tensor:
    return ops.concatenate(maps, axis=-1) if len(maps) > 1 else maps[0]


def _half_square(x: Tensor) -> Tensor:
    wide = ops.cast(x, "float32")
    return 0.5 * ops.sum(ops.square(wide), axis=tuple(range(1, len(x.shape))))
