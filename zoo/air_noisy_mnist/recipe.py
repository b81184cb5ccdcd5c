"""air_noisy_mnist: AIR finds and counts digits in noise.

Paper     Eslami et al. 2016, "Attend, Infer, Repeat", section 4.1; the paper has black
          backgrounds alone. Stelzner et al. 2019, "Faster Attend-Infer-Repeat with
          Tractable Probabilistic Models", report that AIR fails in noise
Command   KERAS_BACKEND=jax python zoo/air_noisy_mnist/recipe.py
Expected  0.982 to 0.983 of the counts of 10,000 test pictures right, mean IoU 0.787 to
          0.790
Time      about 6 minutes a seed on one CPU core with JAX

Three seeds are trained one after the other, each with its own checkpoint. Then all are
measured, and seed 0 becomes the preset. After a kill, the same command with `--resume`
goes on.

What differs from `air_mnist`:
 1. The background is one learned picture (here a dark grey), over which digits of one
    learned brightness are drawn.
 2. Longer training: 8,000 batches. The prior of a further object falls in the first
    1,000 and not in 1,500.
"""

from pathlib import Path

import keras_attend as ka
from keras_attend import training
from keras_attend.evaluation import DrawnPictures

HERE = Path(__file__).parent
PICTURES = DrawnPictures(background="noise")


def make() -> ka.models.AIR:
    """Make the model."""
    return ka.models.AIR(size=50, steps=3, background="mean")


def main() -> None:
    """Train, measure, write the preset."""
    parser = training.parser(__doc__, HERE, epochs=16)
    parser.set_defaults(seed=None)  # all three; one that is given is only trained
    training.publish_object_finder(
        make,
        PICTURES,
        training.parse(parser),
        seeds=3,
        data="noisy_mnist",
        anneal=1000,
        description="AIR finds and counts 0 to 2 digits in noise, without a label",
        input="images [B, 50, 50, 1], uint8 or float in 0..1, of digits in noise",
        use="counting and finding objects of one size in noise",
        instead="the background is black: `air_mnist`",
    )


if __name__ == "__main__":
    main()
