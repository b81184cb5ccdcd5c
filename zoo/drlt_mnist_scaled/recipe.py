"""drlt_mnist_scaled: DRLT finds a digit that changes its size.

Paper     Zhang et al. 2017, "Deep Reinforcement Learning for Visual Object Tracking
          in Videos", version 1: IoU 0.759, centre 3.57 pixels off, over test videos of
          100 frames, trained on 500 videos of 20
Command   KERAS_BACKEND=jax python zoo/drlt_mnist_scaled/recipe.py
Expected  IoU 0.911, centre 0.9 pixels off; 35 minutes on one busy CPU core, JAX

From frame to frame its side is multiplied by k from U(0.5, 2), within 14 to 56 pixels.
(Paper: k from U(-0.5, 2), which would turn sides negative.)

500 videos, as in the paper, which are moved about their canvas while it learns, and
REINFORCE alone: the rewards are the error's for most epochs, then the overlap. The
paper's network for digits is `models.digit_cnn`; this one has key points (`point_cnn`),
which need fewer videos. Killed at any moment, the same command with `--resume` goes on.
"""

from pathlib import Path

import keras

import keras_attend as ka
from keras_attend import recipes
from keras_attend.callbacks import RewardSwitch
from keras_attend.datasets import GivenClips, MovingDigits, mnist

HERE = Path(__file__).parent
VIDEOS = 500
DIGITS = {"scale": (0.5, 2.0)}  # of MovingDigits


def make(steps: int) -> keras.Model:
    """The model, compiled for a training of so many batches."""
    model = ka.models.DRLT(
        ka.models.point_cnn(),
        units=128,
        channels=1,
        location="square",
        given=False,  # it has to find its digit
        core="relu",
    )
    model.compile(recipes.falling_rate(steps, rate=2e-3))
    return model


def main() -> None:
    """Train, measure, write the preset."""
    args = recipes.parse(recipes.parser(__doc__, HERE, epochs=20))
    keras.utils.set_random_seed(args.seed)
    digits = mnist("train", validation=6000 if args.validate else 0)
    drawn = MovingDigits(*digits, VIDEOS, 1, frames=20, seed=args.seed, **DIGITS)
    x, y = drawn[0]
    videos = [
        {"frames": frames, "boxes": boxes}
        for frames, boxes in zip(x["frames"], y["boxes"], strict=True)
    ]
    data = GivenClips(videos, 16, frames=20, shift=True, seed=args.seed)
    path = args.runs / f"seed_{args.seed}.keras"
    switch = RewardSwitch(args.epochs * 2 // 3)
    model = recipes.fit(make, data, path, args, callbacks=(switch,))
    if args.validate:
        judge = MovingDigits(
            *mnist("validation"), 25, 4, frames=100, seed=1_000_001, **DIGITS
        )
        print(ka.evaluation.score_clips(model, judge))
        return
    digits = mnist("test")
    recipes.write_tracker(
        model,
        args,
        path,
        test=MovingDigits(*digits, 25, 4, frames=100, seed=1_000_002, **DIGITS),
        long=MovingDigits(*digits, 20, 1, frames=300, seed=1_000_002, **DIGITS),
        data="scaled_digit",
        paper_scores={"mean_iou_with_first": 0.759, "center_error": 3.57},
        description="DRLT finds a digit that changes its size (100x100 pixels)",
        paper="Zhang et al. 2017, version 1: scalable digit",
    )


if __name__ == "__main__":
    main()
