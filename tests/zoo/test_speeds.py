"""`speeds.json`, and the column that cards make of it."""

import json

import pytest

from keras_attend import zoo
from keras_attend.training import cards
from keras_attend.zoo.card import write_card
from keras_attend.zoo.speeds import Speed, read_speeds, write_speeds
from tests.tiny_tracker import save_tiny_preset

pytestmark = pytest.mark.packaging
SPEED = Speed(1717, "frames", "180x320", "one core of x", {"KCF": 402.0, "CSRT": 8.25})


def row(protocol, **baselines):
    baselines = {"static box": 0.1} | baselines
    return zoo.Result("mean_iou", protocol, 0.5, 0.5, 0.5, 1, None, baselines)


def test_a_card_has_the_speeds_of_its_preset_and_of_each_rows_peers(
    tmp_path, monkeypatch
):
    folder = save_tiny_preset(tmp_path / "zoo" / "tiny")
    rows = [row("a/ope", KCF=0.4, CSRT=0.6), row("b/ope", CSRT=0.6), row("c/ope")]
    about = {"device": "a CPU", "training_seconds": 1, "commit": "abc"}
    zoo.write_results(folder, rows, **about)
    write_card(folder)
    assert "Speeds" not in (folder / "README.md").read_text()
    write_speeds(folder.parent, {"tiny": SPEED})
    assert read_speeds(folder.parent) == {"tiny": SPEED}
    monkeypatch.setattr(cards, "presets_folder", lambda: folder.parent)
    assert cards.main([]) == 0
    for page in (folder / "README.md", folder.parent / "README.md"):
        lines = page.read_text().splitlines()
        (head,) = (line for line in lines if line.startswith("| metric"))
        assert head.endswith("| loses to | frames/s |")
        shown = [line for line in lines if line.startswith("| mean IoU")]
        assert shown[0].endswith("| CSRT | **1,717**, KCF 402, CSRT 8.2 |")
        assert shown[1].endswith("| CSRT | **1,717**, CSRT 8.2 |")
        assert shown[2].endswith("|  | **1,717** |")
    text = (folder / "README.md").read_text()
    assert "Speeds: 180x320 pixels, on one core of x, a tracker with" in text


@pytest.mark.parametrize("changes", [{"per_second": 0}, {"peers": {"KCF": "9"}}])
def test_bad_speeds(tmp_path, changes):
    fields = {"per_second": 1.0, "what": "frames", "size": "-", "device": "-"}
    content = {"tiny": fields | changes}
    (tmp_path / "speeds.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"speeds\.json must be what.*positive"):
        read_speeds(tmp_path)
