"""hart_person: HART with a small glimpse follows people in videos it has never seen.

Paper     Kosiorek et al. 2017, "Hierarchical Attentive Recurrent Tracking", section
          5.1, follows people in KTH's videos (mean IoU 0.7711). These are not KTH's:
          its row is not to be compared with this preset's
Command   KERAS_BACKEND=jax python zoo/hart_person/recipe.py --data FOLDER
          (FOLDER/tracking: 31 short videos of OTB, VOT, UAV123 and DAVIS, in OTB's
          layout; no video is both trained and tested on)
Expected  not measured yet

A glimpse of 28x28 pixels and a V1 of three small convolutions, as in the paper's first
experiment. Two stages: clips of 4 frames, then of 12, of which at first 5 count. Half
of them are stills that a view wanders over. Killed at any moment, the same command
with `--resume` goes on.
"""

from pathlib import Path
from typing import Any

import keras

import keras_attend as ka
from keras_attend import recipes
from keras_attend.callbacks import LengthCurriculum
from keras_attend.datasets import Clips, MixedClips, Sequence, still_clips
from keras_attend.datasets.sequences import read_frames

HERE = Path(__file__).parent
SHORT, LONG = 4, 12  # frames of a clip in the two stages


def clips(train: list[Sequence], frames: int, batch_size: int, seed: int) -> MixedClips:
    """Clips of videos, and as many of their stills."""
    views: dict[str, Any] = {
        "batch_size": batch_size,
        "frames": frames,
        "size": (96, 96),
        "crop": (2.5, 7.0),
    }
    parts = [(still_clips(train, **views), 0.5), (Clips(train, steps=3, **views), 0.5)]
    return MixedClips(parts, batch_size, seed)


def make(steps: int) -> keras.Model:
    """The model, for a first stage of so many batches."""
    model = ka.models.HART(size=28, units=192, maps=8, filters=(24, 32, 32))
    return on(model, steps, 0.5)


def on(model: keras.Model, steps: int, end: float = 0.0) -> keras.Model:
    """The same model, for a stage of so many batches."""
    model.compile(recipes.falling_rate(steps, end))
    return model


def main() -> None:
    """Train, measure, write the preset."""
    parser = recipes.parser(__doc__, HERE, epochs=20)
    parser.add_argument("--short-epochs", type=int, default=8)
    args = recipes.parse(parser)
    if args.data is None:
        parser.error("--data must name the folder that holds tracking/")
    keras.utils.set_random_seed(args.seed)
    train, judge = recipes.split_videos(args)
    short, path = (args.runs / f"seed_{args.seed}{n}.keras" for n in ("_short", ""))
    data = clips(train, SHORT, 48, args.seed)
    model = recipes.fit(make, data, short, args, epochs=args.short_epochs)
    data = clips(train, LONG, 24, args.seed)
    longer = LengthCurriculum(data, first=5, every=2)
    model = recipes.fit(lambda steps: on(model, steps), data, path, args, (longer,))
    track = ka.Tracker(model).track
    if args.validate:
        scores = ka.evaluation.video_clips(track, judge)
        print(dict(zip(scores.names, scores.mean_iou.round(3), strict=True)))
        print("mean IoU over 60-frame clips", scores.mean_iou.mean())
        return
    people = [v for v in judge if v.name in recipes.PEOPLE]
    peers = recipes.opencv_peers("MOSSE", "KCF", "CSRT")
    results = [
        *ka.evaluation.video_clip_results(
            [track], people, data="people_unseen", baselines=peers
        ),
        *ka.evaluation.video_clip_results(
            [track], judge, data="videos_unseen", baselines=peers
        ),
    ]
    (shown,) = (v for v in judge if v.name == "davis_parkour")
    recipes.write_preset(
        model,
        results,
        args,
        short,
        path,
        picture=recipes.picture_track(model, read_frames(shown), shown.boxes),
        description=(
            "HART with a glimpse of 28x28 pixels follows people (trained on 25 short "
            "videos of people and other things, not on KTH's; the picture shows "
            "DAVIS's parkour, CC BY 4.0)"
        ),
        paper="Kosiorek et al. 2017, section 5.1, on other videos",
        task="tracking",
        input="frames [B, T, H, W, 3], uint8 or float in 0..1, and a box [B, 4]",
    )


if __name__ == "__main__":
    main()
