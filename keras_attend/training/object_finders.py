"""What the recipes of AIR share: train several seeds, measure, write the preset."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from keras_attend import evaluation, plots
from keras_attend.callbacks import Checkpoint
from keras_attend.datasets import MultiDigits
from keras_attend.evaluation.test_sets import DrawnPictures
from keras_attend.training.stages import falling_rate, fit
from keras_attend.training.writing import print_results, round_weights, write_preset
from keras_attend.types import Array
from keras_attend.zoo.results import Result

EPOCH = 500  # batches
BATCH = 64
WARM = 200  # batches over which the learning rate rises
CLIP = 200.0  # norm of the gradient; the bound is a sum over pixels
EXPLORE = 0.2  # as of `AIR.compile`, where objects are learned on black first
SHOWN = (2, 2, 2, 2, 2, 1, 1, 0)  # objects in the pictures of the card's picture


def train_object_finder(
    make: Callable[[], Any],
    pictures: DrawnPictures,
    seed: int,
    args: argparse.Namespace,
    *,
    anneal: int,
    rate: float = 1e-3,
    black: int = 0,
) -> Path:
    """Train an `AIR` by one seed on pictures like those it is judged by.

    With `black` it first learns on a black background what objects look like; in the
    first half of that nothing is blended (`AIR.compile(crisp=)`). Then it learns to
    find them before the backgrounds of `pictures`, while what it draws stays as it is:
    else it would learn to draw pieces of the backgrounds.

    Args:
        make: makes the model.
        pictures: what the pictures are like; the training draws its own digits.
        seed: of the weights, of the pictures and of all draws.
        args: what `parse` returns.
        anneal: as of `AIR.compile`.
        rate: the greatest learning rate; it falls on a cosine to 1 % of that.
        black: how many epochs there are on black; `--epochs` cuts them too.

    Returns:
        The checkpoint's file.
    """
    keras.utils.set_random_seed(seed)

    def train(begin: Callable[[], Any], path: Path, first: bool) -> Any:
        def compiled(batches: int) -> Any:
            model, half = begin(), batches // 2
            model.compile(
                falling_rate(batches, 0.01, rate, warm=WARM, global_clipnorm=CLIP),
                anneal=min(anneal, half),
                explore=EXPLORE if black else 0.0,
                crisp=half if first else 0,
                keep_drawing=black > 0 and not first,
            )
            return model

        data = MultiDigits(
            "train",
            BATCH,
            pictures.size,
            pictures.max_digits,
            "black" if first else pictures.background,
            pictures.color,
            pictures.overlap,
            seed=seed,
            length=EPOCH,
        )
        epochs = min(black, args.epochs) if first else args.epochs
        return fit(compiled, data, path, args, epochs=epochs, spread=first)

    path = Path(args.runs) / f"seed_{seed}.keras"
    if not black:
        train(make, path, first=False)
        return path
    known = train(make, path.with_stem(f"seed_{seed}_black"), first=True)

    def again() -> Any:
        known.batches.assign(0.0)  # objects are cheap once more
        return known

    train(again, path, first=False)
    return path


def publish_object_finder(
    make: Callable[[], Any],
    pictures: DrawnPictures,
    args: argparse.Namespace,
    *,
    seeds: int,
    data: str,
    anneal: int,
    rate: float = 1e-3,
    black: int = 0,
    others: Mapping[str, DrawnPictures] | None = None,
    half: bool = False,
    **about: Any,
) -> None:
    """Train an `AIR` by several seeds, measure all, and write seed 0 as the preset.

    With `--seed` that one is only trained; with `--validate` it is judged by pictures
    of validation digits.

    Args:
        make, pictures, anneal, rate, black: as of `train_object_finder`.
        args: what `parse` returns.
        seeds: how many seeds are trained.
        data: the name of `pictures` in the protocol's name.
        others: further test sets by their names, of pictures like none in training.
        half: whether weights are rounded to float16, before they are measured.
        **about: as of `write_preset`.
    """

    def trained(seed: int) -> Path:
        return train_object_finder(
            make, pictures, seed, args, anneal=anneal, rate=rate, black=black
        )

    if args.seed is not None or args.validate:
        path = trained(args.seed or 0)
        if args.validate:
            held_out = pictures.load(1 if args.steps else 4, "validation")
            models = [Checkpoint.resume(path)]
            print_results(evaluation.picture_results(models, held_out, data=data))
        return
    checkpoints = [trained(seed) for seed in range(seeds)]
    models = [Checkpoint.resume(path) for path in checkpoints]
    if half:
        models = [round_weights(model) for model in models]
    test_sets = {data: pictures, **(others or {})}
    results = [
        result
        for name, found in test_sets.items()
        for result in evaluation.picture_results(models, found.load(), data=name)
    ]
    about["half"] = half
    write_object_finder(models[0], checkpoints[0], results, test_sets, args, **about)


def write_object_finder(
    model: Any,
    checkpoint: Path,
    results: Sequence[Result],
    test_sets: Mapping[str, DrawnPictures],
    args: argparse.Namespace,
    **about: Any,
) -> None:
    """Write the preset of an `AIR`, with a picture of the first test set's pictures.

    The arguments are those of `write_preset`.
    """
    shown = shown_pictures(next(iter(test_sets.values())))

    def draw(folder: Path) -> None:
        plots.plot_objects(model, shown, path=folder / "picture.png")

    write_preset(
        model,
        results,
        args,
        checkpoint,
        picture=draw,
        test_sets=test_sets,
        task="finding objects",
        paper="Eslami et al. 2016, section 4.1",
        **about,
    )


def shown_pictures(pictures: DrawnPictures) -> Array:
    """The first test pictures with the counts of `SHOWN`, `[8, H, W, C]`."""
    images, targets = pictures.load(1)[0]
    left = list(range(len(images)))
    chosen = []
    for count in SHOWN:
        chosen.append(next(i for i in left if targets["count"][i] == count))
        left.remove(chosen[-1])
    return images[chosen]
