"""What HART learns by (Kosiorek et al. 2017, section 4).

The losses of single frames that `keras_attend.losses` does not have, the weights with
which frames enter a clip's loss, and a tracker that learns how to weigh the losses.
Boxes are `xywh`, in pixels.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from keras import ops

from keras_attend.arguments import check_not_negative
from keras_attend.boxes import area, convert_format, intersection
from keras_attend.distributed import total
from keras_attend.layers.recurrent_tracker import RecurrentTrackerCell
from keras_attend.layers.tracing import split_last
from keras_attend.models.tracker import RecurrentTracker
from keras_attend.types import Shape, Tensor

LOSSES = ("tracking", "attention", "appearance")  # those whose weights are learned


def coverage(box: Tensor, region: Tensor, shape: tuple[int, int]) -> Tensor:
    r"""How much of each cell of a grid over `region` lies in `box`.

    It is the target $\tau$ of the location map (eq. 12), `[..., rows, cols]` in 0..1,
    of the object's box and the attention window's region, `[..., 4]` each; `shape` has
    the grid's rows and columns.
    """
    return on_grid(_cover, box, region, shape)


def on_grid(along: Any, box: Tensor, region: Tensor, shape: tuple[int, int]) -> Tensor:
    """The products `[..., rows, cols]` of what `along` computes for each axis."""
    x, y, w, h = split_last(box, 4)
    x_r, y_r, w_r, h_r = split_last(region, 4)
    over_y = along(y, h, y_r, h_r, shape[0])
    over_x = along(x, w, x_r, w_r, shape[1])
    return over_y[..., :, None] * over_x[..., None, :]


def _cover(start: Tensor, n: Tensor, start_r: Tensor, n_r: Tensor, count: int) -> Any:
    cell = ops.maximum(n_r, 1e-3)[..., None] / count
    edge = start_r[..., None] + cell * ops.arange(count, dtype="float32")
    low = ops.maximum(start[..., None], edge)
    high = ops.minimum((start + n)[..., None], edge + cell)
    return ops.relu(high - low) / cell  # [..., count]


def balanced_cross_entropy(target: Tensor, logits: Tensor) -> Tensor:
    r"""Cross-entropy of location maps (eq. 12), object and background weighing alike.

    $$\frac1N \sum_i \Big( \frac{t_i}{\bar t}\, \mathrm{softplus}(-z_i)
      + \frac{1 - t_i}{1 - \bar t}\, \mathrm{softplus}(z_i) \Big)$$

    Of targets $t$ `[..., rows, cols]` in 0..1 and logits $z$ it returns `[...]`.
    """
    mean = ops.mean(target, axis=(-2, -1), keepdims=True)
    some, rest = (ops.maximum(p, 1e-6) for p in (mean, 1 - mean))
    positive = target * ops.softplus(-logits)
    negative = (1 - target) * ops.softplus(logits)
    return ops.mean(positive / some + negative / rest, axis=(-2, -1))


def relative_error(y_true: Tensor, boxes: Tensor) -> Tensor:
    """Mean distance `[...]` of centres in true sizes, and of sizes in logarithms.

    Unlike IoU it has a gradient where the boxes do not overlap.
    """
    c, sides = ops.split(convert_format(boxes, "xywh", "center_xywh"), 2, axis=-1)
    true = convert_format(y_true, "xywh", "center_xywh")
    true_c, true_sides = ops.split(true, 2, axis=-1)
    sides, true_sides = ops.maximum(sides, 1.0), ops.maximum(true_sides, 1.0)
    off = ops.abs(c - true_c) / true_sides
    log_ratio = ops.abs(ops.log(sides) - ops.log(true_sides))
    return ops.mean(ops.concatenate([off, log_ratio], axis=-1), axis=-1)


def visible(box: Tensor, region: Tensor, share: float = 0.25) -> Tensor:
    """1 where at least a share of `box` is within `region`, else 0: `[...]`."""
    least = share * area(box)
    found = ops.cast(intersection(box, region) >= least, "float32")
    return ops.stop_gradient(found)


# How the losses of frames make a loss of each clip: by weights `[B, T]`, so that the
# mean over the batch of `sum(weights * losses, 1)` is the mean that is wanted.


def after_first(present: Tensor) -> Tensor:
    """`present` `[B, T]` but for the first frame, whose box is given."""
    return ops.concatenate([ops.zeros_like(present[:, :1]), present[:, 1:]], axis=1)


def by_steps(present: Tensor) -> Tensor:
    """Weights of the mean over the batch at each step, then over the steps.

    The same mean as `losses.masked_mean`.
    """
    count = total(ops.sum(present, axis=0))  # [T]
    steps = ops.maximum(ops.sum(ops.cast(count > 0, "float32")), 1.0)
    batch = total(ops.cast(ops.shape(present)[0], "float32"))
    return present * (batch / (ops.maximum(count, 1.0) * steps))


def over_frames(present: Tensor) -> Tensor:
    """Weights of the mean over all frames with the object."""
    batch = total(ops.cast(ops.shape(present)[0], "float32"))
    return present * (batch / ops.maximum(total(ops.sum(present)), 1.0))


class WeighedTracker(RecurrentTracker):
    r"""A tracker with several losses $L_i$ and learned weights $\lambda_i$ of them.

    $$L = \sum_i (\lambda_i L_i - \log \lambda_i) + L_2, \qquad
      \lambda_i = v_i^2$$

    (Section 4. The paper adds $\log \lambda$, which would drive $\lambda$ to 0; its
    published code does as here.) A subclass writes `named_losses`. `HART` documents the
    arguments.
    """

    kept_as: ClassVar[dict[str, str]] = {"losses": "weighed"}

    def __init__(
        self,
        cell: RecurrentTrackerCell | None = None,
        *,
        weight_decay: float = 1e-4,
        losses: Sequence[str] = LOSSES,
        **kwargs: Any,
    ) -> None:
        check_not_negative(weight_decay=weight_decay)
        if not losses or not set(losses) <= set(LOSSES):
            raise ValueError(
                f"`losses` must be some of {', '.join(LOSSES)}. "
                f"Received: losses={losses!r}"
            )
        super().__init__(cell, **kwargs)
        self.weight_decay = weight_decay
        self.weighed = tuple(name for name in LOSSES if name in losses)

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        """Make the weights, those of the losses among them."""
        super().build(input_shape)
        self.loss_scales = self.add_weight(  # v
            (len(self.weighed),),
            "ones",
            dtype="float32",
            autocast=False,
            name="loss_scales",
        )

    def named_losses(
        self, x: Any, y: Any, y_pred: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Each loss by its name: of each clip, `[B]`, or one number for all."""
        raise NotImplementedError

    def sample_losses(self, x: Any, y: Any, y_pred: dict[str, Tensor]) -> Tensor:
        """The loss of each clip, `[B]`; what has no learned weight has the weight 1."""
        losses = self.named_losses(x, y, y_pred)
        v = ops.convert_to_tensor(self.loss_scales)
        lambdas = ops.unstack(ops.square(v) + 1e-8, len(self.weighed))
        loss = sum(value for name, value in losses.items() if name not in LOSSES)
        for name, weight in zip(self.weighed, lambdas, strict=True):
            loss = loss + weight * losses[name] - ops.log(weight)
        return loss

    def decay(self, y_pred: dict[str, Tensor]) -> Tensor:
        """The L2 loss: of all weight matrices, and the energy of the filters."""
        kernels = [v for v in self.cell.trainable_variables if v.name == "kernel"]
        squares = sum(0.5 * ops.sum(ops.square(kernel)) for kernel in kernels)
        decay = ops.cast(squares, "float32")
        if "appearance" in self.weighed:
            decay = decay + ops.mean(y_pred["filter_energy"])
        return self.weight_decay * decay
