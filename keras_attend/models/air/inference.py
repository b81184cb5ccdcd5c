"""AIR takes pictures apart: its inference (section 2)."""

from typing import Any

import keras
from keras import ops

from keras_attend.arguments import check_shape
from keras_attend.models.air import elbo
from keras_attend.models.air.boxes import ink_boxes
from keras_attend.models.air.cell import State
from keras_attend.models.air.layers import AIRLayers
from keras_attend.models.air.look import summarised
from keras_attend.models.base import scaled_images
from keras_attend.types import Tensor
from keras_attend.unroll import unroll

# Up to so many steps are written out rather than looped over.
INLINE_STEPS = 6


class AIRInference(AIRLayers):
    """What `AIR` finds in pictures; it documents what is returned."""

    def explain(
        self, images: Tensor, drawn: bool, crisp: bool = False
    ) -> dict[str, Tensor]:
        """Take pictures apart by draws from the posteriors, or by their means.

        With `crisp` there is also "L_crisp", what L would be if nothing were blended.
        """
        images = self.scaled(images)
        noise, behind = self.noise(ops.shape(images)[0], drawn)
        return self.found(images, noise, behind, crisp)

    def scaled(self, images: Tensor) -> Tensor:
        """Pictures in 0..1."""
        height, width = self.size
        axes = f"batch, {height}, {width}, {self.channels}"
        check_shape("images", tuple(images.shape), axes)
        return scaled_images(images, self.channels, "float32")

    def noise(self, batch: Any, drawn: bool) -> tuple[State, Tensor]:
        """Standard normal numbers of all steps, and of the background; or zeros."""

        def numbers(*shape: Any) -> Tensor:
            if not drawn:
                return ops.zeros(shape)
            return keras.random.normal(shape, seed=self.seed_generator)

        of_steps = {
            "where": numbers(batch, self.steps, 3),
            "what": numbers(batch, self.steps, self.what),
        }
        return of_steps, numbers(batch, self.background.latents)

    def found(
        self, images: Tensor, noise: State, behind: Tensor, crisp: bool = False
    ) -> dict[str, Tensor]:
        """Take pictures in 0..1 apart, with given noise; see the class."""
        summary = summarised(images)
        background, costs, ratio = self.background(summary, behind)
        steps, _ = unroll(
            lambda noise, state: self.cell.step(images, summary, noise, state),
            self.cell.initial_state(background),
            noise,
            inline=self.steps <= INLINE_STEPS,
        )
        canvases = ops.concatenate([background[:, None], steps["canvas"]], axis=1)
        of_objects = {
            "K": steps["divergence"] + steps["what_divergence"],
            "log_ratio": steps["log_ratio"] + steps["what_log_ratio"],
        }
        sums = {
            name: ops.concatenate(
                [first[:, None], first[:, None] + ops.cumsum(each, axis=1)], axis=1
            )
            for (name, each), first in zip(
                of_objects.items(), (costs, ratio), strict=True
            )
        }
        family = self.likelihood, self.sigma
        L = elbo.log_likelihood(images[:, None], canvases, *family)  # [B, N + 1]
        more = {}
        if crisp:
            given = background, steps["mask"], steps["color"]
            more["L_crisp"] = elbo.mixture_log_likelihood(images, *given, *family)
        return {
            **self.reported(steps, canvases),
            **{name: steps[name] for name in ("where", "what", "hidden")},
            "canvases": canvases,
            "background": background,
            "logits": steps["logit"],
            "L": L,
            **sums,
            **more,
        }

    def reported(self, steps: State, canvases: Tensor) -> dict[str, Tensor]:
        """What the most probable count says of each picture."""
        probs = ops.exp(elbo.log_count_probs(steps["logit"]))  # [B, N + 1]
        count = ops.argmax(probs, axis=-1)
        t = ops.arange(1, self.steps + 1, dtype=count.dtype)
        there = ops.cast(t <= count[:, None], "float32")  # [B, N]
        masks = steps["mask"] * there[..., None, None, None]
        chosen = ops.one_hot(count, self.steps + 1)[:, :, None, None, None]
        return {
            "count": ops.cast(count, "int32"),
            "count_probs": probs,
            "presence": ops.cumprod(ops.sigmoid(steps["logit"]), axis=-1),
            "boxes": ink_boxes(masks[..., 0]),
            "canvas": ops.sum(canvases * chosen, axis=1),
            "masks": masks,
        }
