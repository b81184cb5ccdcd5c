"""How objects are followed from one frame to the next."""

from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops
from keras.layers import Dense

from keras_attend.layers.bilinear_glimpse import BilinearGlimpse
from keras_attend.models.air.background import positive
from keras_attend.models.air.cell import HIDDEN, AIRCell
from keras_attend.models.air.dynamics import CAUTIOUS, STAYS, Dynamics
from keras_attend.models.air.prior import divergence
from keras_attend.models.air.slots import Slots, rows, unrows
from keras_attend.types import Shape, Tensor

SURE = 0.05  # standard deviation of a found place before training, in z^where
CHANGE = 0.05  # that of an appearance's change from a frame to the next, in z^what


class Propagation(keras.layers.Layer):
    r"""Find each known object again: look where it is imagined, and correct that.

    $$e_t = \mathrm{MLP}(\mathrm{read}(x_t - \textstyle\sum_{m \ne n} y_m),\;
      d(z^{what}_{t-1}),\; z_t, v_{t-1}, h_t)$$
    $$q(z^{where}_t) = N(\mu_t + f(e_t),\; \sigma(e_t)^2), \qquad
      q(z^{what}_t) = N(z^{what}_{t-1} + g(e_t),\; \rho(e_t)^2), \qquad
      q(\text{stays}) = \mathrm{sigmoid}(k(e_t))$$

    $\mu_t$ is where `Dynamics` imagines the object, and the window lies there. The
    other objects, as they are imagined, are taken out of the picture before.

    Args:
        cell: of the `AIR` that finds objects: it draws them.
        dynamics: imagines.
        reach: the side of the window that is read, in sides of the one that is drawn.
    """

    def __init__(
        self, cell: AIRCell, dynamics: Dynamics, reach: float, **kwargs: Any
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        # Layers of others. (Keras would take for this layer's own what is no function.)
        self._cell, self._dynamics = lambda: cell, lambda: dynamics
        self.reach, self.what = reach, cell.what
        # Whether no gradient flows into `Dynamics`, nor through it into earlier frames.
        self.keep_dynamics = False
        policy = self.dtype_policy
        dense = partial(Dense, dtype=policy)
        small = keras.initializers.VarianceScaling(CAUTIOUS**2, "fan_avg", "uniform")
        self.read: Any = BilinearGlimpse(cell.window, antialias=True, dtype=policy)
        self.seen = dense(HIDDEN, "relu", name="seen")
        self.compared = dense(HIDDEN, "relu", name="compared")
        self.moved = dense(6, kernel_initializer=small, name="moved")
        self.changed = dense(2 * cell.what, kernel_initializer=small, name="changed")
        self.stays = dense(
            1,
            kernel_initializer=small,
            bias_initializer=keras.initializers.Constant(STAYS),
            name="stays",
        )

    @property
    def cell(self) -> Any:
        """The cell that draws objects."""
        return self._cell()

    @property
    def dynamics(self) -> Any:
        """What imagines."""
        return self._dynamics()

    def build(self, input_shape: Shape | None = None) -> None:
        """Make the weights."""
        cell = self.cell
        self.seen.build((None, cell.window**2 * (cell.channels + 1)))
        self.compared.build((None, HIDDEN + 3 + 3 + self.dynamics.units))
        for layer in (self.moved, self.changed, self.stays):
            layer.build((None, HIDDEN))
        self.change = self.add_weight(
            shape=(self.what,),
            initializer=keras.initializers.Constant(float(np.log(CHANGE))),
            name="change",
            dtype="float32",
        )

    def call(
        self,
        images: Tensor,
        background: Tensor,
        slots: Slots,
        noise: dict[str, Tensor],
        action: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Find the objects of all slots in the next frame.

        Args:
            images: $x_t$, `[B, H, W, C]` in 0..1.
            background: `[B, H, W, C]`.
            slots: of the frame before; see `slots.py`.
            noise: standard normal numbers, "where" `[B, N, 3]`, "what" `[B, N, what]`.
            action: `[B, actions]`, if there are any.

        Returns:
            "where", "velocity", "what" and "h" of the slots; "ink" `[B, N, H, W, C]`,
            by how much each object changes the background, and "mask"
            `[B, N, H, W, 1]`; "stays" and "stays_prior", logits `[B, N]`; "divergence"
            `[B, N]`, what place and appearance cost.
        """
        N = slots["present"].shape[1]
        where, velocity, what = (rows(slots[k]) for k in ("where", "velocity", "what"))
        prior = self.dynamics.of_slots(slots, action)
        if self.keep_dynamics:
            prior = {name: ops.stop_gradient(value) for name, value in prior.items()}
        behind = ops.repeat(background, N, axis=0)
        alpha, color = self.cell.appearance(what)
        window = self.window(prior["loc"])
        _, imagined = self.draw(behind, alpha, color, window, N)
        left = self.without_others(images, imagined, slots["present"])
        patch = self.read(rows(left), self.widened(window))
        length = self.cell.window**2
        patches = [ops.reshape(patch, (-1, length * self.cell.channels))]
        patches.append(ops.cast(ops.reshape(alpha, (-1, length)), patch.dtype))
        e = ops.cast(self.seen(ops.concatenate(patches, axis=-1)), "float32")
        state = [e, prior["loc"], velocity, prior["h"]]
        e = self.compared(ops.cast(ops.concatenate(state, axis=-1), self.compute_dtype))
        moved, changed = (
            ops.cast(layer(e), "float32") for layer in (self.moved, self.changed)
        )
        loc, scale = prior["loc"] + moved[:, :3], SURE * positive(moved[:, 3:])
        new = loc + scale * rows(noise["where"])
        costs = divergence(loc, scale, prior["loc"], prior["scale"])
        by, width = changed[:, : self.what], CHANGE * positive(changed[:, self.what :])
        after = what + by + width * rows(noise["what"])
        usual = ops.exp(ops.convert_to_tensor(self.change))
        costs = costs + divergence(by, width, 0.0, usual)
        alpha, color = self.cell.appearance(after)
        mask, ink = self.draw(behind, alpha, color, self.window(new), N)
        found = {"where": new, "velocity": new - where, "what": after, "h": prior["h"]}
        return {
            **{name: unrows(value, N) for name, value in found.items()},
            "mask": mask,
            "ink": ink,
            "stays": ops.reshape(ops.cast(self.stays(e), "float32"), (-1, N)),
            "stays_prior": ops.reshape(prior["stays"], (-1, N)),
            "divergence": ops.reshape(costs, (-1, N)),
        }

    def window(self, where: Tensor) -> Tensor:
        """Windows `[R, 6]` of $z^{where}$ `[R, 3]`."""
        cell = self.cell
        return cell.prior.window(where, cell.size, cell.window)

    def widened(self, window: Tensor) -> Tensor:
        """Windows of `reach` times the side."""
        by = [1.0, 1.0, *[self.reach] * 4]
        return window * ops.convert_to_tensor(by, "float32")

    def draw(
        self, behind: Tensor, alpha: Tensor, color: Tensor, window: Tensor, N: int
    ) -> tuple[Tensor, Tensor]:
        """Draw each object alone: its mask and its ink, `[B, N, H, W, ...]`."""
        mask, canvas = self.cell.draw(behind, alpha, color, window)
        return unrows(mask, N), unrows(canvas - behind, N)

    def without_others(self, images: Tensor, ink: Tensor, present: Tensor) -> Tensor:
        """Take the ink of other objects out of a picture: `[B, N, H, W, C]`."""
        ink = ops.stop_gradient(ink * present[:, :, None, None, None])
        others = ops.sum(ink, axis=1, keepdims=True) - ink
        return images[:, None] - others


def bernoulli_divergence(q: Tensor, p: Tensor) -> Tensor:
    r"""$KL$ of two Bernoulli distributions that are given by logits, elementwise."""
    yes = ops.log_sigmoid(q) - ops.log_sigmoid(p)
    no = ops.log_sigmoid(-q) - ops.log_sigmoid(-p)
    return ops.sigmoid(q) * yes + ops.sigmoid(-q) * no
