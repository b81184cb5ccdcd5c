"""RATM's feature network: it tells people from background.

Paper     Kahou et al. 2015, "RATM: Recurrent Attentive Tracking Model", section 6.3
Command   KERAS_BACKEND=jax python zoo/ratm_kth/person_cnn.py --people FOLDER
          --background FOLDER --out person_cnn.weights.h5
          (two folders of pictures, of any size; the authors' are cut from INRIA's and
          other data sets of people, which cannot be passed on)
Makes     the network's weights, for `recipe.py --person-cnn FILE`
Expected  depends on the pictures; it prints the share of held-out ones that it tells

The pictures become grey and 28x28 pixels. Every tenth of each folder, in the order of
the names, is held out, and the weights are those of the epoch that told these best.
"""

import argparse
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_attend as ka
from keras_attend.layers import GlimpseCNN
from keras_attend.types import Array

SIZE = 28
HELD_OUT = 10  # of so many pictures one


def person_cnn(
    patches: Array, labels: Array, epochs: int, held_out: Any = None
) -> GlimpseCNN:
    """Train the network on patches `[N, 28, 28, 1]` in 0..1, label 1 of people.

    `held_out` are patches and labels that choose the epoch whose weights are returned;
    without them it is the last one.
    """
    features = GlimpseCNN()
    image = keras.Input((SIZE, SIZE, 1))
    logits = features.classify(features.embed(features(image)))
    classifier = keras.Model(image, logits)
    classifier.compile(
        keras.optimizers.Adam(1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    best = keras.callbacks.EarlyStopping(
        "val_accuracy", mode="max", patience=epochs, restore_best_weights=True
    )
    classifier.fit(
        patches,
        labels,
        batch_size=32,
        epochs=epochs,
        verbose=2,
        validation_data=held_out,
        callbacks=[best] if held_out is not None else [],
    )
    return features


def load(path: Path) -> GlimpseCNN:
    """Read a network: the authors' `.npz`, or what this file makes."""
    if path.suffix == ".npz":
        return ka.zoo.convert.ratm_person_cnn(path)
    features = GlimpseCNN()
    wrapped(features).load_weights(path)
    return features


def wrapped(features: GlimpseCNN) -> keras.Sequential:
    """Make a model of the network alone: models have files of weights, layers none."""
    return keras.Sequential([keras.Input((SIZE, SIZE, 1)), features])


def read(folder: Path) -> Array:
    """Read the pictures of a folder in the order of their names, `[N, 28, 28, 1]`."""
    from PIL import Image

    kinds = {".png", ".jpg", ".jpeg", ".bmp"}
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in kinds)
    if not found:
        raise FileNotFoundError(f"There must be pictures in the folder. Got: {folder}")
    patches = []
    for path in found:
        with Image.open(path, formats=["PNG", "JPEG", "BMP"]) as picture:
            grey = picture.convert("L").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        patches.append(np.asarray(grey, "float32") / 255)
    return np.stack(patches)[..., None]


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=Path, required=True)
    parser.add_argument("--background", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("person_cnn.weights.h5"))
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    keras.utils.set_random_seed(args.seed)
    background, people = read(args.background), read(args.people)
    x = np.concatenate([background, people])
    y = np.repeat([0, 1], [len(background), len(people)])
    number = np.concatenate([np.arange(len(background)), np.arange(len(people))])
    out = number % HELD_OUT == HELD_OUT - 1
    held_out = (x[out], y[out]) if out.any() else None
    features = person_cnn(x[~out], y[~out], args.epochs, held_out)
    if held_out is not None:
        logits = features.classify(features.embed(features(x[out])))
        right = keras.ops.convert_to_numpy(logits).argmax(-1) == y[out]
        print(f"{right.mean():.1%} of {len(right)} held-out pictures", flush=True)
    wrapped(features).save_weights(args.out)
    print(f"written: {args.out}")


if __name__ == "__main__":
    main()
