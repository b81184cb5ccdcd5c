"""AIR takes pictures apart: its inference (section 2)."""

from typing import Any

import keras
from keras import ops

from keras_attend.arguments import check_shape
from keras_attend.models.air import elbo
from keras_attend.models.air.boxes import ink_boxes
from keras_attend.models.air.cell import State
from keras_attend.models.air.dreams import overlaid, search_losses
from keras_attend.models.air.layers import AIRLayers
from keras_attend.models.air.look import summarised
from keras_attend.models.base import scaled_images
from keras_attend.types import Tensor
from keras_attend.unroll import unroll

# Up to so many steps are written out rather than looped over.
INLINE_STEPS = 6
MORE = ("mask", "color", "ratings")  # of steps, which training needs


class AIRInference(AIRLayers):
    """What `AIR` finds in pictures; it documents what is returned."""

    def explain(
        self, images: Tensor, drawn: bool, more: bool = False
    ) -> dict[str, Tensor]:
        """Take pictures apart by draws from the posteriors, or by their means.

        With `more` there is also what training needs: "mask", "color" and "ratings" of
        steps, if they have them, and "L_crisp", what L would be if nothing were
        blended.
        """
        images = self.scaled(images)
        noise, behind = self.noise(ops.shape(images)[0], drawn)
        return self.found(images, noise, behind, more)

    def dream(self, images: Tensor, plain: Tensor) -> dict[str, Any]:
        """Take pictures apart over which objects were laid, and the latters' pictures.

        See `dreams.py`.

        Args:
            images: `[B, H, W, C]`.
            plain: pictures of objects on black, `[B, H, W, C]`.

        Returns:
            What `explain` returns of the former and then of the latter, `[2 B, ...]`,
            and "known", what is known of the former.
        """
        images, plain = self.scaled(images), self.scaled(plain)
        found = self.explain(plain, drawn=True, more=True)
        given = {k: ops.stop_gradient(v) for k, v in found.items()}
        log_p = self.prior.log_count_probs(self.steps)
        exact, _ = elbo.exact_value(given["L"], given["K"], log_p)
        count = ops.argmax(exact, axis=-1)
        pictures, known = overlaid(images, plain, given, count)
        dreamt = self.explain(pictures, drawn=True, more=True)
        both = {k: ops.concatenate([v, found[k]], axis=0) for k, v in dreamt.items()}
        return both | {"known": known}

    def missed(self, y_pred: dict[str, Any], sure: Tensor, weight: Tensor) -> Tensor:
        """The `search_losses` of what `dream` returns, `[B]`."""
        known = y_pred["known"]
        B = ops.shape(known["there"])[0]
        ratings, where = y_pred["ratings"][:B], y_pred["where"][:B]
        about = known, self.prior, self.size
        return search_losses(ratings, where, *about, sure, weight)

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
        self, images: Tensor, noise: State, behind: Tensor, more: bool = False
    ) -> dict[str, Tensor]:
        """Take pictures in 0..1 apart, with given noise; see the class."""
        summary = summarised(images)
        background, costs, ratio, spread = self.background(summary, behind)
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
        crisp = None
        if not self.blend or (more and self.can_be_crisp):
            spread = self.sigma if self.blend or spread is None else spread
            given = background, spread, steps["mask"], steps["color"]
            crisp = elbo.mixture_log_likelihood(images, *given, *family)
        L = crisp  # [B, N + 1]
        if self.blend:
            L = elbo.log_likelihood(images[:, None], canvases, *family)
        further = {k: steps[k] for k in MORE if more and k in steps}
        if more and crisp is not None:
            further["L_crisp"] = crisp
        return {
            **self.reported(steps, canvases, L - sums["K"]),
            **{name: steps[name] for name in ("where", "what", "hidden")},
            "canvases": canvases,
            "background": background,
            "logits": steps["logit"],
            "L": L,
            **sums,
            **further,
        }

    def reported(
        self, steps: State, canvases: Tensor, bounds: Tensor
    ) -> dict[str, Tensor]:
        """What the most probable count says of each picture.

        Args:
            steps: what each step found, `[B, N, ...]`.
            canvases: what is drawn after each of them, `[B, N + 1, H, W, C]`.
            bounds: $L_n - K_n$, `[B, N + 1]`.
        """
        if self.counting == "bound":
            log_p = self.prior.log_count_probs(self.steps)
            probs = ops.softmax(ops.stop_gradient(bounds) + log_p)
        else:
            probs = ops.exp(elbo.log_count_probs(steps["logit"]))  # [B, N + 1]
        count = ops.argmax(probs, axis=-1)
        t = ops.arange(1, self.steps + 1, dtype=count.dtype)
        there = ops.cast(t <= count[:, None], "float32")  # [B, N]
        masks = steps["mask"] * there[..., None, None, None]
        chosen = ops.one_hot(count, self.steps + 1)[:, :, None, None, None]
        return {
            "count": ops.cast(count, "int32"),
            "count_probs": probs,
            "presence": ops.flip(ops.cumsum(ops.flip(probs[:, 1:], 1), axis=1), 1),
            "boxes": ink_boxes(masks[..., 0]),
            "canvas": ops.sum(canvases * chosen, axis=1),
            "masks": masks,
        }
