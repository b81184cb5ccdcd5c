"""The tutorials run, and are stored with what they print and draw."""

import re
from pathlib import Path

import pytest

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
# What each must show: one number below another by so much, each after some words.
LOWER = {
    "01_look_at_a_digit": ("right before: ", "after: ", 20),  # it learned the negatives
    "02_clutter": ("episodes: ", "wrong in one pass: ", 0),
    "03_follow_it": ("static box: ", "1 others: ", 0.3),
    "04_two_attentions": ("IoU before: ", "IoU after: ", 0.02),
    "05_reinforcement": ("(static box: ", "drlt_mnist: mean IoU ", 0.3),
    "06_your_own_preset": ("ram-letters: ", "the same from nothing: ", 10),
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


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.usefixtures("mnist_file")
def test_runs(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        for slow, quick in QUICK.items():
            cell.source = cell.source.replace(slow, quick)
    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
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
