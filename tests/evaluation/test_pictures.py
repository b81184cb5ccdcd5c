import keras
import numpy as np
import pytest

from keras_attend import evaluation
from keras_attend.models import AIR


@pytest.mark.long
def test_rows_of_pictures(random, quick):
    """One a metric, over all models, each of which draws the same."""
    keras.utils.set_random_seed(1)
    models = [AIR(12, steps=2, window=4, what=2, units=4) for _ in range(2)]
    for model in models:
        model.compile()
        model.build(model.serving_shape)
    # One finds nothing, the other all it can.
    for model, presence in zip(models, (-9.0, 9.0), strict=True):
        model.cell.found.bias.assign([presence, 0, 0, 0, 0, 0, 0])
        model.cell.shape.bias.assign(np.full(16, 3.0))
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
    assert counts.min == pytest.approx(1 / 6, abs=1e-4)
    for metric in ("mean_iou", "found_rate"):
        assert 0 == found[metric].min <= found[metric].max <= 1
    assert "drawn_outside" not in found  # the first model draws nothing
    again = evaluation.picture_results(models[1:], data, data="noise")
    alone = {row.metric: row for row in again}
    assert 0 < alone["drawn_outside"].value <= 1
    same = evaluation.picture_results(models[1:], data[:1], data="noise")  # 0, 1, 2
    assert same[0].baselines == {"the most frequent count": 0.3333}
    data[0][1]["count"][:] = 2  # of each: to say so needs no model
    same = evaluation.picture_results(models[1:], data[:1], data="noise")
    assert same[0].metric == "count_accuracy" and not same[0].baselines
    # Its draws are the same again.
    ends = found["elbo_nats"].min, found["elbo_nats"].max
    bound = alone["elbo_nats"].value
    assert min(abs(bound - end) for end in ends) < 1e-3 * abs(bound)
    assert ends[0] < ends[1]
