"""RATM, the recurrent attentive tracking model (Kahou et al. 2015).

`ratm_cell` has where to look (section 3), a layer of features what is there (section
4), and this file why to look there (section 5).
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_attend.arguments import check_choice
from keras_attend.losses import iou_loss
from keras_attend.models.ratm_cell import RATMCell
from keras_attend.models.tracker import (
    RecurrentTracker,
    image_size,
    scaled_glimpse,
    targets,
)
from keras_attend.types import Tensor

OBJECTIVES = ("pixel", "feature", "localisation", "classification", "overlap")


@keras.saving.register_keras_serializable("keras_attend")
class RATM(RecurrentTracker):
    r"""Track an object by looking where it will be (Kahou et al. 2015).

    A `RATMCell` under the objectives of section 5, each weighted, summed and averaged
    over the frames in which the object is present:

    * "pixel" (eq. 13): mean squared difference of the glimpse and the one that the
      object's true box gives.
    * "feature" (eq. 14): the same of what `features.embed` makes of the two.
    * "localisation" (eq. 15): mean squared difference of centre and strides,
      in frame sizes, and the true ones. With `relative` steps, $\sqrt{1 + e^2} - 1$
      of $e$ in sizes of the true window (centre) and in logarithms (strides): a lost
      object then counts little more than one that is nearly lost.
    * "classification" (eq. 16): cross-entropy of `features.classify`, given
      "labels" `[B]` among the targets.
    * "overlap": $-\log \mathrm{IoU}$; ours, after HART.

    Args:
        objectives: weights by name.
        penalty: "all" frames, or the "last" one in which the object is present.
        weight_decay: times the mean squares of $W_{in}$ and $W_{out}$.
        variant: "published" is the authors' code: its grid (see `RATMCell`), and a
            cost that is divided by the number of frames twice.
        size, units, channels, scale, start, attention, relative, read, features,
            input_initializer, memory: of `RATMCell`.

    Beside "boxes" `[B, T, 4]` it returns "window" `[B, T, 6]` (a `GaussianGlimpse`'s
    `params`), "glimpse" `[B, T, N, M, C]`, "attention" `[B, T, 7]` and, with a
    feature network, "embedding" `[B, T, units]`.

    The first frame is not judged: its window is given, or looks for the object.
    (Published: it is.)
    """

    def __init__(
        self,
        size: int | Sequence[int] = 28,
        units: int = 100,
        channels: int = 1,
        *,
        objectives: dict[str, float] | None = None,
        penalty: str = "all",
        weight_decay: float = 0.0,
        variant: str = "default",
        scale: float = 1.0,
        start: str = "box",
        attention: str = "residual",
        relative: bool = False,
        read: str = "gaussian",
        features: keras.layers.Layer | None = None,
        input_initializer: Any = "glorot_uniform",
        memory: float = 1.0,
        **kwargs: Any,
    ) -> None:
        check_choice("penalty", penalty, ("all", "last"))
        check_choice("variant", variant, ("default", "published"))
        self.objectives = {"pixel": 1.0} if objectives is None else dict(objectives)
        for name, weight in self.objectives.items():
            check_choice("objectives", name, OBJECTIVES)
            if not weight > 0:
                raise ValueError(
                    "The weights of `objectives` must be positive. "
                    f"Received: {name}={weight}"
                )
        wants_network = {"feature", "classification"} & self.objectives.keys()
        if wants_network and not hasattr(features, "classify"):
            raise ValueError(
                f"The objectives {sorted(wants_network)} need `features`, such as "
                f"layers.GlimpseCNN(). Received: features={features}"
            )
        self._cell_arguments: dict[str, Any] = {
            "size": size,
            "units": units,
            "channels": channels,
            "scale": scale,
            "start": start,
            "attention": attention,
            "relative": relative,
            "read": read,
            "memory": memory,
        }
        cell = RATMCell(
            **self._cell_arguments,
            features=features,
            input_initializer=input_initializer,
            published=variant == "published",
            dtype=kwargs.get("dtype"),
            name="cell",
        )
        super().__init__(cell, **kwargs)
        self.penalty, self.weight_decay, self.variant = penalty, weight_decay, variant

    # Section 5: why.

    def sample_losses(self, x: Any, y: Any, y_pred: dict[str, Tensor]) -> Tensor:
        """The weighted objectives of each clip, `[B]`, and weight decay."""
        published = self.variant == "published"
        boxes, present = targets(y)  # [B, T, 4], [B, T]
        judged = present
        T = present.shape[1]
        if not published and T > 1:
            judged = ops.concatenate(
                [ops.zeros_like(present[:, :1]), present[:, 1:]], 1
            )
        if self.penalty == "last":
            later = ops.flip(ops.cumsum(ops.flip(judged, axis=1), axis=1), axis=1)
            judged = judged * ops.cast(later == 1, judged.dtype)
        losses = self._objectives(x["frames"], y, boxes, y_pred)  # [B, T] each
        steps = sum(w * losses[name] for name, w in self.objectives.items())
        loss = ops.sum(steps * judged, axis=1) / ops.maximum(ops.sum(judged, 1), 1.0)
        if published:
            loss = loss / T
        if self.weight_decay:
            W_in, W_out = self.cell.core.input_map.kernel, self.cell.attend.kernel
            decay = ops.mean(ops.square(W_in)) + ops.mean(ops.square(W_out))
            loss = loss + self.weight_decay * ops.cast(decay, loss.dtype)
        return loss

    def _objectives(
        self, frames: Tensor, y: Any, boxes: Tensor, y_pred: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """What `objectives` names, `[B, T]` each."""
        B, T = ops.shape(frames)[:2]
        losses = {"overlap": iou_loss(boxes, y_pred["boxes"])}
        size = image_size(frames[:, 0])
        a = self.cell.to_attention(ops.reshape(boxes, (B * T, 4)), size)  # [B T, 7]
        if "localisation" in self.objectives:
            true = ops.take(ops.reshape(a, (B, T, 7)), (0, 1, 3, 6), axis=-1)
            found = ops.take(y_pred["attention"], (0, 1, 3, 6), axis=-1)
            if self.cell.relative:
                g_true, g_found = true[..., :2], found[..., :2]
                d_true, d_found = true[..., 2:], found[..., 2:]
                off = [(g_found - g_true) / d_true, ops.log(d_found / d_true)]
                e = ops.concatenate(off, axis=-1)
                error = ops.sqrt(1 + ops.square(e)) - 1
            else:
                error = ops.square(found - true)
            losses["localisation"] = ops.mean(error, axis=-1)
        if {"pixel", "feature"} & self.objectives.keys():
            flat = ops.reshape(frames, (B * T, *ops.shape(frames)[2:]))
            p = self.cell.glimpse(flat, self.cell.to_window(a, size))
            p = scaled_glimpse(p, flat)  # [B T, N, M, C]
            true = ops.reshape(p, (B, T, *p.shape[1:]))
            difference = ops.cast(y_pred["glimpse"] - true, "float32")
            losses["pixel"] = ops.mean(ops.square(difference), axis=(2, 3, 4))
        network = self.cell.features
        if "feature" in self.objectives:
            true = ops.reshape(network.embed(network(p)), (B, T, network.units))
            difference = ops.cast(y_pred["embedding"] - true, "float32")
            losses["feature"] = ops.mean(ops.square(difference), axis=-1)
        if "classification" in self.objectives:
            embeddings = ops.reshape(y_pred["embedding"], (B * T, network.units))
            logits = ops.reshape(network.classify(embeddings), (B, T, network.classes))
            labels = ops.cast(ops.reshape(y["labels"], (-1, 1)), "int32")
            labels = ops.repeat(labels, T, axis=1)  # [B, T]
            losses["classification"] = keras.losses.sparse_categorical_crossentropy(
                labels, logits, from_logits=True
            )
        return losses

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        cell = self.cell.get_config()
        return {
            **super().get_config(),
            **self._cell_arguments,
            "features": cell["features"],
            "input_initializer": cell["input_initializer"],
            "objectives": self.objectives,
            "penalty": self.penalty,
            "weight_decay": self.weight_decay,
            "variant": self.variant,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "RATM":
        """The inverse of `get_config`."""
        features = keras.saving.deserialize_keras_object(config["features"])
        return cls(**{**config, "features": features})
