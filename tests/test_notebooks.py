"""The tutorials run, and are stored with what they print and draw."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
# What a reader's minute is to a test.
QUICK = {
    "TRAIN_IMAGES = 54_000": "TRAIN_IMAGES = 10_000",
    "EPOCHS = 12": "EPOCHS = 1",
    "TEST_DIGITS = 4000": "TEST_DIGITS = 500",
    "CLIPS = 200": "CLIPS = 20",
}
# These run on JAX too; the others, which use no more of a backend, on TensorFlow alone.
ON_JAX = ("01_look_at_a_digit", "07_objects_without_labels")
# What each must show: one number below another by so much, each after some words.
LOWER = {
    "01_look_at_a_digit": ("right before: ", "after: ", 20),  # it learned the negatives
    "02_clutter": ("episodes: ", "wrong in one pass: ", 0),
    "03_follow_it": ("static box: ", "1 others: ", 0.3),
    "04_two_attentions": ("IoU before: ", "IoU after: ", 0.02),
    "05_reinforcement": ("(static box: ", "drlt_mnist: mean IoU ", 0.3),
    "06_your_own_preset": ("ram-letters: ", "the same from nothing: ", 5),
    "07_objects_without_labels": ("right counts before: ", "after: ", 30),
}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_with_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code if cell.source)
    outputs = [output for cell in code for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 3
    for output in outputs:
        assert output.output_type != "error"
        assert output.get("name") != "stderr", output.text[:500]


COLOURS = re.compile(r"\*\*(red|green|blue|orange|black|white|grey|bright)\b", re.I)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_captions_say_what_colours_mean(path):
    """Above each picture stands what one of its colours, in bold, is the colour of."""
    caption, pictures = "", 0
    for number, cell in enumerate(nbformat.read(path, as_version=4).cells):
        if cell.cell_type == "markdown":
            caption = cell.source
        if any("image/png" in o.get("data", {}) for o in cell.get("outputs", [])):
            pictures += 1
            assert COLOURS.search(caption), f"the picture of cell {number}"
    assert pictures >= 3


def test_real_frames_are_as_wide_as_the_page():
    """Of notebook 04, whose pictures were cut to a few letters' height before."""
    path = NOTEBOOKS[0].with_name("04_two_attentions.ipynb")
    cells = nbformat.read(path, as_version=4).cells
    assert any("drift-straight" in cell.source for cell in cells)
    pictures = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(o["data"]["image/png"]))))
        for cell in cells
        for o in cell.get("outputs", [])
        if "image/png" in o.get("data", {})
    ]
    assert len(pictures) >= 4
    for picture in pictures:
        height, width = picture.shape[:2]
        assert width > 700 and height > width / 8, picture.shape
    colours = {tuple(pixel) for pixel in pictures[0][::7, ::7, :3].reshape(-1, 3)}
    assert len(colours) > 1000  # a photograph, not a drawing


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(p, marks=() if p.stem in ON_JAX else pytest.mark.packaging)
        for p in NOTEBOOKS
    ],
    ids=lambda path: path.stem,
)
@pytest.mark.usefixtures("mnist_file")
def test_runs(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        for slow, quick in QUICK.items():
            cell.source = cell.source.replace(slow, quick)
    client = nbclient.NotebookClient(
        notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    outputs = [o for c in notebook.cells for o in c.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 3
    printed = "".join(output.get("text", "") for output in outputs)
    *words, margin = LOWER[path.stem]
    low, high = (
        float(re.search(re.escape(w) + r"\s*([\d.]+)", printed).group(1)) for w in words
    )
    assert low + margin < high
