"""sequential_air_noisy: digits that come, go and cross in noise, without a label.

Paper     Kosiorek 2017, status report, sections IV.B and C: a plan, no numbers
Command   KERAS_BACKEND=jax python zoo/sequential_air_noisy/recipe.py
Expected  (three seeds) 500 test videos of 10 frames: in the worst frame after the third
          0.984 to 0.990 of the counts are right; 0.966 to 0.970 of the boxes have an
          IoU above 0.5; an object has at most 0.002 identity switches; five frames
          ahead an imagined centre is 1.5 to 2.0 pixels off. 200 videos of 50 frames:
          counts 0.985 to 0.990, boxes 0.961 to 0.968, switches 0.017, centre 1.5 pixels
Time      about 25 minutes of one core a seed

It begins with the preset `air_noisy_mnist`, which knows single frames (`--air` names
another preset, or a model's file), and is trained like `sequential_air_mnist`, whose
recipe says what matters. The noise is another one in each frame. Three seeds are
trained one after the other and measured, and seed 0 becomes the preset. After a kill,
the same command with `--resume` goes on.
"""

from pathlib import Path

from keras_attend import training
from keras_attend.evaluation import DrawnVideos
from keras_attend.training import ForesightStage, VideoStage

HERE = Path(__file__).parent
TEST_SETS = {
    "noisy_objects_10": DrawnVideos(frames=10, background="noise"),
    "noisy_objects_50": DrawnVideos(
        frames=50, background="noise", batch_size=50, batches=4
    ),
}
NOTES = (
    (
        "Digits come and go from one frame to the next, as after a cut. It was neither "
        "trained nor judged on digits that move in over the frame's edge."
    ),
    (
        "The error of imagined centres is of few objects: in the videos of 10 frames "
        "48 fly on freely for five frames, and in those of 50 frames 36."
    ),
)
STAGES = (
    VideoStage(frames=4, batch_size=32, epochs=2, warm_up=200),
    VideoStage(frames=10, batch_size=16, epochs=10),
    ForesightStage(frames=20, batch_size=64, epochs=100),
    VideoStage(20, 8, epochs=4, keep_dynamics=True, rate=3e-4),
)


def main() -> None:
    """Train, measure, write the preset."""
    parser = training.parser(__doc__, HERE)
    parser.set_defaults(seed=None)  # all three; one that is given is only trained
    parser.add_argument("--air", default="air_noisy_mnist", help="a preset, or a file")
    args = training.parse(parser)
    training.publish_object_follower(
        lambda: training.follower_of(args.air),
        TEST_SETS,
        STAGES,
        args,
        seeds=3,
        paper="Eslami et al. 2016, for videos as planned in a status report by HART's "
        "first author (2017, unpublished)",
        description="Follows and imagines moving digits in noise, without a label",
        input="frames [B, T, 50, 50, 1], uint8 or float in 0..1, of digits in noise",
        use="following bright objects in noise that nobody has marked",
        instead="it is black (`sequential_air_mnist`), or a first box is known",
        notes=NOTES,
    )


if __name__ == "__main__":
    main()
