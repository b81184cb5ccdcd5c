"""air_photo_digits: AIR finds coloured digits and shapes on photographs.

Paper     Eslami et al. 2016, "Attend, Infer, Repeat", section 4.1; the paper has black
          backgrounds alone
Command   pip install ".[recipes]"
          KERAS_BACKEND=jax python zoo/air_photo_digits/recipe.py
Expected  not measured yet, and there is no preset
Time      about an hour and a quarter a seed on one CPU core with JAX

Three seeds are trained one after the other, each with its own checkpoints, and all are
measured; the command writes seed 0 as the preset. After a kill, the same command with
`--resume` goes on.

What differs from `air_mnist`:
 1. An object has one vivid colour (`paint="vivid"`), as the data's have: an object of
    any colour can be a piece of many photographs.
 2. The background is a blurred copy of the picture in which vivid pixels count little
    (`background="grid"`). It is not learned: a learned one draws the objects too,
    before anything else can.
 3. The LSTM sees each block of pixels, and its residual, through two small layers
    (`look`), before they become a row of numbers.
 4. What objects look like is learned on black (`black`). At first nothing is blended
    there: else an object is drawn as three faint ones. Before photographs it stays as
    it is.
 5. `explore`: objects go on learning while the model finds that none is worth drawing.
"""

from pathlib import Path

import keras_attend as ka
from keras_attend import training
from keras_attend.evaluation import DrawnPictures

HERE = Path(__file__).parent
PICTURES = DrawnPictures(64, background="photo", color=True)


def make() -> ka.models.AIR:
    """Make the model."""
    return ka.models.AIR(
        size=64,
        channels=3,
        steps=3,
        background="grid",
        paint="vivid",
        look=(16, 16),
        sigma=0.2,
    )


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
        anneal=1000,
        black=6,
        half=True,
        description="AIR finds 0 to 2 vivid digits and shapes on photographs",
        input="images [B, 64, 64, 3], uint8 or float in 0..1",
        use="counting and finding objects of one vivid colour each on photographs",
        instead="the background is plain: `air_mnist`",
    )


if __name__ == "__main__":
    main()
