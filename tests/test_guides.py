"""What is shown for one's own videos runs as written, but for fewer batches."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_attend.video import VideoWriter

pytest.importorskip("av")
Image = pytest.importorskip("PIL.Image")
ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "guides" / "your-videos.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A video as a file and in OTB's layout; a rectangle moves over noise."""
    images = tmp_path / "videos" / "red" / "img"
    images.mkdir(parents=True)
    random, lines = np.random.default_rng(0), []
    with VideoWriter(tmp_path / "in.mp4", 10) as writer:
        for t in range(15):
            frame = random.integers(0, 120, (80, 100, 3)).astype("uint8")
            x, y, w, h = 20 + t, 10 + t, 24, 30
            frame[y : y + h, x : x + w] = (250, 40, 40)
            Image.fromarray(frame).save(images / f"{t + 1:04d}.png")
            writer.write(frame)
            lines.append(f"{x + 1},{y + 1},{w},{h}")
    (images.parent / "groundtruth_rect.txt").write_text("\n".join(lines))
    return tmp_path


@pytest.mark.slow
@pytest.mark.packaging
def test_the_guide_runs(folder: Path) -> None:
    text = GUIDE.read_text()
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    code = code.replace("(model, [learn])", "(model, [learn], batches=2)")
    code = code.replace("batch_size=8, batches=4,", "batch_size=2, batches=1,")
    assert code.count("batches=2)") == code.count("batches=1,") == 1
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    assert len(re.findall(r"mean IoU 0\.\d{3}", found.stdout)) == 2
    frames = sorted((folder / "frames" / "in").iterdir())
    assert len(frames) == 8 and (folder / "mine" / "README.md").exists()
    (line,) = re.findall(r"^keras-attend track .*--model mine.*$", text, re.MULTILINE)
    words = shlex.split(line)[1:]
    found = subprocess.run(
        [sys.executable, "-m", "keras_attend", *words],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    assert (folder / "out.mp4").stat().st_size > 1000


@pytest.mark.slow
@pytest.mark.packaging
def test_readmes_fine_tuning_runs(folder: Path) -> None:
    """Its third snippet, on the few frames that there are."""
    text = (ROOT / "README.md").read_text("utf-8")
    code = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[2]
    for written, here, count in (
        ('"my_videos"', '"videos"', 1),
        ("100", "8", 2),
        ("(model, [learn])", "(model, [learn], batches=2)", 1),
    ):
        assert code.count(written) == count
        code = code.replace(written, here)
    found = subprocess.run(
        [sys.executable, "-c", f"import keras_attend as ka\n{code}"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    printed = re.findall(r"^\[0\.\d+\]$", found.stdout, re.MULTILINE)
    assert len(printed) == 2  # before and after; `fit` prints numbers too
