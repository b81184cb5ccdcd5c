"""ratm_balls: RATM finds a bouncing ball and follows it; every frame is judged.

Paper     Kahou et al. 2015, "RATM: Recurrent Attentive Tracking Model", section 6.1:
          mean IoU 0.669 over 32 frames (penalty on all frames).
Command   KERAS_BACKEND=jax python zoo/ratm_balls/recipe.py
Expected  0.898 over 32 frames (the spatial transformer 0.792), 0.928 over 300; twice 13
          minutes at most on one CPU core, JAX

The first window is the whole frame; the given box is not used. The same model is
trained a second time with a spatial transformer's read (the paper's section 8), as a
baseline. After a kill, the same command with `--resume` goes on.

What decides (IoU over 32 frames after 64,000 clips):
 1. `attention="affine"`, the paper's eq. 5: 0.79. Windows that are computed as a change
    of the last window drift before they learn: 0.33; at twice the rate they learn
    nothing.
 2. The localisation objective in addition to the paper's pixel objective.
 3. `penalty="last"`, the paper's other experiment (0.692 in the last frame, 0.547 over
    all), is `ratm_balls_last`.
"""

from pathlib import Path

import keras

import keras_attend as ka
from keras_attend import training
from keras_attend.datasets import VALIDATION_SEED, BouncingBalls

HERE = Path(__file__).parent


def make(batches: int, read: str = "gaussian") -> keras.Model:
    """Make the model, compiled for a training of so many batches."""
    cell = ka.models.RATMCell(
        size=10,
        units=64,
        read=read,
        start="learned",
        attention="affine",
        input_initializer=keras.initializers.RandomNormal(stddev=0.01),
    )
    objectives = {"localisation": 1.0, "pixel": 1.0}
    model = ka.models.RATM(cell, objectives=objectives, penalty="all")
    schedule = keras.optimizers.schedules.CosineDecay(1e-3, batches)
    model.compile(keras.optimizers.Adam(schedule, global_clipnorm=1.0))
    return model


def main() -> None:
    """Train, measure, write the preset."""
    args = training.parse(training.parser(__doc__, HERE, epochs=40))
    keras.utils.set_random_seed(args.seed)
    data = BouncingBalls(batch_size=128, batches=100, seed=args.seed)
    path = args.runs / f"seed_{args.seed}.keras"
    model = training.fit(make, data, path, args)
    transformer = training.fit(
        lambda batches: make(batches, read="transformer"),
        data,
        args.runs / f"transformer_{args.seed}.keras",
        args,
    )
    if args.validate:
        print(
            ka.evaluation.score_clips(
                model, BouncingBalls(500, 2, seed=VALIDATION_SEED)
            )
        )
        return
    training.write_tracker(
        model,
        args,
        path,
        test=ka.evaluation.DrawnClips("bouncing_balls", 32, 500, 20),
        long=ka.evaluation.DrawnClips("bouncing_balls", 300, 500, 2),
        data="bouncing_balls",
        paper_scores={"mean_iou_with_first": 0.669},
        baselines={"spatial transformer's read": transformer},
        description="RATM finds and follows a bouncing ball (20x20 pixels)",
        paper="Kahou et al. 2015, section 6.1: bouncing balls, all frames",
        notes=("It does not use the given box: it finds the ball by itself.",),
    )


if __name__ == "__main__":
    main()
