"""`Tracker.update` beside OpenCV's trackers, one frame at a time, on one core.

A bright square moves over noise. All take turns within one run, so that the ratios
mean something on a busy machine too.
"""

import numpy as np
import pytest
from common import BACKEND, print_table, take_turns

from keras_attend.models import RATM
from keras_attend.tracking import Tracker

# TensorFlow's step is the one that is tuned for a call a frame.
pytestmark = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="the promise is TensorFlow's"
)
SIZES = [(100, 100), (375, 1242)]
FRAMES, SIDE, TARGETS = 20, 32, 8
# At least so many times KCF's and CSRT's frames a second.
FASTER = {"KCF": 1.0, "CSRT": 30.0}
# Times longer than one object, at most.
SHARED = 3.0


def make_model():
    """RATM with a window that stays where it is; what it computes is the same."""
    model = RATM(28, 100)
    model.build()
    model.cell.attend.kernel.assign(np.zeros((100, 7)))
    return model


def make_frames(size):
    """Frames `[T, H, W, 3]`, and the square's first box."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 80, (FRAMES, *size, 3), dtype="uint8")
    y, x = (n // 2 - SIDE // 2 for n in size)
    for t, frame in enumerate(frames):
        frame[y : y + SIDE, x + t // 4 : x + t // 4 + SIDE] += 120
    return frames, (x, y, SIDE, SIDE)


def follow(tracker, frames):
    """A call that updates a tracker with every frame."""

    def call():
        for frame in frames:
            tracker.update(frame)

    return call


def our_frames(frames, channels):
    """What the model wants, as a caller who reads grey video would have it."""
    return np.ascontiguousarray(frames[..., :channels])


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
def test_against_opencv(size):
    cv2 = pytest.importorskip("cv2")
    if not hasattr(cv2, "TrackerKCF_create"):
        pytest.skip("opencv-contrib-python-headless is needed")
    cv2.setNumThreads(1)
    frames, box = make_frames(size)
    model = make_model()
    grey, ours = our_frames(frames, model.channels), Tracker(model)
    ours.init(grey[0], box)
    calls = {"Tracker": follow(ours, grey)}
    for name in FASTER:
        rival = getattr(cv2, f"Tracker{name}_create")()
        rival.init(frames[0], box)
        calls[name] = follow(rival, frames)
    seconds = dict(zip(calls, take_turns(*calls.values()), strict=True))
    rows = [[k, FRAMES / t, t / seconds["Tracker"]] for k, t in seconds.items()]
    title = f"one object, {size[0]}x{size[1]}, batch 1, one core"
    print_table(title, ["", "frames/s", "times Tracker's"], rows)
    for name, factor in FASTER.items():
        assert seconds[name] / seconds["Tracker"] >= factor


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
def test_several_objects(size):
    frames, box = make_frames(size)
    model = make_model()
    frames = our_frames(frames, model.channels)
    one, many = Tracker(model), Tracker(model)
    one.init(frames[0], box)
    shifts = np.stack([np.arange(TARGETS), np.zeros(TARGETS)] + 2 * [[0] * TARGETS], 1)
    many.init(frames[0], np.array(box) + shifts)
    a, b = take_turns(follow(one, frames), follow(many, frames))
    rows = [["1", FRAMES / a, 1.0], [str(TARGETS), FRAMES / b, b / a]]
    title = f"{TARGETS} objects against one, {size[0]}x{size[1]}, one core"
    print_table(title, ["objects", "frames/s", "times one's time"], rows)
    assert b / a <= SHARED
