"""Boxes are drawn on a page, in a real browser."""

import numpy as np
import pytest
from track_case import Run, save_small_tracker, two_squares

from keras_attend.commands.main import main
from keras_attend.video.page import Page

pytestmark = pytest.mark.web
BOXES = [[20, 30, 20, 20], [120, 10, 20, 24]]


def title(browser, words):
    browser.until(lambda: (browser.text("title") or "").startswith(words))


def test_two_boxes_are_followed_as_those_of_the_command_line(tmp_path, desktop):
    preset = save_small_tracker(tmp_path / "preset")
    source, table = two_squares(tmp_path / "in.mp4", 12), tmp_path / "drawn.csv"
    with Run(source, "--select", "--model", preset, "--boxes", table) as run:
        desktop.open(run.address())
        title(desktop, "Draw")
        assert desktop.text("go") == "Follow"
        desktop.draw(*BOXES[0])
        desktop.draw(60, 60, 30, 30)
        desktop.click("undo")
        desktop.draw(*BOXES[1])
        assert desktop.text("go") == "Follow 2 objects"
        desktop.click("go")
        title(desktop, "Done")
        assert "can be closed" in desktop.text("words")
        assert run.wait() == 0
    assert "Drawn: --box 20,30,20,20 --box 120,10,20,24\n" in run.errors
    assert "\n12 frames, " in run.errors and str(table) in run.errors

    given = tmp_path / "given.csv"
    boxes = [word for box in BOXES for word in ("--box", ",".join(map(str, box)))]
    options = ["--model", preset, "--boxes", str(given)]
    assert main(["track", source, *boxes, *options]) == 0
    rows = [line.split(",") for line in given.read_text().splitlines()[1:]]
    assert [row[:2] for row in rows] == [[str(t), k] for t in range(12) for k in "12"]
    found, drawn = (
        np.genfromtxt(path, delimiter=",", skip_header=1) for path in (given, table)
    )
    np.testing.assert_allclose(drawn, found, atol=0.011)


@pytest.fixture
def frame():
    return np.random.default_rng(0).integers(0, 255, (60, 100, 3), "uint8")


def test_what_is_drawn_ends_at_the_frames_edge(desktop, frame):
    with Page() as page:
        page.ask(frame)
        desktop.open(page.address)
        title(desktop, "Draw")
        desktop.drag(desktop.place(50, 40), desktop.place(50, 40))  # a click
        assert "Drag" in desktop.text("error") and desktop.text("go") == "Follow"
        desktop.draw(80, 40, 300, 300)
        desktop.draw(1, 2, 30, 20)
        desktop.click("clear")
        desktop.draw(80, 40, 300, 300)
        desktop.click("go")
        np.testing.assert_allclose(page.boxes(), [[80, 40, 20, 20]])
    title(desktop, "Ended")
    assert "can be closed" in desktop.text("words")


def test_a_second_tab(desktop, frame):
    with Page() as page:
        page.ask(frame)
        first = desktop.tabs()[0]
        desktop.open(page.address)
        title(desktop, "Draw")
        desktop.new_tab()
        desktop.open(page.address)
        title(desktop, "Draw")
        desktop.draw(10, 10, 20, 20)
        desktop.click("go")
        np.testing.assert_allclose(page.boxes(), [[10, 10, 20, 20]])
        desktop.switch(first)
        title(desktop, "One moment")  # it no longer asks for boxes
        desktop.open(page.address)  # loaded again
        title(desktop, "One moment")


def test_all_tabs_are_closed(desktop, frame):
    with Page() as page:
        page.ask(frame)
        first = desktop.tabs()[0]
        desktop.new_tab()
        desktop.open(page.address)
        title(desktop, "Draw")
        desktop.open(page.address)  # loaded again: not closed
        title(desktop, "Draw")
        assert not page.is_closed
        desktop.close_tab()
        desktop.switch(first)
        with pytest.raises(ValueError, match="page was closed before"):
            page.boxes()


def test_a_finger(telephone, frame):
    with Page() as page:
        page.ask(frame)
        telephone.open(page.address)
        title(telephone, "Draw")
        telephone.draw(30, 10, 40, 30)
        assert telephone.text("list") == "40 \u00d7 30 pixels at 30, 10"
        across = telephone.run("return document.documentElement.scrollWidth")
        assert across == 390  # nothing is wider than the screen
        telephone.click("go")
        np.testing.assert_allclose(page.boxes(), [[30, 10, 40, 30]])
