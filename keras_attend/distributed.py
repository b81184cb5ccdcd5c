"""Trainings on several devices and machines: the batch is shared, the sum is the same.

TensorFlow trains under `tf.distribute` (`MirroredStrategy`, and with several workers
`MultiWorkerMirroredStrategy`), JAX under `keras.distribution.DataParallel` over the
devices of all processes. `TF_CONFIG` says on both who the workers are. The recipes
come here through `recipes.parse` and `recipes.fit`; nothing here runs on one device.
"""

import json
import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from keras_attend.arguments import check_positive_integers
from keras_attend.types import Tensor

CONFIG = "TF_CONFIG"
# The seeds of replica i are those of the first one, so many numbers on: a prime, far
# from any number of draws.
APART = 1_000_003


@dataclass(frozen=True)
class Cluster:
    """Who trains.

    Attributes:
        devices: of each worker.
        workers: processes.
        index: which of them this is.
        strategy: TensorFlow's, or Keras's distribution on JAX.
    """

    devices: int = 1
    workers: int = 1
    index: int = 0
    strategy: Any = None

    @property
    def replicas(self) -> int:
        """Devices of all workers."""
        return self.devices * self.workers

    @property
    def first(self) -> bool:
        """Whether this worker writes what is written once."""
        return self.index == 0


_cluster = Cluster()


def cluster() -> Cluster:
    """This process's; one device and no strategy unless `start` said otherwise."""
    return _cluster


def start(devices: int = 1, workers: int = 1) -> Cluster:
    """Make this process a worker; to be called before anything is computed.

    Args:
        devices: of each worker: GPUs, or where there are none, parts of the CPU.
        workers: processes, each of which calls this. `TF_CONFIG` tells them apart.
    """
    global _cluster
    check_positive_integers(devices=devices, workers=workers)
    if devices == workers == 1:
        return _cluster
    addresses, index = _task(workers)
    keras.utils.set_random_seed(0)  # or workers would draw different first weights
    tensorflow = keras.backend.backend() == "tensorflow"
    begin = _start_tensorflow if tensorflow else _start_jax
    _cluster = Cluster(devices, workers, index, begin(devices, addresses, index))
    return _cluster


def _task(workers: int) -> tuple[list[str], int]:
    """All workers' addresses, and which one this is."""
    if workers == 1:
        return [], 0
    config = json.loads(os.environ.get(CONFIG, "{}"))
    addresses = config.get("cluster", {}).get("worker", [])
    if len(addresses) != workers:
        raise ValueError(
            f"{CONFIG} must list as many workers as `workers` says. "
            f"Received: workers={workers}, {CONFIG}={os.environ.get(CONFIG)}"
        )
    return addresses, int(config["task"]["index"])


def _start_tensorflow(devices: int, addresses: list[str], index: int) -> Any:
    import tensorflow as tf

    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    found = tf.config.list_physical_devices(kind)
    if kind == "CPU":
        parts = [tf.config.LogicalDeviceConfiguration() for _ in range(devices)]
        tf.config.set_logical_device_configuration(found[0], parts)
    elif len(found) < devices:
        raise ValueError(
            f"`devices` must be at most the {len(found)} GPUs that there are. "
            f"Received: devices={devices}"
        )
    else:
        tf.config.set_visible_devices(found[:devices], kind)
    if addresses:
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.MirroredStrategy([f"{kind}:{i}" for i in range(devices)])


def _start_jax(devices: int, addresses: list[str], index: int) -> Any:
    import jax

    jax.config.update("jax_num_cpu_devices", devices)  # no matter where GPUs are
    if addresses:
        jax.distributed.initialize(
            addresses[0], len(addresses), index, local_device_ids=range(devices)
        )
    here = [f"{d.platform}:{d.id}" for d in jax.devices()]
    wanted = devices * max(len(addresses), 1)
    if len(here) < wanted:
        raise ValueError(
            f"`devices` must be at most what there are: {here}. "
            f"Received: devices={devices}"
        )
    return keras.distribution.DataParallel(
        devices=here[:wanted], auto_shard_dataset=False
    )


# What a model's loss needs to know.


def replicas() -> int:
    """How many copies of the loss TensorFlow adds up; on JAX there is one, of all."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return int(tf.distribute.get_strategy().num_replicas_in_sync)


def total(x: Tensor) -> Tensor:
    """The sum of `x` over the replicas, for what counts over a whole batch."""
    if replicas() == 1:
        return x
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return x if context is None else context.all_reduce("SUM", x)


def mean(losses: Tensor) -> Tensor:
    """The mean of the losses `[B]` of a replica, as its part of the batch's mean."""
    count = replicas()
    return ops.mean(losses) if count == 1 else ops.mean(losses) / count


# What `recipes.fit` does around Keras's `fit`.


def scope() -> AbstractContextManager[Any]:
    """Where models are made, loaded and trained."""
    strategy = _cluster.strategy
    return nullcontext() if strategy is None else strategy.scope()


def placed(layer: Any) -> Any:
    """A layer of another model, for one made in `scope`: there, a copy."""
    if _cluster.strategy is None or not layer.built:
        return layer
    copy = type(layer).from_config(layer.get_config())
    copy.build_from_config(layer.get_build_config())
    copy.set_weights(layer.get_weights())
    copy.trainable = layer.trainable
    return copy


def prepare(model: Any, data: Any) -> Any:
    """Make a compiled model ready for `fit` under `scope`; returns the data for it."""
    if _cluster.strategy is None:
        return data
    shared = SharedBatches(data, _cluster)
    if keras.backend.backend() == "tensorflow":
        _prepare_tensorflow(model, shared[0][0])
    return shared


def _prepare_tensorflow(model: Any, x: Any) -> None:
    """Mend what Keras 3.15 does otherwise under `tf.distribute`."""
    import tensorflow as tf

    strategy = _cluster.strategy
    if not model.built:
        model.build(keras.tree.map_structure(lambda a: (None, *a.shape[1:]), x))
    model.optimizer.build(model.trainable_variables)
    # XLA has no step over several devices.
    model.jit_compile = False
    for seed in seeds(model):
        state, counter = ops.convert_to_numpy(seed)
        for i, copy in enumerate(strategy.experimental_local_results(seed.value)):
            replica = _cluster.index * _cluster.devices + i
            copy.assign([state + APART * replica, counter])
    _clip_the_sum(model.optimizer)
    if _cluster.workers > 1:
        # Keras builds a model from a batch that it adds up over the workers, and takes
        # means of their logs over axis 0: neither works.
        model._maybe_symbolic_build = lambda **_: None
        step = type(model).train_step
        model.train_step = lambda batch: {
            name: tf.reshape(value, (1,)) for name, value in step(model, batch).items()
        }


def _clip_the_sum(optimizer: Any) -> None:
    """Clip the gradient of the batch, not each replica's part of it."""
    import tensorflow as tf

    if "_all_reduce_sum_gradients" in vars(optimizer):  # mended before
        return
    clip = optimizer._clip_gradients

    def clipped(gradients: list[Any]) -> Any:
        context = tf.distribute.get_replica_context()
        return clip(context.all_reduce(tf.distribute.ReduceOp.SUM, gradients))

    optimizer._clip_gradients = clipped
    optimizer._all_reduce_sum_gradients = lambda pairs: pairs


def seeds(model: Any) -> list[Any]:
    """The states of a model's random numbers."""
    return [v for v in model.non_trainable_variables if "seed_generator" in v.path]


def wait(name: str) -> None:
    """Go on when all workers are here."""
    if _cluster.workers == 1:
        return
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        one = _cluster.strategy.run(lambda: tf.ones(()))
        float(_cluster.strategy.reduce("SUM", one, axis=None))
    else:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(name)


class SharedBatches(keras.utils.PyDataset):
    """Batches that the replicas can share evenly.

    A last, smaller one is cut to a multiple of their number. On JAX each worker gets
    its rows; on TensorFlow `tf.distribute` deals them out.

    Args:
        data: of one device; its batches depend on their number and `data.epoch`
            alone, so that every worker can draw them.
        cluster: who shares them.
    """

    def __init__(self, data: Any, cluster: Cluster) -> None:
        super().__init__(
            workers=data.workers,
            use_multiprocessing=data.use_multiprocessing,
            max_queue_size=data.max_queue_size,
        )
        self.data, self.cluster = data, cluster
        count, share = _rows(data[0]), cluster.replicas
        if count % share or _rows(data[len(data) - 1]) < share:
            raise ValueError(
                f"A batch must hold a multiple of {share} samples, one or more for "
                f"each device. Received: batches of {count} samples, the last of "
                f"{_rows(data[len(data) - 1])}"
            )
        self.split = keras.backend.backend() == "jax" and cluster.workers > 1

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> Any:
        batch = self.data[index]
        count = _rows(batch) // self.cluster.replicas * self.cluster.replicas
        rows = slice(count)
        if self.split:
            part = count // self.cluster.workers
            rows = slice(self.cluster.index * part, (self.cluster.index + 1) * part)
        return keras.tree.map_structure(lambda x: x[rows], batch)

    def on_epoch_begin(self) -> None:
        """As the data has it."""
        self.data.on_epoch_begin()

    def on_epoch_end(self) -> None:
        """As the data has it."""
        self.data.on_epoch_end()


def _rows(batch: Any) -> int:
    return len(keras.tree.flatten(batch)[0])
