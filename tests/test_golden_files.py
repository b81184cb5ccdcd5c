"""What `golden_files` gives where all cases of the original code are not there."""

import golden_files
import numpy as np
import pytest

SMALL = sorted(path.stem for path in golden_files.SMALL.glob("*.npz"))


def test_small_files_are_small():
    files = [p for p in golden_files.SMALL.iterdir() if p.suffix in (".npz", ".json")]
    assert len(files) >= 8
    assert sum(path.stat().st_size for path in files) < 350_000


@pytest.mark.parametrize("name", SMALL)
def test_small_files_hold_cases_of_the_full_ones(name, golden):
    """The same names; as many axes; every number but those that were left out."""
    full, small = golden(name, whole=True), golden_files.read(name, golden_files.SMALL)
    extra = {"units"} if name == "ram_kz_forward" else set()
    assert small.keys() - full.keys() == extra
    for key in small.keys() - extra:
        assert small[key].ndim == full[key].ndim and small[key].dtype == full[key].dtype
        # Padded with zeros where a matrix keeps the columns of a few units.
        stray = np.setdiff1d(small[key], np.append(full[key].ravel(), [0]))
        if key.endswith("images_nchw") and "mnist_" in key:  # normalised to rounding
            assert np.abs(small[key] - full[key][: len(small[key])]).max() < 3e-7
        else:
            assert stray.size == 0, key
