"""Train on several devices and machines, with the same result as on one device.

TensorFlow trains under `tf.distribute` (`MirroredStrategy`, and with several workers
`MultiWorkerMirroredStrategy`), JAX under `keras.distribution.DataParallel` over the
devices of all processes. `TF_CONFIG` names the workers on both. The recipes come here
through `training.parse` and `training.fit`; on one device nothing here does anything.
"""

import json
import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
from keras import ops

from keras_attend.arguments import check_positive_integers
from keras_attend.compat import clip_summed_gradients, skip_symbolic_build
from keras_attend.distributed import Cluster, cluster, seeds, use

CONFIG = "TF_CONFIG"
# Replica i draws its random numbers with seeds that are i times this prime higher than
# the first replica's, further apart than any training draws.
APART = 1_000_003


def start(devices: int = 1, workers: int = 1) -> Cluster:
    """Make this process a worker. Call this before anything is computed.

    Args:
        devices: the number of devices of each worker: of GPUs, or without GPUs of
            parts of the CPU.
        workers: the number of processes, each of which calls this. `TF_CONFIG` tells
            them apart.
    """
    check_positive_integers(devices=devices, workers=workers)
    if devices == workers == 1:
        return cluster()
    addresses, index = _task(workers)
    keras.utils.set_random_seed(0)  # or workers would draw different first weights
    tensorflow = keras.backend.backend() == "tensorflow"
    begin = _start_tensorflow if tensorflow else _start_jax
    found = Cluster(devices, workers, index, begin(devices, addresses, index))
    use(found)
    return found


def _task(workers: int) -> tuple[list[str], int]:
    """Read all workers' addresses, and this worker's index, from `TF_CONFIG`."""
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


# What `training.fit` calls before and after Keras's `fit`.


def scope() -> AbstractContextManager[Any]:
    """Make the context in which models are made, loaded and trained."""
    strategy = cluster().strategy
    return nullcontext() if strategy is None else strategy.scope()


def placed(layer: Any) -> Any:
    """Make a layer usable by a model made in `scope`: on several devices, copy it."""
    if cluster().strategy is None or not layer.built:
        return layer
    copy = type(layer).from_config(layer.get_config())
    copy.build_from_config(layer.get_build_config())
    copy.set_weights(layer.get_weights())
    copy.trainable = layer.trainable
    return copy


def prepare(model: Any, data: Any) -> Any:
    """Make a compiled model ready for `fit` under `scope`; return the data for it."""
    if cluster().strategy is None:
        return data
    shared = SharedBatches(data, cluster())
    if keras.backend.backend() == "tensorflow":
        x, *_ = keras.utils.unpack_x_y_sample_weight(shared[0])
        _prepare_tensorflow(model, x)
    return shared


def _prepare_tensorflow(model: Any, x: Any) -> None:
    """Correct what Keras 3.15 does under `tf.distribute` and not on one device."""
    import tensorflow as tf

    strategy = cluster().strategy
    if not model.built:
        model.build(keras.tree.map_structure(lambda a: (None, *a.shape[1:]), x))
    model.optimizer.build(model.trainable_variables)
    # XLA has no step over several devices.
    model.jit_compile = False
    for seed in seeds(model):
        state, counter = ops.convert_to_numpy(seed)
        for i, copy in enumerate(strategy.experimental_local_results(seed.value)):
            replica = cluster().index * cluster().devices + i
            copy.assign([state + APART * replica, counter])
    clip_summed_gradients(model.optimizer)
    if cluster().workers > 1:
        # Keras builds a model from a batch that it adds up over the workers, and takes
        # means of their logs over axis 0: neither works.
        skip_symbolic_build(model)
        step = type(model).train_step
        model.train_step = lambda batch: {
            name: tf.reshape(value, (1,)) for name, value in step(model, batch).items()
        }


def wait(name: str) -> None:
    """Wait until all workers have called this."""
    if cluster().workers == 1:
        return
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        one = cluster().strategy.run(lambda: tf.ones(()))
        float(cluster().strategy.reduce("SUM", one, axis=None))
    else:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(name)


class SharedBatches(keras.utils.PyDataset):
    """Batches that the replicas can share evenly.

    A smaller last batch is shortened to a multiple of their number. On JAX each worker
    gets its own rows; on TensorFlow `tf.distribute` hands them out.

    Args:
        data: the data for one device. Its batches depend on their index and
            `data.epoch` alone, so that every worker can draw them.
        cluster: the workers and devices that share the batches.
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
        """Pass the call on to the data."""
        self.data.on_epoch_begin()

    def on_epoch_end(self) -> None:
        """Pass the call on to the data."""
        self.data.on_epoch_end()


def _rows(batch: Any) -> int:
    return len(keras.tree.flatten(batch)[0])
