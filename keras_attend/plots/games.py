"""Animate how an agent plays."""

from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_attend import disk
from keras_attend.plots.common import FIRST, PATH, pyplot, show


def animate_games(
    agent: keras.Model,
    path: str | Path,
    *,
    games: int = 3,
    seed: int = 0,
    frames_per_second: int = 6,
) -> None:
    """Write an animation of a RAM agent's games, which it plays side by side.

    For each game it draws the screen with the squares that the retina covers, an arrow
    or a dot for the agent's move, and below what the agent sees, the finest patch on
    the left. The last frame stays for a second, framed in green if the ball was caught
    and in red if it was missed.

    Args:
        agent: a `models.RAMAgent`.
        path: the file to write, `*.gif`.
        games: how many games to play.
        seed: the seed of the games.
        frames_per_second: how many frames are played in a second.
    """
    plt = pyplot()
    from matplotlib.animation import FuncAnimation, PillowWriter

    path = Path(path)
    if path.suffix != ".gif":
        raise ValueError(f"`path` must end in .gif. Received: path={path}")
    starts = np.random.default_rng(seed).random((games, agent.game.start_numbers))
    played = agent(ops.convert_to_tensor(starts.astype("float32")), training=False)
    screens = ops.convert_to_numpy(agent.game.screen(played["states"]))
    played = {name: ops.convert_to_numpy(x) for name, x in played.items()}
    frames = screens.shape[1]
    scales = agent.retina.scales
    seen = [
        ops.convert_to_numpy(
            agent.see(played["states"][:, t], played["locations"][:, t])
        )
        for t in range(frames)
    ]
    figure, axes = plt.subplots(
        2,
        games,
        figsize=(2.4 * games, 3.6),
        gridspec_kw={"height_ratios": [2.4, 1]},
        squeeze=False,
        layout="constrained",
    )

    def draw(frame: int) -> None:
        t = min(frame, frames - 1)
        for game, (above, below) in enumerate(axes.T):
            above.clear()
            below.clear()
            screen = screens[game, t]
            show(above, screen)
            location = played["locations"][game, t]
            centre = np.trunc(0.5 * (location + 1) * len(screen)) - 0.5
            for k in range(scales):
                side = agent.retina.size * agent.retina.factor**k
                square = plt.Rectangle(
                    centre - side // 2, side, side, fill=False, ec=PATH, lw=1.5 - k / 3
                )
                above.add_patch(square)
            above.set(xlim=(-0.5, len(screen) - 0.5), ylim=(len(screen) - 0.5, -0.5))
            # [g, g + 1, scales]: a white column parts each patch from the next.
            patches = np.pad(seen[t][game], ((0, 0), (0, 1), (0, 0)), constant_values=1)
            strip = np.concatenate(np.moveaxis(patches, -1, 0), axis=1)[:, :-1]
            show(below, strip[..., None])
            if t < frames - 1:
                above.set_title(
                    ("\u2190", "\u2022", "\u2192")[played["actions"][game, t]]
                )
            else:
                caught = played["reward"][game] > 0
                colour = PATH if caught else FIRST
                above.set_title("caught" if caught else "missed", color=colour)
                for spine in above.spines.values():
                    spine.set(color=colour, lw=2.5)

    still = frames_per_second  # a second on the last frame
    with disk.replacing(path) as new:
        FuncAnimation(figure, draw, frames + still).save(
            new, PillowWriter(fps=frames_per_second), dpi=60
        )
    plt.close(figure)
