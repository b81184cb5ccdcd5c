"""How trackers with a V1 from ImageNet are trained, in three stages.

In the first the windows follow for the most part the true boxes, which are made wrong
on purpose; in the others for the most part the tracker's own. In the third stage V1's
later blocks learn too; until then V1 keeps what it has learned from ImageNet, and
computes in bfloat16 where the processor does, in half of the time; where it does not,
bfloat16 takes twice as long as float32. The model that is returned computes in float32.
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import keras

from keras_attend.datasets import TrackingPairs
from keras_attend.datasets.sequences import Sequence as Video
from keras_attend.training import imagenet
from keras_attend.training.stages import falling_rate, fit

Make = Callable[[str, int | None], Any]
BATCHES = 50  # of an epoch
PAIRS: dict[str, Any] = {  # of the first stage
    "frames": 4,
    "batch_size": 30,
    "real": 0.6,
    "guided": 0.7,
    "gone": 0.2,
}
OWN: dict[str, Any] = {  # of the second
    "frames": 8,
    "batch_size": 16,
    "real": 0.6,
    "guided": 0.4,
    "gone": 0.25,
    "stretch": 0.2,
}


class WideStage(NamedTuple):
    """A stage: the name of its checkpoint, its clips, and how it learns from them.

    `rate` is the greatest rate; `shift` is added to the seed; the blocks of V1 from
    number `trainable_from` on are trained, None if none is.
    """

    name: str
    clips: dict[str, Any]
    rate: float
    epochs: int
    shift: int
    trainable_from: int | None = None


STAGES = (
    WideStage("pairs", PAIRS, 2e-3, 50, 0),
    WideStage("own", OWN, 5e-4, 18, 1000),
    WideStage("v1", OWN, 1e-4, 12, 2000, trainable_from=3),
)


def train_wide_tracker(
    make: Make,
    videos: Sequence[Video],
    args: argparse.Namespace,
    seed: int,
    **more: Any,
) -> tuple[Any, tuple[Path, ...]]:
    """Train a `WideHART`; return it, all of it in float32, and the checkpoints.

    Args:
        make: makes the model, built, whose V1 computes in the given `dtype` and is
            trained from a block on, as the second argument says.
        videos: to train on.
        args: what `parse` returns.
        seed: of the weights and of the clips.
        **more: of `TrackingPairs`, in all stages.
    """
    keras.utils.set_random_seed(seed)
    model: Any = None
    paths = []
    for stage in STAGES:
        data = TrackingPairs(
            videos, seed=seed + stage.shift, batches=BATCHES, **stage.clips | more
        )
        paths.append(args.runs / f"seed_{seed}_{stage.name}.keras")
        model = fit(
            partial(begin, make, data, model, stage),
            data,
            paths[-1],
            args,
            epochs=min(stage.epochs, args.epochs or stage.epochs),
        )
    trained = make("float32", None)
    trained.set_weights(model.get_weights())
    return trained, tuple(paths)


def begin(
    make: Make, data: TrackingPairs, before: Any, stage: WideStage, batches: int
) -> Any:
    """The model that a stage trains; in the first, with nothing before, V1 is given."""
    frozen = stage.trainable_from is None
    model = make(fast_dtype() if frozen else "float32", stage.trainable_from)
    if before is None:
        imagenet.load_weights(model.cell.v1)
        adapt(model, data)
    else:
        model.set_weights(before.get_weights())
    return compiled(model, stage.rate, batches)


def fast_dtype(cpu: Path = Path("/proc/cpuinfo")) -> str:
    """Return the `dtype` in which V1 takes the least time to compute.

    Args:
        cpu: says what the processor can do; without such a file it is float32.
    """
    flags = cpu.read_text("utf-8").split() if cpu.is_file() else ()
    has = {"avx512_bf16", "amx_bf16"} & {*flags}
    return "mixed_bfloat16" if has else "float32"


def adapt(model: Any, data: TrackingPairs) -> None:
    """Take the statistics of V1's features from one batch."""
    inputs, _ = data[len(data) - 1]
    model.cell.adapt(inputs["frames"][:, 0], inputs["box"])


def compiled(model: Any, rate: float, batches: int) -> Any:
    """Compiled for a training of so many batches; it ends with averaged weights."""
    model.compile(
        falling_rate(
            batches,
            0.01,
            rate,
            warm=100,
            optimizer=keras.optimizers.AdamW,
            weight_decay=1e-3,
            global_clipnorm=5.0,
            use_ema=True,
            ema_momentum=0.995,
        )
    )
    return model
