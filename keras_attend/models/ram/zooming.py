"""A RAM that chooses how wide its next glimpse is (Mnih et al. 2014, section 5)."""

from typing import Any

import keras
from keras import ops
from keras.layers import Dense

from keras_attend.arguments import check_positive_integers
from keras_attend.layers.zoom_retina import ZoomRetina
from keras_attend.models.ram.model import RAM, State
from keras_attend.policies import CategoricalPolicy, draw_seeds
from keras_attend.types import Shape, Tensor


@keras.saving.register_keras_serializable("keras_attend")
class ZoomingRAM(RAM):
    r"""Classify an image by glimpses of which the network chooses place and width.

    ```python
    model = ka.models.ZoomingRAM(glimpses=6, size=12, zooms=3)
    model.compile("adam")
    model.fit(images, labels)  # uint8 [N, H, W, 1], integers [N]
    ```

    A glimpse has always as many pixels; at zoom $z$ they are $2^z$ times as wide. The
    first glimpse is the widest; a policy that is learned as that of the locations is
    chooses the zoom of the next ones, and the glimpse network is told the zoom
    together with the location:

    $$z_t \sim \mathrm{Cat}(\mathrm{softmax}(\mathrm{Linear}(h_t)))$$

    Args:
        zooms: the number of widths to choose from, 2 or more. The other arguments are
            those of `RAM`.
        fixed: a zoom that all glimpses but the first have; it is chosen when absent.

    Returns a dict: what `RAM` returns, and
        zooms: `[B, M, T]`, int32 in 0..zooms - 1, how wide each glimpse was: its
            finest patch is `size * 2**zoom` pixels wide. `log_probs` holds
            $\log \pi(z_t)$ as well.
    """

    place = 3

    def __init__(
        self, *args: Any, zooms: int = 3, fixed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        check_positive_integers(zooms=zooms)
        if zooms == 1:
            raise ValueError("`zooms` must be at least 2. Received: zooms=1")
        if fixed is not None and fixed not in range(zooms):
            raise ValueError(
                f"`fixed` must be one of the {zooms} zooms. Received: fixed={fixed!r}"
            )
        self.zooms, self.fixed = zooms, fixed
        named = {"dtype": self.dtype_policy, "name": "retina"}
        self.retina = ZoomRetina(self.size, self.scales, zooms, **named)
        if fixed is None:
            self.zoomer = Dense(zooms, dtype=self.dtype_policy, name="zoom")
        self.zoom_policy = CategoricalPolicy()

    def build(self, input_shape: Shape) -> None:
        """Make the weights."""
        super().build(input_shape)
        if self.fixed is None:
            self.zoomer.build((None, self.units))

    def see(self, images: Tensor, state: State) -> tuple[Tensor, Tensor]:
        r"""$\rho_t$ at the state's zoom, and $g_t$, which is told the zoom in -1..1."""
        l, zoom = state["l"], state["zoom"]
        rho = self.retina(images, l, zoom)
        width = 2.0 * ops.cast(zoom, l.dtype) / (self.zooms - 1) - 1.0
        where = ops.concatenate([l, width[:, None]], axis=-1)  # [B, 3]
        return rho, self.glimpse_network(rho, where)

    def step(
        self, images: Tensor, state: State, draw: State, location: str
    ) -> tuple[State, State]:
        """RAM's step, and the zoom of the next glimpse."""
        outputs, following = super().step(images, state, draw, location)
        following["zoom"] = self.next_zoom(outputs["hidden"], draw, location)
        return {**outputs, "zooms": state["zoom"]}, following

    def next_zoom(self, h: Tensor, draw: State, location: str) -> Tensor:
        """The zoom of the next glimpse, `[B]`, int32."""
        if self.fixed is not None:
            return ops.full(ops.shape(h)[:1], self.fixed, dtype="int32")
        scores = ops.stop_gradient(self.scores(h))  # [B, zooms]
        if location == "sample":
            zoom = self.zoom_policy.sample(scores, draw["zoom_seed"][0])
        else:
            zoom = ops.argmax(scores, axis=-1)
        return ops.cast(zoom, "int32")

    def scores(self, h: Tensor) -> Tensor:
        """The scores of all zooms, `[..., zooms]`."""
        return ops.cast(self.zoomer(h), "float32")

    def initial_state(self, images: Tensor, first_location: Tensor | None) -> State:
        """RAM's, and the widest zoom."""
        state = super().initial_state(images, first_location)
        zoom = ops.full(ops.shape(images)[:1], self.zooms - 1, dtype="int32")
        return {**state, "zoom": zoom}

    def draw(self, batch: Any, location: str) -> State:
        """RAM's, and the seeds of the zooms."""
        draws = super().draw(batch, location)
        return {**draws, "zoom_seed": draw_seeds(self.glimpses, self.seed_generator)}

    def episode(
        self, images: Tensor, first_location: Tensor | None, location: str
    ) -> dict[str, Tensor]:
        """RAM's episode; its log-probabilities are of locations and zooms."""
        steps = super().episode(images, first_location, location)
        if location == "sample" and self.fixed is None:
            h_t = self.policy_input(steps["hidden"][:, :-1])
            chosen = steps["zooms"][:, 1:]  # after each glimpse but the last
            steps["log_probs"] += self.zoom_policy.log_prob(self.scores(h_t), chosen)
        return steps
