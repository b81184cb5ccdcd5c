"""Catch, the game that RAM plays (Mnih et al. 2014, section 4.2), many at a time.

A ball of one pixel falls from the top of the screen, a row a frame, and bounces off
the side walls; a paddle of two pixels at the bottom moves left, right or not at all.
When the ball is in the last row the game is over: 1 if the paddle is under it, else 0.

The game is computed by `keras.ops` from states that the caller keeps, so that a policy
can play it inside a compiled graph.
"""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from keras_attend.arguments import check_not_negative, check_positive_integers
from keras_attend.datasets.clips import check_index
from keras_attend.types import OneLine, Tensor

LEFT, STAY, RIGHT = 0, 1, 2


@keras.saving.register_keras_serializable("keras_attend")
class Catch:
    r"""The rules of Catch.

    ```python
    game = ka.datasets.Catch(size=24)
    state = game.start(numbers)  # numbers [B, 3] in 0..1
    state = game.step(state, action)  # action [B]: 0 left, 1 stay, 2 right
    ```

    A state is four numbers: the ball's column $x$ and row $y$ in pixels, its speed in
    pixels a frame, and the column of the paddle's left pixel. With $W$ columns the ball
    is at

    $$x_t = \mathrm{fold}(x_0 + v t), \qquad
      \mathrm{fold}(p) = (W - 1) - |\,(p \bmod 2 (W - 1)) - (W - 1)\,|$$

    rounded to a pixel, and at $y_t = t$. The column $x_0$, the speed $v$ and the
    paddle's column at the beginning are uniform. (The paper says neither how fast the
    ball is nor where the paddle is at the beginning.)

    Args:
        size: side of the screen in pixels.
        paddle: pixels of the paddle.
        max_speed: largest $|v|$ in pixels a frame; the paddle moves one pixel a frame.
    """

    actions = 3
    start_numbers = 3
    state_numbers = 4

    def __init__(self, size: int = 24, paddle: int = 2, max_speed: float = 1.0) -> None:
        check_positive_integers(size=size, paddle=paddle)
        if not (size > 1 and paddle <= size):
            raise ValueError(
                "`size` must be at least 2 and `paddle` at most `size`. "
                f"Received: size={size}, paddle={paddle}"
            )
        check_not_negative(max_speed=max_speed)
        self.size = size
        self.paddle = paddle
        self.max_speed = max_speed

    @property
    def frames(self) -> int:
        """Number of frames of a game; there is an action after each but the last."""
        return self.size

    def start(self, numbers: Tensor) -> Tensor:
        """The states `[B, 4]` in which games begin, of uniform `numbers` `[B, 3]`."""
        x, speed, paddle = (ops.cast(numbers[..., i], "float32") for i in range(3))
        x = x * (self.size - 1)
        places = self.size - self.paddle + 1
        paddle = ops.minimum(ops.floor(paddle * places), places - 1.0)
        speed = self.max_speed * (2.0 * speed - 1.0)
        return ops.stack([x, ops.zeros_like(x), speed, paddle], axis=-1)

    def step(self, state: Tensor, action: Tensor) -> Tensor:
        """The next states `[..., 4]` after actions `[...]`: 0 left, 1 stay, 2 right."""
        x, y, speed, paddle = (state[..., i] for i in range(4))
        wall = self.size - 1.0
        x = x + speed
        # The ball turns when it touches a wall; a fast one may touch both walls.
        lap = ops.mod(x, 2.0 * wall)
        turned = ops.mod(ops.floor(x / wall), 2.0) == 1.0
        speed = ops.where(turned, -speed, speed)
        x = wall - ops.abs(lap - wall)
        paddle = paddle + ops.cast(action, "float32") - STAY
        paddle = ops.clip(paddle, 0.0, float(self.size - self.paddle))
        return ops.stack([x, y + 1.0, speed, paddle], axis=-1)

    def scaled(self, state: Tensor) -> Tensor:
        """The states in numbers of about -1..1, for a network to read."""
        half = (self.size - 1) / 2
        x, y, speed, paddle = (state[..., i] for i in range(4))
        return ops.stack([x / half - 1, y / half - 1, speed, paddle / half - 1], -1)

    def reward(self, state: Tensor) -> Tensor:
        """1 where a game is over and the ball is caught, else 0; `[...]`."""
        column, row, paddle = ops.round(state[..., 0]), state[..., 1], state[..., 3]
        under = ops.logical_and(column >= paddle, column < paddle + self.paddle)
        over = row >= self.size - 1
        return ops.cast(ops.logical_and(under, over), "float32")

    def screen(self, state: Tensor) -> Tensor:
        """The screen, `[..., size, size, 1]`, 1 where ball or paddle are, else 0."""
        pixel = ops.arange(self.size, dtype="float32")
        x, y, paddle = (state[..., i, None] for i in (0, 1, 3))
        ball = ops.logical_and(
            (y == pixel)[..., :, None], (ops.round(x) == pixel)[..., None, :]
        )
        under = ops.logical_and(pixel >= paddle, pixel < paddle + self.paddle)
        last = (pixel == self.size - 1)[:, None]
        bottom = ops.logical_and(last, under[..., None, :])
        return ops.cast(ops.logical_or(ball, bottom), "float32")[..., None]

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"size": self.size, "paddle": self.paddle, "max_speed": self.max_speed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Catch":
        """The game of `get_config`."""
        return cls(**config)


class Games(OneLine, keras.utils.PyDataset):
    """Batches of uniform numbers `[B, 3]`, of which `Catch.start` makes games.

    The arguments are those of `ClipBatches`. A batch depends on `(seed, epoch, index)`
    alone.
    """

    def __init__(
        self, batch_size: int = 256, batches: int = 100, seed: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        check_positive_integers(batch_size=batch_size, batches=batches)
        self.batch_size = batch_size
        self.batches = batches
        self.seed = seed
        self.epoch = 0

    def on_epoch_end(self) -> None:
        """Go on to the next epoch's games."""
        self.epoch += 1

    def __len__(self) -> int:
        return self.batches

    def __getitem__(self, index: int) -> tuple[NDArray[Any]]:
        check_index(index, self)
        random = np.random.default_rng([self.seed, self.epoch, index])
        return (random.random((self.batch_size, Catch.start_numbers), "float32"),)
