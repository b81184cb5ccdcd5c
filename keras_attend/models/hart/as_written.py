"""HART in the paper's setting: its equations 2 to 8 as they are written (2017)."""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
from keras import ops
from keras.layers import Dense

from keras_attend.arguments import check_positive_integers
from keras_attend.boxes import convert_format
from keras_attend.layers.cells import ZoneoutLSTMCell
from keras_attend.layers.crop import parse_size
from keras_attend.layers.dynamic_filter import DynamicFilter
from keras_attend.layers.efficient_v1 import EfficientV1
from keras_attend.layers.gaussian_glimpse import GaussianGlimpse
from keras_attend.layers.patch_conv import pointwise
from keras_attend.layers.tracing import is_exporting
from keras_attend.losses import area_loss, intersection_loss, iou_loss
from keras_attend.models.hart.layers import HIDDEN, Head, MaskedCell, energy, flat
from keras_attend.models.hart.losses import (
    WeighedTracker,
    after_first,
    balanced_cross_entropy,
    by_steps,
    coverage,
    over_frames,
)
from keras_attend.models.tracker import image_size, scaled_glimpse, targets
from keras_attend.types import Nested, Shape, Tensor


@keras.saving.register_keras_serializable("keras_attend")
class PaperHARTCell(MaskedCell):
    r"""Follow an object by the equations of HART's paper (Kosiorek et al. 2017).

        cell = PaperHARTCell()
        training.imagenet.load_weights(cell.v1)
        model = PaperHART(cell)
        boxes = model.predict({"frames": frames, "box": box})["boxes"]

    $$g_t = \mathrm{read}(x_t, a_t), \qquad V_t = \mathrm{V1}(g_t), \qquad
      \nu_t = \mathrm{ventral}(V_t)$$
    $$s_t = \mathrm{dorsal}(V_t, \alpha_t), \qquad
      v_t = \mathrm{MLP}(\mathrm{vec}(\nu_t \odot s_t)), \qquad
      o_t, h_t = \mathrm{LSTM}(v_t, h_{t-1})$$
    $$\alpha_{t+1}, \Delta a_{t+1}, \Delta b_t
      = \mathrm{MLP}(o_t, \mathrm{vec}(s_t))$$
    $$a_{t+1} = a_t + \tanh(c)\, \Delta a_{t+1}, \qquad
      b_t = a_t - \beta + \Delta b_t, \qquad a_0 = b_0 + \beta$$

    Attention $a$ and box $b$ are the centre's y and x, height and width, in heights and
    widths of the frame. The attention bias $\beta$ is learned and begins at 0. There is
    no template, and nothing reaches the LSTM but through the mask $s$.

    Where the paper is silent: sigma is $\sqrt{0.5^2 + (0.5 d)^2}$ of the stride $d$; a
    window is read as if its sides had a pixel at least; in the first frame there is no
    mask, and its LSTM output is $\alpha_0$, as in the authors' code. V1 is another
    network that was trained on ImageNet than AlexNet.

    Args:
        size: of the glimpse, rows and columns; multiples of V1's stride.
        units: of the LSTM, and of the layers that make the filters.
        channels: of the frames.
        maps: of $\nu$, and of the dorsal stream's filters.
        v1: a layer that gives features, of several resolutions the last ones; absent,
            `EfficientV1((4,))`, whose weights are random until they are loaded.
        zoneout: chance that a unit of the LSTM keeps its value in a step of training.
        dropout: chance that a number of $\nu$ is dropped in training.
        dorsal: False leaves out the appearance attention ("Spatial Att").

    The outputs of `step` are described at `PaperHART`.
    """

    kept_as: ClassVar[dict[str, str]] = {"dorsal": "has_dorsal"}

    def __init__(
        self,
        size: int | Sequence[int] = 112,
        units: int = 100,
        channels: int = 3,
        *,
        maps: int = 5,
        v1: Any = None,
        zoneout: float = 0.05,
        dropout: float = 0.25,
        dorsal: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive_integers(units=units, channels=channels, maps=maps)
        self.size, self.units = parse_size(size, "size"), units
        self.channels, self.maps = channels, maps
        self.zoneout, self.dropout, self.has_dorsal = zoneout, dropout, dorsal
        self.seed_generator = keras.random.SeedGenerator()
        self.glimpse = GaussianGlimpse(self.size)
        self.v1 = EfficientV1((4,), name="v1") if v1 is None else v1
        self.readout = Dense(maps, name="readout")
        if dorsal:
            self.filter_1 = DynamicFilter(maps, 1, units, name="filter_1")
            self.filter_2 = DynamicFilter(maps, 3, units, name="filter_2")
            self.location = Dense(1, name="location")
            self.describe = [
                Dense(HIDDEN, "elu", name="describe"),
                Dense(units, name="appearance"),
            ]
        self.summary = Dense(units, "elu", name="summary")
        self.core = ZoneoutLSTMCell(units, zoneout, zoneout, name="core")
        self.first_cell, self.first_hidden = (
            Dense(units, "relu", name=name) for name in ("first_cell", "first_hidden")
        )
        self.attend, self.locate = Head(name="attend"), Head(name="locate")

    @property
    def jit_compile(self) -> bool:
        """Whether XLA suits V1; see `EfficientV1`."""
        return not isinstance(self.v1, EfficientV1)

    def build(self, frame_shape: Shape) -> None:
        """Make the weights, which do not depend on the frame's size."""
        glimpse, vector = (None, *self.size, self.channels), (None, self.units)
        self.glimpse.build((None, None, None, self.channels), (None, 6))
        if not self.v1.built:
            self.v1.build(glimpse)
        shape: Any = self.v1.compute_output_shape(glimpse)
        features = shape[-1] if isinstance(shape, list) else shape
        self.map_size = (features[1], features[2])
        maps, seen = (None, *self.map_size, self.maps), self.units
        self.readout.build(features)
        if self.has_dorsal:
            self.filter_1.build(features, vector)
            self.filter_2.build(maps, vector)
            self.location.build(maps)
            seen += self.map_size[0] * self.map_size[1]
            self.describe[0].build((None, seen))
            self.describe[1].build((None, HIDDEN))
        self.summary.build((None, self.map_size[0] * self.map_size[1] * self.maps))
        for layer in (self.core, self.first_cell, self.first_hidden):
            layer.build(vector)
        for head in (self.attend, self.locate):
            head.build((None, seen))
        precise: Any = {"dtype": "float32", "autocast": False}
        small = keras.initializers.Constant(0.076)
        self.gain = self.add_weight((4,), small, name="gain", **precise)  # c
        self.bias = self.add_weight((4,), "zeros", name="bias", **precise)  # beta

    @property
    def state_spec(self) -> Nested:
        """Sizes of the state's tensors."""
        names = ["appearance", "hidden", "cell"]
        return {"attention": 4, "first": 1} | dict.fromkeys(names, self.units)

    # Section 3.1: spatial attention.

    def pixels(self, a: Tensor, frame: Tensor) -> Tensor:
        """Centre y and x, height and width in pixels, of those in frames `[B, 4]`."""
        height, width = image_size(frame)
        sides = [ops.cast(n, "float32") for n in (height, width, height, width)]
        return a * ops.stack(sides)

    def read(self, frame: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        """The Gaussians `[B, 6]`, and the glimpse `[B, rows, cols, C]`."""
        c, sides = ops.split(self.pixels(a, frame), 2, axis=-1)
        steps = ops.convert_to_tensor([n - 1.0 for n in self.size], sides.dtype)
        d = ops.maximum(sides, 1.0) / steps
        window = ops.concatenate([c, d, 0.5 * ops.sqrt(1.0 + d * d)], axis=-1)
        return window, scaled_glimpse(self.glimpse(frame, window), frame)

    def features(self, glimpse: Tensor) -> Tensor:
        """V1's last features, `[B, rows', cols', F]`."""
        V = self.v1(glimpse)
        return V[-1] if isinstance(V, list) else V

    # Section 3.2: appearance attention.

    def ventral(self, V: Tensor, noise: Nested) -> Tensor:
        r"""What lies where, $\nu$ `[B, rows', cols', maps]`."""
        nu = pointwise(self.readout, V)
        if noise is not None and "ventral" in noise:
            nu = nu * noise["ventral"]
        return ops.elu(nu)

    def dorsal(self, V: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
        r"""Logits of $s$ `[B, rows', cols']`, and the filters' energy `[B]`."""
        psi_1, beta_1 = self.filter_1.generate(alpha)
        psi_2, beta_2 = self.filter_2.generate(alpha)
        d = self.filter_1.convolve(V, psi_1, beta_1)
        d = self.filter_2.convolve(d, psi_2, beta_2)
        logits = ops.cast(pointwise(self.location, d)[..., 0], "float32")
        return logits, energy(psi_1, beta_1, psi_2, beta_2)

    # Section 3.3: state estimation.

    def initial_state(self, frame: Tensor, box: Tensor, noise: Nested = None) -> Nested:
        """The first frame, without a mask, starts the LSTM; `step` sees it again."""
        box = ops.cast(box, "float32")
        center = convert_format(box, "xywh", "center_yxhw")
        a_0 = center / self.pixels(ops.ones_like(center), frame) + self.bias
        _, g_0 = self.read(frame, a_0)
        v_0 = self.summary(flat(self.ventral(self.features(g_0), noise)))
        zeros = ops.zeros((ops.shape(box)[0], self.units), self.compute_dtype)
        o_0, h, c = self.run_core(v_0, zeros, zeros, noise)
        return {
            "attention": a_0,
            "appearance": o_0,
            "hidden": self.first_hidden(h),
            "cell": self.first_cell(c),
            "first": ops.ones_like(a_0[:, :1]),  # 1 in the first step, then 0
        }

    def step(
        self, frame: Tensor, state: Nested, noise: Nested = None
    ) -> tuple[dict[str, Tensor], Nested]:
        """Read a glimpse, find the object in it, choose the next window."""
        a_t, first = state["attention"], state["first"]
        window, g_t = self.read(frame, a_t)
        V_t = self.features(g_t)
        nu_t, where = self.ventral(V_t, noise), []
        region = convert_format(self.pixels(a_t, frame), "center_yxhw", "xywh")
        outputs = {"window": window, "region": region, "glimpse": g_t}
        if self.has_dorsal:
            logits, filter_energy = self.dorsal(V_t, state["appearance"])
            s_t = ops.cast(ops.sigmoid(logits), nu_t.dtype)
            nu_t, where = nu_t * s_t[..., None], [flat(s_t)]
            outputs["location"] = logits
            if not is_exporting():  # of the loss alone
                outputs["filter_energy"] = filter_energy
        v_t = self.summary(flat(nu_t))  # eq. 4
        o_t, h, c = self.run_core(v_t, state["hidden"], state["cell"], noise)  # eq. 5
        q_t = ops.concatenate([o_t, *where], axis=-1)
        alpha = o_t
        if self.has_dorsal:
            alpha = self.describe[1](self.describe[0](q_t))  # eq. 6
        b_t = a_t - self.bias + self.locate(q_t) * (1 - first)  # eq. 8
        outputs["box"] = convert_format(self.pixels(b_t, frame), "center_yxhw", "xywh")
        outputs |= {"attention": a_t, "appearance": o_t}
        return outputs, {
            "attention": a_t + ops.tanh(self.gain) * self.attend(q_t),  # eq. 7
            "appearance": alpha,
            "hidden": h,
            "cell": c,
            "first": ops.zeros_like(first),
        }


@keras.saving.register_keras_serializable("keras_attend")
class PaperHART(WeighedTracker):
    r"""Track one object as HART's paper does, by its losses (section 4).

        model = PaperHART(PaperHARTCell())
        model.compile(TF1RMSprop())
        model.fit({"frames": frames, "box": first_boxes}, {"boxes": boxes})

    * "tracking" (eq. 10): $-\log \mathrm{IoU}$ of the box.
    * "attention" (eq. 11): how much of the object the window misses, and how much of
      the frame it takes.
    * "appearance" (eq. 12): cross-entropy of the location map and the object's place.
    * L2 of the weight matrices and of the filters that are generated.

    Table 1's *Spatial Att* is `PaperHARTCell(dorsal=False)` that learns by "tracking"
    alone; *App Att* learns by "tracking" and "attention"; *HART* has all.

    Its arguments are those of `HART`, with a `PaperHARTCell()` when `cell` is absent.
    It returns what `HART` does but "presence"; "attention" `[B, T, 4]` is in heights
    and widths of the frame.
    """

    default_cell = PaperHARTCell

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.cell.has_dorsal and "appearance" in self.weighed:
            raise ValueError(
                "`losses` must not name 'appearance' for a cell with `dorsal=False`, "
                f"which has no location map. Received: losses={self.weighed}"
            )

    def named_losses(
        self, x: Any, y: Any, y_pred: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Each loss by its name: of each clip, `[B]`, or the one "l2" of all."""
        height, width = image_size(x["frames"][:, 0])
        boxes, present = targets(y)  # [B, T, 4], [B, T]
        region, later = y_pred["region"], by_steps(after_first(present))
        tracking = iou_loss(boxes, y_pred["boxes"])  # [B, T]
        attention = intersection_loss(boxes, region) + area_loss(region, height, width)
        losses = {
            "tracking": ops.sum(later * tracking, axis=1),
            "attention": ops.sum(later * attention, axis=1),
            "l2": self.decay(y_pred),
        }
        if "location" in y_pred:
            target = ops.stop_gradient(coverage(boxes, region, self.cell.map_size))
            appearance = balanced_cross_entropy(target, y_pred["location"])
            losses["appearance"] = ops.sum(over_frames(present) * appearance, axis=1)
            if "appearance" not in self.weighed:  # else it is in `decay` already
                filters = self.weight_decay * ops.mean(y_pred["filter_energy"])
                losses["l2"] = losses["l2"] + filters
        return losses
