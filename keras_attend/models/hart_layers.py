"""What HART's cell is made of: its layers, their weights, the sizes of its state."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops
from keras.layers import Dense, GroupNormalization

from keras_attend.arguments import check_choice, check_positive_integers
from keras_attend.layers.cells import ZoneoutLSTMCell
from keras_attend.layers.crop import parse_size
from keras_attend.layers.dynamic_filter import DynamicFilter
from keras_attend.layers.gaussian_glimpse import GaussianGlimpse
from keras_attend.layers.recurrent_tracker import RecurrentTrackerCell
from keras_attend.layers.template_match import TemplateMatch
from keras_attend.layers.v1 import V1
from keras_attend.types import Nested, Shape, Tensor

ABLATIONS = ("hart", "appearance", "spatial")
HEAD_UNITS = 100  # of the layer before attention and box, and of the filters' f
VOTES = 8  # maps of the template's votes


class HARTLayers(RecurrentTrackerCell):
    """The layers of `HARTCell`, which uses them, and says what the arguments are."""

    extra = 0  # numbers that v_t sees beside the features
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
