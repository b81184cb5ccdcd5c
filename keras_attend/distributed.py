"""What losses and callbacks must know of a training on several devices.

Under TensorFlow's `tf.distribute` each replica computes the loss of its part of a
batch, and the parts are added up; JAX computes the loss of the whole batch.
`keras_attend.training` starts the devices. On one device nothing here has an effect.
"""

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from keras_attend.types import Tensor


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
    """The cluster that this process is part of: one device unless `use` was called."""
    return _cluster


def use(cluster: Cluster) -> None:
    """Make `cluster` the one that this process is part of."""
    global _cluster
    _cluster = cluster


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


def seeds(model: Any) -> list[Any]:
    """The states of a model's random numbers."""
    return [v for v in model.non_trainable_variables if "seed_generator" in v.path]
