"""What is drawn for several objects, for lost ones, and below a frame."""

import numpy as np
import pytest

from keras_attend.video import annotate, captioned, gridded
from keras_attend.video.drawing import LOST_COLOUR, WINDOW_COLOUR, object_colour

pytest.importorskip("PIL")
BOXES = [[30, 60, 60, 60], [120, 80, 40, 60]]


def of_colour(frame, colour):
    return (frame == np.array(colour, "uint8")).all(-1)


def grey(height=200, width=300):
    return np.full((height, width, 3), 50, "uint8")


def test_each_object_has_a_colour_and_a_number():
    drawn = annotate(grey(), BOXES)
    for number, (x, y, w, h) in enumerate(BOXES):
        rows, columns = np.nonzero(of_colour(drawn, object_colour(number)))
        assert (rows.max(), columns.max()) == (y + h - 1, x + w - 1)
        assert columns.min() == x and y - 20 < rows.min() < y - 8  # the number, above
        # The letters are dark, on the object's colour.
        tag = drawn[rows.min() : y, x : x + 8]
        assert tag.min() < 40 and of_colour(tag, object_colour(number)).any()
    assert not of_colour(drawn, LOST_COLOUR).any()


def test_the_number_stays_in_the_frame():
    for box in ([-40, -30, 60, 60], [290, 2, 60, 60], [10, 199, 5, 50]):
        drawn = annotate(grey(), [box, [100, 100, 20, 20]])
        assert of_colour(drawn, object_colour(0)).sum() > 60


def test_a_lost_object_is_red_and_dashed():
    whole = annotate(grey(), BOXES[0], present=True)
    lost = annotate(grey(), BOXES[0], present=False)
    lines, dashes = of_colour(whole, object_colour(0)), of_colour(lost, LOST_COLOUR)
    assert not of_colour(lost, object_colour(0)).any()
    assert 0.4 * lines.sum() < dashes.sum() < 0.7 * lines.sum()
    assert not dashes[~lines].any()
    assert dashes[60, 30]  # the corner, where dashes begin
    changes = np.diff(dashes[60, 30:90].astype(int))
    assert (changes != 0).sum() >= 6
    two = annotate(grey(), BOXES, present=[True, False])
    assert of_colour(two, object_colour(0)).any() and of_colour(two, LOST_COLOUR).any()


def test_lines_letters_and_insets_scale():
    glimpse = np.full((2, 6, 6, 3), 200, "uint8")
    present = [True, True]
    small = captioned(annotate(grey(360, 640), BOXES, None, glimpse), 1, present)
    large = captioned(
        annotate(grey(1440, 2560), 4 * np.array(BOXES), None, glimpse), 1, present
    )
    for colour in ((200, 200, 200), object_colour(1)):
        ratio = of_colour(large, colour).sum() / of_colour(small, colour).sum()
        assert 12 < ratio < 20  # 16 times the pixels
    strips = len(large) - 1440, len(small) - 360
    assert strips[0] / strips[1] == pytest.approx(4, rel=0.1)


def test_windows_that_are_boxes():
    drawn = annotate(grey(), BOXES, [[10, 40, 100, 100], BOXES[1]])
    rows, columns = np.nonzero(of_colour(drawn, WINDOW_COLOUR))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (40, 139, 10, 109)


def test_glimpses_of_several_objects_lie_in_corners_of_their_own():
    glimpses = np.stack([np.full((4, 4, 3), 100 + k, "uint8") for k in range(6)])
    boxes = [[140 + 4 * k, 90, 10, 10] for k in range(6)]
    drawn = annotate(grey(), boxes, glimpse=glimpses)
    centres = set()
    for number in range(4):
        inset = of_colour(drawn, [100 + number] * 3)
        assert inset.sum() == 44 * 44  # 0.22 of 200 rows
        rows, columns = np.nonzero(inset)
        centres.add((rows.mean() > 100, columns.mean() > 150))
    assert len(centres) == 4
    assert not of_colour(drawn, [104] * 3).any()  # there is no fifth corner
    with pytest.raises(ValueError, match=r"\[N, n, m, 3\] for boxes \[N, 4\]"):
        annotate(grey(), boxes, glimpse=glimpses[0])


def test_the_caption_hides_nothing_and_does_not_move():
    frame = np.random.default_rng(0).integers(0, 255, (90, 320, 3), "uint8")
    first = captioned(frame, 3, [True, True], [0.98, 0.5], window=True)
    other = captioned(frame, 9999, [False, True], [0.1, 1.0], window=True)
    assert (first[:90] == frame).all() and first.shape == other.shape
    assert first.shape[0] % 2 == 0 and first.shape[1] == 320
    strip = first[90:]
    for colour in (object_colour(0), object_colour(1), WINDOW_COLOUR):
        assert of_colour(strip, colour).any()
    assert of_colour(other[90:], LOST_COLOUR).any()
    assert not of_colour(other[90:], object_colour(0)).any()
    plain = captioned(frame, 3, [True])
    assert not of_colour(plain[90:], WINDOW_COLOUR).any()
    corners = captioned(frame, 3, [True], glimpse=True)
    assert corners.shape != plain.shape or (corners != plain).any()
    again = captioned(frame, 3, [True, True], [0.97, 0.5], window=True)
    assert (again != first).any()  # the score is written there
    assert (captioned(frame, 4, [True])[90:] != captioned(frame, 3, [True])[90:]).any()


@pytest.mark.parametrize(("height", "width"), [(2, 3), (48, 64), (9, 400)])
def test_captions_of_small_frames(height, width):
    frame = np.zeros((height, width, 3), "uint8")
    found = captioned(frame, 12, [False] * 3, [0.5] * 3, window=True)
    assert found.shape[1] == width and found.shape[0] > height


def test_the_grid_tells_pixels():
    frame = np.zeros((90, 160, 3), "uint8")
    frame[20:30, 40:50] = 255
    picture = gridded(frame)
    assert picture.shape[1] > 600  # a small frame is enlarged
    # The frame lies between the rulers, four times as large.
    margin = (picture.shape[1] - 4 * 160) // 2
    inside = picture[margin : margin + 4 * 90, margin : margin + 4 * 160]
    assert (inside[81:119, 161:199] == 255).all()
    lines = np.flatnonzero(inside[2, :, 0] > 100)
    assert lines.tolist() == list(range(40, 640, 40))  # each ten pixels
    assert (picture[: margin // 2] < 100).any()  # numbers
    drawn = gridded(frame, [[40, 20, 10, 10]])
    assert of_colour(drawn, object_colour(0)).any()
    large = gridded(np.zeros((720, 1280, 3), "uint8"))
    assert large.shape[1] - 1280 == large.shape[0] - 720 < 200
