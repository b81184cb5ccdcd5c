"""air_mnist: AIR finds and counts the digits of a picture without a label.

Paper     Eslami et al. 2016, "Attend, Infer, Repeat", section 4.1: pictures of 50x50
          pixels with 0, 1 or 2 digits (the paper shows curves and prints no numbers)
Command   KERAS_BACKEND=jax python zoo/air_mnist/recipe.py
Expected  0.990 to 0.993 of the counts of 10,000 test pictures right, mean IoU 0.879 to
          0.885, ELBO 645.8 to 647.2 nats, by seed; of pictures of three digits, which
          the training does not have, 0.69 to 0.79 of the counts
Time      6 to 8 minutes of one CPU core a seed, with JAX

Five seeds are trained one after the other, each with its own checkpoint (to train them
at the same time, run the command with `--seed 1` and so on as well). Then all are
measured, and seed 0 becomes the preset. After a kill, the same command with `--resume`
goes on.

What decides whether the number is reached:
 1. The count is enumerated rather than drawn: the bound is a sum over its four
    outcomes (`inference="enumerate"`).
 2. Each step sees the residual, the picture less what is drawn already.
 3. At first a further object is as probable as not; its prior falls to 0.01 in the
    first 1,500 batches. With 0.01 from the beginning, the model would explain all
    pictures by no object.
 4. Windows are expected to be 17 pixels wide, about as wide as a digit. What is
    expected of their size is narrow: one window cannot hold two digits.
 5. Objects begin dark (the decoder's bias is -2), so that a step that is not needed
    does little harm.
 6. Objects are counted by how well each number of them explains the picture
    (`counting="bound"`). Of three digits, where there were at most two in training, the
    network's own counts were right in 0.540 to 0.743 of 1,000 validation pictures, by
    seed, and these are in 0.695 to 0.805.
"""

from pathlib import Path

import keras_attend as ka
from keras_attend import training
from keras_attend.evaluation import DrawnPictures

HERE = Path(__file__).parent
PICTURES = DrawnPictures()
OTHERS = {
    "three_digits": DrawnPictures(max_digits=3, batches=4, min_digits=3),
    "overlapping_digits": DrawnPictures(overlap=0.5, batches=4),
}

ABOUT = {
    "description": "AIR finds and counts 0 to 2 digits on black, without a label",
    "input": "images [B, 50, 50, 1], uint8 or float in 0..1, of digits on black",
    "use": "counting and finding bright objects of one size on black",
    "instead": "there is a background: `air_noisy_mnist`, `air_grid_mnist` or, in "
    "colour, `air_photo_digits`; or objects differ much in size: train your own",
}


def make() -> ka.models.AIR:
    """Make the model."""
    return ka.models.AIR(size=50, steps=3, counting="bound")


def main() -> None:
    """Train, measure, write the preset."""
    parser = training.parser(__doc__, HERE, epochs=12)
    parser.set_defaults(seed=None)  # all five; one that is given is only trained
    training.publish_object_finder(
        make,
        PICTURES,
        training.parse(parser),
        seeds=5,
        data="multi_mnist",
        anneal=1500,
        others=OTHERS,
        half=True,
        **ABOUT,
    )


if __name__ == "__main__":
    main()
