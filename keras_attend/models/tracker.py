"""What the trackers share: a clip and a first box in, a box for each frame out."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attend.arguments import check_shape
from keras_attend.compiling import suits_xla
from keras_attend.layers.recurrent_tracker import RecurrentTrackerCell
from keras_attend.metrics import BoxIoU, CenterError
from keras_attend.models.base import AttentionModel
from keras_attend.models.first_batch import check_first_batch
from keras_attend.models.job_size import compiles_slowly, count_batches
from keras_attend.types import Shape, Tensor
from keras_attend.unroll import unroll

# Where an object is absent, its box: any that keeps the arithmetic finite.
MANY_BATCHES = 50  # of a `predict`: repeated frames would cost more than compiling
ANYWHERE = (0.0, 0.0, 1.0, 1.0)


class RecurrentTracker(AttentionModel):
    r"""A `RecurrentTrackerCell` over the frames of a clip.

    $$s_{-1} = \mathrm{start}(x_0, b_0), \qquad
      \hat b_t, s_t = \mathrm{step}(x_t, s_{t-1}), \quad t = 0 \dots T - 1$$

    A subclass writes `sample_losses`, of what `call` returns. Its configuration holds
    the cell's own under "cell", so that the cell alone spells its arguments.

    Args:
        cell: follows one object; its `channels` say what frames it takes. When absent,
            a `default_cell`, the class of cell that a subclass names.

    Call arguments:
        inputs: a dict of

            * "frames": `[B, T, H, W, C]`, uint8 or floats in 0..1, of any length and
              any size.
            * "box": `[B, 4]`, of the object in the first frame, `xywh` in pixels.

    Returns a dict of "boxes" `[B, T, 4]` and whatever else the cell's `step` returns,
    each `[B, T, ...]`.

    `fit` and `evaluate` want targets as a dict of "boxes" `[B, T, 4]` and, if the
    object is not in all frames, "present" `[B, T]`; where it is absent its box may
    hold anything, NaN too.
    """

    default_cell: type[RecurrentTrackerCell]

    def __init__(self, cell: RecurrentTrackerCell | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if cell is None:
            cell = self.default_cell(dtype=self.dtype_policy, name="cell")
        self.cell = cell
        frames = (None, None, None, None, self.channels)
        self.serving_shape = {"frames": frames, "box": (None, 4)}
        self.iou = BoxIoU(name="iou")
        self.center_error = CenterError()

    @property
    def channels(self) -> int:
        """Of the frames: 1 for grey, 3 for colour."""
        return self.cell.channels

    @property
    def prefers_xla(self) -> bool:
        """False where the cell says `jit_compile = False`."""
        return suits_xla(self.cell)

    @property
    def first_judged(self) -> int:
        """Number of the first frame that metrics count: not 0, whose box is given."""
        return 1

    def check_data(self, x: Any, y: Any, training: bool = False) -> None:
        """Refuse clips that would spoil the weights, or the boxes."""
        check_first_batch(x, y)

    def predict(self, x: Any, **kwargs: Any) -> Any:
        """Keras's `predict`, of arrays of any number of frames.

        Where XLA compiles a small job, which it does for each number of frames, a
        clip's last frame is repeated up to one of few numbers (8, 12, 16, 24, 32, ...),
        and what is returned of the repeated frames is left out.
        """
        given = isinstance(x, dict) and isinstance(x.get("frames"), np.ndarray)
        if not given or x["frames"].ndim != 5 or not x["frames"].shape[1]:
            return super().predict(x, **kwargs)
        size = count_batches(x, kwargs.get("batch_size"), kwargs.get("steps"))
        if compiles_slowly() or size > MANY_BATCHES:
            return super().predict(x, **kwargs)
        count = x["frames"].shape[1]
        repeated = [(0, 0)] * 5
        repeated[1] = (0, padded_length(count) - count)
        frames = np.pad(x["frames"], repeated, mode="edge")
        found = super().predict({**x, "frames": frames}, **kwargs)
        return keras.tree.map_structure(lambda y: y[:, :count], found)

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        """Make the weights, which are the same for all sizes of frames."""
        if not self.cell.built:
            self.cell.build((None, None, None, self.channels))
            self.cell.built = True

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """The boxes, and what the cell saw; see the class."""
        frames, box = self._checked(inputs)
        cell: Any = self.cell  # one that draws noise takes it as a third argument
        given = frames[:, 0], ops.cast(box, "float32")
        B, T = ops.shape(frames)[:2]
        noise = cell.draw_noise(B, T + 1) if training else None
        if noise is None:
            steps, _ = unroll(cell.step, cell.initial_state(*given), frames)
        else:
            now = {name: value[:, 0] for name, value in noise.items()}
            later = {name: value[:, 1:] for name, value in noise.items()}
            steps, _ = unroll(
                lambda x, state: cell.step(x["frame"], state, x["noise"]),
                cell.initial_state(*given, now),
                {"frame": frames, "noise": later},
            )
        boxes = steps.pop("box")  # [B, T, 4]
        return {"boxes": boxes, **steps}

    def _checked(self, inputs: Any) -> tuple[Tensor, Tensor]:
        if not isinstance(inputs, dict) or not {"frames", "box"} <= inputs.keys():
            found = sorted(inputs) if isinstance(inputs, dict) else type(inputs)
            raise ValueError(
                "A tracker's input must be a dict with 'frames' [B, T, H, W, C] and "
                f"'box' [B, 4]. Received: {found}"
            )
        frames, box = inputs["frames"], inputs["box"]
        shape, axes = tuple(frames.shape), "batch, time, height, width"
        check_shape("frames", shape, f"{axes}, {self.channels}")
        if 0 in shape[1:4]:
            raise ValueError(f"`frames` must not be empty. Received: shape={shape}")
        check_shape("box", box.shape, "batch, 4")
        return frames, box

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Tensor]:
        """Loss, IoU and centre error, from the frame `first_judged` on."""
        boxes, present = targets(y)
        first = self.first_judged
        if sample_weight is not None:
            weight = ops.cast(ops.reshape(sample_weight, (-1, 1)), "float32")
            present = present * weight
        for metric in (self.iou, self.center_error):
            metric.update_state(
                boxes[:, first:], y_pred["boxes"][:, first:], present[:, first:]
            )
        return self.get_metrics_result()


def padded_length(count: int) -> int:
    """Return the least of 8, 12, 16, 24, 32, 48, ... that is not below `count`."""
    length = 8
    while length < count:
        # Of a power of two the half of it more; of the others a third more.
        length += length // 2 if length & (length - 1) == 0 else length // 3
    return length


def targets(y: Any) -> tuple[Tensor, Tensor]:
    """Boxes `[B, T, 4]`, finite, and where they count `[B, T]`, 0 or 1."""
    if not isinstance(y, dict) or "boxes" not in y:
        found = sorted(y) if isinstance(y, dict) else type(y)
        raise ValueError(
            "A tracker's targets must be a dict with 'boxes' [B, T, 4], and "
            f"'present' [B, T] if the object is not in all frames. Received: {found}"
        )
    boxes = ops.cast(y["boxes"], "float32")
    present = ops.ones_like(boxes[..., 0])
    if "present" in y:
        present = ops.cast(y["present"], "float32")
    anywhere = ops.convert_to_tensor(ANYWHERE, "float32")
    return ops.where(present[..., None] > 0, boxes, anywhere), present


def image_size(frame: Tensor) -> tuple[Any, Any]:
    """Height and width of `[B, H, W, C]`: numbers, or float tensors when unknown."""
    height, width = ops.shape(frame)[1:3]
    return tuple(  # type: ignore[return-value]
        n if isinstance(n, int) else ops.cast(n, "float32") for n in (height, width)
    )


def scaled_glimpse(glimpse: Tensor, images: Tensor) -> Tensor:
    """A glimpse in 0..1, of images that may be uint8."""
    if keras.backend.is_int_dtype(images.dtype):
        return glimpse / 255.0
    return glimpse
