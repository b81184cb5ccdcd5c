"""`SequentialAIR`: AIR for videos, which follows the objects that it has found."""

from functools import partial
from typing import Any

import keras
from keras import ops

from keras_attend.arguments import (
    check_not_negative,
    check_positive,
    check_positive_integers,
    check_shape,
)
from keras_attend.compat import set_direction
from keras_attend.models.air.counts import check_counts_alone, metrics_with_counts
from keras_attend.models.air.following import FollowingCell
from keras_attend.models.air.imagination import imagined
from keras_attend.models.air.model import AIR
from keras_attend.models.air.sequential_cell import SequentialAIRCell, check_air
from keras_attend.models.air.slots import Slots
from keras_attend.models.base import AttentionModel
from keras_attend.models.first_batch import check_first_batch
from keras_attend.types import Array, Shape, Tensor
from keras_attend.unroll import unroll

FLOOR = 0.5  # the least weight of following an object, when training begins


@keras.saving.register_keras_serializable("keras_attend")
class SequentialAIR(AttentionModel):
    r"""Find, follow and imagine the objects of videos, without a label.

    ```python
    air = ka.zoo.load("air_mnist")
    model = ka.models.SequentialAIR(air)
    model.compile("adam")
    model.fit({"frames": frames})  # [N, T, 50, 50, 1] in 0..1, or uint8
    found = model.predict({"frames": frames})
    found["boxes"], found["ids"]
    ```

    In each frame the known objects are looked for where `Dynamics` imagines them, some
    leave, and an `AIR` discovers new ones in what is left (`SequentialAIRCell`). An
    object is to keep its number when another one crosses it.

    It is AIR's sequential form as HART's author planned it, and close to SQAIR
    (Kosiorek et al. 2018), of which three things differ: the number of new objects is
    enumerated and not drawn, objects are followed all at once and not one after the
    other, and each decision is credited with its own frame alone.

    A frame with more objects than slots is counted as having as many as slots.

    It is a tracker too: `ka.Tracker(model)` follows the object that overlaps the given
    box most (`FollowingCell`).

    Args:
        air: finds new objects; it is trained on along with the rest. It should know
            single frames already. An untrained `AIR()` when absent. Its objects are
            blended over nothing, or over one learned picture (`background="mean"`).
        slots: N, the greatest number of objects in a frame; `air.steps` when absent.
        units: of the GRU that imagines.
        reach: the side of the window in which a known object is looked for, in sides of
            the object's own.
        actions: how many numbers an action has; 0 if there are none.

    Call arguments:
        inputs: a dict of

            * "frames": `[B, T, H, W, C]`, uint8 or floats in 0..1, of any length.
            * "actions": `[B, T, actions]`, if the model has them. The action at t leads
              to frame t; that of frame 0 is not used.

    Returns a dict, in training of draws from the posteriors and else of their means:
        boxes: `[B, T, N, 4]`, boxes about what was drawn: x, y, width and height in
            pixels; 0 where a slot has no object.
        presence: `[B, T, N]`, 1 where a slot has an object.
        ids: `[B, T, N]` int32, the number of a slot's object, from 0 on in each video;
            -1 where it has none.
        canvas: `[B, T, H, W, C]`, the frames as they are explained.
        where: `[B, T, N, 3]`, $z^{where}$.
        what: `[B, T, N, what]`, $z^{what}$.
        elbo: `[B, T]`, the bound of a frame's log-likelihood, if it is of draws.
        objective: `[B, T]`, what training maximises.

    `fit` takes frames alone. `evaluate` may have targets `{"count": [B, T]}`, which are
    used for the metric `count_accuracy` and nothing else. The metric `elbo` is the
    bound in nats a frame.
    """

    compile_arguments = ("warm_up", "keep_dynamics")
    warm_up = 0
    keep_dynamics = False
    _future: Any = None  # what imagines, made once; see `imagination.future_of`

    def __init__(
        self,
        air: AIR | None = None,
        slots: int | None = None,
        units: int = 128,
        reach: float = 1.5,
        actions: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        air = AIR(name="air") if air is None else air
        check_air(air)
        slots = air.steps if slots is None else slots
        check_positive_integers(slots=slots, units=units)
        check_positive(reach=reach)
        check_not_negative(actions=actions)
        self.air, self.slots, self.units = air, slots, units
        self.reach, self.actions = float(reach), int(actions)
        self.channels = air.channels
        self.frame_cell = SequentialAIRCell(
            air,
            slots,
            units,
            self.reach,
            self.actions,
            dtype=self.dtype_policy,
            name="frame_cell",
        )
        self.cell = FollowingCell(self.frame_cell, name="cell")
        self.seed_generator = keras.random.SeedGenerator()
        height, width = air.size
        self.serving_shape: dict[str, Any] = {
            "frames": (None, None, height, width, air.channels)
        }
        if actions:
            self.serving_shape["actions"] = (None, None, actions)
        self.elbo_mean = keras.metrics.Mean(name="elbo")
        self.count_accuracy = keras.metrics.Mean(name="count_accuracy")
        for metric in (self.elbo_mean, self.count_accuracy):
            set_direction(metric, "up")

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        """Make the weights."""
        if not self.frame_cell.built:
            self.frame_cell.build()
            self.frame_cell.built = self.cell.built = True
        # How many batches the model was trained on, for the floor.
        self.batches = self.add_weight(
            shape=(),
            initializer="zeros",
            trainable=False,
            name="batches",
            aggregation="mean",
        )

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """Explain videos; see the class."""
        return self.explain(inputs, drawn=bool(training))[0]

    def explain(
        self, inputs: dict[str, Tensor], drawn: bool
    ) -> tuple[dict[str, Tensor], Slots]:
        """Explain videos by draws or by means; what was found, and the last slots."""
        frames, actions = self.checked(inputs)
        B, T = ops.shape(frames)[0], frames.shape[1]
        T = ops.shape(frames)[1] if T is None else T
        noise = self.frame_cell.noise(B, T, seed=self.seed_generator if drawn else None)
        steps = {"frame": frames, **noise, "floor": self.floor(T)}
        if actions is not None:
            steps["action"] = actions

        step = partial(self.frame_cell.step, training=drawn)
        return unroll(step, self.frame_cell.initial_state(B), steps)

    def checked(self, inputs: Any) -> tuple[Tensor, Tensor | None]:
        """Frames in 0..1, and actions if the model has them."""
        if not isinstance(inputs, dict) or "frames" not in inputs:
            found = sorted(inputs) if isinstance(inputs, dict) else type(inputs)
            raise ValueError(
                "SequentialAIR's input must be a dict with 'frames' [B, T, H, W, C]. "
                f"Received: {found}"
            )
        frames, (height, width) = inputs["frames"], self.air.size
        axes = f"batch, time, {height}, {width}, {self.channels}"
        check_shape("frames", tuple(frames.shape), axes)
        if frames.shape[1] == 0:
            raise ValueError("`frames` must hold a frame. Received: 0 frames")
        if keras.backend.is_int_dtype(frames.dtype):
            frames = ops.cast(frames, "float32") / 255.0
        frames = ops.cast(frames, "float32")
        if not self.actions:
            return frames, None
        if "actions" not in inputs:
            raise ValueError(
                f"The model has actions: pass 'actions' [B, T, {self.actions}]. "
                f"Received: {sorted(inputs)}"
            )
        actions = ops.cast(inputs["actions"], "float32")
        check_shape("actions", tuple(actions.shape), f"batch, time, {self.actions}")
        return frames, actions

    def floor(self, steps: Any) -> Tensor:
        """The least weight of following an object, `[1, T, 1]`."""
        left = 0.0
        if self.warm_up:
            batches = ops.convert_to_tensor(self.batches)
            left = ops.relu(1.0 - batches / self.warm_up)
        return ops.zeros((1, steps, 1)) + FLOOR * left

    def compile(
        self,
        optimizer: Any = "adam",
        *,
        warm_up: int = 500,
        keep_dynamics: bool = False,
        **kw: Any,
    ) -> None:
        """Keras's `compile`, without a loss.

        Args:
            optimizer: as of Keras.
            warm_up: over how many batches of the training the floor falls to 0, see
                `SequentialAIRCell`.
            keep_dynamics: do not train `Dynamics`, which `Foresight` has trained. Where
                an object is found then does not learn from where it is found later.
            **kw: as of `AttentionModel.compile`.
        """
        check_not_negative(warm_up=warm_up)
        self.warm_up, self.keep_dynamics = warm_up, keep_dynamics
        self.frame_cell.propagation.keep_dynamics = keep_dynamics
        super().compile(optimizer, **kw)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """The mean of `sample_losses`; outside training of draws of their own."""
        if training:
            self.batches.assign(ops.convert_to_tensor(self.batches) + 1.0)
        else:
            y_pred, _ = self.explain(x, drawn=True)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def sample_losses(self, x: Any, y: Any, y_pred: dict[str, Tensor]) -> Tensor:
        """Minus the objective `[B]`, a frame; updates `elbo`.

        Args:
            x: inputs, which are not used.
            y: targets, which are not used.
            y_pred: what `call` returns, of draws.
        """
        self.elbo_mean.update_state(ops.mean(y_pred["elbo"], axis=1))
        return -ops.mean(y_pred["objective"], axis=1)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Tensor]:
        """Loss and bound; and the share of right counts, of targets with counts."""
        right = None
        if y is not None:
            count = ops.sum(y_pred["presence"], axis=-1)  # [B, T]
            check_shape("count", tuple(y["count"].shape), f"batch, {count.shape[1]}")
            equal = ops.cast(ops.cast(y["count"], "float32") == count, "float32")
            right = ops.mean(equal, axis=1)
        return metrics_with_counts(self, right, sample_weight)

    def check_data(self, x: Any, y: Any, training: bool = False) -> None:
        """Refuse frames that are not in 0..1, and labels."""
        check_first_batch(x, None)
        call = "fit({'frames': frames})"
        check_counts_alone(x, y, "SequentialAIR", call, "[B, T]")

    def imagine(
        self,
        frames: Any,
        steps: int,
        samples: int = 0,
        *,
        actions: Any = None,
        next_actions: Any = None,
        seed: int = 0,
    ) -> dict[str, Array]:
        """Continue videos by what `Dynamics` imagines, without seeing more frames.

        Objects keep their appearance. Some may leave; none come.

        Args:
            frames: `[B, T, H, W, C]`, as of `call`.
            steps: S, the number of frames to imagine.
            samples: K, how many different futures to draw; 0 for the means, one future.
            actions: `[B, T, actions]`, those that led to `frames`, if there are any.
            next_actions: `[B, S, actions]`, those that lead to the imagined ones.
            seed: the seed of all draws.

        Returns:
            "boxes" `[B, K, S, N, 4]`, "presence" `[B, K, S, N]`, "ids"
            `[B, K, S, N]` and "canvas" `[B, K, S, H, W, C]`, with K = 1 of means.
        """
        return imagined(self, frames, steps, samples, actions, next_actions, seed)
