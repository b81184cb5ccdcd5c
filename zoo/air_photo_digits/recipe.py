"""air_photo_digits: AIR finds coloured digits and shapes on photographs.

Paper     Eslami et al. 2016, "Attend, Infer, Repeat", section 4.1; the paper has black
          backgrounds alone
Command   pip install ".[recipes]"
          KERAS_BACKEND=jax python zoo/air_photo_digits/recipe.py
Expected  it does not work yet, and there is no preset: 0.05 of the counts of 2,000
          validation pictures are right. The background leaves the same three holes in
          all pictures, and three objects fill them
Time      about half an hour a seed on one quiet CPU core with JAX

Three seeds are trained one after the other, each with its own checkpoint, and all are
measured; the command would write seed 0 as the preset. After a kill, the same command
with `--resume` goes on.

What differs from `air_mnist`:
 1. The background is drawn by an auto-encoder from sixteen numbers: a blurred
    photograph.
 2. An object has one colour (`paint="flat"`), so that it cannot be a piece of a
    photograph.
 3. Longer training: 12,000 batches.
"""

from pathlib import Path

import keras_attend as ka
from keras_attend import training
from keras_attend.evaluation import DrawnPictures

HERE = Path(__file__).parent
PICTURES = DrawnPictures(64, background="photo", color=True)


def make() -> ka.models.AIR:
    """Make the model."""
    behind = ka.models.VAEBackground(64, channels=3, latents=16, units=128)
    return ka.models.AIR(size=64, channels=3, steps=3, background=behind, paint="flat")


def main() -> None:
    """Train, measure, write the preset."""
    parser = training.parser(__doc__, HERE, epochs=24)
    parser.set_defaults(seed=None)  # all three; one that is given is only trained
    training.publish_object_finder(
        make,
        PICTURES,
        training.parse(parser),
        seeds=3,
        data="photo_digits",
        anneal=2000,
        half=True,
        description="AIR finds 0 to 2 coloured digits and shapes on photographs",
        input="images [B, 64, 64, 3], uint8 or float in 0..1",
        use="counting and finding objects of one colour each on photographs",
        instead="the background is plain: `air_mnist`",
    )


if __name__ == "__main__":
    main()
