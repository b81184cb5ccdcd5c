"""Who never saw a box beside those who did: digits that walk about a canvas.

Command   KERAS_BACKEND=tensorflow python zoo/sequential_air_mnist/supervised.py
          (on JAX, HART takes five times as long)
Makes     supervised.csv and supervised.md
Expected  SequentialAIR, which saw no box: mean IoU 0.949 of one digit, 0.745 of two;
          RATM 0.837 and 0.402, RATM of two digits 0.812 and 0.730, DRLT 0.955 and
          0.350, HART 0.773 and 0.609
Time      about fifty minutes of one core

RATM and DRLT were trained on the boxes of these digits, HART on those of real videos;
the box that never moves shows what is gained at all. `SequentialAIR` sees the same
clips without any box, at half their size. Its `AIR` learns from single frames first;
then it is trained on clips of 4 frames, and of 10.

All but DRLT are given the first frame's true box. It is the digit's whole tile, while
AIR's box is about the ink: how the two lie to each other in the first frame says where
the tile is in the others, whose size is taken to stay.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_attend as ka
from keras_attend import training
from keras_attend.datasets import TEST_SEED, MovingDigits, mnist
from keras_attend.training.stages import falling_rate, fit
from keras_attend.training.tables import table, write_table
from keras_attend.types import Array

HERE = Path(__file__).parent
KINDS: dict[str, dict[str, Any]] = {"one digit": {}, "two digits": {"distractors": 1}}
FRAMES = 30
# Presets, and what each was trained on.
SUPERVISED = {
    "ratm_mnist": "of one digit",
    "ratm_mnist_multi": "of two digits",
    "drlt_mnist": "of one digit",
    "hart_kitti": "of real videos",
}
HEADS = {
    "row": "",
    "boxes": "trained on boxes",
    "one digit": "one digit: mean IoU",
    "one digit, px": "centre error (px)",
    "two digits": "two digits: mean IoU",
    "two digits, px": "centre error (px) ",
}


class Unseen(keras.utils.PyDataset):
    """The frames of clips at half their size, without boxes.

    Args:
        clips: `MovingDigits`.
        single: the frames alone, as pictures.
    """

    def __init__(self, clips: MovingDigits, single: bool = False) -> None:
        super().__init__()
        self.clips, self.single, self.epoch = clips, single, 0

    def __len__(self) -> int:
        return len(self.clips)

    def on_epoch_end(self) -> None:
        """Go on to the next epoch's clips."""
        self.epoch += 1

    def __getitem__(self, index: int) -> Any:
        self.clips.epoch = self.epoch
        frames = halved(self.clips[index][0]["frames"])
        return (
            frames.reshape(-1, *frames.shape[2:]) if self.single else {"frames": frames}
        )


def halved(frames: Array) -> Array:
    """Frames `[B, T, 100, 100, 1]` of uint8 as `[B, T, 50, 50, 1]` in 0..1."""
    B, T, H, W, C = frames.shape
    parts = frames.reshape(B, T, H // 2, 2, W // 2, 2, C)
    return (parts.mean((3, 5)) / 255.0).astype("float32")


def trained(kind: dict[str, Any], name: str, args: Any) -> ka.models.SequentialAIR:
    """The model of a kind of clips; it has as many slots as there are digits."""
    keras.utils.set_random_seed(args.seed)
    digits, slots = mnist("train"), 1 + kind.get("distractors", 0)

    def clips(batch: int, batches: int, frames: int) -> MovingDigits:
        return MovingDigits(
            *digits, batch, batches, frames=frames, seed=args.seed, **kind
        )

    def finder(batches: int) -> Any:
        prior = ka.models.ObjectPrior(side=12.0)
        air = ka.models.AIR(50, steps=slots, window=14, prior=prior, name="air")
        air.compile(
            falling_rate(batches, 0.01, 1e-3, warm=200, global_clipnorm=200.0),
            anneal=min(1000, batches // 2),
        )
        return air

    path = args.runs / f"{name}_air.keras"
    data = Unseen(clips(32, 250, 2), single=True)
    model: Any = fit(finder, data, path, args, epochs=args.epochs or 12)
    for number, (frames, batch, epochs) in enumerate(((4, 32, 2), (10, 16, 8)), 1):

        def follower(batches: int, last: Any = model, first: bool = number == 1) -> Any:
            follows = ka.models.SequentialAIR(last) if first else last
            rate = falling_rate(batches, 0.05, 1e-3, warm=50, global_clipnorm=200.0)
            follows.compile(rate, warm_up=min(200 if first else 0, batches))
            return follows

        path = args.runs / f"{name}_{number}.keras"
        data = Unseen(clips(batch, 100, frames))
        epochs = min(epochs, args.epochs or epochs)
        model = fit(follower, data, path, args, epochs=epochs)
    return model


def tiles(model: ka.models.SequentialAIR, x: dict[str, Array]) -> Array:
    """The tracked tile's boxes `[B, T, 4]` in the frames' pixels."""
    found = model.predict({"frames": halved(x["frames"])}, batch_size=50, verbose=0)
    boxes, ids = 2 * found["boxes"], found["ids"]  # [B, T, N, 4]
    first = x["box"]  # [B, 4]
    centers = boxes[..., :2] + boxes[..., 2:] / 2
    answers = np.repeat(first[:, None], boxes.shape[1], axis=1).astype("float32")
    for b, box in enumerate(first):
        far = np.hypot(*(centers[b, 0] - box[:2] - box[2:] / 2).T)
        far[ids[b, 0] < 0] = np.inf
        if np.isinf(far).all():
            continue  # it has found nothing: the box does not move
        name, at = ids[b, 0, far.argmin()], centers[b, 0, far.argmin()]
        for t in range(1, boxes.shape[1]):
            (slots,) = np.nonzero(ids[b, t] == name)
            answers[b, t] = answers[b, t - 1]
            if len(slots):
                answers[b, t, :2] = box[:2] + centers[b, t, slots[0]] - at
    return answers


class Tiles:
    """`tiles` with the `predict` of a tracker, to be scored as the others are."""

    def __init__(self, model: ka.models.SequentialAIR) -> None:
        self.model = model

    def predict(self, x: dict[str, Array], **_: Any) -> dict[str, Array]:
        """Boxes of clips."""
        return {"boxes": tiles(self.model, x)}


class InColor:
    """A tracker of frames that have colours, to be scored on grey ones."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def predict(self, x: dict[str, Array], **options: Any) -> dict[str, Array]:
        """Boxes of clips."""
        frames = x["frames"].repeat(3, axis=-1)
        return self.model.predict({**x, "frames": frames}, **options)


def supervised(name: str) -> Any:
    """A preset that was trained on boxes."""
    model: Any = ka.zoo.load(name)
    return model if model.channels == 1 else InColor(model)


def main() -> None:
    """Train on both kinds of clips, measure all, write the table."""
    parser = training.parser(__doc__, HERE)
    parser.add_argument("--clips", type=int, default=500)
    args = training.parse(parser)
    boxes = {"SequentialAIR": "none", **SUPERVISED, "static box": ""}
    rows: list[dict[str, Any]] = [
        {"row": name, "boxes": words} for name, words in boxes.items()
    ]
    for kind, arguments in KINDS.items():
        test = MovingDigits(
            *mnist("test"),
            50,
            max(args.clips // 50, 1),
            frames=FRAMES,
            seed=TEST_SEED,
            **arguments,
        )
        trackers: list[Any] = [Tiles(trained(arguments, kind.replace(" ", "_"), args))]
        trackers += [supervised(name) for name in SUPERVISED]
        trackers.append(ka.evaluation.static_box)
        for row, tracker in zip(rows, trackers, strict=True):
            score = ka.evaluation.score_clips(tracker, test)
            row[kind] = f"{score.mean_iou:.3f}"
            row[f"{kind}, px"] = f"{score.center_error:.2f}"
            print(kind, row, flush=True)
    text = [
        "# Without boxes, beside those that were trained on them",
        "",
        f"{args.clips} test clips of {FRAMES} frames, 100x100 pixels. All but DRLT are",
        "told the true box in the first frame, which does not count. Of two",
        "digits, a tracker has to keep to the one whose box it got. Of `SequentialAIR`",
        "there is a model of one digit and a model of two; each other row is one",
        "preset.",
        "",
        *table(rows, HEADS),
    ]
    command = "zoo/sequential_air_mnist/supervised.py"
    write_table(args.out / "supervised", command, rows, text)


if __name__ == "__main__":
    main()
