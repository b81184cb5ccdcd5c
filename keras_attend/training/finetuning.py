"""Teach a tracker what one's own videos show: a few of them, in about a minute."""

from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

from keras_attend.arguments import check_positive, check_positive_integers, check_shares
from keras_attend.datasets import (
    Clips,
    MixedClips,
    Sequence,
    TrackingPairs,
    still_clips,
)
from keras_attend.models import WideHART
from keras_attend.training.stages import FirstBatches, falling_rate

# What a tracker that compares with the first frame learns from, and what others do.
PAIRS: dict[str, Any] = {
    "batch_size": 8,
    "frames": 4,
    "guided": 0.5,
    "gone": 0.1,
    "real": 0.7,
}
VIEWS: dict[str, Any] = {
    "batch_size": 8,
    "frames": 8,
    "size": (128, 128),
    "crop": (2.0, 6.0),
}
STEPS = 3  # the greatest number of frames from one of a clip to the next
WARM = 10  # batches in which the rate rises
KEPT = 0.95  # of the averaged weights, in each batch
BLEND = 0.5  # of the weights after, for what has learned from many kinds of objects


def finetune(
    model: Any,
    clips: Iterable[Sequence] | keras.utils.PyDataset,
    *,
    batches: int = 60,
    rate: float | None = None,
    blend: float | None = None,
    seed: int = 0,
    verbose: Any = "auto",
) -> keras.callbacks.History:
    r"""Train a trained tracker further on some videos, in place.

        model = ka.zoo.load("hart_kitti")
        ka.finetune(model, ka.datasets.otb("my_videos"))

    The rate rises over ten batches and falls to zero, and the weights at the end are an
    average of those of the last batches. A V1 that has learned from ImageNet stays as
    it is. What the tracker knew of everything else is kept by a blend of its weights
    before, $W$, with those after, $W'$:

    $$W \leftarrow (1 - \alpha) W + \alpha W'$$

    Args:
        model: a tracker, such as `zoo.load` returns.
        clips: videos with boxes, of `datasets.otb`, `got10k`, `mot`, `cvat` or
            `label_studio`; half a minute of video is enough. Or batches of clips, such
            as `datasets.Clips` makes, to choose everything oneself.
        batches: how many are learned from; in several epochs of one length where there
            are fewer.
        rate: the greatest learning rate; what suits the model when absent.
        blend: $\alpha$, 0 to 1; what suits the model when absent.
        seed: of what is drawn from the videos.
        verbose: as of `fit`.

    Returns:
        What `fit` returns.
    """
    check_positive_integers(batches=batches)
    wide = isinstance(model, WideHART)
    rate = (1e-3 if wide else 1e-4) if rate is None else rate
    check_positive(rate=rate)
    blend = (BLEND if wide else 1.0) if blend is None else blend
    check_shares(blend=blend)
    if not isinstance(clips, keras.utils.PyDataset):
        videos = list(clips)
        if not videos:
            raise ValueError("`clips` must hold a video or more. Received: none")
        make = pairs if wide else views
        clips = make(model, videos, batches, seed)
    epochs = -(-batches // len(clips))
    steps = batches // epochs
    optimizer = falling_rate(
        steps * epochs,
        0.01,
        rate,
        warm=WARM,
        begin=20.0,
        global_clipnorm=5.0,
        use_ema=True,
        ema_momentum=KEPT,
    )
    own = {name: getattr(model, name) for name in model.compile_arguments}
    model.compile(optimizer, **own)
    # A model that `fit` builds has learned nothing before.
    before = [ops.copy(v) for v in model.trainable_variables] if model.built else []
    history = model.fit(
        FirstBatches(clips, steps), epochs=epochs, shuffle=False, verbose=verbose
    )
    for W, after in zip(before, model.trainable_variables, strict=bool(before)):
        after.assign((1 - blend) * W + blend * after)
    return history


def pairs(
    model: Any, videos: list[Sequence], batches: int, seed: int
) -> keras.utils.PyDataset:
    """What a `WideHART` learns from."""
    return TrackingPairs(videos, batches=batches, seed=seed, **PAIRS)


def views(
    model: Any, videos: list[Sequence], batches: int, seed: int
) -> keras.utils.PyDataset:
    """What other trackers learn from: parts of videos, and views that cross stills."""
    shown = [int(video.present.sum()) for video in videos]
    long = min(VIEWS["frames"], *map(len, videos))
    sizes = VIEWS | {"frames": long, "grey": model.channels == 1}
    parts = [
        (Clips(videos, steps=STEPS, **sizes), 0.7),
        (still_clips(videos, every=max(1, sum(shown) // 100), **sizes), 0.3),
    ]
    return MixedClips(parts, VIEWS["batch_size"], seed, batches=batches)
