"""ram_catch: RAM plays Catch through a 6x6 retina of three scales.

Paper     Mnih et al. 2014, "Recurrent Models of Visual Attention", section 4.2: the
          ball is caught in 85 % of the games.
Command   KERAS_BACKEND=jax python zoo/ram_catch/recipe.py
Expected  not measured yet: this preset is to come

Trains the agent, then one of the same size that sees the whole screen and need not
look, which is what could be had at best. Killed at any moment, the same command with
`--resume` goes on.
"""

from pathlib import Path

import keras

import keras_attend as ka
from keras_attend import recipes
from keras_attend.datasets import Games

HERE = Path(__file__).parent
AGENT = {"size": 6, "scales": 3, "baseline": "game"}
WHOLE_SCREEN = {"size": 24, "scales": 1, "look": "centre", "baseline": "game"}


def main() -> None:
    """Train, measure, write the preset."""
    args = recipes.parse(recipes.parser(__doc__, HERE, epochs=100))
    agents = {}
    for name, arguments in (("agent", AGENT), ("whole_screen", WHOLE_SCREEN)):
        keras.utils.set_random_seed(args.seed)

        def make(batches: int, arguments: dict = arguments) -> keras.Model:
            agent = ka.models.RAMAgent(**arguments)
            schedule = keras.optimizers.schedules.CosineDecay(1e-3, batches)
            agent.compile(keras.optimizers.Adam(schedule, global_clipnorm=1.0))
            return agent

        data = Games(batch_size=256, batches=100, seed=args.seed)
        path = args.runs / f"{name}_{args.seed}.keras"
        agents[name] = recipes.fit(make, data, path, args)
    agent = agents["agent"]
    if args.validate:  # by games that neither the training nor the test has
        print(ka.evaluation.catch_rate(agent, seed=1_000_001))
        return
    results = ka.evaluation.catch_results(agent, agents["whole_screen"], paper=0.85)
    recipes.write_preset(
        agent,
        results,
        args,
        args.runs / f"agent_{args.seed}.keras",
        description="RAM plays Catch: a 6x6 retina of three scales",
        paper="Mnih et al. 2014, section 4.2",
        task="playing a game",
        input="numbers [B, 3] in 0..1: where the ball and the paddle start",
    )


if __name__ == "__main__":
    main()
