"""Tracking by matching each frame with the first one: how `MatchBoxes` is trained.

It has no memory but of the first frame: DRLT, which takes its candidates for what it
sees (Zhang et al. 2017, section 3.1), has to know which of them to believe.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_attend.boxes import iou
from keras_attend.layers.crop import parse_size
from keras_attend.layers.recurrent_tracker import RecurrentTrackerCell
from keras_attend.models.base import fitted_images, scaled_images
from keras_attend.models.drlt_cell import centered
from keras_attend.models.match_boxes import STEP, MatchBoxes, places
from keras_attend.models.tracker import RecurrentTracker, image_size, targets
from keras_attend.types import Nested, Shape, Tensor


@keras.saving.register_keras_serializable("keras_attend")
class MatcherCell(RecurrentTrackerCell):
    """The best match of each frame.

    Args:
        observation: a `MatchBoxes`; with its defaults when absent.
        channels: of the frames.
        size: rows and columns of the image that is observed; frames are resized.
    """

    def __init__(
        self,
        observation: MatchBoxes | None = None,
        channels: int = 3,
        size: int | Sequence[int] = 192,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.observation = MatchBoxes() if observation is None else observation
        self.channels, self.size = channels, parse_size(size, "size")

    @property
    def state_spec(self) -> Nested:
        """The template's size."""
        return {"template": self.observation.memory_size}

    def build(self, frame_shape: Shape) -> None:
        """Make the weights."""
        if not self.observation.built:
            self.observation.build((None, *self.size, self.channels))
            self.observation.built = True

    def initial_state(self, frame: Tensor, box: Tensor) -> Nested:
        """What the object looks like."""
        location = centered(ops.cast(box, "float32"), image_size(frame))
        return {"template": self.observation.remember(self.resized(frame), location)}

    def step(self, frame: Tensor, state: Nested) -> tuple[dict[str, Tensor], Nested]:
        """Where the frame looks most like it."""
        m, found = self.matches(frame, state["template"])
        best = self.observation.best(m, found)[:, :4]
        return {"box": to_box(best, image_size(frame))}, state

    def matches(self, frames: Tensor, template: Tensor) -> tuple[Tensor, Tensor]:
        """`MatchBoxes.matches` of frames `[N, H, W, C]`."""
        return self.observation.matches(self.resized(frames), template)

    def resized(self, frames: Tensor) -> Tensor:
        """Images `[N, rows, columns, C]` in 0..1."""
        images = scaled_images(frames, self.channels, self.compute_dtype)
        return fitted_images(images, self.size)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            **super().get_config(),
            "observation": keras.saving.serialize_keras_object(self.observation),
            "channels": self.channels,
            "size": self.size,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MatcherCell":
        """The inverse of `get_config`."""
        observation = keras.saving.deserialize_keras_object(config["observation"])
        return cls(**{**config, "observation": observation})


@keras.saving.register_keras_serializable("keras_attend")
class Matcher(RecurrentTracker):
    r"""Find the first frame's object in each of the others.

    Over the places $p$ of `MatchBoxes` it learns the scores $m$ by

    $$\mathcal{L} = \sum_t \sum_p q_t(p) \Big( \log \frac{q_t(p)}{\pi_t(p)}
      + 1 - \mathrm{IoU}(b_t(p), g_t) + |b_t(p) - g_t| \Big), \qquad
      \pi_t = \mathrm{softmax}(m_t)$$

    with $q_t$ a Gaussian around the true centre, as wide as a share of the object, and
    $|b - g|$ the mean distance of centres, in sides, and of sides' logarithms.

    Args:
        observation, channels, size: of `MatcherCell`.
        width: of $q_t$, in the object's sides; half a place at least.

    Beside "boxes" `[B, T, 4]` it returns "scores" `[B, T, P]` and "found"
    `[B, T, P, 4]`.
    """

    def __init__(
        self,
        observation: MatchBoxes | None = None,
        channels: int = 3,
        size: int | Sequence[int] = 192,
        *,
        width: float = 0.15,
        **kwargs: Any,
    ) -> None:
        if not width > 0:
            raise ValueError(f"`width` must be positive. Received: width={width}")
        dtype = kwargs.get("dtype")
        cell = MatcherCell(observation, channels, size, dtype=dtype, name="cell")
        super().__init__(cell, **kwargs)
        self.width = width

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """All frames at once."""
        frames, box = self._checked(inputs)
        B, T, H, W, C = ops.shape(frames)
        template = self.cell.initial_state(frames[:, 0], box)["template"]
        flat = ops.reshape(frames, (B * T, H, W, C))
        m, found = self.cell.matches(flat, ops.repeat(template, T, axis=0))
        best = self.cell.observation.best(m, found)[:, :4]
        P = m.shape[-1]
        return {
            "boxes": ops.reshape(to_box(best, image_size(flat)), (B, T, 4)),
            "scores": ops.reshape(m, (B, T, P)),
            "found": ops.reshape(found, (B, T, P, 4)),
        }

    def sample_losses(self, x: Any, y: Any, y_pred: dict[str, Tensor]) -> Tensor:
        r"""$\mathcal{L}$, the mean over the frames that count: `[B]`."""
        boxes, present = targets(y)  # [B, T, 4], [B, T]
        g = centered(boxes, image_size(x["frames"][:, 0]))[:, :, None]  # [B, T, 1, 4]
        rows, columns = (-(-n // STEP) for n in self.cell.size)
        p_x, p_y = places(rows, columns)
        x_, y_, w, h = ops.unstack(g, 4, axis=-1)  # [B, T, 1]
        away_x = (p_x - x_) / ops.maximum(self.width * w, 0.5 / columns)
        away_y = (p_y - y_) / ops.maximum(self.width * h, 0.5 / rows)
        log_q = ops.log_softmax(-0.5 * (ops.square(away_x) + ops.square(away_y)))
        q = ops.exp(log_q)  # [B, T, P]
        b = y_pred["found"]
        overlap = iou(_corners(b), _corners(g + 0 * b))
        apart = ops.mean(ops.abs(b - g)[..., :2] / g[..., 2:], axis=-1) + ops.mean(
            ops.abs(ops.log(b[..., 2:]) - ops.log(g[..., 2:])), axis=-1
        )
        wrong = log_q - ops.log_softmax(y_pred["scores"]) + 1 - overlap + apart
        loss = present * ops.sum(q * wrong, axis=-1)
        return ops.sum(loss, axis=-1) / ops.maximum(ops.sum(present, axis=-1), 1.0)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        cell = self.cell.get_config()
        return {
            **super().get_config(),
            **{name: cell[name] for name in ("observation", "channels", "size")},
            "width": self.width,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Matcher":
        """The inverse of `get_config`."""
        observation = keras.saving.deserialize_keras_object(config["observation"])
        return cls(**{**config, "observation": observation})


def _corners(location: Tensor) -> Tensor:
    """Boxes `xywh` of centres and sides `[..., 4]`."""
    center, sides = location[..., :2], location[..., 2:]
    return ops.concatenate([center - sides / 2, sides], axis=-1)


def to_box(location: Tensor, size: tuple[Any, Any]) -> Tensor:
    """Boxes `xywh` in pixels, of locations `[..., 4]` in a frame of `size`."""
    height, width = size
    x, y, w, h = ops.unstack(_corners(location), 4, axis=-1)
    return ops.stack([x * width, y * height, w * width, h * height], axis=-1)
