"""Predict the speed of training on several devices by a cost model, and check that.

    KERAS_BACKEND=jax python benchmarks/scaling.py              # measure this device
    KERAS_BACKEND=jax python benchmarks/scaling.py --devices 2  # check the model on two
    python benchmarks/scaling.py --predict                      # 1, 8 and 64 GPUs

A step of n devices that share a batch of B samples takes

    t(n) = max(a + c B / n + r(n), d B)

a: seconds that a step takes however few its samples are: the steps of the time loop
   follow one another, and each starts a number of kernels.
c: seconds of each sample.
r: the ring that adds up the gradients, 2 (k - 1) / k of their bytes over each link and
   as many times its latency as there are hops; first among the k GPUs of a machine,
   then among machines.
d: seconds to draw a sample. Every worker draws the whole batch and keeps its rows.

Efficiency is t(1) / (n t(n)). `a` and `c` are a straight line through the times of
batches of several sizes.
"""

import argparse
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_attend import models
from keras_attend.datasets import Digits, mnist
from keras_attend.training import cluster

sys.path.insert(0, str(Path(__file__).parent))
from common import print_table

FRAMES = 12


class Link(NamedTuple):
    """A link between devices: bytes a second one way, and seconds for each hop."""

    rate: float
    latency: float


class Cost(NamedTuple):
    """A training step's cost: a, c, the bytes of its gradients, and d (see above)."""

    fixed: float
    sample: float
    gradients: float
    draw: float = 0.0


# Of data sheets: an H100's NVLink, and one 400 Gb/s network card for each machine.
NVLINK, NETWORK = Link(450e9, 5e-6), Link(50e9, 15e-6)
NO_LINK = Link(float("inf"), 0.0)
# Assumed, not measured: a kernel's start, kernels of a time step both ways, and the
# share of its peak (67 TFLOP/s in float32) that an H100 reaches on small matrices.
LAUNCH, KERNELS, FLOPS = 5e-6, 60, 0.1 * 67e12


def ring_seconds(size: float, count: int, link: Link) -> float:
    """Seconds that adding up `size` bytes among `count` devices in a ring takes."""
    return 2 * (count - 1) * (size / count / link.rate + link.latency)


def step_seconds(
    cost: Cost,
    batch: int,
    devices: int,
    machines: int = 1,
    near: Link = NVLINK,
    far: Link = NETWORK,
) -> float:
    """Seconds of a step whose batch is shared by `machines` of `devices` each."""
    share = batch / (devices * machines)
    compute = cost.fixed + cost.sample * share
    ring = ring_seconds(cost.gradients, devices, near)
    ring += ring_seconds(cost.gradients, machines, far)
    return max(compute + ring, cost.draw * batch)


def efficiency(cost: Cost, batch: int, devices: int, machines: int = 1) -> float:
    """The speed, as a share of so many times one device's speed."""
    count = devices * machines
    alone = step_seconds(cost, batch, 1)
    return alone / (count * step_seconds(cost, batch, devices, machines))


# Measurements.


def make(name: str) -> Any:
    """Make a compiled model as large as a preset's."""
    if name == "ram":  # ram_mnist's
        model: Any = models.RAM(
            glimpses=6, size=8, credit=models.Credit(reward="log_prob")
        )
    else:  # HART, 28x28 pixels
        cell = models.HARTCell(size=28, units=192, maps=8, filters=(24, 32, 32))
        model = models.HART(cell)
    model.compile(keras.optimizers.Adam(1e-4))
    return model


def batches(name: str, size: int, count: int) -> Any:
    """Make data: MNIST's digits, or clips of 12 frames of 96x96."""
    if name == "ram":
        images, labels = mnist("train")
        return Digits(images[: size * count], labels[: size * count], batch_size=size)
    return Clips(size, count)


class Clips(keras.utils.PyDataset):
    """The same batch of noise each time, for the pixels do not change the time."""

    def __init__(self, size: int, count: int) -> None:
        super().__init__()
        random = np.random.default_rng(0)
        frames = random.integers(0, 256, (size, FRAMES, 96, 96, 3)).astype("uint8")
        boxes = np.full((size, FRAMES, 4), 30, "float32")
        x = {"frames": frames, "box": boxes[:, 0]}
        self.batch, self.count = (x, {"boxes": boxes}), count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        return self.batch


class Clock(keras.callbacks.Callback):
    """Seconds of each batch: of the wall, and of all cores of this process."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[tuple[float, float]] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Wait for the batch, and note the time."""
        float(logs["loss"])
        self.times.append((time.perf_counter(), time.process_time()))


def measure(name: str, size: int, several: bool, count: int = 60) -> Any:
    """Measure the fastest step, in seconds of the wall clock and of all cores."""
    clock = Clock()
    with cluster.scope() if several else nullcontext():
        model, data = make(name), batches(name, size, count)
        if several:
            data = cluster.prepare(model, data)
        model.fit(data, verbose=0, shuffle=False, callbacks=[clock])
    return np.diff(clock.times[2:], axis=0).min(axis=0)  # the least disturbed


def fit_cost(sizes: list[int], seconds: list[float], weights: int) -> Cost:
    """Fit a line through the times of several batch sizes."""
    sample, fixed = np.polyfit(sizes, seconds, 1)
    return Cost(max(float(fixed), 0.0), float(sample), 4.0 * weights)


def sweep(name: str, most: int) -> None:
    """Measure batches of growing size, until one does not fit into the memory."""
    rows, size, largest = [], 8, 0
    while size <= most:
        try:
            wall, _ = measure(name, size, several=False)
        except Exception as error:
            # Each backend raises its own exception, and both name this reason.
            if "RESOURCE_EXHAUSTED" not in str(error) and "OOM" not in str(error):
                raise
            break
        frames = size * (FRAMES if name == "hart" else 1) / wall
        rows.append((f"batch {size}", 1000 * wall, size / wall, frames))
        largest, size = size, 2 * size
    print_table(name, ["", "ms a step", "samples/s", "frames or images/s"], rows)
    print(f"The largest batch that fits (tried up to {most}): {largest}")


def check(name: str, sizes: list[int], devices: int) -> None:
    """Measure one device and several, and compare these with the prediction."""
    one = [measure(name, size, several=False) for size in sizes]
    cost = fit_cost(sizes, [wall for wall, _ in one], make_weights(name))
    rows = []
    for size, (wall, cores) in zip(sizes, one, strict=True):
        predicted = step_seconds(cost, size, devices, near=NO_LINK)
        several, all_cores = measure(name, size, several=True)
        times = (wall, predicted, several, cores, all_cores)
        rows.append((f"batch {size}", *(1000 * seconds for seconds in times)))
    print(f"\n{name}: a = {1000 * cost.fixed:.2f} ms, c = {1000 * cost.sample:.4f} ms")
    columns = ["", "one", "predicted", "measured", "cores, one", "cores, all"]
    print_table(f"{name}, ms a step of 1 and of {devices} devices", columns, rows)


def make_weights(name: str) -> int:
    """Count the numbers in a model's gradient."""
    model = make(name)
    model.build(model.serving_shape or None)
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def assumed_cost(steps: int, weights: int, sample_flops: float) -> Cost:
    """Compute a step's cost on an H100 from the assumptions above."""
    return Cost(steps * KERNELS * LAUNCH, sample_flops / FLOPS, 4.0 * weights)


def predict() -> None:
    """Print the efficiency on 1, 8 and 64 GPUs, 8 in each machine."""
    # Time steps, batch of the recipe (its first stage), operations of a sample: three
    # times the forward pass's, which is twice the weights for each glimpse or frame;
    # HART's convolutions see 28x28 places, here taken as 30 times its weights.
    sizes = {name: make_weights(name) for name in ("ram", "hart")}
    ram = assumed_cost(6, sizes["ram"], 3 * 2 * sizes["ram"] * 6)
    hart = assumed_cost(12, sizes["hart"], 3 * 2 * 30 * sizes["hart"] * 12)
    rows = []
    for name, cost, batch in (("ram", ram, 256), ("hart", hart, 48)):
        for devices, machines in ((1, 1), (8, 1), (8, 8)):
            count = devices * machines
            shared = float("nan")
            if batch % count == 0:
                shared = efficiency(cost, batch, devices, machines)
            grown = step_seconds(cost, batch, 1)
            grown /= step_seconds(cost, batch * count, devices, machines)
            rows.append((f"{name}, {count} GPUs", 100 * shared, 100 * grown))
    columns = ["", "recipe's batch, %", "batch a GPU, %"]
    print_table("predicted efficiency, not measured", columns, rows)


def main() -> None:
    """Measure or predict, as the flags say."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--models", nargs="+", default=["ram", "hart"], choices=["ram", "hart"])
    add("--devices", type=int, help="check the model on so many")
    add("--batch-sizes", type=int, nargs="+", default=[32, 64, 128, 256])
    add("--most", type=int, default=4096, help="the largest batch to try")
    add("--predict", action="store_true", help="1, 8 and 64 GPUs; measures nothing")
    args = parser.parse_args()
    if args.predict:
        predict()
        return
    cluster.start(args.devices or 1)
    for name in args.models:
        if args.devices:
            check(name, args.batch_sizes, args.devices)
        else:
            sweep(name, args.most)


if __name__ == "__main__":
    main()
