"""Trackers with a V1 from ImageNet: how they are trained."""

import numpy as np
import pytest
from keras import ops

from keras_attend.layers import EfficientV1
from keras_attend.models import WideHART, WideHARTCell
from keras_attend.training.wide_trackers import STAGES, begin, fast_dtype


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("flags : fpu avx2 avx512f avx512_bf16", "mixed_bfloat16"),
        ("flags : fpu amx_bf16", "mixed_bfloat16"),
        ("flags : fpu avx2 avx512f", "float32"),
        (None, "float32"),
    ],
)
def test_v1_computes_in_what_is_fast(flags, expected, tmp_path):
    cpu = tmp_path / "cpuinfo"
    if flags is not None:
        cpu.write_text(flags)
    assert fast_dtype(cpu) == expected


def test_v1s_later_blocks_learn_in_the_last_stage():
    """All the rest learns in each stage; what was learned is taken over."""

    def make(dtype, trainable_from):
        v1 = EfficientV1((2, 4, 10), trainable_from, dtype=dtype, name="v1")
        model = WideHART(WideHARTCell(size=64, part=4, v1=v1, name="cell"))
        model.build()
        return model

    def parts(model, learn):
        variables = model.trainable_variables if learn else model.weights
        return {
            v.path.split("v1/")[1].split("/")[0] for v in variables if "/v1/" in v.path
        }

    before = make("float32", None)
    assert not parts(before, True) and len(parts(before, False)) == 12  # and the stem
    last = STAGES[-1]
    model = begin(make, None, before, last, 10)
    assert parts(model, True) == {f"block_{n}" for n in range(last.trainable_from, 11)}
    heads = [v for v in before.trainable_variables if "/v1/" not in v.path]
    assert len(heads) == sum("/v1/" not in v.path for v in model.trainable_variables)
    for old, new in zip(before.weights, model.weights, strict=True):
        np.testing.assert_array_equal(*map(ops.convert_to_numpy, (old, new)))
    assert [stage.trainable_from for stage in STAGES[:-1]] == [None] * (len(STAGES) - 1)
