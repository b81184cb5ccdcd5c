"""drlt_mnist_noisy: DRLT finds the digit that changes its size, among noise.

Paper     Zhang et al. 2017, "Deep Reinforcement Learning for Visual Object Tracking
          in Videos", version 1: IoU 0.643, centre 6.54 pixels off, over test videos of
          100 frames, trained on 500 videos of 20
Command   KERAS_BACKEND=jax python zoo/drlt_mnist_noisy/recipe.py
Expected  IoU 0.838, centre 2.4 pixels off; 55 minutes on one busy CPU core, JAX

The data are those of drlt_mnist_scaled, with 500 white dots and a second digit. The
second digit keeps its side of 28 pixels. That alone tells the two apart, because the
model is not given a first box.

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
DATA = "noisy_digit"


def main() -> None:
    """Train, measure, write the preset."""
    args = training.parse(training.parser(__doc__, HERE, epochs=40))
    keras.utils.set_random_seed(args.seed)
    data = digit_trackers.given_videos(DATA, args)
    model, path = digit_trackers.train("square", data, args)
    digit_trackers.finish(
        model,
        path,
        DATA,
        args,
        paper_scores={"mean_iou_with_first": 0.643, "center_error": 6.54},
        description=(
            "DRLT finds the digit that changes its size, among 500 dots and beside "
            "another digit (100x100 pixels)"
        ),
        paper="Zhang et al. 2017, version 1: noise and a distractor",
        notes=(
            "It does not use the given box: of two digits it follows the one whose "
            "size changes.",
        ),
    )


if __name__ == "__main__":
    main()
