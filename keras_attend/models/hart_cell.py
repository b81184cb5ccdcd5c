"""HART's cell: what the hierarchical attentive tracker does with one frame.

It follows sections 3 and 4 of the paper (Kosiorek et al. 2017): spatial attention, V1,
the ventral and the dorsal stream, state estimation, and where to look next.
"""

from typing import Any

import keras
from keras import ops
from keras.layers import Dense

from keras_attend.boxes import clip_to_image, convert_format
from keras_attend.layers.tracing import is_for_a_file
from keras_attend.layers.v1 import normalise_groups
from keras_attend.models.hart_layers import HARTLayers
from keras_attend.models.tracker import image_size, scaled_glimpse
from keras_attend.types import Nested, Tensor

SMALLEST = 4.0  # pixels; a smaller window has nothing to see


@keras.saving.register_keras_serializable("keras_attend")
class HARTCell(HARTLayers):
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

    residual = True  # v_t is added to the LSTM's output

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
