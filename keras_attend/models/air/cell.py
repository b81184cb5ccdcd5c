"""One step of AIR: where the next object is, what it is, and how it is drawn."""

import math
from functools import partial
from typing import Any

import keras
from keras import ops
from keras.layers import Dense

from keras_attend.layers.bilinear_glimpse import BilinearGlimpse
from keras_attend.layers.window_write import WindowWrite
from keras_attend.models.air import vivid
from keras_attend.models.air.background import DARK, positive
from keras_attend.models.air.look import summarised
from keras_attend.models.air.prior import ObjectPrior, divergence, log_ratio
from keras_attend.models.air.search_map import SearchMap
from keras_attend.types import Shape, Tensor

HIDDEN = 200  # units of the hidden layers, as in the paper's figure 2
BRIGHT = 3.0  # logit of an object's colour before training
CAUTIOUS = 0.3  # share of the usual weights with which places and presences begin

State = dict[str, Tensor]


class AIRCell(keras.layers.Layer):
    r"""Look for one object more, and draw it (Eslami et al. 2016, figure 2, right).

    $$h_t = \mathrm{LSTM}(x,\, x - \hat x_{t-1},\, z_{t-1},\, h_{t-1})$$
    $$q(\text{present}_t), \; q(z^{where}_t) = f(h_t), \qquad
      q(z^{what}_t) = g(\mathrm{read}(x, z^{where}_t))$$
    $$\hat x_t = \hat x_{t-1} \; \text{with} \;
      \mathrm{write}(d(z^{what}_t), z^{where}_t) \; \text{drawn over it}$$

    $z_{t-1}$ is the object of the last step and $\hat x_{t-1}$ what is drawn so far.
    The residual $x - \hat x_{t-1}$ is not in the paper. Nor is `search="map"`, by which
    no LSTM finds places and presence: they are read off a map of the picture and its
    residual (`SearchMap`).

    Args:
        size: of the picture.
        channels: of the picture.
        window: points along each side of a window.
        what: how many numbers $z^{what}$ has.
        units: of the LSTM or of the map.
        residual: whether the LSTM sees the residual.
        search: as of `AIR`.
        paint: as of `AIR`.
        over: whether objects hide what is behind them; otherwise their brightness is
            added to it.
        prior: what is expected of places.
    """

    def __init__(
        self,
        size: tuple[int, int],
        channels: int,
        window: int,
        what: int,
        units: int,
        residual: bool,
        search: str,
        paint: str,
        over: bool,
        prior: ObjectPrior,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.size, self.channels = size, channels
        self.window, self.what, self.units = window, what, units
        self.residual, self.paint, self.over = residual, paint, over
        self.prior = prior
        policy = self.dtype_policy
        dense = partial(Dense, dtype=policy)
        small = keras.initializers.VarianceScaling(CAUTIOUS**2, "fan_avg", "uniform")
        self.map: Any = None
        if search == "map":
            seen, far = 2 * channels + 1, prior.center_std
            self.map = SearchMap(seen, units, far, small, dtype=policy, name="map")
        else:
            self.embedding = dense(units, "relu", name="embedding")
            self.lstm = keras.layers.LSTMCell(units, dtype=policy, name="lstm")
            self.search = dense(HIDDEN, "relu", name="search")
            self.found = dense(1 + 2 * 3, kernel_initializer=small, name="found")
        self.encoder = dense(HIDDEN, "relu", name="encoder")
        self.posterior = dense(2 * what, name="posterior")
        self.decoder = dense(HIDDEN, "relu", name="decoder")
        dark = keras.initializers.Constant(DARK)
        self.shape = dense(window**2, bias_initializer=dark, name="shape")
        if paint in ("ink", "vivid"):
            self.ink: Any = None
        elif paint == "flat":
            self.color: Any = dense(channels, name="color")
        else:
            self.color = dense(window**2 * channels, name="color")
        self.read: Any = BilinearGlimpse(window, antialias=True, dtype=policy)
        self.write: Any = WindowWrite(size, dtype=policy)

    def build(self, summary_shape: Shape) -> None:
        """Make the weights, for a picture's summary `[B, F]`."""
        if self.map is not None:
            self.map.build()
        else:
            length = int(summary_shape[-1] or 0) * (2 if self.residual else 1)
            self.embedding.build((None, length))
            self.lstm.build((None, self.units + 3 + self.what + 1))
            self.search.build((None, self.units))
            self.found.build((None, HIDDEN))
        self.encoder.build((None, self.encoder_length))
        self.posterior.build((None, HIDDEN))
        self.decoder.build((None, self.what - self.hues))
        self.shape.build((None, HIDDEN))
        if self.paint in ("flat", "pixels"):
            self.color.build((None, HIDDEN))
        elif self.paint == "ink" and self.over:
            bright = keras.initializers.Constant(BRIGHT)
            self.ink = self.add_weight(
                shape=(self.channels,), initializer=bright, name="ink"
            )
        self.built = True

    def initial_state(self, canvas: Tensor) -> State:
        """The state before the first object; `canvas` is the background."""
        rows = ops.shape(canvas)[0]

        def zeros(length: int) -> Tensor:
            return ops.zeros((rows, length))

        h, c = zeros(self.units), zeros(self.units)
        where, what, present = zeros(3), zeros(self.what), zeros(1) + 1.0
        state = {"h": h, "c": c, "where": where, "what": what}
        state |= {"present": present, "canvas": canvas}
        return state if self.map is None else state | {"covered": 0 * canvas[..., :1]}

    def step(
        self, images: Tensor, summary: Tensor, noise: State, state: State
    ) -> tuple[State, State]:
        """Look for one object more.

        Args:
            images: `[B, H, W, C]`, in 0..1.
            summary: `summarised(images)`.
            noise: standard normal numbers, `where` `[B, 3]` and `what` `[B, what]`;
                zeros for the means.
            state: as `initial_state` makes it.

        Returns:
            What was found, and the next state.
        """
        both, more, following = self.look(images, summary, state)
        found = self.located(ops.cast(both, "float32"), noise["where"]) | more
        window = self.prior.window(found["where"], self.size, self.window)
        canvas = ops.stop_gradient(state["canvas"])
        found |= self.recognise(images, canvas, window, noise["what"])
        alpha, color = self.appearance(found["what"])
        mask, canvas = self.draw(state["canvas"], alpha, color, window)
        found |= {"mask": mask, "canvas": canvas}
        if self.paint != "pixels":
            found["color"] = color + ops.zeros_like(mask[:, :1, :1])
        present = ops.sigmoid(found["logit"])[:, None]
        following |= {"present": present, "canvas": canvas}
        if "covered" in state:
            hidden = ops.maximum(state["covered"], mask)
            following["covered"] = ops.stop_gradient(hidden)
        return found, following | {k: found[k] for k in ("where", "what")}

    def look(
        self, images: Tensor, summary: Tensor, state: State
    ) -> tuple[Tensor, State, State]:
        """Where the next object is, by the LSTM or by the map.

        Returns:
            What `located` is called with, `[B, 7]`; what else was found; and what
            either of them keeps for the next step.
        """
        if self.map is None:
            h, c = self.think(images, summary, state)
            return self.found(self.search(h)), {"hidden": h}, {"h": h, "c": c}
        ratings, both, h = self.map(self.left(images, state))
        return both, {"hidden": h, "ratings": ratings}, {"h": h, "c": state["c"]}

    def think(
        self, images: Tensor, summary: Tensor, state: State
    ) -> tuple[Tensor, Tensor]:
        """$h_t$ and $c_t$ of the LSTM."""
        canvas = ops.stop_gradient(state["canvas"])
        if self.residual:
            left = summary - summarised(canvas)
            summary = ops.concatenate([summary, left], axis=-1)
        seen = ops.cast(self.embedding(summary), "float32")
        last = [seen, state["where"], state["what"], state["present"]]
        x_t = ops.cast(ops.concatenate(last, axis=-1), self.compute_dtype)
        states = [ops.cast(state[k], self.compute_dtype) for k in ("h", "c")]
        _, (h, c) = self.lstm(x_t, states)
        return ops.cast(h, "float32"), ops.cast(c, "float32")

    def left(self, images: Tensor, state: State) -> Tensor:
        """What the map sees: a picture, its residual, and where something is drawn."""
        canvas = ops.stop_gradient(state["canvas"])
        return ops.concatenate([images, images - canvas, state["covered"]], axis=-1)

    def located(self, both: Tensor, noise: Tensor) -> State:
        """Presence's logit `[B]`, a draw of $z^{where}$ `[B, 3]`, and its costs.

        Args:
            both: the logit, and the mean and scale of the posterior, `[B, 7]`.
            noise: `[B, 3]`.
        """
        loc, scale = both[:, 1:4], positive(both[:, 4:])
        where = loc + scale * noise
        costs = {"divergence": divergence(loc, scale)}
        costs["log_ratio"] = log_ratio(where, loc, scale)
        return {"logit": both[:, 0], "where": where, **costs}

    def recognise(
        self, images: Tensor, canvas: Tensor, window: Tensor, noise: Tensor
    ) -> State:
        """A draw of $z^{what}$ from what is in the window, and its costs.

        Args:
            images: `[B, H, W, C]`.
            canvas: what is drawn so far, `[B, H, W, C]`.
            window: `[B, 6]`.
            noise: `[B, what]`.
        """
        patch = self.read(images, window)
        seen = [patch]
        if self.paint == "vivid":
            patch = ops.cast(patch, "float32")
            left = ops.cast(self.read(images - canvas, window), "float32")
            color = vivid.foreign_color(patch, left)
            seen = [patch, vivid.likeness(patch, color), color]
        rows = [ops.reshape(x, (-1, math.prod(x.shape[1:]))) for x in seen]
        rows = [ops.cast(row, self.compute_dtype) for row in rows]
        hidden = self.encoder(ops.concatenate(rows, axis=-1))
        both = ops.cast(self.posterior(hidden), "float32")
        loc, scale = both[:, : self.what], positive(both[:, self.what :])
        if self.paint == "vivid":
            hue = ops.pad(vivid.hue_of(color), ((0, 0), (0, self.what - 2)))
            loc = loc + hue
        what = loc + scale * noise
        costs = {"what_divergence": divergence(loc, scale)}
        costs["what_log_ratio"] = log_ratio(what, loc, scale)
        return {"what": what, **costs}

    def drawing(self) -> list[Any]:
        """The layers that make an object's pixels of $z^{what}$."""
        colors = [self.color] if self.paint in ("flat", "pixels") else []
        return [self.decoder, self.shape, *colors]

    @property
    def encoder_length(self) -> int:
        """How many numbers the encoder sees."""
        length = self.window**2 * self.channels
        return length + (self.window**2 + 3 if self.paint == "vivid" else 0)

    @property
    def hues(self) -> int:
        """How many of the first numbers of $z^{what}$ are of the colour alone."""
        return vivid.NUMBERS if self.paint == "vivid" else 0

    def appearance(self, what: Tensor) -> tuple[Tensor, Tensor]:
        """An object's opacity and its colour, of $z^{what}$.

        Returns:
            Opacity `[B, window, window, 1]`, and colour, which can be multiplied by
            it: `[B, window, window, C]`, or 1 in place of an axis along which it is the
            same.
        """
        W, C = self.window, self.channels
        hidden = self.decoder(what[:, self.hues :])
        alpha = ops.sigmoid(ops.cast(self.shape(hidden), "float32"))
        alpha = ops.reshape(alpha, (-1, W, W, 1))
        if self.paint == "ink":
            if not self.over:
                return alpha, ops.ones((1, 1, 1, C))
            ink = ops.cast(ops.convert_to_tensor(self.ink), "float32")
            return alpha, ops.sigmoid(ink)[None, None, None]
        if self.paint == "vivid":
            return alpha, vivid.vivid_color(what[:, : self.hues])[:, None, None]
        color = ops.sigmoid(ops.cast(self.color(hidden), "float32"))
        side = 1 if self.paint == "flat" else W
        return alpha, ops.reshape(color, (-1, side, side, C))

    def draw(
        self, canvas: Tensor, alpha: Tensor, color: Tensor, window: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Draw an object over a canvas `[B, H, W, C]`: its mask and the new canvas."""
        mask = ops.cast(self.write(alpha, window), "float32")  # [B, H, W, 1]
        if self.paint == "pixels":
            ink = ops.cast(self.write(alpha * color, window), "float32")
        else:
            ink = mask * color
        return mask, (canvas * (1 - mask) if self.over else canvas) + ink
