"""drlt_mnist: DRLT finds a digit that walks about.

Paper     Zhang et al. 2017, "Deep Reinforcement Learning for Visual Object Tracking
          in Videos", version 1: IoU 0.721, centre 4.13 pixels off, over test videos of
          100 frames, trained on 500 videos of 20
Command   KERAS_BACKEND=jax python zoo/drlt_mnist/recipe.py
Expected  IoU 0.957, centre 0.5 pixels off; 16 minutes on one busy CPU core, JAX

A digit of 28x28 pixels moves on black. The paper does not say how; here it takes the
walk of RATM's digits.

The training videos are 500, as in the paper; in each epoch they are shifted about their
canvas anew. REINFORCE alone trains the model: in most epochs the reward is computed
from the error, in the last ones from the overlap. The paper's network for digits is
`models.digit_cnn`; this model observes key points instead (`point_cnn`), which need
fewer videos. After a kill, the same command with `--resume` goes on.
"""

from pathlib import Path

import digit_trackers
import keras

from keras_attend import training

HERE = Path(__file__).parent
DATA = "walking_digit"


def main() -> None:
    """Train, measure, write the preset."""
    args = training.parse(training.parser(__doc__, HERE, epochs=20))
    keras.utils.set_random_seed(args.seed)
    data = digit_trackers.given_videos(DATA, args)
    model, path = digit_trackers.train("center", data, args)
    digit_trackers.finish(
        model,
        path,
        DATA,
        args,
        paper_scores={"mean_iou_with_first": 0.721, "center_error": 4.13},
        description="DRLT finds a digit that walks about (100x100 pixels)",
        paper="Zhang et al. 2017, version 1: fixed size",
        notes=("It does not use the given box: it finds the digit by itself.",),
    )


if __name__ == "__main__":
    main()
