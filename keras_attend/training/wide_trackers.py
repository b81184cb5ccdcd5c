"""How trackers with a V1 from ImageNet are trained, in two stages.

In the first the windows follow for the most part the true boxes, which are made wrong
on purpose; in the second for the most part the tracker's own. V1 keeps what it has
learned from ImageNet. It computes in bfloat16 where the processor does, in half of the
time; where it does not, bfloat16 takes twice as long as float32. The model that is
returned computes in float32.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class WideTraining:
    """The training of a `WideHART`.

    Attributes:
        make: makes the model, built, whose V1 computes in the given `dtype`.
        epochs: of both stages, of `BATCHES` batches.
        pairs: of `TrackingPairs`, in both stages.
    """

    make: Callable[[str], Any]
    epochs: tuple[int, int] = (50, 18)
    pairs: Mapping[str, Any] = field(default_factory=dict)

    def run(
        self,
        videos: Sequence[Video],
        args: argparse.Namespace,
        seed: int,
        **more: Any,
    ) -> tuple[Any, tuple[Path, ...]]:
        """The trained model, all of it in float32, and the checkpoints.

        Args:
            videos: to train on.
            args: what `parse` returns.
            seed: of the weights and of the clips.
            **more: of `TrackingPairs`, in both stages.
        """
        keras.utils.set_random_seed(seed)
        paths = tuple(
            args.runs / f"seed_{seed}_{name}.keras" for name in ("pairs", "own")
        )
        epochs = [min(n, args.epochs or n) for n in self.epochs]
        same = {"batches": BATCHES, **self.pairs, **more}
        pairs = TrackingPairs(videos, seed=seed, **PAIRS | same)
        model = fit(
            lambda batches: self.first(pairs, batches),
            pairs,
            paths[0],
            args,
            epochs=epochs[0],
        )
        own = TrackingPairs(videos, seed=seed + 1000, **OWN | same)
        model = fit(
            lambda batches: self.second(model, batches),
            own,
            paths[1],
            args,
            epochs=epochs[1],
        )
        trained = self.make("float32")
        trained.set_weights(model.get_weights())
        return trained, paths

    def first(self, data: TrackingPairs, batches: int) -> Any:
        """The model that the first stage trains, in which V1 is ImageNet's."""
        model = self.make(fast_dtype())
        imagenet.load_weights(model.cell.v1)
        adapt(model, data)
        return compiled(model, 2e-3, batches)

    def second(self, before: Any, batches: int) -> Any:
        """The model that the second stage trains."""
        model = self.make(fast_dtype())
        model.set_weights(before.get_weights())
        return compiled(model, 5e-4, batches)


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
