"""Trackers with a V1 from ImageNet: how they are trained."""

import pytest

from keras_attend.training.wide_trackers import fast_dtype


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
