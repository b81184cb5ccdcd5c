"""Tell losses and callbacks on how many devices a model is trained.

Under TensorFlow's `tf.distribute` each replica of a model (one a device) computes the
loss of its part of a batch, and the parts are added up; JAX computes the loss of the
whole batch. `keras_attend.training` sets the devices up. With one device none of these
functions changes anything.
"""

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from keras_attend.types import Tensor


@dataclass(frozen=True)
class Cluster:
    """The processes ("workers") and devices that train one model together.

    Attributes:
        devices: how many devices each worker uses.
        workers: how many workers there are.
        index: the number of this process among the workers, from 0.
        strategy: a `tf.distribute.Strategy`, or on JAX a Keras distribution.
    """

    devices: int = 1
    workers: int = 1
    index: int = 0
    strategy: Any = None

    @property
    def replicas(self) -> int:
        """How many devices all workers use together."""
        return self.devices * self.workers

    @property
    def first(self) -> bool:
        """Whether this is worker 0, which alone writes files and prints."""
        return self.index == 0


_cluster = Cluster()


def cluster() -> Cluster:
    """Return this process's cluster: one device, unless `use` has set another."""
    return _cluster


def use(cluster: Cluster) -> None:
    """Set this process's cluster."""
    global _cluster
    _cluster = cluster


def replicas() -> int:
    """Return how many parts of a loss are added up: the devices, or on JAX 1."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return int(tf.distribute.get_strategy().num_replicas_in_sync)


def total(x: Tensor) -> Tensor:
    """Sum `x` over the replicas, so that it counts the whole batch."""
    if replicas() == 1:
        return x
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return x if context is None else context.all_reduce("SUM", x)


def mean(losses: Tensor) -> Tensor:
    """Return what the losses `[B]` of one replica add to the whole batch's mean."""
    return ops.mean(losses) / replicas()


def seeds(model: Any) -> list[Any]:
    """Return the variables that hold the state of a model's random numbers."""
    return [v for v in model.non_trainable_variables if "seed_generator" in v.path]
