"""Clips rendered along KITTI's labels, by which trackers are chosen and measured.

`RenderedKITTI` draws cars and people that go where KITTI's labels say, over pictures of
real streets; `FOLDER/kitti` holds labels and streets, and the people and cars are cut
from the videos of `FOLDER/tracking` and, for the test set, `FOLDER/tracking_test`.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from keras_attend import evaluation
from keras_attend.datasets import (
    RenderedKITTI,
    Style,
    View,
    cut_sprites,
    otb,
    street_scenes,
)
from keras_attend.datasets.clips import Clip
from keras_attend.datasets.rendered.clips import EVERY
from keras_attend.datasets.sequences import Sequence as Video
from keras_attend.training.video_trackers import (
    TUNING,
    VALIDATION,
    opencv_peers,
)
from keras_attend.types import Array
from keras_attend.zoo.results import Result

# Which sprites (see `cut_sprites`) the objects of some training videos become.
LOOKS = {
    "otb_Diving": "person",
    "otb_Human3": "person",
    "otb_Skiing": "person",
    "davis_breakdance": "person",
    "davis_dance-twirl": "person",
    "davis_bmx-trees": "cyclist",
    "davis_scooter-black": "cyclist",
    "davis_car-roundabout": "car",
    "davis_drift-chicane": "car",
    "vot15_car1": "car",
}
PEERS = ("KCF", "MOSSE", "MedianFlow", "CSRT")
# No training and no other data set draws by these seeds.
RENDERED_VALIDATION_SEED = 1_000_002
RENDERED_TEST_SEED = 1_000_003
# The tracks of KITTI's held-out videos that no validation clip follows.
TEST_OBJECTS = {
    "0005": {6, 23, 31},
    "0010": {18},
    "0012": {1, 2},
    "0014": {1, 16},
    "0016": {0, 1, 2, 8, 12, 19, 20, 23, 27},
    "0018": {2, 3},
}
# Which sprites the objects of the test set's videos become.
TEST_LOOKS = {
    "otb_Car1": "car",
    "davis_drift-straight": "car",
    "uav123_person11": "person",
}
OTHER_SCENES = 500_000  # what is added to a seed to draw other clips
WHOLE: dict[str, Any] = {  # clips of 60 whole frames, as KITTI's camera takes them
    "batch_size": 4,
    "frames": 60,
    "view": View(flip=False, reverse=False),
    "style": Style(photometric=0),
    "batches": 16,
}


def rendered_training(
    data: Path, videos: Iterable[Video], seed: int, clips: int = 240
) -> list[Clip]:
    """Render clips of 24 frames: half of whole frames, half of views of the object.

    Args:
        data: the folder that holds `kitti`.
        videos: those from which the sprites are cut.
        seed: of the draws.
        clips: how many.
    """
    sprites, kitti = cut_sprites(videos, LOOKS), data / "kitti"
    found = []
    # Other scenes in either half; boxes end at the frame's border in both.
    views = View(), View(size=(320, 320), crop=(4.5, 9.0), cut=True)
    for view, own in zip(views, (seed, OTHER_SCENES + seed), strict=True):
        batches = RenderedKITTI(
            kitti,
            kitti / "frames",
            sprites,
            view=view,
            style=Style(photometric=0),
            seed=own,
            batch_size=1,
            batches=clips // 2,
            frames=24,
        )
        for index in range(clips // 2):
            inputs, targets = batches[index]
            boxes, present = targets["boxes"][0], targets["present"][0] > 0
            found.append((inputs["frames"][0], boxes, present))
    return found


def training_streets(data: Path) -> list[Array]:
    """Read the pictures of those streets that no rendered validation clip shows."""
    scenes = street_scenes(data / "kitti" / "frames")
    names = [name for number, name in enumerate(sorted(scenes)) if number % EVERY]
    return [picture for name in names for picture in scenes[name]]


def rendered_validation(data: Path) -> RenderedKITTI:
    """Render the 64 clips by which the stages of `hart_street` were chosen."""
    out = {*VALIDATION, *TUNING}
    found = otb(data / "tracking")
    sprites = cut_sprites([v for v in found if v.name not in out], LOOKS)
    frames = data / "kitti" / "frames"
    return RenderedKITTI(
        data / "kitti",
        frames,
        sprites,
        seed=RENDERED_VALIDATION_SEED,
        split="validation",
        **WHOLE,
    )


def rendered_test(data: Path) -> RenderedKITTI:
    """Render 64 test clips, by which nothing was chosen.

    Training and validation use all of KITTI's label files. So the labels are those of
    validation's videos, but each clip follows an object that no validation clip
    follows. (Validation's objects may pass by in the background.) The street is that of
    video 0005, and the sprites are cut from the test set's videos; neither is in other
    clips. Painted sprites are drawn by another seed.
    """
    videos = otb(data / "tracking_test")
    found = RenderedKITTI(
        data / "kitti",
        data / "kitti" / "training" / "image_02" / "0005",
        cut_sprites(videos, TEST_LOOKS),
        seed=RENDERED_TEST_SEED,
        split="test",
        **WHOLE,
    )
    found.tracks = [
        (number, track)
        for number, track in found.tracks
        if track in TEST_OBJECTS[found.scenes[number].labels.video]
    ]
    return found


def rendered_results(
    models: Sequence[Any],
    clips: RenderedKITTI,
    name: str,
    names: Sequence[str] = PEERS,
) -> list[Result]:
    """Measure models, of one training seed each, on rendered clips.

    Args:
        models: the trained model, then those of further training seeds.
        clips: what they are measured on.
        name: that of the clips in the protocols.
        names: OpenCV's trackers that are measured as well.
    """
    batches = [clips[index] for index in range(len(clips))]
    peers = opencv_peers(*names)
    return [
        *evaluation.clip_results(models, batches, data=name, baselines=peers),
        *evaluation.presence_results(models, batches, data=name),
    ]
