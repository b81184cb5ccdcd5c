"""RATM, the tracker, and the objectives that it learns by (section 5 of the paper)."""

from typing import Any

import keras
from keras import ops

from keras_attend.arguments import check_choice, check_positive
from keras_attend.losses import iou_loss
from keras_attend.models.ratm.cell import RATMCell
from keras_attend.models.tracker import (
    RecurrentTracker,
    image_size,
    scaled_glimpse,
    targets,
)
from keras_attend.types import Classifies, Embeds, Tensor

# The objectives, and what each needs of the cell's features.
OBJECTIVES: dict[str, type] = {
    "pixel": object,
    "feature": Embeds,
    "cosine": Embeds,
    "localisation": object,
    "center": object,
    "classification": Classifies,
    "class_error": Classifies,
    "overlap": object,
}


@keras.saving.register_keras_serializable("keras_attend")
class RATM(RecurrentTracker):
    r"""Track an object through a window that moves with it (Kahou et al. 2015).

    ```python
    model = RATM(RATMCell(size=20, units=200), objectives={"localisation": 1.0})
    model.compile("adam")
    model.fit(clips)  # then model.predict({"frames": frames, "box": box})["boxes"]
    ```

    The loss is a weighted sum of section 5's objectives, averaged over the frames in
    which the object is present. The first frame does not count: its window is given,
    or still has to find the object. The objectives are

    * "pixel": the mean squared difference between the glimpse and the glimpse that the
      object's true box gives.
    * "feature": the same between their embeddings, `features.embed` of the two.
    * "cosine": 1 minus the cosine of the angle between these embeddings, which says
      nothing of their lengths.
    * "localisation": the error in centre and strides, in frame sizes; see
      `RATMCell.localisation_error`.
    * "center": the error in the centre alone, its mean square in frame sizes; the
      paper's for digits.
    * "classification": the cross-entropy of `features.classify`; the targets then hold
      "labels" `[B]`.
    * "class_error": the mean squared difference between the probabilities of
      `features.classify` and 1 for the label, 0 for the others.
    * "overlap": $-\log \mathrm{IoU}$. Ours, after HART.

    Args:
        cell: reads the windows; `RATMCell()` when absent.
        objectives: their weights by name; `{"pixel": 1.0}` when absent.
        penalty: "all" counts every frame, "last" only the last one in which the object
            is present.
        weight_decay: a factor of the squared Frobenius norms of $W_{in}$ and $W_{out}$,
            which are added to the loss (eq. 18).

    `call` returns, for B clips of T frames:

    * "boxes" `[B, T, 4]`: the predicted boxes, `xywh` in pixels.
    * "window" `[B, T, 6]`: the windows that were read, in pixels, as the `params` of
      `layers.GaussianGlimpse`.
    * "attention" `[B, T, 7]`: the same windows as $a_t$, in frame sizes.
    * "glimpse" `[B, T, N, M, C]`: what was read, in 0..1.
    * "embedding" `[B, T, units]`: of the glimpses; only if the features can `embed`.
    """

    default_cell = RATMCell

    def __init__(
        self,
        cell: RATMCell | None = None,
        *,
        objectives: dict[str, float] | None = None,
        penalty: str = "all",
        weight_decay: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(cell, **kwargs)
        check_choice("penalty", penalty, ("all", "last"))
        self.objectives = {"pixel": 1.0} if objectives is None else dict(objectives)
        for name, weight in self.objectives.items():
            check_choice("objectives", name, tuple(OBJECTIVES))
            check_positive(**{f"objectives[{name!r}]": weight})
            if not isinstance(self.cell.features, OBJECTIVES[name]):
                raise ValueError(
                    f"The objective {name!r} needs a cell with `features`, such as "
                    f"layers.GlimpseCNN(). Received: features={self.cell.features}"
                )
        self.penalty, self.weight_decay = penalty, weight_decay

    def sample_losses(self, x: Any, y: Any, y_pred: dict[str, Tensor]) -> Tensor:
        """The loss of each clip, `[B]`: its weighted objectives, and weight decay."""
        boxes, present = targets(y)  # [B, T, 4], [B, T]
        found = self.objective_losses(x["frames"], y, boxes, y_pred)
        losses = sum(w * found[name] for name, w in self.objectives.items())
        loss = self.mean_over_frames(losses, present)
        if self.weight_decay:
            W_in, W_out = self.cell.core.input_map.kernel, self.cell.attend.kernel
            decay = self.squared_norm(W_in) + self.squared_norm(W_out)
            loss = loss + self.weight_decay * ops.cast(decay, loss.dtype)
        return loss

    def squared_norm(self, W: Tensor) -> Tensor:
        """The squared Frobenius norm of a matrix."""
        return ops.sum(ops.square(W))

    def mean_over_frames(self, losses: Tensor, present: Tensor) -> Tensor:
        """The mean `[B]` of losses `[B, T]` over the frames that `penalty` counts."""
        counts = present
        if present.shape[1] > 1:
            first = ops.zeros_like(present[:, :1])
            counts = ops.concatenate([first, present[:, 1:]], axis=1)
        if self.penalty == "last":
            # How many frames from here on count; it is 1 from the last one on.
            left = ops.flip(ops.cumsum(ops.flip(counts, axis=1), axis=1), axis=1)
            counts = counts * ops.cast(left == 1, counts.dtype)
        return ops.sum(losses * counts, axis=1) / ops.maximum(ops.sum(counts, 1), 1.0)

    def objective_losses(
        self, frames: Tensor, y: Any, boxes: Tensor, y_pred: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Each objective's losses by its name, `[B, T]`.

        Of frames `[B, T, H, W, C]`, targets `y` and the true `boxes` among them
        `[B, T, 4]`, finite everywhere, and what `call` returned.
        """
        B, T = ops.shape(frames)[:2]
        losses = {"overlap": iou_loss(boxes, y_pred["boxes"])}
        size = image_size(frames[:, 0])
        a = self.cell.to_attention(ops.reshape(boxes, (B * T, 4)), size)  # [B T, 7]
        if "localisation" in self.objectives:
            found, true = (
                ops.take(n, (0, 1, 3, 6), axis=-1)  # centre and strides
                for n in (y_pred["attention"], ops.reshape(a, (B, T, 7)))
            )
            losses["localisation"] = self.cell.localisation_error(found, true)
        if "center" in self.objectives:
            off = y_pred["attention"][..., :2] - ops.reshape(a, (B, T, 7))[..., :2]
            losses["center"] = ops.mean(ops.square(off), axis=-1)
        if {"pixel", "feature", "cosine"} & self.objectives.keys():
            flat = ops.reshape(frames, (B * T, *ops.shape(frames)[2:]))
            p = self.cell.glimpse(flat, self.cell.to_window(a, size))
            p = scaled_glimpse(p, flat)  # [B T, N, M, C]
            true = ops.reshape(p, (B, T, *p.shape[1:]))
            difference = ops.cast(y_pred["glimpse"] - true, "float32")
            losses["pixel"] = ops.mean(ops.square(difference), axis=(2, 3, 4))
        network = self.cell.features
        if {"feature", "cosine"} & self.objectives.keys():
            true = ops.reshape(network.embed(network(p)), (B, T, network.units))
            found, true = (ops.cast(n, "float32") for n in (y_pred["embedding"], true))
            losses["feature"] = ops.mean(ops.square(found - true), axis=-1)
            # Rectified units may all be 0: lengths have a gradient there too.
            lengths = [
                ops.sqrt(ops.sum(ops.square(n), axis=-1) + 1e-12) for n in (found, true)
            ]
            product = ops.sum(found * true, axis=-1)
            losses["cosine"] = 1.0 - product / (lengths[0] * lengths[1])
        if {"classification", "class_error"} & self.objectives.keys():
            embeddings = ops.reshape(y_pred["embedding"], (B * T, network.units))
            logits = ops.reshape(network.classify(embeddings), (B, T, network.classes))
            labels = ops.cast(ops.reshape(y["labels"], (-1, 1)), "int32")
            labels = ops.repeat(labels, T, axis=1)  # [B, T]
            losses["classification"] = keras.losses.sparse_categorical_crossentropy(
                labels, logits, from_logits=True
            )
            target = ops.one_hot(labels, network.classes)
            off = ops.softmax(logits, axis=-1) - target
            losses["class_error"] = ops.mean(ops.square(off), axis=-1)
        return losses
