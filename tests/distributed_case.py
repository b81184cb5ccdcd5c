"""Small trainings for `test_distributed.py`, each a program of its own.

    python tests/distributed_case.py --runs OUT --models ram ratm --devices 2
    python tests/distributed_case.py --runs OUT --models ram --workers 2 --resume

Virtual devices and workers have to be there before a process computes anything. Each
training's weights, logs and seeds are written to OUT/MODEL.npz by the first worker.

On TensorFlow replicas draw numbers of their own, so that an equal training needs draws
that are the same for all samples: those of `FixedPolicy`, unless `--draws` says "own".
"""

import os
import signal
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_attend import datasets, distributed, models, training
from keras_attend.policies import GaussianPolicy

BATCH = 8


class FixedPolicy(GaussianPolicy):
    """Draws as if by chance, but the same ones for each sample."""

    def sample(self, mean, seed):
        shape = tuple(mean.shape[1:])
        noise = np.cos(np.arange(1, np.prod(shape) + 1) ** 2).reshape(shape)
        return ops.stop_gradient(mean + self.std * noise.astype("float32"))


@keras.saving.register_keras_serializable("distributed_case")
class FixedRAM(models.RAM):
    """A RAM that first looks where the image says."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.policy = FixedPolicy(self.policy.std)

    def call(self, images, training=None, first_location=None):
        means = ops.mean(ops.cast(images, "float32"), axis=2) / 255.0  # [B, H, 1]
        return super().call(images, training, 2.0 * means[:, :2, 0] - 1.0)


@keras.saving.register_keras_serializable("distributed_case")
class FixedDRLT(models.DRLT):
    """A DRLT whose episodes differ alike for all clips."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.policy = FixedPolicy(self.policy.std)


def optimizer(name):
    """Clipped far below the gradients' norms, so that clipping matters."""
    if name == "hart":
        # Adam makes steps of its own size of gradients that are mere rounding.
        return keras.optimizers.SGD(1e-2, momentum=0.9, global_clipnorm=0.1)
    return keras.optimizers.Adam(1e-3, global_clipnorm=0.1)


def ram(fixed):
    return (FixedRAM if fixed else models.RAM)(
        classes=3,
        glimpses=3,
        size=4,
        glimpse_units=4,
        units=8,
        credit=models.Credit(policy_weight=0.5, policy_trains_core=True),
    )


def ratm(fixed):
    cell = models.RelativeRATMCell(size=6, units=8)
    return models.RATM(cell, objectives={"localisation": 1.0, "overlap": 0.3})


def hart(fixed):
    chance = {"zoneout": 0.0, "dropout": 0.0} if fixed else {}
    return models.HART(
        models.HARTCell(16, 8, channels=1, maps=2, filters=(4, 4, 4), **chance)
    )


def drlt(fixed):
    cell = models.DRLTCell(models.point_cnn(), units=8, channels=1, size=24)
    return (FixedDRLT if fixed else models.DRLT)(cell, episodes=3, std=0.05)


def agent(fixed):
    return models.RAMAgent(datasets.Catch(size=8), 4, 2, glimpse_units=4, units=8)


def air(fixed):
    prior = models.ObjectPrior(side=16.0)
    return models.AIR(size=32, steps=2, window=6, what=2, units=4, prior=prior)


def follower(fixed):
    return models.SequentialAIR(air(fixed), slots=2, units=4)


MODELS = {f.__name__: f for f in (ram, ratm, hart, drlt, agent, air, follower)}


def images(count=40):
    """40 images of 3 classes: the last batch is of 8 too."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (count, 12, 12, 1)).astype("uint8")
    labels = random.integers(0, 3, count)
    return datasets.Digits(pixels, labels, batch_size=BATCH, shift=1.0)


def clips(count=5):
    """Clips of 4 frames that end at different times: masks of replicas differ."""
    return datasets.BouncingBalls(BATCH, count, frames=4, shortest=2)


def squares():
    """Two digits, as it were: one is all ink, and the other has a hole."""
    ink = np.full((2, 28, 28, 1), 255, "uint8")
    ink[1, 8:20, 8:20] = 0
    return ink


def data(name):
    if name == "agent":
        return datasets.Games(BATCH, 5)
    if name == "air":
        return datasets.MultiDigits(
            "train", BATCH, 32, max_digits=1, length=5, digits=squares()
        )
    if name == "follower":
        return datasets.MovingObjects(
            "train", BATCH, 4, 32, max_digits=1, length=5, digits=squares()
        )
    return images() if name == "ram" else clips()


class Watch(keras.callbacks.Callback):
    """Keeps logs and the replicas' seeds, and lets a worker die as an epoch begins."""

    def __init__(self, die=None):
        super().__init__()
        self.die, self.logs, self.seeds = die, [], []

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.die:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_epoch_end(self, epoch, logs=None):
        self.logs.append(logs)

    def on_train_end(self, logs=None):
        for seed in distributed.seeds(self.model)[:1]:
            copies = [seed.value]
            if keras.backend.backend() == "tensorflow":
                strategy = self.model.distribute_strategy
                copies = strategy.experimental_local_results(seed.value)
            self.seeds = [np.asarray(copy) for copy in copies]


def make(name, args):
    """A model, compiled and built."""
    keras.utils.set_random_seed(args.seed)
    model = MODELS[name](args.draws == "fixed")
    model.compile(optimizer(name))
    # Some weights are drawn where a model is built: here, with any devices.
    model.build(model.serving_shape or None)
    return model


def result(model, watch):
    """Weights and logs, by name."""
    found = {f"weight_{i}": np.asarray(w) for i, w in enumerate(model.get_weights())}
    for key in watch.logs[-1]:
        found[f"log_{key}"] = np.array([log[key] for log in watch.logs])
    return found


def train(name, args):
    """A training by the recipes' own way; `--beside` it one without."""
    if args.beside:  # before several devices are in force
        model, watch = make(name, args), Watch()
        model.jit_compile = keras.backend.backend() == "jax"  # as several devices have
        model.fit(
            data(name), epochs=args.epochs, shuffle=False, verbose=0, callbacks=[watch]
        )
        np.savez(args.runs / f"{name}_alone.npz", **result(model, watch))
    cluster = distributed.cluster()
    dies = cluster.index == args.die_worker and not args.resume
    watch = Watch(args.die if dies else None)
    model = training.fit(
        lambda steps: make(name, args),
        data(name),
        args.runs / f"{name}.keras",
        args,
        (watch,),
    )
    if cluster.first:
        found = result(model, watch)
        start = make(name, args).get_weights()
        found |= {f"start_weight_{i}": np.asarray(w) for i, w in enumerate(start)}
        found["seeds"] = watch.seeds
        found["batches"] = ops.convert_to_numpy(model.optimizer.iterations)
        np.savez(args.runs / f"{name}.npz", **found)


def main():
    parser = training.parser(__doc__, Path("case"), epochs=4)
    add = parser.add_argument
    add("--models", nargs="+", default=["ram"], choices=MODELS)
    add("--draws", default="fixed", choices=("fixed", "own"))
    add("--beside", action="store_true", help="train on one device too")
    add("--die", type=int, help="kill a worker as this epoch begins")
    add("--die-worker", type=int, default=1)
    args = training.parse(parser)
    args.runs.mkdir(parents=True, exist_ok=True)
    for name in args.models:
        train(name, args)


if __name__ == "__main__":
    main()
