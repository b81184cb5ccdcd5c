"""What is followed is shown in a real browser, while it runs."""

import pytest
from track_case import Run, save_small_tracker, two_squares

pytestmark = pytest.mark.web

# How many pixels of the picture have the colour of the first object's box.
GREEN = """
const canvas = document.getElementById("picture");
if (!canvas.width) return 0;
const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
let count = 0;
for (let i = 0; i < data.length; i += 4)
  if (data[i + 1] > 150 && data[i] < 130 && data[i + 2] < 130) count += 1;
return count;
"""


def test_live(tmp_path, desktop):
    preset = save_small_tracker(tmp_path / "preset")
    source, table = two_squares(tmp_path / "in.mp4", 4000), tmp_path / "boxes.csv"
    options = ("--box", "20,30,20,20", "--model", preset, "--boxes", table)
    with Run(source, *options, "--live") as run:
        desktop.open(run.address())
        desktop.until(lambda: desktop.text("title") == "Following")
        first = desktop.text("words")
        assert " of 4000 frames, " in first
        desktop.until(lambda: desktop.text("words") != first)
        desktop.until(lambda: desktop.run(GREEN) > 20)
        desktop.click("stop")
        desktop.until(lambda: desktop.text("title") == "Done")
        assert run.wait() == 0
    count = table.read_text().count("\n") - 1
    assert 1 < count < 4000
    assert f"stopped after {count} frames" in run.errors
    assert f"stopped after {count} frames" in desktop.text("words")
