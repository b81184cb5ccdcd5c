import keras
import numpy as np
import pytest

from keras_attend import evaluation
from keras_attend.models import AIR


def test_rows_of_pictures(random, quick):
    """One a metric, over all models, each of which draws the same."""
    keras.utils.set_random_seed(1)
    models = [AIR(12, steps=2, window=4, what=2, units=4) for _ in range(2)]
    for model in models:
        model.compile()
        model.build(model.serving_shape)
    models[1].cell.found.bias.assign([9.0, 0, 0, 0, 0, 0, 0])  # it finds all it can
    data = [
        (
            random.random((3, 12, 12, 1)).astype("float32"),
            {"count": np.array(count), "boxes": np.full((3, 2, 4), 4.0)},
        )
        for count in ([0, 1, 2], [2, 2, 1])
    ]
    rows = evaluation.picture_results(
        models, data, data="noise", paper={"count_accuracy": 0.9}
    )
    found = {row.metric: row for row in rows}
    assert {row.protocol for row in rows} == {"noise/pictures"}
    counts = found["count_accuracy"]
    assert counts.n == 2 and counts.paper == 0.9 and counts.max == 0.5
    assert counts.baselines == {"the most frequent count": 0.5}
    for metric in ("mean_iou", "found_rate", "drawn_outside"):
        assert 0 <= found[metric].min <= found[metric].max <= 1
    again = evaluation.picture_results(models[:1], data, data="noise")
    bound = next(row for row in again if row.metric == "elbo_nats")
    assert found["elbo_nats"].min <= bound.value <= found["elbo_nats"].max
    ends = found["elbo_nats"].min, found["elbo_nats"].max
    assert min(abs(bound.value - end) for end in ends) < 1e-2 * abs(bound.value)
    assert pytest.approx(bound.value) == bound.max
