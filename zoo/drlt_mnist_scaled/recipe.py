"""drlt_mnist_scaled: DRLT finds a digit that changes its size.

Paper     Zhang et al. 2017, "Deep Reinforcement Learning for Visual Object Tracking
          in Videos", version 1: IoU 0.759, centre 3.57 pixels off, over test videos of
          100 frames, trained on 500 videos of 20
Command   KERAS_BACKEND=jax python zoo/drlt_mnist_scaled/recipe.py
Expected  IoU 0.911, centre 0.9 pixels off; 35 minutes on one busy CPU core, JAX

From frame to frame the digit's side is multiplied by k, drawn from U(0.5, 2), and kept
within 14 to 56 pixels. (Paper: k from U(-0.5, 2), which would make sides negative.)

The training videos are 500, as in the paper; in each epoch they are shifted about their
canvas anew. REINFORCE alone trains the model: in most epochs the reward is computed
from the error, in the last ones from the overlap. The paper's network for digits is
`models.digit_cnn`; this model observes key points instead (`point_cnn`), which need
fewer videos. After a kill, the same command with `--resume` goes on.
"""

import sys
from pathlib import Path

import keras

from keras_attend import training
from keras_attend.zoo.presets import presets_folder

sys.path.append(str(presets_folder() / "drlt_mnist"))
import digit_trackers

HERE = Path(__file__).parent
DATA = "scaled_digit"


def main() -> None:
    """Train, measure, write the preset."""
    args = training.parse(training.parser(__doc__, HERE, epochs=20))
    keras.utils.set_random_seed(args.seed)
    data = digit_trackers.given_videos(DATA, args)
    model, path = digit_trackers.train("square", data, args)
    digit_trackers.finish(
        model,
        path,
        DATA,
        args,
        paper_scores={"mean_iou_with_first": 0.759, "center_error": 3.57},
        description="DRLT finds a digit that changes its size (100x100 pixels)",
        paper="Zhang et al. 2017, version 1: scalable digit",
        notes=("It does not use the given box: it finds the digit by itself.",),
    )


if __name__ == "__main__":
    main()
