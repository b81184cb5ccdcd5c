"""DRLT, tracking by reinforcement (Zhang et al. 2017), both versions of the paper.

`DRLTCell` sees and answers (section 3.1); here is what it learns by: rewards (3.2) and
the policy's gradient over N episodes around one forward pass (3.3).
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_attend.arguments import check_choice, check_positive_integers
from keras_attend.boxes import iou
from keras_attend.models.drlt_cell import DRLTCell
from keras_attend.models.tracker import RecurrentTracker, targets
from keras_attend.policies import GaussianPolicy
from keras_attend.reinforce import (
    RETURNS,
    episode_returns,
    others_mean,
    reinforce_loss,
)
from keras_attend.types import Tensor
from keras_attend.unroll import unroll


def error_reward(location: Tensor, true: Tensor) -> Tensor:
    r"""$r_t = -\mathrm{avg}|l_t - g_t| - \max|l_t - g_t|$, `[...]` (eq. 2).

    Args:
        location: $l_t$, `[..., D]`.
        true: $g_t$, likewise.
    """
    error = ops.abs(location - true)
    return -ops.mean(error, axis=-1) - ops.max(error, axis=-1)


@keras.saving.register_keras_serializable("keras_attend")
class DRLT(RecurrentTracker):
    r"""Track an object with the whole frame in view, by REINFORCE.

    Around the means $\mu_t$ of one forward pass N episodes of locations are drawn,
    $l_t^i \sim N(\mu_t, \sigma^2)$, and rewarded by `error_reward` or by their IoU
    (eq. 3). What is not drawn is not fed back, and (eq. 9)

    $$\nabla J \approx \frac{1}{N} \sum_i \sum_t
      \nabla \log \pi(l_t^i) (R_t^i - b_t^i)$$

    with the mean return of the other episodes as the baseline $b$.

    Args:
        observation, units, channels, size, location, side, given, core, head: of
            `DRLTCell`. (Version 1: `core="relu"`, `given=False`, for digits on
            100x100 pixels; final: as by default, with `head="units"`.)
        episodes: N.
        std: $\sigma$, in widths and heights of the frame. (Version 1: one pixel of
            100; final: 0.01.)
        returns: what $R_t$ is: "immediate", "to_go" or "total"; see
            `reinforce.episode_returns`. (Version 1 writes the first in its algorithm
            and the last in its equations.)
        baseline: whether there is one; without, $b = 0$.
        segment: if given, gradients end after so many frames, and the state is carried
            on. (Paper: T. Without, it is the clips' own length.)

    "overlap" among the weights is 0 for the reward of eq. 2, and 1 for IoU:
    `callbacks.RewardSwitch` sets it.

    In the place of frames it takes what `features` makes of them, once and for all.
    Beside "boxes" `[B, T, 4]` it returns "mean" `[B, T, D]` and, in training,
    "samples" `[B, N, T, D]`.
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
        core: str = "tanh",
        head: str = "linear",
        episodes: int = 20,
        std: float = 0.01,
        returns: str = "immediate",
        baseline: bool = True,
        segment: int | None = None,
        **kwargs: Any,
    ) -> None:
        check_positive_integers(episodes=episodes)
        check_choice("returns", returns, RETURNS)
        if baseline and episodes < 2:
            raise ValueError(
                "A baseline needs 2 `episodes` or more; or `baseline=False`. "
                f"Received: episodes={episodes}"
            )
        if segment is not None:
            check_positive_integers(segment=segment)
        cell = DRLTCell(
            observation,
            units,
            channels,
            size=size,
            location=location,
            side=side,
            given=given,
            core=core,
            head=head,
            dtype=kwargs.get("dtype"),
            name="cell",
        )
        super().__init__(cell, **kwargs)
        self.policy = GaussianPolicy(std)
        self.episodes, self.returns = episodes, returns
        self.baseline, self.segment = baseline, segment
        self.seed_generator = keras.random.SeedGenerator()
        # Not in `build`: a callback may ask for it before the first batch.
        self.overlap = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="overlap"
        )

    # Section 3.1: where it is.

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """The boxes, and in training the draws around them."""
        if "features" not in inputs:
            inputs = self.observed(inputs)
        i, size = inputs["features"], self._size(inputs["size"])
        box = ops.cast(inputs["box"], "float32")
        state = self.cell.blank_state(self.cell.to_location(box, size))
        steps = []
        for part in self._segments(i):
            outputs, state = unroll(self.cell.think, state, part)
            steps.append(outputs["mean"])
            state = keras.tree.map_structure(ops.stop_gradient, state)
        mu = steps[0] if len(steps) == 1 else ops.concatenate(steps, axis=1)
        height, width = (n[:, None] for n in size)
        found = {"boxes": self.cell.to_box(mu, (height, width)), "mean": mu}
        if training:
            seed = self.seed_generator.next()
            around = ops.repeat(mu[:, None], self.episodes, axis=1)  # [B, N, T, D]
            found["samples"] = self.policy.sample(around, seed)
        return found

    def observed(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """The observation network alone, of all frames at once: see `features`."""
        frames, box = self._checked(inputs)
        B, T, H, W, C = ops.shape(frames)
        template = None
        if self.cell.remembers:
            first = self.cell.initial_state(frames[:, 0], box)["template"]
            template = ops.repeat(first, T, axis=0)  # [B T, M]
        flat = ops.reshape(frames, (B * T, H, W, C))
        i = self.cell.observe(flat, template)
        size = ops.stack([ops.cast(H, "float32"), ops.cast(W, "float32")])
        return {
            "features": ops.reshape(i, (B, T, self.cell.feature_size)),
            "size": ops.broadcast_to(size, (B, 2)),
            "box": ops.cast(box, "float32"),
        }

    def features(
        self, inputs: dict[str, Any], batch_size: int | None = None
    ) -> dict[str, Any]:
        """What the observation network makes of clips, to be used in their place.

        A network that is not trained any more need not look twice: with its features
        kept, the paper's tracker runs six times as fast.

        Args:
            inputs: "frames" and "box", as of `call`.
            batch_size: of clips; 32 when absent.

        Returns:
            "features" `[B, T, F]`, "size" `[B, 2]` (height, width) and "box" `[B, 4]`.
        """
        if not self.built:
            self.build()
        if "_observer" not in self.__dict__:
            observer = _Observer(self)
            observer.compile()
            self.__dict__["_observer"] = observer  # not one of this model's layers
        return self._observer.predict(inputs, batch_size=batch_size, verbose=0)

    def _segments(self, i: Tensor) -> list[Tensor]:
        T, length = i.shape[1], self.segment
        if length is None:
            return [i]
        if T is None:
            raise ValueError("`segment` needs clips of a known length.")
        return [i[:, t : t + length] for t in range(0, T, length)]

    @staticmethod
    def _size(size: Tensor) -> tuple[Tensor, Tensor]:
        height, width = ops.unstack(ops.cast(size, "float32"), 2, axis=-1)  # [B] each
        return height, width

    # Section 3.2 and 3.3: why.

    def rewards(self, location: Tensor, true: Tensor, size: Any) -> Tensor:
        """$r_t$ `[...]` of locations `[..., D]`, as "overlap" says."""
        both = (self.cell.to_box(at, size) for at in (location, true))
        share = ops.convert_to_tensor(self.overlap)
        return (1 - share) * error_reward(location, true) + share * iou(*both)

    def sample_losses(self, x: Any, y: Any, y_pred: dict[str, Tensor]) -> Tensor:
        r"""Minus the rewards' sum, `[B]`; in training its gradient is $-\nabla J$."""
        boxes, present = targets(y)  # [B, T, 4], [B, T]
        size = self._clip_size(x)
        true = self.cell.to_location(boxes, tuple(n[:, None] for n in size))
        if "samples" not in y_pred:
            size = tuple(n[:, None] for n in size)
            r_t = self.rewards(y_pred["mean"], true, size)
            return -ops.sum(present * r_t, axis=-1)
        size = tuple(n[:, None, None] for n in size)
        present = present[:, None]  # [B, 1, T]
        l_t, mu_t = y_pred["samples"], y_pred["mean"][:, None]
        r_t = present * self.rewards(l_t, true[:, None] + 0 * l_t, size)  # [B, N, T]
        R_t = episode_returns(r_t, self.returns)
        b_t = others_mean(R_t) if self.baseline else ops.zeros_like(R_t)
        log_pi_t = present * self.policy.log_prob(mu_t + 0 * l_t, l_t)
        loss = ops.mean(reinforce_loss(log_pi_t, R_t, b_t), axis=-1)
        # That has the gradient, this a value that means something.
        J = ops.mean(ops.sum(r_t, axis=-1), axis=-1)
        return loss - ops.stop_gradient(loss + J)

    def _clip_size(self, x: Any) -> tuple[Tensor, Tensor]:
        if "size" in x:
            return self._size(x["size"])
        H, W = ops.shape(x["frames"])[2:4]
        one = ops.ones_like(ops.cast(x["box"], "float32")[:, 0])
        return one * H, one * W

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Tensor]:
        """Loss, IoU and centre error; of all frames, where no box is given."""
        boxes, present = targets(y)
        first = int(self.cell.given)
        if sample_weight is not None:
            weight = ops.cast(ops.reshape(sample_weight, (-1, 1)), "float32")
            present = present * weight
        for metric in (self.iou, self.center_error):
            metric.update_state(
                boxes[:, first:], y_pred["boxes"][:, first:], present[:, first:]
            )
        return self.get_metrics_result()

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        cell = self.cell.get_config()
        names = ("observation", "units", "channels", "size", "location", "side")
        return {
            **super().get_config(),
            **{name: cell[name] for name in (*names, "given", "core", "head")},
            "episodes": self.episodes,
            "std": self.policy.std,
            "returns": self.returns,
            "baseline": self.baseline,
            "segment": self.segment,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "DRLT":
        """The inverse of `get_config`."""
        observation = keras.saving.deserialize_keras_object(config["observation"])
        return cls(**{**config, "observation": observation})


class _Observer(keras.Model):
    """A DRLT's observation network, for `predict`."""

    def __init__(self, model: DRLT) -> None:
        super().__init__(name="observer")
        self.model = model
        self.built = True

    def call(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Features in place of frames."""
        return self.model.observed(inputs)
