"""DRLT's networks (section 3.1 of the paper): what it sees, and where the object is.

A location $l$ is the object's centre and, where they change, its sides, in widths and
heights of the frame.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from keras_attend.arguments import check_choice, check_positive_integers
from keras_attend.boxes import convert_format
from keras_attend.compiling import suits_xla
from keras_attend.layers.cells import ReluLSTMCell
from keras_attend.layers.crop import parse_size
from keras_attend.layers.recurrent_tracker import RecurrentTrackerCell
from keras_attend.layers.tracing import for_each
from keras_attend.models.base import resized_images
from keras_attend.models.drlt.candidate_choice import CandidateChoice
from keras_attend.models.drlt.observation import point_cnn
from keras_attend.models.tracker import image_size
from keras_attend.types import Candidates, Nested, Remembers, Shape, Tensor

# What a location holds beside the centre (x, y).
LOCATIONS = {"center": 2, "square": 3, "circle": 3, "box": 4}
HEADS = ("linear", "units", "choice")


@keras.saving.register_keras_serializable("keras_attend")
class DRLTCell(RecurrentTrackerCell):
    r"""Say where the first frame's object is in each frame (section 3.1, figure 1).

    ```python
    cell = DRLTCell(point_cnn(), units=128, channels=1, location="square")
    state = cell.initial_state(frames[:, 0], box)
    outputs, state = cell.step(frames[:, 0], state)  # "box" and "mean"
    ```

    $$i_t = \mathrm{observe}(x_t), \qquad o_t = (i_t, s_t), \qquad
      h_t = \mathrm{LSTM}(h_{t-1}, o_t), \qquad \mu_t = \mathrm{head}(h_t)$$

    $s_1$ is the location given with the first frame, and $s_t = 0$ for all later ones.
    The mean $\mu_t$ is the prediction, whatever was drawn around it in training.

    Args:
        observation: $\mathrm{observe}$, a layer or model of images
            `[N, rows, columns, C]` in 0..1; what it returns is flattened. `point_cnn()`
            when absent. A network that can `remember(image, location)` makes a template
            of the object in the first frame, and is called with it as well.
        units: the size of $h_t$. (The final version of the paper has 5000.)
        channels: of the frames, 1 for grey or 3 for colour.
        size: rows and columns of the image that is observed; frames are resized to it.
        location: what a location holds: "center" for an object of a fixed size,
            "square" for centre and side, "circle" for centre and radius, in widths of
            the frame (its box is the square around it, and the circle of a box has the
            mean of its sides as diameter), or "box" for centre and sides.
        side: of an object of a fixed size, in heights of the frame.
        given: whether $s_1$ is used. (In version 1 it is not: the tracker has to find
            its object.)
        core: "relu" for version 1's LSTM, or "tanh" for the final version's.
        dense: the number of rectified units of a layer between what is observed and the
            LSTM, $o_t = \mathrm{Rect}(\mathrm{Linear}(i_t, s_t))$; None has no such
            layer. (The final version has 5000.)
        head: "linear", a dense layer that begins at the middle of the frame; "units",
            the last units of $h_t$ themselves, as in the final version (they are in
            (-1, 1) and begin near 0, in a corner); or "choice", a `CandidateChoice`
            among the boxes of an `observation` such as `MatchBoxes`. With the last one
            $s_t = \mu_{t-1}$.
    """

    def __init__(
        self,
        observation: keras.layers.Layer | None = None,
        units: int = 256,
        channels: int = 3,
        *,
        size: int | Sequence[int] = 100,
        location: str = "box",
        side: float = 0.28,
        given: bool = True,
        dense: int | None = None,
        core: str = "tanh",
        head: str = "linear",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive_integers(units=units, channels=channels)
        if dense is not None:
            check_positive_integers(dense=dense)
        check_choice("location", location, tuple(LOCATIONS))
        check_choice("core", core, ("relu", "tanh"))
        check_choice("head", head, HEADS)
        if not 0 < side <= 1:
            raise ValueError(f"`side` must be in (0, 1]. Received: side={side}")
        if head == "units" and units < LOCATIONS[location]:
            raise ValueError(
                f"`units` must be at least the {LOCATIONS[location]} numbers of a "
                f"location. Received: units={units}"
            )
        if head == "choice":
            if not isinstance(observation, Candidates):
                raise ValueError(
                    "`head='choice'` needs an `observation` with candidates, as "
                    f"`MatchBoxes` has. Received: observation={observation}"
                )
            if location != "box" or not given:
                raise ValueError(
                    "`head='choice'` needs `location='box'` and `given=True`. "
                    f"Received: location={location!r}, given={given}"
                )
        self.size = parse_size(size, "size")
        self.units, self.channels = units, channels
        self.location, self.side, self.given = location, side, given
        self.core, self.head, self.dense = core, head, dense
        self.numbers = LOCATIONS[location]
        dtype = self.dtype_policy
        self.observation = point_cnn() if observation is None else observation
        remembers = isinstance(self.observation, Remembers)
        self.shares_frame = getattr(self.observation, "shares_frame", not remembers)
        if dense is not None:
            self.between = layers.Dense(dense, "relu", dtype=dtype, name="between")
        kind = ReluLSTMCell if core == "relu" else layers.LSTMCell
        self.lstm = kind(units, dtype=dtype, name="lstm")
        if head == "linear":
            named = {"dtype": "float32", "name": "mean"}
            small = keras.initializers.RandomNormal(stddev=1e-2)
            self.mean = layers.Dense(self.numbers, kernel_initializer=small, **named)
        elif head == "choice":
            self.choice = CandidateChoice(
                self.observation.candidates, dtype=dtype, name="choice"
            )

    @property
    def jit_compile(self) -> bool:
        """Whether XLA suits the observation network; see `AttentionModel.compile`."""
        return suits_xla(self.observation)

    @property
    def state_spec(self) -> Nested:
        """Sizes of the state's tensors."""
        sizes = {"hidden": self.units, "memory": self.units, "given": self.numbers}
        if isinstance(self.observation, Remembers):
            sizes["template"] = self.observation.memory_size
        return sizes

    def build(self, frame_shape: Shape) -> None:
        """Make the weights, which are the same for all sizes of frames."""
        image = (None, *self.size, self.channels)
        if not self.observation.built:
            self.observation.build(image)
        shape = self.observation.compute_output_shape(image)
        self.feature_size = math.prod(shape[1:])
        seen = self.feature_size + self.given * self.numbers
        if self.dense is not None:
            self.between.build((None, seen))
            seen = self.dense
        self.lstm.build((None, seen))
        if self.head != "units":
            last = self.mean if self.head == "linear" else self.choice
            last.build((None, self.units))

    def initial_state(self, frame: Tensor, box: Tensor) -> Nested:
        """An empty memory, the given location, and the template if there is one."""
        size = image_size(frame)
        whole = convert_format(box, "xywh", "rel_center_xywh", *size)  # [B, 4]
        state = self.blank_state(self.to_location(box, size))
        if isinstance(self.observation, Remembers):
            state["template"] = self.observation.remember(
                resized_images(frame, self), whole
            )
        return state

    def blank_state(self, location: Tensor) -> Nested:
        """An empty memory and the given locations $s_1$ `[B, D]`, without template."""
        h = ops.zeros((ops.shape(location)[0], self.units), self.compute_dtype)
        return {"hidden": h, "memory": h, "given": location}

    def step(self, frame: Tensor, state: Nested) -> tuple[dict[str, Tensor], Nested]:
        """Observe a frame and predict the box; `DRLT` lists the outputs."""
        i_t = self.observe(frame, state.get("template"))
        outputs, state = self.think(i_t, state)
        outputs["box"] = self.to_box(outputs["mean"], image_size(frame))
        return outputs, state

    def observe(self, frames: Tensor, template: Tensor | None = None) -> Tensor:
        """What the observation network says of frames `[N, H, W, C]`: `[N, F]`."""
        memory = () if template is None else (template,)
        i = self.observation(resized_images(frames, self), *memory)
        return ops.reshape(i, (-1, self.feature_size))

    def think(self, i_t: Tensor, state: Nested) -> tuple[dict[str, Tensor], Nested]:
        r"""The LSTM and the head: from $i_t$ `[B, F]` to "mean", $\mu_t$ `[B, D]`."""
        s_t = state["given"]
        i_t = o_t = for_each(i_t, s_t)
        if self.head == "choice":
            o_t = self.choice.seen(i_t, s_t)
        if self.given:
            o_t = ops.concatenate([ops.cast(n, i_t.dtype) for n in (o_t, s_t)], axis=-1)
        if self.dense is not None:
            o_t = self.between(o_t)
        h_t, (_, c_t) = self.lstm(o_t, [state["hidden"], state["memory"]])
        if self.head == "linear":
            mu_t = 0.5 + self.mean(h_t)  # from the middle of the frame
        elif self.head == "units":
            mu_t = ops.cast(h_t[:, -self.numbers :], "float32")
        else:
            mu_t = self.choice(h_t, i_t, s_t)
        s_next = mu_t if self.head == "choice" else ops.zeros_like(s_t)
        state = state | {"hidden": h_t, "memory": c_t, "given": s_next}
        return {"mean": mu_t}, state

    # Between pixels and locations.

    def to_location(self, box: Tensor, size: tuple[Any, Any]) -> Tensor:
        """Locations `[..., D]` of boxes `xywh` in frames of `size`, `(H, W)`."""
        whole = convert_format(box, "xywh", "rel_center_xywh", *size)
        if self.location == "circle":
            diameter = ops.mean(box[..., 2:], axis=-1)
            radius = ops.cast(diameter, whole.dtype) / 2 / size[1]
            return ops.concatenate([whole[..., :2], radius[..., None]], axis=-1)
        return whole[..., : self.numbers]

    def to_box(self, location: Tensor, size: tuple[Any, Any]) -> Tensor:
        """Boxes `xywh` in pixels of locations; no side is negative."""
        height, width = size
        numbers = ops.unstack(location, self.numbers, axis=-1)
        x, y = numbers[0] * width, numbers[1] * height
        if self.location == "center":
            w = h = ops.zeros_like(x) + self.side * height
        elif self.location in ("square", "circle"):
            side = numbers[2] if self.location == "square" else 2 * numbers[2]
            w = h = ops.relu(side) * width
        else:
            w, h = ops.relu(numbers[2]) * width, ops.relu(numbers[3]) * height
        return ops.stack([x - w / 2, y - h / 2, w, h], axis=-1)
