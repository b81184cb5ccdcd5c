"""HART, the hierarchical attentive recurrent tracker (Kosiorek et al. 2017).

`HARTCell` looks at one frame (sections 3 and 4 of the paper); here are its time loop
and what it learns by (section 5).
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_attend.arguments import check_choice
from keras_attend.boxes import area
from keras_attend.losses import area_loss, intersection_loss, iou_loss
from keras_attend.models.hart_cell import HARTCell
from keras_attend.models.hart_layers import ABLATIONS
from keras_attend.models.hart_losses import (
    balanced_cross_entropy,
    by_steps,
    coverage,
    flat,
    kernels,
    rasterised,
    relative_error,
    shown,
)
from keras_attend.models.hart_published import PublishedHARTCell
from keras_attend.models.tracker import RecurrentTracker, image_size, targets
from keras_attend.types import Shape, Tensor
from keras_attend.unroll import unroll

# The losses that have a learned weight.
WEIGHED = ("tracking", "attention", "appearance")
VIEW = 4.0  # how many times the object's sides a frame has at the least, for eq. 14


@keras.saving.register_keras_serializable("keras_attend")
class HART(RecurrentTracker):
    r"""Track an object by spatial and appearance attention (Kosiorek et al. 2017).

    A `HARTCell` under the losses of section 4, each a mean over the frames in which
    the object is present:

    * tracking (eq. 12): $-\log \mathrm{IoU}$ of the box, and, beyond the paper,
      `hart_losses.relative_error`, whose slope does not end with the overlap.
    * attention (eq. 13, 14): how much of the object the window misses, and how much
      of the frame it takes.
    * appearance (eq. 15): cross-entropy of the location map and the object's place
      in the window, object and background weighing the same.
    * L2 of the weight matrices, and of the filters that are generated (eq. 16).
    * presence: cross-entropy of "presence" and the targets' "present", where they are
      "judged" (all frames, unless given); ours.

    The first three have weights $\lambda$ that are learned (eq. 17):

    $$L = \sum_i \lambda_i L_i - \log \lambda_i + L_2, \qquad \lambda_i = v_i^2$$

    (Paper: plus $\log \lambda$, which would drive $\lambda$ to 0; published: as here.)

    Args:
        size: of the glimpse, rows and columns; 64 (published: 56).
        units: of the LSTM; 256 (published: 100).
        channels: of the frames.
        maps: of the two streams; 16 (published: 5).
        filters: of V1's three convolutions; (32, 64, 64) (published: AlexNet's).
        scale: how many times the box's sides the first window covers; not for
            "published", whose first window is the box.
        zoneout: chance that a unit of the LSTM keeps its value in training.
        dropout: chance that a number of the ventral maps is dropped in training; 0
            (published: 0.25).
        weight_decay: of the L2 losses.
        ablation: rows of the paper's table 1, as we read them. "spatial": spatial
            attention only, no location map; "appearance": both attentions, with the
            tracking loss alone; "hart": all losses.
        cut: whether boxes end at the frame's border, as KITTI's labels do; in training
            they do not.
        detached: whether in training windows are taken as they are: no gradient goes
            from a frame's losses to where it was looked, but the spatial attention's,
            and a frame whose window misses the object teaches no box. Without, as in
            the paper, clips of 30 frames want a rate so low that little is learned.
        variant: "published" is the authors' code (see `PublishedHARTCell`), for their
            weights.

    Beside "boxes" `[B, T, 4]` it returns "window" `[B, T, 6]` (a `GaussianGlimpse`'s
    `params`), "region" `[B, T, 4]` (the box of the window), "glimpse"
    `[B, T, N, M, C]`, "attention" `[B, T, 4]`, "appearance" `[B, T, units]`,
    "presence" `[B, T]` in 0..1 and, but for "spatial", "location"
    `[B, T, rows, cols]` (logits) and "filter_energy" `[B, T]`.

    The first box is the given one. A batch's losses are means over the batch at each
    step, then over the steps.
    """

    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        units: int | None = None,
        channels: int = 3,
        *,
        maps: int | None = None,
        filters: Sequence[int] | None = None,
        scale: float = 2.0,
        zoneout: float = 0.05,
        dropout: float | None = None,
        weight_decay: float = 1e-4,
        ablation: str = "hart",
        cut: bool = False,
        detached: bool = False,
        variant: str = "default",
        **kwargs: Any,
    ) -> None:
        check_choice("ablation", ablation, ABLATIONS)
        check_choice("variant", variant, ("default", "published"))
        if not weight_decay >= 0:
            raise ValueError(
                f"`weight_decay` must not be negative. Received: {weight_decay}"
            )
        given: dict[str, Any] = {
            "size": size,
            "units": units,
            "maps": maps,
            "filters": filters,
            "dropout": dropout,
        }
        cls: type[HARTCell] = PublishedHARTCell if variant == "published" else HARTCell
        cell = cls(
            **{name: value for name, value in given.items() if value is not None},
            channels=channels,
            scale=scale,
            zoneout=zoneout,
            ablation=ablation,
            cut=cut,
            detached=detached,
            dtype=kwargs.get("dtype"),
            name="cell",
        )
        super().__init__(cell, **kwargs)
        self.weight_decay, self.ablation = weight_decay, ablation
        self.variant = variant

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        """Make the weights, the losses' among them."""
        super().build(input_shape)
        self.loss_scales = self.add_weight(  # v, of WEIGHED
            shape=(len(self.weighed),),
            initializer="ones",
            dtype="float32",
            name="loss_scales",
        )

    @property
    def hart_cell(self) -> HARTCell:
        """The cell, as what it is."""
        return self.cell

    @property
    def weighed(self) -> tuple[str, ...]:
        """The losses that this model has, of those whose weights are learned."""
        names = {"spatial": WEIGHED[:2], "appearance": WEIGHED[:1]}
        return names.get(self.ablation, WEIGHED)

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """The boxes, and what the cell saw; see the class."""
        frames, box = self._checked(inputs)
        B, T = ops.shape(frames)[:2]
        box, cell = ops.cast(box, "float32"), self.hart_cell
        if not training:
            state = cell.initial_state(frames[:, 0], box)
            steps, _ = unroll(cell.step, state, frames)
        else:
            # One more than there are frames: the first is looked at twice.
            noise = cell.draw_noise(B, T + 1)
            first = {name: value[:, 0] for name, value in noise.items()}
            noise = {name: value[:, 1:] for name, value in noise.items()}
            state = cell.initial_state(frames[:, 0], box, first)
            steps, _ = unroll(
                lambda x, state: cell.step(x["frame"], state, x["noise"]),
                state,
                {"frame": frames, "noise": noise},
            )
        return {"boxes": steps.pop("box"), **steps}

    # Section 4: why.

    def sample_losses(self, x: Any, y: Any, y_pred: dict[str, Tensor]) -> Tensor:
        """The weighed losses of each clip, `[B]`, and the L2 losses."""
        losses = self.named_losses(x, y, y_pred)
        v = ops.convert_to_tensor(self.loss_scales)
        lambdas = ops.unstack(ops.square(v) + 1e-8, len(self.weighed))
        loss = losses["l2"]
        for name, weight in zip(self.weighed, lambdas, strict=True):
            loss = loss + weight * losses[name] - ops.log(weight)
        if "presence" in losses:
            loss = loss + losses["presence"]
        return loss

    def named_losses(
        self, x: Any, y: Any, y_pred: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Each loss by its name: one of each clip, `[B]`, or "l2" of all."""
        published = self.variant == "published"
        size = image_size(x["frames"][:, 0])
        boxes, present = targets(y)  # [B, T, 4], [B, T]
        # The first box is given: there is nothing to learn from it.
        judged = ops.concatenate([ops.zeros_like(present[:, :1]), present[:, 1:]], 1)
        region = y_pred["region"]
        found = chosen = judged
        if self.hart_cell.detached:
            # Where an object is that the window does not show nobody can learn, and
            # the losses of such frames are the greatest.
            seen = shown(boxes, region)
            found = judged * seen
            chosen = judged * ops.concatenate([seen[:, :1], seen[:, :-1]], axis=1)
        tracking = iou_loss(boxes, y_pred["boxes"])
        if not published:
            tracking = tracking + relative_error(boxes, y_pred["boxes"])
        frame = size[0] * size[1]
        if not published:
            # A training clip may be a view that is hardly larger than the object.
            frame = ops.maximum(frame, VIEW**2 * area(boxes))
        attention = intersection_loss(boxes, region) + area_loss(region, frame, 1.0)
        losses = {
            "tracking": ops.sum(by_steps(found) * tracking, axis=1),
            "attention": ops.sum(by_steps(chosen) * attention, axis=1),
        }
        decay = sum(0.5 * ops.sum(ops.square(k)) for k in kernels(self.cell))
        decay = ops.cast(decay, "float32")
        if "location" in y_pred:
            draw = rasterised if published else coverage
            target = ops.stop_gradient(draw(boxes, region, self.hart_cell.map_size))
            appearance = balanced_cross_entropy(target, y_pred["location"], published)
            losses["appearance"] = ops.sum(flat(present) * appearance, axis=1)
            if self.ablation == "hart":
                decay = decay + ops.mean(y_pred["filter_energy"])
        losses["l2"] = self.weight_decay * decay
        if not published:
            error = keras.losses.binary_crossentropy(
                present[..., None], y_pred["presence"][..., None]
            )
            # After a clip's end nobody knows.
            known = ops.cast(y.get("judged", ops.ones_like(present)), "float32")
            losses["presence"] = ops.sum(flat(known) * error, axis=1)
        return losses

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        cell = self.cell.get_config()
        names = ("size", "units", "channels", "maps", "filters", "scale")
        return {
            **super().get_config(),
            **{name: cell[name] for name in (*names, "zoneout", "dropout")},
            **{name: cell[name] for name in ("cut", "detached")},
            "weight_decay": self.weight_decay,
            "ablation": self.ablation,
            "variant": self.variant,
        }
