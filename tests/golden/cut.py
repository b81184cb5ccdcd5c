"""Write the small golden files beside this one from the full ones.

    python tests/golden/cut.py FOLDER

FOLDER holds the inputs and outputs of the original code, as the tests read them. The
small files hold the same arrays under the same names, with fewer cases: nothing in
them is computed anew. Three things make them small:

- Noise and sample digits, which the original code was given, are not stored. What they
  are drawn from is (see `golden_files.redraw`); this script checks that it gives the
  same numbers.
- Of pictures with several channels one is kept where a layer treats all alike.
- Of RAM's trained weights the matrices of 256 units keep the columns of a few units,
  named by `units` in `ram_kz_forward.npz`; the other columns are zero.

There is no small file for whole models (`hart_full_*`, `ratm_full`): their weights and
videos are too large.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from golden_files import FULL, REDRAWN, read, redraw  # noqa: E402

MOST_BYTES = 300_000
UNITS = [23, 62, 100, 234]  # of the 256, among those that answer most often
IMAGES, STEPS = 2, 6


class Cut:
    """A small file in the making: arrays of a full one, and recipes of some."""

    def __init__(self, folder, name):
        self.full, self.name = read(name, folder), name
        self.arrays, self.redrawn = {}, {}

    def keep(self, *names, cases=None, channels=None):
        """Keep arrays whose names begin so; `cases` of the leading axis.

        An array with a leading axis of another length is kept whole.
        """
        for key, array in self.full.items():
            if key.startswith(names):
                if cases is not None and array.ndim and len(array) > max(cases):
                    array = array[cases]
                self.arrays[key] = array[..., :channels] if channels else array

    def redraw(self, key, source, cases, **how):
        """Keep how to draw an array, having checked that it gives the same."""
        expected = self.full[key]
        recipe = {"source": source, "shape": expected.shape, "cases": cases, **how}
        expected = expected[cases][..., : how.get("channels")]
        found = redraw(**recipe)
        assert found.dtype == expected.dtype, (self.name, key)
        np.testing.assert_allclose(found, expected, atol=3e-7, rtol=0)
        self.redrawn[key] = recipe

    def write(self):
        redrawn = {REDRAWN: np.array(json.dumps(self.redrawn))} if self.redrawn else {}
        path = HERE / f"{self.name}.npz"
        np.savez_compressed(path, **dict(sorted({**self.arrays, **redrawn}.items())))
        return path


def hart_ops(folder):
    """HART's operations; the images of glimpses have one channel of three."""
    cut = Cut(folder, "hart_ops")
    cut.keep("loss/", "lstm/", "normalize_contrast/", "bbox_to_mask/")
    cut.keep("adaptive_rmsprop/", "attention/img_size", "attention/glimpse_size")
    cut.keep("stride_to_std/", cases=list(range(0, 1088, 13)))
    # Inside, over the border, with a stride of zero, backwards.
    reads = [1, 2, 3, 6, 7]
    cut.keep("extract_glimpse/params", cases=reads)
    for size in ("28x28", "14x20"):
        cut.keep(f"extract_glimpse/{size}/glimpse", cases=reads, channels=1)
    cut.redraw("extract_glimpse/images_nhwc", "random_sample", reads, channels=1)
    # The parameters of all boxes; the glimpses of two, which come first.
    glimpses, last = [1, 3], {"attention_fixedstd": 7, "attention_ratm": 10}
    cut.keep("attention/boxes", cases=[1, 3, 0, 2, 4, 5, 6, 7, 8, 9])
    for kind, n in last.items():
        order = glimpses + [i for i in range(n) if i not in glimpses]
        cut.keep(f"{kind}/att", f"{kind}/bbox", cases=order)
        cut.keep(f"{kind}/glimpse", cases=glimpses, channels=1)
    cut.redraw(
        "attention/images_uint8",
        "random_sample",
        glimpses,
        skip=457452,
        scale=255,
        dtype="uint8",
        channels=1,
    )
    cut.keep("dynamic_filter_conv/", cases=[0])
    cut.keep("dynamic_filter_model/var")
    for key in ("alpha", "dyn_w", "dyn_b", "features", "x"):
        cut.keep(f"dynamic_filter_model/{key}", cases=[0])
    return cut.write()


def ratm_attention(folder, name):
    """RATM's read: images of one channel and of three."""
    cut = Cut(folder, name)
    cut.keep("box/")
    for case, cases, skip, scale in (
        ("kth120x160_g28", [1, 3, 6], 100_000, 255),
        ("mnist100_g28", [2, 4, 7], 0, 1),
        ("rgb61x101_g7x11_exactdiv", list(range(10)), 354_830, 1),
    ):
        cut.keep(f"{case}/acts", f"{case}/patches", cases=cases)
        cut.redraw(
            f"{case}/images_nchw", "random_sample", cases, skip=skip, scale=scale
        )
    return cut.write()


def ram_retina(folder):
    """All five cases of RAM's retina, with fewer images of the large ones."""
    cut = Cut(folder, "ram_retina")
    cut.keep("meta")
    few, all_ = [0, 1, 7], list(range(12))
    for case, cases, source, skip in (
        ("mnist_g8k1s1", all_, "normalised_digits", 0),
        ("mnist_g8k1s2", all_, "normalised_digits", 0),
        ("trans60_g12k3s2", few, "standard_normal", 0),
        ("clut100_g12k4s2", few, "standard_normal", 43_200),
        ("s3_45_g4k3s3", all_, "standard_normal", 317_568),
    ):
        cut.keep(f"{case}/loc_xy", f"{case}/phi_bkcgg", cases=cases)
        cut.redraw(f"{case}/images_nchw", source, cases, skip=skip)
    return cut.write()


def ram_kz(folder):
    """Six glimpses of two digits; weights of a few units, for a test of each layer."""
    cut = Cut(folder, "ram_kz_checkpoint_weights")
    cut.keep("glimpse/what_hidden", "glimpse/where_hidden")
    cut.keep("location", "action", "baseline")
    for layer in ("glimpse/what_out", "glimpse/where_out"):
        cut.keep(layer)
    cut.keep("core/")
    for key in list(cut.arrays):
        if key.startswith(("core", "glimpse/what_out", "glimpse/where_out")):
            kept = np.zeros_like(cut.arrays[key])
            kept[..., UNITS] = cut.arrays[key][..., UNITS]
            cut.arrays[key] = kept
    weights = cut.write()
    cut = Cut(folder, "ram_kz_forward")
    images = list(range(IMAGES))
    cut.keep("labels", "first_loc", "log_probs", cases=images)
    cut.redraw("images_uint8", "digits", images, dtype="uint8")
    cut.arrays["units"] = np.array(UNITS)
    for key, array in cut.full.items():
        if key.startswith("step_"):
            cut.arrays[key] = array[:, :IMAGES]
    return weights, cut.write()


def main(folder):
    hart_ops(folder)
    for name in ("ratm_attention", "ratm_attention_truediv"):
        ratm_attention(folder, name)
    ram_retina(folder)
    ram_kz(folder)
    walks = Cut(folder, "ratm_moving_mnist")
    walks.keep("pos_row_col", "seed")
    walks.write()
    shutil.copyfile(
        folder / "hart_sigma_quartic.json", HERE / "hart_sigma_quartic.json"
    )
    sizes = {p.name: p.stat().st_size for p in sorted(HERE.glob("*.[nj]*"))}
    print(*(f"{size:8} {name}" for name, size in sizes.items()), sep="\n")
    print(f"{sum(sizes.values()):8} in all")
    if sum(sizes.values()) > MOST_BYTES:
        raise SystemExit(f"The small files must have at most {MOST_BYTES} bytes.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=FULL)
    main(parser.parse_args().folder)
