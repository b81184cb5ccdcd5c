import pytest
from layer_check import run_layer_test

from keras_attend.layers import V1


@pytest.mark.parametrize("norm", ["group", "response"])
def test_v1(norm, random, tmp_path):
    run_layer_test(
        V1,
        {"filters": (8, 4, 6), "groups": (1, 2, 1), "norm": norm},
        (random.random((2, 8, 8, 3)).astype("float32"),),
        (2, 2, 2, 6),
        trainable_weights=9 if norm == "group" else 6,
        tmp_path=tmp_path,
        tolerance=1e-4,
    )
