"""DRLT, the tracker: rewards (section 3.2) and the gradient of the policy (3.3)."""

from typing import Any

import keras
from keras import ops

from keras_attend.arguments import check_choice, check_positive_integers
from keras_attend.boxes import iou
from keras_attend.models.drlt.cell import DRLTCell
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
    r"""The reward `[...]` of locations $l$ `[..., D]` (eq. 2; version 1: eq. 4).

    $$r_t = -\mathrm{avg}|l_t - g_t| - \max|l_t - g_t|$$

    $g$ are the true ones, in the same unit.
    """
    error = ops.abs(location - true)
    return -ops.mean(error, axis=-1) - ops.max(error, axis=-1)


@keras.saving.register_keras_serializable("keras_attend")
class DRLT(RecurrentTracker):
    r"""Track an object in whole frames, learning by REINFORCE (Zhang et al. 2017).

    ```python
    model = DRLT(DRLTCell(point_cnn(), units=128, channels=1, location="square"))
    model.compile("adam")
    model.fit(clips)  # then model.predict({"frames": frames, "box": box})["boxes"]
    ```

    Around the means $\mu_t$ of one forward pass N episodes of locations are drawn,
    $l_t^i \sim N(\mu_t, \sigma^2)$, and rewarded by `error_reward` or by their IoU with
    the true boxes (section 3.2). Draws are not fed back to the LSTM. With the mean
    return of the other episodes as the baseline $b$, the gradient is (section 3.3)

    $$\nabla J \approx \frac{1}{N} \sum_i \sum_t
      \nabla \log \pi(l_t^i) (R_t^i - b_t^i)$$

    (Version 1 is `DRLTCell(digit_cnn(), channels=1, location="center", given=False,
    core="relu")` with `std=0.01`, one pixel of 100. The final version is
    `DRLTCell(observation, 5000, dense=5000, head="units")`. The paper's baseline is the
    mean of all N returns, which makes the gradient smaller by $(N - 1) / N$.)

    Args:
        cell: predicts the locations; `DRLTCell()` when absent.
        episodes: N.
        std: $\sigma$, in widths and heights of the frame.
        returns: what $R_t$ is: "immediate", "to_go" or "total"; see
            `reinforce.episode_returns`. (The paper's algorithm 1 has immediate rewards,
            its eq. 7 and 8 total ones.)
        baseline: False takes $b = 0$.
        segment: after how many frames gradients end; the state is carried on. None
            lets them pass through the whole clip. (The paper's T is the length of a
            clip.)

    The weight "overlap" is 0 while `error_reward` is the reward, and 1 for IoU:
    `callbacks.RewardSwitch` sets it.

    `call` returns, for B clips of T frames and locations of D numbers:

    * "boxes" `[B, T, 4]`: the predicted boxes, `xywh` in pixels.
    * "mean" `[B, T, D]`: the locations $\mu_t$ of these boxes, in widths and heights of
      the frame.
    * "samples" `[B, N, T, D]`: the draws $l_t^i$, in the same unit; only in training.

    An observation network that is frozen need not see a clip again in each epoch:
    `call`, `fit` and `predict` also take the dict that `features` returns.
    """

    default_cell = DRLTCell

    def __init__(
        self,
        cell: DRLTCell | None = None,
        *,
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
        super().__init__(cell, **kwargs)
        self.std, self.policy = std, GaussianPolicy(std)
        self.episodes, self.returns = episodes, returns
        self.baseline, self.segment = baseline, segment
        self.seed_generator = keras.random.SeedGenerator()
        # Not made in `build`: a callback may set it before the first batch.
        self.overlap = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="overlap"
        )

    @property
    def first_judged(self) -> int:
        """Number of the first frame that metrics count: 0 where no box is given."""
        return int(self.cell.given)

    # Section 3.1: where the object is.

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """The boxes and their locations, and in training the draws around them."""
        if "features" not in inputs:
            inputs = self.observed(inputs)
        i, size = inputs["features"], self._size(inputs)
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
        """What `features` returns, as tensors, of all frames at once."""
        frames, box = self._checked(inputs)
        B, T, H, W, C = ops.shape(frames)
        # Of the cell's state only the template, if there is one, is for the network.
        template = self.cell.initial_state(frames[:, 0], box).get("template")
        if template is not None:
            template = ops.repeat(template, T, axis=0)  # [B T, M]
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
        """What the observation network says of clips, for `call` in place of frames.

        With these kept, the preset drlt_otb runs some thirty times as fast. The inputs
        are those of `call`; `batch_size` clips (32 when absent) are observed at a time.

        Returns:
            A dict of arrays: "features" `[B, T, F]`, $i_t$; "size" `[B, 2]`, height and
            width of the frames; and "box" `[B, 4]`, as given.
        """
        if not self.built:
            self.build()
        observer = self.__dict__.get("_observer")
        if observer is None:
            observer = self.__dict__["_observer"] = _Observer(self)  # no layer of this
            observer.compile()
        return observer.predict(inputs, batch_size=batch_size, verbose=0)

    def _segments(self, i: Tensor) -> list[Tensor]:
        T, length = i.shape[1], self.segment
        if length is None:
            return [i]
        if T is None:
            raise ValueError("`segment` needs clips of a known length.")
        return [i[:, t : t + length] for t in range(0, T, length)]

    @staticmethod
    def _size(x: Any) -> tuple[Tensor, Tensor]:
        """Height and width of each clip's frames, `[B]` each."""
        if "size" in x:
            height, width = ops.unstack(ops.cast(x["size"], "float32"), 2, axis=-1)
        else:
            one = ops.ones_like(ops.cast(x["box"], "float32")[:, 0])
            height, width = (one * n for n in ops.shape(x["frames"])[2:4])
        return height, width

    # Sections 3.2 and 3.3: rewards and gradient.

    def rewards(self, location: Tensor, true: Tensor, size: Any) -> Tensor:
        """The rewards `[...]` of locations `[..., D]`: by error, or by overlap."""
        both = (self.cell.to_box(at, size) for at in (location, true))
        share = ops.convert_to_tensor(self.overlap)
        return (1 - share) * error_reward(location, true) + share * iou(*both)

    def sample_losses(self, x: Any, y: Any, y_pred: dict[str, Tensor]) -> Tensor:
        r"""Minus the sum of rewards, `[B]`; in training its gradient is $-\nabla J$."""
        boxes, present = targets(y)  # [B, T, 4], [B, T]
        size = self._size(x)
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
        # The gradient is that of `loss`, the value minus the mean sum of rewards.
        J = ops.mean(ops.sum(r_t, axis=-1), axis=-1)
        return loss - ops.stop_gradient(loss + J)


class _Observer(keras.Model):
    """A model whose `predict` is a DRLT's `observed`: compiled, batch by batch."""

    def __init__(self, model: DRLT) -> None:
        super().__init__(name="observer")
        self.model = model
        self.built = True

    def call(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """What `DRLT.features` returns, as tensors."""
        return self.model.observed(inputs)
