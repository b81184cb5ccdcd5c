"""What the recipes of AIR share: train several seeds, measure, write the preset."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

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
DREAMS = BATCH // 2  # pictures of either kind in a batch of dreams
OTHERS = 1000  # what is added to a seed to draw other objects
SHOWN = (2, 2, 2, 2, 2, 1, 1, 0)  # objects in the pictures of the card's picture


def train_object_finder(
    make: Callable[[], Any],
    pictures: DrawnPictures,
    seed: int,
    args: argparse.Namespace,
    *,
    anneal: int,
    rate: float = 1e-3,
    black: Callable[[], Any] | None = None,
    black_epochs: int = 0,
) -> list[Path]:
    """Train an `AIR` by one seed on pictures like those it is judged by.

    With `black` a model first learns on a black background what objects look like; in
    the first half of that nothing is blended (`AIR.compile(crisp=)`). Then the model
    goes on from there. What it draws stays as it is: else it would learn to draw pieces
    of the backgrounds. It lays what it finds on black pictures over those of `pictures`
    and learns to find it (`AIR.dream`).

    Args:
        make: makes the model.
        pictures: what the pictures are like; the training draws its own digits.
        seed: of the weights, of the pictures and of all draws.
        args: what `parse` returns.
        anneal: as of `AIR.compile`.
        rate: the greatest learning rate; it falls on a cosine to 1 % of that.
        black: makes the model that learns on black first, if any. It has the weights
            of the other.
        black_epochs: how many epochs it learns; `--epochs` cuts them too.

    Returns:
        The checkpoints' files, of which the last is the trained model's.
    """
    keras.utils.set_random_seed(seed)

    def compiled(model: Any, batches: int, **more: Any) -> Any:
        rates = falling_rate(batches, 0.01, rate, warm=WARM, global_clipnorm=CLIP)
        model.compile(rates, anneal=min(anneal, batches // 2), **more)
        return model

    path = Path(args.runs) / f"seed_{seed}.keras"
    if black is None:
        data = training_pictures(pictures, pictures.background, BATCH, seed)
        fit(lambda batches: compiled(make(), batches), data, path, args)
        return [path]
    first = path.with_stem(f"seed_{seed}_black")
    known = fit(
        lambda batches: compiled(black(), batches, explore=EXPLORE, crisp=batches // 2),
        training_pictures(pictures, "black", BATCH, seed),
        first,
        args,
        epochs=min(black_epochs, args.epochs),
        spread=True,
    )

    def again(batches: int) -> Any:
        model = make()
        model.build(model.serving_shape)
        model.set_weights(known.get_weights())
        model.batches.assign(0.0)  # objects are cheap once more
        return compiled(model, batches, explore=EXPLORE, keep_drawing=True)

    fit(again, dream_data(pictures, seed), path, args)
    return [first, path]


def training_pictures(
    pictures: DrawnPictures, background: str, batch_size: int, seed: int
) -> MultiDigits:
    """Draw training digits as those of `pictures`, on a background."""
    return MultiDigits(
        "train",
        batch_size,
        pictures.size,
        pictures.max_digits,
        background,
        pictures.color,
        pictures.overlap,
        seed=seed,
        length=EPOCH,
    )


def dream_data(pictures: DrawnPictures, seed: int) -> "Dreams":
    """Pictures like those a model is judged by, and others on black.

    The same seed would draw the same objects at the same places: those on black would
    tell where the others are.
    """
    images = training_pictures(pictures, pictures.background, DREAMS, seed)
    plain = training_pictures(pictures, "black", DREAMS, OTHERS + seed)
    return Dreams(images, plain, seed)


class Dreams(keras.utils.PyDataset):
    """Batches of which `AIR` can dream: pictures, and objects on black.

    The former are turned, mirrored, and their channels exchanged at random. There are
    few photographs to learn from, and what these pictures show nobody needs to know.

    Args:
        images: a dataset of pictures `[B, H, H, C]`, with an `epoch`.
        plain: one of objects on black.
        seed: the seed of what is done to the pictures.
        **kwargs: of `keras.utils.PyDataset`.
    """

    def __init__(self, images: Any, plain: Any, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.images, self.plain, self.seed = images, plain, seed

    @property
    def epoch(self) -> int:
        """Which batches come next."""
        return int(self.images.epoch)

    @epoch.setter
    def epoch(self, number: int) -> None:
        self.images.epoch = self.plain.epoch = number

    def on_epoch_end(self) -> None:
        """Go on to the next epoch."""
        self.images.on_epoch_end()
        self.plain.on_epoch_end()

    def __len__(self) -> int:
        return min(len(self.images), len(self.plain))

    def __getitem__(self, index: int) -> dict[str, Any]:
        random = np.random.default_rng([self.seed, self.epoch, index])
        images = np.array(self.images[index])
        for n, image in enumerate(images):
            turned = np.rot90(image, int(random.integers(4)))
            turned = turned[:, ::-1] if random.integers(2) else turned
            images[n] = turned[..., random.permutation(image.shape[-1])]
        return {"images": images, "plain": self.plain[index]}


def publish_object_finder(
    make: Callable[[], Any],
    pictures: DrawnPictures,
    args: argparse.Namespace,
    *,
    seeds: int,
    data: str,
    anneal: int,
    rate: float = 1e-3,
    black: Callable[[], Any] | None = None,
    black_epochs: int = 0,
    others: Mapping[str, DrawnPictures] | None = None,
    odds: float = 1.0,
    half: bool = False,
    **about: Any,
) -> None:
    """Train an `AIR` by several seeds, measure all, and write seed 0 as the preset.

    With `--seed` that one is only trained; with `--validate` it is judged by pictures
    of validation digits.

    Args:
        make, pictures, anneal, rate, black, black_epochs: as of `train_object_finder`.
        args: what `parse` returns.
        seeds: how many seeds are trained.
        data: the name of `pictures` in the protocol's name.
        others: further test sets by their names.
        odds: as of `with_odds`.
        half: whether weights are rounded to float16, before they are measured.
        **about: as of `write_preset`.
    """

    def trained(seed: int) -> list[Path]:
        return train_object_finder(
            make,
            pictures,
            seed,
            args,
            anneal=anneal,
            rate=rate,
            black=black,
            black_epochs=black_epochs,
        )

    if args.seed is not None or args.validate:
        paths = trained(args.seed or 0)
        if args.validate:
            held_out = pictures.load(1 if args.steps else 4, "validation")
            models = [with_odds(Checkpoint.resume(paths[-1]), odds)]
            print_results(evaluation.picture_results(models, held_out, data=data))
        return
    checkpoints = [trained(seed) for seed in range(seeds)]
    models = [with_odds(Checkpoint.resume(paths[-1]), odds) for paths in checkpoints]
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


def with_odds(model: Any, odds: float) -> Any:
    """Multiply the odds of an object wherever a model's map rates them.

    A dream's pictures have objects of their own, which the map may have learned to rate
    as none: it then needs more than even odds to find an object.
    """
    if odds != 1:
        bias = model.cell.map.rate.bias
        more = np.zeros(bias.shape, "float32")
        more[0] = np.log(odds)  # of the seven numbers the rating
        bias.assign(bias + more)
    return model


def write_object_finder(
    model: Any,
    checkpoints: Sequence[Path],
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
        *checkpoints,
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
