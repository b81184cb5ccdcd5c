"""ratm_kth: RATM follows people in KTH's videos, leaving one subject out.

Paper     Kahou et al. 2015, "RATM: Recurrent Attentive Tracking Model", section 6.3:
          mean IoU 0.5503 over the 25 subjects.
Command   KERAS_BACKEND=jax python zoo/ratm_kth/recipe.py --data FOLDER
          (how to make the folder: keras_attend/datasets/kth.py; `--subjects 3` for the
          first three folds; `--person-cnn FILE` for a feature network: the authors',
          .npz, or what person_cnn.py makes of two folders of pictures)
Makes     results.json in the runs' folder, and the model of each fold
Expected  not measured: KTH's videos cannot be passed on, nor what is trained on them.
          Meant for a GPU: the network takes 5 seconds a batch on a CPU core

This is the authors' experiment, as their code does it: glimpses of 28x28 pixels that
cover 1.5 times the box, 32 units, features of a network that tells people from
background, clips of 5 to 10 frames at first and of 5 to 30 after 400 epochs. Where
their network is not given, one is trained on the people of the fold's training videos.
The paper stops a training early by the videos of a validation subject: every ten epochs
(`--judge-every`) the model is judged by these, and the best weights are kept. After a
kill, the same command with `--resume` goes on.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
from person_cnn import SIZE, load, person_cnn

import keras_attend as ka
from keras_attend import disk, training
from keras_attend.boxes import box_to_window
from keras_attend.callbacks import LengthCurriculum
from keras_attend.datasets import KTH, Clips
from keras_attend.datasets.kth import KTHFold
from keras_attend.layers import GaussianGlimpse, GlimpseCNN

HERE = Path(__file__).parent
PAPER = 0.5503
SCALE = 1.5
SHORTEST, FIRST, LONGEST = 5, 10, 30  # frames of a clip
EVERY = 20  # epochs before clips grow by a frame
PATCHES = 8  # patches of each sequence, half of them people


def of_the_fold(kth: KTH, fold: KTHFold, epochs: int) -> GlimpseCNN:
    """Train a network that tells people from background, on the fold's videos."""
    random = np.random.default_rng(fold.test_subject)
    glimpse = GaussianGlimpse(SIZE)
    patches, labels = [], []
    for sequence in fold.train:
        frames, boxes = kth.read(sequence)
        chosen = random.integers(len(frames), size=PATCHES)
        box = boxes[chosen].copy()
        beside = np.arange(PATCHES) % 2
        side = random.choice([-1, 1], PATCHES) * random.uniform(0.7, 2, PATCHES)
        box[:, 0] += beside * side * box[:, 2]
        window = box_to_window(box, SIZE, SCALE)
        pixels = frames[chosen].astype("float32") / 255
        patches.append(keras.ops.convert_to_numpy(glimpse(pixels, window)))
        labels.append(1 - beside)
    return person_cnn(np.concatenate(patches), np.concatenate(labels), epochs)


class KeepBest(keras.callbacks.Callback):
    """Judge a model by a fold's validation videos now and then, and keep the best.

    Args:
        videos: of the validation subject.
        path: where the best weights are kept, with their mean IoU in a file beside.
        every: so many epochs it is judged.
    """

    def __init__(self, videos: Any, path: Path, every: int) -> None:
        super().__init__()
        self.videos, self.path, self.every = videos, path, every
        self.score = path.with_suffix(".json")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Judge after each `every` epochs."""
        if (epoch + 1) % self.every:
            return
        tracker = ka.Tracker(self.model).track
        found = ka.evaluation.one_pass(tracker, self.videos)
        mean = float(found.mean_iou.mean())
        best = json.loads(self.score.read_text())[0] if self.score.is_file() else -1.0
        print(f"validation subject: mean IoU {mean:.4f} (best {best:.4f})", flush=True)
        if mean > best:
            self.model.save_weights(self.path)
            disk.write(self.score, json.dumps([mean, epoch + 1]) + "\n")


def train(kth: KTH, fold: KTHFold, args: argparse.Namespace) -> ka.models.RATM:
    """Train the model of a fold."""
    keras.utils.set_random_seed(args.seed)
    data = Clips(
        kth.videos(fold.train),
        batch_size=16,
        frames=LONGEST,
        size=(120, 160),
        seed=args.seed,
        flip=False,
        reverse=False,
        crop=None,
        photometric=0,
        shortest=SHORTEST,
        batches=64,
        grey=True,
    )

    def make(batches: int) -> ka.models.RATM:
        if args.person_cnn is None:
            features = of_the_fold(kth, fold, args.person_epochs)
        else:
            features = load(args.person_cnn)
        features.trainable = False
        cell = ka.models.PublishedRATMCell(SIZE, 32, scale=SCALE, features=features)
        model = ka.models.PublishedRATM(
            cell, objectives={"feature": 1.0}, weight_decay=0.2
        )
        model.compile(keras.optimizers.SGD(1e-3, global_clipnorm=1.0))
        return model

    path = args.runs / f"subject_{fold.test_subject:02d}_{args.seed}.keras"
    longer = LengthCurriculum(data, FIRST, EVERY)
    best = path.with_suffix(".weights.h5")
    judged = KeepBest(kth.videos(fold.validation), best, args.judge_every)
    model: ka.models.RATM = training.fit(make, data, path, args, (longer, judged))
    if best.is_file():
        model.load_weights(best)
    return model


def main() -> None:
    """Train and measure each fold, write what all of them score."""
    parser = training.parser(__doc__, HERE, epochs=500)
    parser.add_argument("--subjects", type=int, help="stop after so many folds")
    parser.add_argument("--person-cnn", type=Path, help="a feature network's file")
    parser.add_argument("--person-epochs", type=int, default=10, help="of our own")
    parser.add_argument("--judge-every", type=int, default=10, help="epochs")
    args = training.parse(parser)
    if args.data is None:
        parser.error("--data must name a folder: see keras_attend/datasets/kth.py")
    kth = KTH(args.data)
    scores: dict[str, dict[str, float]] = {}
    for fold in list(kth.folds())[: args.subjects]:
        model = train(kth, fold, args)
        videos = kth.videos(fold.validation if args.validate else fold.test)
        tracks = {"ratm": ka.Tracker(model).track, "box": ka.evaluation.static_box}
        scores[f"subject {fold.test_subject}"] = {
            name: float(ka.evaluation.one_pass(track, videos).mean_iou.mean())
            for name, track in tracks.items()
        }
        print(scores, flush=True)
    mean, static = (
        float(np.mean([score[name] for score in scores.values()]))
        for name in ("ratm", "box")
    )
    found = {"mean_iou": mean, "paper": PAPER, "static box": static, "folds": scores}
    print(f"mean IoU {mean:.4f} (paper {PAPER}); the box that never moves {static:.4f}")
    args.runs.mkdir(parents=True, exist_ok=True)
    (args.runs / "results.json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
