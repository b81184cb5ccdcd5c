"""How `MatchBoxes` is trained: as a tracker that matches each frame by itself. Ours.

DRLT then takes the trained network's candidates for its observation, and learns which
of them to believe.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_attend.arguments import check_positive
from keras_attend.boxes import convert_format, iou
from keras_attend.compiling import suits_xla
from keras_attend.layers.crop import parse_size
from keras_attend.layers.recurrent_tracker import RecurrentTrackerCell
from keras_attend.models.base import resized_images
from keras_attend.models.drlt.match_boxes import STEP, MatchBoxes, places
from keras_attend.models.tracker import RecurrentTracker, image_size, targets
from keras_attend.types import Nested, Shape, Tensor


@keras.saving.register_keras_serializable("keras_attend")
class MatcherCell(RecurrentTrackerCell):
    """Predict the box that looks most like the object of the first frame.

    Args:
        observation: `MatchBoxes()` when absent.
        channels: of the frames, 1 for grey or 3 for colour.
        size: rows and columns of the image that is observed; frames are resized to it.
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
    def jit_compile(self) -> bool:
        """Whether XLA suits the observation network; see `AttentionModel.compile`."""
        return suits_xla(self.observation)

    @property
    def state_spec(self) -> Nested:
        """Sizes of the state's tensors: the template's alone."""
        return {"template": self.observation.memory_size}

    def build(self, frame_shape: Shape) -> None:
        """Make the weights, which are the same for all sizes of frames."""
        if not self.observation.built:
            self.observation.build((None, *self.size, self.channels))
            self.observation.built = True

    def initial_state(self, frame: Tensor, box: Tensor) -> Nested:
        """The template of the object in the first frame."""
        size = image_size(frame)
        location = convert_format(box, "xywh", "rel_center_xywh", *size)
        images = resized_images(frame, self)
        return {"template": self.observation.remember(images, location)}

    def step(self, frame: Tensor, state: Nested) -> tuple[dict[str, Tensor], Nested]:
        """The box of the place with the highest score."""
        m, found = self.matches(frame, state["template"])
        best = self.observation.best(m, found)[:, :4]
        size = image_size(frame)
        return {"box": convert_format(best, "rel_center_xywh", "xywh", *size)}, state

    def matches(self, frames: Tensor, template: Tensor) -> tuple[Tensor, Tensor]:
        """`MatchBoxes.matches` of frames `[N, H, W, C]`."""
        return self.observation.matches(resized_images(frames, self), template)


@keras.saving.register_keras_serializable("keras_attend")
class Matcher(RecurrentTracker):
    r"""Find the object of the first frame in each of the others: trains `MatchBoxes`.

    ```python
    model = Matcher(MatcherCell(MatchBoxes(candidates=8), size=192))
    model.compile("adam")
    model.fit(clips)  # model.cell.observation then serves a `DRLTCell`
    ```

    Over the places $p$ of `MatchBoxes`, with scores $m$ and boxes $b$, it minimises

    $$\mathcal{L} = \sum_t \sum_p q_t(p) \Big( \log \frac{q_t(p)}{\pi_t(p)}
      + 1 - \mathrm{IoU}(b_t(p), g_t) + |b_t(p) - g_t| \Big), \qquad
      \pi_t = \mathrm{softmax}(m_t)$$

    where $g$ is the true box, $q_t$ a Gaussian around its centre, as wide as a share of
    its sides, and $|b - g|$ the mean distance of centres, in sides of $g$, and of the
    sides' logarithms.

    Args:
        cell: `MatcherCell()` when absent.
        width: of $q_t$, in sides of the object; it is half a place at least.

    `call` returns, for B clips of T frames and the P places of `MatchBoxes`:

    * "boxes" `[B, T, 4]`: the box of the place with the highest score, `xywh` in
      pixels.
    * "scores" `[B, T, P]`: $m_t$, without unit.
    * "found" `[B, T, P, 4]`: each place's box $b_t$, centre and sides, in widths and
      heights of the frame.
    """

    default_cell = MatcherCell

    def __init__(
        self, cell: MatcherCell | None = None, *, width: float = 0.15, **kwargs: Any
    ) -> None:
        check_positive(width=width)
        super().__init__(cell, **kwargs)
        self.width = width

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """The boxes, and each place's score and box; all frames at once."""
        frames, box = self._checked(inputs)
        B, T, H, W, C = ops.shape(frames)
        template = self.cell.initial_state(frames[:, 0], box)["template"]
        flat = ops.reshape(frames, (B * T, H, W, C))
        m, found = self.cell.matches(flat, ops.repeat(template, T, axis=0))
        best = self.cell.observation.best(m, found)[:, :4]
        P, size = m.shape[-1], image_size(flat)
        boxes = convert_format(best, "rel_center_xywh", "xywh", *size)
        return {
            "boxes": ops.reshape(boxes, (B, T, 4)),
            "scores": ops.reshape(m, (B, T, P)),
            "found": ops.reshape(found, (B, T, P, 4)),
        }

    def sample_losses(self, x: Any, y: Any, y_pred: dict[str, Tensor]) -> Tensor:
        r"""$\mathcal{L}$ of each clip, `[B]`: the mean over frames with the object."""
        boxes, present = targets(y)  # [B, T, 4], [B, T]
        size = image_size(x["frames"][:, 0])
        g = convert_format(boxes, "xywh", "rel_center_xywh", *size)
        g = g[:, :, None]  # [B, T, 1, 4]
        rows, columns = (-(-n // STEP) for n in self.cell.size)
        p_x, p_y = places(rows, columns)
        x_, y_, w, h = ops.unstack(g, 4, axis=-1)  # [B, T, 1]
        away_x = (p_x - x_) / ops.maximum(self.width * w, 0.5 / columns)
        away_y = (p_y - y_) / ops.maximum(self.width * h, 0.5 / rows)
        log_q = ops.log_softmax(-0.5 * (ops.square(away_x) + ops.square(away_y)))
        q = ops.exp(log_q)  # [B, T, P]
        b = y_pred["found"]
        corners = (convert_format(n, "center_xywh", "xywh") for n in (b, g + 0 * b))
        overlap = iou(*corners)
        apart = ops.mean(ops.abs(b - g)[..., :2] / g[..., 2:], axis=-1) + ops.mean(
            ops.abs(ops.log(b[..., 2:]) - ops.log(g[..., 2:])), axis=-1
        )
        wrong = log_q - ops.log_softmax(y_pred["scores"]) + 1 - overlap + apart
        loss = present * ops.sum(q * wrong, axis=-1)
        return ops.sum(loss, axis=-1) / ops.maximum(ops.sum(present, axis=-1), 1.0)
