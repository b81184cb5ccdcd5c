"""What AIR and its sequential form share: true counts, which are for a metric alone."""

from typing import Any

import keras

from keras_attend.models.first_batch import first_batch
from keras_attend.types import Tensor


def metrics_with_counts(
    model: Any, right: Tensor | None, sample_weight: Any
) -> dict[str, Tensor]:
    """Loss and bound; and the share of right counts, of targets with counts.

    Args:
        model: has the metric `count_accuracy`.
        right: `[B]`, the share of right counts of each sample; None without targets.
        sample_weight: as of `compute_metrics`.
    """
    counts: keras.metrics.Metric = model.count_accuracy
    if right is not None:
        counts.update_state(right, sample_weight)
    found: dict[str, Tensor] = model.get_metrics_result()
    if right is None:
        found.pop(counts.name)
    return found


def check_counts_alone(x: Any, y: Any, name: str, call: str, shape: str) -> None:
    """Refuse targets that are not counts.

    Args:
        x, y: what `fit` got.
        name: the model's.
        call: how it is trained.
        shape: of the counts.
    """
    _, y = first_batch(x, y)
    if y is not None and not (isinstance(y, dict) and "count" in y):
        raise ValueError(
            f"{name} learns without labels: call `{call}`. Targets may only be a dict "
            f"with the true counts, {{'count': {shape}}}, for the metric "
            f"`count_accuracy`. Received: targets of type {type(y).__name__}"
        )
