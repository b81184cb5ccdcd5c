"""A network of `keras.applications` as V1, as the guide to fine-tuning shows it."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_attend as ka

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "fine-tuning.md"


@pytest.mark.long
@pytest.mark.packaging
def test_the_guides_network_tracks_and_is_saved(tmp_path: Path) -> None:
    text = GUIDE.read_text().partition("## A tracker on another network")[2]
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    small = {
        "include_top": "0.35, weights=None, include_top",
        "Cell(v1": "Cell(64, 4, 8, keys=8, values=4, width=16, depth=1, v1",
    }
    for shown, quick in small.items():
        assert code.count(shown) == 1
        code = code.replace(shown, quick)
    names = {"ka": ka}
    exec(code, names)
    model, random = names["model"], np.random.default_rng(0)
    frames = random.integers(0, 256, (20, 60, 80, 3)).astype("uint8")
    boxes = np.tile(np.array([10, 12, 9, 8], "float32"), (20, 1))
    model.cell.adapt(frames, boxes)
    assert not any("mobilenet" in v.path for v in model.trainable_variables)
    found = ka.Tracker(model).track(frames[:3], boxes[0])
    assert np.isfinite(found).all() and (found[1:] != boxes[0]).any()
    model.save(tmp_path / "model.keras")
    again = ka.Tracker(keras.saving.load_model(tmp_path / "model.keras"))
    np.testing.assert_allclose(again.track(frames[:3], boxes[0]), found, atol=1e-3)
