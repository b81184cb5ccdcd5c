"""air_grid_mnist: AIR finds and counts digits on a grid that begins anywhere.

Paper     Eslami et al. 2016, "Attend, Infer, Repeat", section 4.1; the paper has black
          backgrounds alone. Stelzner et al. 2019, "Faster Attend-Infer-Repeat with
          Tractable Probabilistic Models", report that AIR fails on a grid
Command   KERAS_BACKEND=jax python zoo/air_grid_mnist/recipe.py
Expected  0.982 to 0.988 of the counts of 10,000 test pictures right, mean IoU 0.827 to
          0.833
Time      about 8 minutes a seed on one quiet CPU core with JAX

Three seeds are trained one after the other, each with its own checkpoint. Then all are
measured, and seed 0 becomes the preset. After a kill, the same command with `--resume`
goes on.

What differs from `air_mnist`:
 1. The background is drawn by a small auto-encoder from four numbers, which are enough
    to say where the grid begins and too few for a digit. Digits of one learned
    brightness are drawn over it.
 2. Longer training: 8,000 batches. The prior of a further object falls in the first
    1,000 and not in 1,500.
"""

from pathlib import Path

import keras_attend as ka
from keras_attend import training
from keras_attend.evaluation import DrawnPictures

HERE = Path(__file__).parent
PICTURES = DrawnPictures(background="grid")


def make() -> ka.models.AIR:
    """Make the model."""
    return ka.models.AIR(size=50, steps=3, background="vae")


def main() -> None:
    """Train, measure, write the preset."""
    parser = training.parser(__doc__, HERE, epochs=16)
    parser.set_defaults(seed=None)  # all three; one that is given is only trained
    training.publish_object_finder(
        make,
        PICTURES,
        training.parse(parser),
        seeds=3,
        data="grid_mnist",
        anneal=1000,
        description="AIR finds and counts 0 to 2 digits on a grid, without a label",
        input="images [B, 50, 50, 1], uint8 or float in 0..1, of digits on a grid",
        use="counting and finding objects on a regular background",
        instead="the background is black: `air_mnist`",
    )


if __name__ == "__main__":
    main()
