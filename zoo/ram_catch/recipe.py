"""ram_catch: RAM plays Catch through a 6x6 retina of three scales.

Paper     Mnih et al. 2014, "Recurrent Models of Visual Attention", section 4.2: the
          ball is caught in 85 % of the games.
Command   KERAS_BACKEND=jax python zoo/ram_catch/recipe.py
Expected  97.2 % (an agent that sees the whole screen: 98.4 %; random play: 8.4 %); 130
          minutes on one CPU core, JAX

An agent learns to play while its gaze is drawn around the centre; then it may choose
where to look. Another agent of the same size sees the whole screen: its rate is the
best that can be expected. After a kill, the same command with `--resume` goes on.

What decides (64 units; the share of games won while training):
 1. By the paper's REINFORCE from the final reward an agent learns nothing in 200,000
    games, even when it sees the whole screen. With `trace=0.5` an agent that sees the
    whole screen catches 93 % after as many.
 2. An agent that learns to look and to play at once drifts into a corner, where it
    sees nothing: Adam moves the locator at full speed by noise alone.
 3. With 256 units the gaze around the centre catches 58 % while it is drawn at random;
    the first epoch in which it may choose where to look makes that 70 %.
"""

from pathlib import Path
from typing import Any

import keras_attend as ka
from keras_attend import training

HERE = Path(__file__).parent
COMMON = {"credit": ka.models.AgentCredit(baseline="game", trace=0.5)}
RETINA = {"size": 6, "scales": 3, **COMMON}
WHOLE_SCREEN = {"size": 24, "scales": 1, "gaze": "centre", **COMMON}


def main() -> None:
    """Train, measure, write the preset."""
    args = training.parse(training.parser(__doc__, HERE, epochs=20))
    path = args.runs / f"agent_{args.seed}.keras"

    def train(name: str, rate: float, epochs: int, **arguments: Any) -> Any:
        print(f"== {name}", flush=True)
        checkpoint = path.with_stem(f"{name}_{args.seed}")
        return training.train_agent(checkpoint, args, rate, epochs, **arguments)

    n = args.epochs
    around = train("around", 2e-3, n, gaze="around", std=0.25, **RETINA)
    agent = train("agent", 3e-4, 3 * n, start=around, **RETINA)
    whole_screen = train("whole_screen", 2e-3, n, **WHOLE_SCREEN)
    if args.validate:  # by games that neither the training nor the test has
        games = 500 if args.steps else 10_000
        seed = ka.datasets.VALIDATION_SEED
        print(ka.evaluation.catch_rate(agent, games=games, seed=seed))
        return
    results = ka.evaluation.catch_results(agent, whole_screen, paper=0.85)
    training.write_preset(
        agent,
        results,
        args,
        path.with_stem(f"around_{args.seed}"),
        path,
        picture=lambda folder: ka.plots.animate_games(agent, folder / "picture.gif"),
        description="RAM plays Catch: a 6x6 retina of three scales",
        paper="Mnih et al. 2014, section 4.2",
        task="playing a game",
        input="numbers [B, 3] in 0..1: where the ball and the paddle start",
        test_sets={"catch": ka.evaluation.CatchGames()},
    )


if __name__ == "__main__":
    main()
