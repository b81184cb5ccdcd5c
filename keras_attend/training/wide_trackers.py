"""How trackers with a V1 from ImageNet are trained, in two stages.

In the first the windows follow for the most part the true boxes, which are made wrong
on purpose; in the second for the most part the tracker's own. V1 keeps what it has
learned from ImageNet. It computes in bfloat16 where the processor does, in half of the
time; where it does not, bfloat16 takes twice as long as float32. The model that is
returned computes in float32.
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras

from keras_attend.datasets import TrackingPairs
from keras_attend.datasets.sequences import Sequence as Video
from keras_attend.training import imagenet
from keras_attend.training.stages import falling_rate, fit

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


# Of each stage: its checkpoint's name, its clips, its rate, what is added to the seed.
STAGES = (("pairs", PAIRS, 2e-3, 0), ("own", OWN, 5e-4, 1000))
EPOCHS = (50, 18)  # of the stages


def train_wide_tracker(
    make: Callable[[str], Any],
    videos: Sequence[Video],
    args: argparse.Namespace,
    seed: int,
    **more: Any,
) -> tuple[Any, tuple[Path, ...]]:
    """Train a `WideHART`; return it, all of it in float32, and the checkpoints.

    Args:
        make: makes the model, built, whose V1 computes in the given `dtype`.
        videos: to train on.
        args: what `parse` returns.
        seed: of the weights and of the clips.
        **more: of `TrackingPairs`, in both stages.
    """
    keras.utils.set_random_seed(seed)
    model: Any = None
    paths = []
    for (name, clips, rate, shift), epochs in zip(STAGES, EPOCHS, strict=True):
        data = TrackingPairs(videos, seed=seed + shift, batches=BATCHES, **clips | more)
        paths.append(args.runs / f"seed_{seed}_{name}.keras")
        model = fit(
            partial(begin, make, data, model, rate),
            data,
            paths[-1],
            args,
            epochs=min(epochs, args.epochs or epochs),
        )
    trained = make("float32")
    trained.set_weights(model.get_weights())
    return trained, tuple(paths)


def begin(
    make: Callable[[str], Any],
    data: TrackingPairs,
    before: Any,
    rate: float,
    batches: int,
) -> Any:
    """The model that a stage trains; in the first, with nothing before, V1 is given."""
    model = make(fast_dtype())
    if before is None:
        imagenet.load_weights(model.cell.v1)
        adapt(model, data)
    else:
        model.set_weights(before.get_weights())
    return compiled(model, rate, batches)


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
