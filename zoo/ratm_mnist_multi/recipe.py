"""ratm_mnist_multi: RATM follows one of two walking digits.

Paper     Kahou et al. 2015, "RATM: Recurrent Attentive Tracking Model", section 6.2:
          mean IoU 0.516 over 30 frames, two digits.
Command   KERAS_BACKEND=jax python zoo/ratm_mnist_multi/recipe.py
Expected  0.733 over 30 frames, 0.527 over 300; 28 minutes on one CPU core, JAX

The first window lies around the given box. The two digits are of any class; each takes
a walk of its own, and they cross. After a kill, the same command with `--resume` goes
on.

What decides (IoU over 30 frames of validation digits) is a window of twice the box's
size, because a digit begins with a leap of up to 15 pixels: 0.36 after 200 batches and
0.56 after 400. With a window of the box's size it is 0.08 after 200.
"""

from pathlib import Path

import keras

import keras_attend as ka
from keras_attend import training
from keras_attend.callbacks import LengthCurriculum
from keras_attend.datasets import VALIDATION_SEED, MovingDigits, mnist

HERE = Path(__file__).parent


def make(batches: int) -> keras.Model:
    """Make the model, compiled for a training of so many batches."""
    cell = ka.models.RATMCell(
        size=24,
        units=256,
        scale=2.0,
        start="box",
        attention="affine",
        input_initializer=keras.initializers.RandomNormal(stddev=0.01),
    )
    model = ka.models.RATM(cell, objectives={"localisation": 1.0, "overlap": 0.2})
    schedule = keras.optimizers.schedules.CosineDecay(1e-3, batches)
    model.compile(keras.optimizers.Adam(schedule, global_clipnorm=1.0))
    return model


def main() -> None:
    """Train, measure, write the preset."""
    args = training.parse(training.parser(__doc__, HERE, epochs=50))
    keras.utils.set_random_seed(args.seed)
    held_out = 6000 if args.validate else 0
    data = MovingDigits(
        *mnist("train", validation=held_out),
        batch_size=64,
        distractors=1,
        seed=args.seed,
    )
    path = args.runs / f"seed_{args.seed}.keras"
    longer = LengthCurriculum(data, first=6, step=2)
    model = training.fit(make, data, path, args, callbacks=(longer,))
    if args.validate:
        judge = MovingDigits(
            *mnist("validation"), 100, 5, distractors=1, seed=VALIDATION_SEED
        )
        print(ka.evaluation.score_clips(model, judge))
        return
    training.write_tracker(
        model,
        args,
        path,
        test=ka.evaluation.DrawnClips("moving_digits", 30, 100, 20, {"distractors": 1}),
        long=ka.evaluation.DrawnClips("moving_digits", 300, 50, 4, {"distractors": 1}),
        data="two_digits",
        paper_scores={"mean_iou_with_first": 0.516},
        description="RATM follows one of two digits that walk about (100x100 pixels)",
        paper="Kahou et al. 2015, section 6.2: moving MNIST, two digits",
    )


if __name__ == "__main__":
    main()
